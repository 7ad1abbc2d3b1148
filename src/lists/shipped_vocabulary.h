#pragma once

#include <cstdint>
#include <span>

namespace siftsearch::lists {

/// The bytes of data/vocabulary.bin, compiled in.
std::span<const std::uint8_t> ShippedVocabulary();

}  // namespace siftsearch::lists
