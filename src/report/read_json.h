#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "siftsearch/results.h"
#include "siftsearch/status.h"

namespace siftsearch::report {

/// The pair that a line of `report --format jsonl` tells of (PairJson). kInvalidArgument says which
/// field is wrong or missing.
Result<ReportPair> ReadPairJson(std::string_view line);

/// What a server answers to a query: {"commit", "results": [QueryJson…]}.
struct QueryAnswer {
  std::int64_t commit = 0;
  std::vector<QueryResult> results;
};
/// kInvalidArgument, as above. The error of a result has lost its code: it is kInvalidArgument.
Result<QueryAnswer> ReadQueryAnswer(std::string_view text);

/// A page of a server's list: {"images": [ImageJson…], "next"}.
struct ImagePage {
  std::vector<ImageRecord> images;
  std::int64_t next = 0;  ///< Where the next page begins; 0: there is none.
};
Result<ImagePage> ReadImagePage(std::string_view text);

/// The outcome that AddJson wrote.
Result<AddOutcome> ReadAddJson(std::string_view text);

/// What a problem document says; "" where the text is none.
std::string ReadProblem(std::string_view text);

/// The fields of an object as text: numbers and truth values as JSON writes them, null as "".
/// kInvalidArgument for a field that is an object or an array.
Result<std::map<std::string, std::string>> ReadItemJson(std::string_view line);

/// True for the line of PartialJson.
bool IsPartialJson(std::string_view line);

}  // namespace siftsearch::report
