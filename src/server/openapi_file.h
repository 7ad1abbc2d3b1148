#pragma once

#include <cstdint>
#include <span>

namespace siftsearch::server {

/// schema/openapi.json.
std::span<const std::uint8_t> OpenApiDocument();

}  // namespace siftsearch::server
