#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/sqlite.h"
#include "siftsearch/status.h"

namespace siftsearch::catalog {

/// Marks a SQLite file as ours ("SIFT").
inline constexpr std::int64_t kApplicationId = 0x53494654;

/// The scripts of schema/, v1 first.
std::vector<std::string_view> SchemaScripts();

/// Format of the file; 0 for a file without any table. kInvalidArgument for another program's
/// SQLite file, kIncompatible for a format above `newest`.
Result<int> ReadFormat(Connection& db, int newest);

/// Applies the scripts that the file lacks, each in a transaction of its own with the new format
/// number. `from` is the file's format.
Status ApplyScripts(Connection& db, int from, std::span<const std::string_view> scripts);

}  // namespace siftsearch::catalog
