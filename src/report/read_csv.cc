#include "report/read_csv.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/status_macros.h"

namespace siftsearch::report {
namespace {

Status Wrong(std::int64_t line, const std::string& cause) {
  return {StatusCode::kInvalidArgument, fmt::format("line {}: {}", line, cause)};
}

}  // namespace

Result<CsvReader> CsvReader::Open(std::istream& in) {
  CsvReader reader(in);
  SIFTSEARCH_ASSIGN_OR_RETURN(auto header, reader.ReadRow());
  if (!header) return Status(StatusCode::kInvalidArgument, "is empty: it has no header");
  reader.header_ = std::move(*header);
  std::string& first = reader.header_.front();
  if (first.starts_with("\xef\xbb\xbf")) first.erase(0, 3);
  return reader;
}

bool CsvReader::Has(const std::string& column) const {
  return std::find(header_.begin(), header_.end(), column) != header_.end();
}

Result<std::optional<std::vector<std::string>>> CsvReader::ReadRow() {
  std::vector<std::string> fields(1);
  line_ = next_line_;
  std::size_t bytes = 0;
  bool quoted = false;
  for (int c = in_->get(); c != EOF; c = in_->get()) {
    if (++bytes > kMaxRowBytes) return Wrong(line_, "is longer than a row may be");
    if (c == '\n') ++next_line_;
    if (quoted) {
      if (c != '"') {
        fields.back() += static_cast<char>(c);
      } else if (in_->peek() == '"') {
        fields.back() += static_cast<char>(in_->get());
      } else {
        quoted = false;
      }
    } else if (c == '"' && fields.back().empty()) {
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      return std::optional(std::move(fields));
    } else if (c != '\r' || in_->peek() != '\n') {
      fields.back() += static_cast<char>(c);
    }
  }
  if (quoted) return Wrong(line_, "a quote is not closed");
  if (bytes == 0) return std::optional<std::vector<std::string>>();
  return std::optional(std::move(fields));
}

Result<std::optional<std::map<std::string, std::string>>> CsvReader::Next() {
  using Row = std::map<std::string, std::string>;
  while (true) {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto fields, ReadRow());
    if (!fields) return std::optional<Row>();
    if (fields->size() == 1 && fields->front().empty()) continue;  // An empty line.
    if (fields->size() != header_.size()) {
      return Wrong(line_,
                   fmt::format("has {} fields, the header {}", fields->size(), header_.size()));
    }
    Row row;
    for (std::size_t i = 0; i < header_.size(); ++i) row[header_[i]] = std::move((*fields)[i]);
    return std::optional<Row>(std::move(row));
  }
}

}  // namespace siftsearch::report
