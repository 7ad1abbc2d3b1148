#pragma once

#include <exception>

#include "siftsearch/status.h"

namespace siftsearch {

/// What an exception says: kOutOfMemory of std::bad_alloc, else kInternal with its text. For the
/// edge of the public interface, which no exception crosses.
Status StatusOf(const std::exception& error);

}  // namespace siftsearch
