#pragma once

#include <string_view>

#include "siftsearch/results.h"
#include "siftsearch/status.h"

namespace siftsearch::report {

/// The pair that a line of `report --format jsonl` tells of (PairJson). kInvalidArgument says which
/// field is wrong or missing.
Result<ReportPair> ReadPairJson(std::string_view line);

/// True for the line of PartialJson.
bool IsPartialJson(std::string_view line);

}  // namespace siftsearch::report
