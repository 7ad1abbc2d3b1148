#pragma once

#include <string>
#include <string_view>

#include "siftsearch/status.h"

namespace siftsearch {

/// The kind of failure that an `errno` value stands for: kNotFound, kPermissionDenied,
/// kAlreadyExists, kUnsupported (names on two file systems), kOutOfSpace, kOutOfMemory, else
/// kIoError.
StatusCode CodeOfErrno(int error);

/// "PATH: CAUSE (what the system says)", for example "a.seg: can't be written (No space left on
/// device)".
Status ErrnoStatus(const std::string& path, std::string_view cause, int error);

}  // namespace siftsearch
