#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "siftsearch/types.h"

namespace siftsearch {

/// SHA-256 of bytes (libcrypto). Throws std::bad_alloc where libcrypto gets no memory.
ContentHash Sha256(std::span<const std::uint8_t> bytes);

/// XXH3-64 of bytes: the checksum in our files, against damage, not against an adversary.
std::uint64_t Checksum(std::span<const std::uint8_t> bytes);

/// Lower-case hexadecimal.
std::string ToHex(std::span<const std::uint8_t> bytes);

}  // namespace siftsearch
