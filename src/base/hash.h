#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "siftsearch/types.h"

namespace siftsearch {

/// SHA-256 of bytes (libcrypto).
ContentHash Sha256(std::span<const std::uint8_t> bytes);

/// XXH3-64 of bytes: the checksum in our files, against damage, not against an adversary.
std::uint64_t Checksum(std::span<const std::uint8_t> bytes);

/// Lower-case hexadecimal.
std::string ToHex(std::span<const std::uint8_t> bytes);

}  // namespace siftsearch
