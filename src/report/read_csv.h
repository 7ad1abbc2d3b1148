#pragma once

#include <cstdint>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "siftsearch/status.h"

namespace siftsearch::report {

/// Reads RFC 4180 rows under a header: fields with quotes may hold commas, quotes and line breaks;
/// lines end with "\n" or "\r\n"; a byte order mark is passed over.
class CsvReader {
 public:
  /// Rows of more bytes than this are refused.
  static constexpr std::size_t kMaxRowBytes = 1 << 20;

  /// Reads the header. kInvalidArgument where there is none.
  static Result<CsvReader> Open(std::istream& in);

  const std::vector<std::string>& header() const { return header_; }
  bool Has(const std::string& column) const;

  /// The next row as column → field; none at the end. kInvalidArgument names the line where a row
  /// has another number of fields than the header, or a quote stays open.
  Result<std::optional<std::map<std::string, std::string>>> Next();

  /// Line on which the last row begins, from 1.
  std::int64_t line() const { return line_; }

 private:
  explicit CsvReader(std::istream& in) : in_(&in) {}
  Result<std::optional<std::vector<std::string>>> ReadRow();

  std::istream* in_;
  std::vector<std::string> header_;
  std::int64_t line_ = 0;
  std::int64_t next_line_ = 1;
};

}  // namespace siftsearch::report
