#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "cli/console.h"
#include "siftsearch/engine.h"

namespace siftsearch::cli {

/// The format that a file's ending asks for. UsageError for others than .png, .jpg
/// and .svg.
std::string DrawFormat(const std::string& file);

/// Draws a result's best match into `file`; `query` are the bytes that were searched. Says so where
/// there is none to draw.
Status DrawBest(const std::string& file, const InputLimits& limits, const QueryResult& result,
                std::span<const std::uint8_t> query, const Console& console);

}  // namespace siftsearch::cli
