#pragma once

#include <string>
#include <string_view>

#include "siftsearch/results.h"
#include "siftsearch/search_backend.h"

namespace siftsearch::report {

/// RFC 4180, lines ended by "\n", bytes as they are: a path that is not UTF-8 stays the path it is.

std::string CsvField(std::string_view text);  ///< Quoted where it must be.

/// The same rows for a spreadsheet program: a field that it would take for a formula (it begins
/// with `=`, `+`, `-`, `@`, a tab or a carriage return and is no number) gets an apostrophe before
/// it.
std::string ForSpreadsheet(std::string_view csv);

std::string QueryCsvHeader();
/// A row for each match; one row with an empty rank for a query without any or with an error.
std::string QueryCsv(const QueryResult& result);

std::string PairCsvHeader();  ///< `query,image,score,copy,votes,inliers,mirrored,inverted,group`
std::string PairCsv(const ReportPair& pair);

/// A last row that says that the report is a part: "# stopped before the end: ABOUT" as its query.
std::string PartialCsv(std::string_view about);

std::string HashCsvHeader();
std::string HashCsv(const std::string& path, const PictureHash& hash);

std::string ImageCsvHeader();
std::string ImageCsv(const ImageRecord& image);

}  // namespace siftsearch::report
