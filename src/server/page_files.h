#pragma once

#include <cstdint>
#include <span>

namespace siftsearch::server {

/// The files of page/, compiled into the program.
std::span<const std::uint8_t> PageHtml();
std::span<const std::uint8_t> PageCss();
std::span<const std::uint8_t> PageJs();
std::span<const std::uint8_t> PageCompareJs();

}  // namespace siftsearch::server
