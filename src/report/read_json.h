#pragma once

#include <map>
#include <string>
#include <string_view>

#include "siftsearch/results.h"
#include "siftsearch/status.h"

namespace siftsearch::report {

/// The pair that a line of `report --format jsonl` tells of (PairJson). kInvalidArgument says which
/// field is wrong or missing.
Result<ReportPair> ReadPairJson(std::string_view line);

/// The fields of an object as text: numbers and truth values as JSON writes them, null as "".
/// kInvalidArgument for a field that is an object or an array.
Result<std::map<std::string, std::string>> ReadItemJson(std::string_view line);

/// True for the line of PartialJson.
bool IsPartialJson(std::string_view line);

}  // namespace siftsearch::report
