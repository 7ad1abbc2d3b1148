#pragma once

#include <span>
#include <string>
#include <vector>

#include "siftsearch/results.h"
#include "siftsearch/search_backend.h"

namespace siftsearch::report {

/// Lines for people; names are escaped (`Printable`).

/// Rows under a header in columns two spaces apart. Columns named in `right` (by index) are set
/// flush right; the last column is not padded.
std::string Columns(const std::vector<std::vector<std::string>>& rows,
                    std::span<const std::size_t> right);

std::string QueryTable(const QueryResult& result);
std::string PairTableHeader();
std::string PairTable(const ReportPair& pair);
std::string ImageTableHeader();
std::string ImageTable(const ImageRecord& image);
/// All that is known of an image, a line for each field.
std::string ImageDetails(const ImageRecord& image);
/// The key of the index and, behind it, what it stands for: "auto (Terms)".
std::string IndexName(const BackendStats& stats);
std::string IndexTable(const BackendStats& stats);
std::string StatsTable(const BackendStats& stats, const ExtractorSettings& settings);

/// "1.0 MiB".
std::string ByteSize(std::int64_t bytes);

}  // namespace siftsearch::report
