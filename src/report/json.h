#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "report/because.h"
#include "siftsearch/results.h"
#include "siftsearch/search_backend.h"

namespace siftsearch::report {

/// Each function gives one JSON object on one line, without a line break at its end; fields and
/// order as in schema/json.md. A path that is not UTF-8 has U+FFFD for its bad bytes, and all its
/// bytes in a field of the same name with "_base64" added.
std::string AddJson(const AddOutcome& outcome);
/// In ASCII, as the header of a request takes it.
std::string AttributesJson(const std::map<std::string, std::string>& attributes);
/// The hashes of one picture, or why there are none.
std::string HashJson(const std::string& path, const Result<PictureHash>& hash);
/// With `pushes_of` also what pushed each score; with `points` also points that agree.
std::string QueryJson(const QueryResult& result, const PushesOf& pushes_of = {},
                      bool points = false);
std::string PairJson(const ReportPair& pair);
/// {"partial": true, "about": …}: the last line of a report that was stopped.
std::string PartialJson(const std::string& about);
std::string ImageJson(const ImageRecord& image);
std::string StatsJson(const BackendStats& stats, const ExtractorSettings& settings);
std::string CheckJson(std::span<const CheckProblem> problems);

}  // namespace siftsearch::report
