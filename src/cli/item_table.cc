#include "cli/item_table.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/status_macros.h"
#include "cli/input_walker.h"
#include "report/read_json.h"
#include "report/text.h"

namespace siftsearch::cli {

Result<std::unique_ptr<ItemTable>> ItemTable::Open(const std::string& file,
                                                   const FetchLimits& limits) {
  std::unique_ptr<ItemTable> table(new ItemTable(AbsolutePath(file), limits));
  table->stream_.open(file);
  if (!table->stream_) return Status(StatusCode::kInvalidArgument, file + " can't be read");
  if (file.ends_with(".jsonl")) return table;
  auto csv = report::CsvReader::Open(table->stream_);
  if (!csv.ok()) return Status(csv.status().code(), file + ": " + csv.status().message());
  if (!csv->Has("path") && !csv->Has("url")) {
    return Status(StatusCode::kInvalidArgument, file + ": has neither a column path nor url");
  }
  table->csv_.emplace(std::move(csv).value());
  return table;
}

Result<std::optional<ItemTable::Row>> ItemTable::NextRow() {
  if (csv_) {
    auto row = csv_->Next();
    line_ = csv_->line();
    return row;
  }
  std::string text;
  do {
    if (!std::getline(stream_, text)) return std::optional<Row>();
    ++line_;
  } while (text.empty());
  SIFTSEARCH_ASSIGN_OR_RETURN(Row row, report::ReadItemJson(text));
  return std::optional<Row>(std::move(row));
}

AddInput ItemTable::Problem(const Status& status) const {
  AddInput input;
  input.path = file_;
  input.problem = {status.code(),
                   csv_ ? status.message() : fmt::format("line {}: {}", line_, status.message())};
  return input;
}

AddInput ItemTable::InputOf(Row row) {
  const std::string url = row["url"];
  const std::string path = row["path"];
  AddInput input;
  input.path = !path.empty() ? (std::filesystem::path(file_).parent_path() / path).string() : url;
  if (!path.empty()) {
    input.path = AbsolutePath(input.path);
  } else if (IsUrl(url)) {
    input.read = [url, limits = limits_] { return Fetch(url, limits); };
  } else {
    input.path = fmt::format("{}, line {}", file_, line_);
    input.problem = {StatusCode::kInvalidArgument, url.empty()
                                                       ? "names neither a path nor a url"
                                                       : "its url is neither http:// nor https://"};
  }
  row.erase("path");
  row.erase("url");
  if (!path.empty() && !url.empty()) row["url"] = url;
  std::erase_if(row, [](const auto& entry) { return entry.second.empty(); });
  for (const auto& [key, value] : row) {
    if (!report::IsUtf8(key) || !report::IsUtf8(value)) {
      input.problem = {StatusCode::kInvalidArgument,
                       fmt::format("line {}: an attribute is not UTF-8 text", line_)};
    }
  }
  input.attributes = std::move(row);
  return input;
}

std::optional<AddInput> ItemTable::Next() {
  if (ended_) return std::nullopt;
  auto row = NextRow();
  if (!row.ok()) {
    // A quote that is not closed takes the rest of the file.
    ended_ = csv_.has_value() && stream_.eof();
    return Problem(row.status());
  }
  if (!row.value()) {
    ended_ = true;
    return std::nullopt;
  }
  return InputOf(std::move(*row.value()));
}

}  // namespace siftsearch::cli
