#pragma once

#include <cstdint>
#include <span>

namespace siftsearch::verify {

/// The bytes of data/models/decision-1.json, compiled in.
std::span<const std::uint8_t> ShippedModel();

}  // namespace siftsearch::verify
