#include "catalog/schema.h"

#include <fmt/format.h>

#include "base/status_macros.h"

namespace siftsearch::catalog {
namespace {

Result<std::int64_t> ReadNumber(Connection& db, const char* sql) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db.Prepare(sql));
  SIFTSEARCH_ASSIGN_OR_RETURN(bool row, query.Step());
  return row ? query.Int(0) : 0;
}

/// What tells a file's format.
struct Marks {
  std::int64_t application = 0;
  std::int64_t format = 0;
  std::int64_t tables = 0;
};

Result<Marks> ReadMarks(Connection& db) {
  Marks marks;
  SIFTSEARCH_ASSIGN_OR_RETURN(marks.application, ReadNumber(db, "PRAGMA application_id"));
  SIFTSEARCH_ASSIGN_OR_RETURN(marks.format, ReadNumber(db, "PRAGMA user_version"));
  SIFTSEARCH_ASSIGN_OR_RETURN(marks.tables, ReadNumber(db, "SELECT count(*) FROM sqlite_schema"));
  return marks;
}

/// All of one commit: another process may be making the file.
Result<Marks> ReadMarksOfOneCommit(Connection& db) {
  SIFTSEARCH_RETURN_IF_ERROR(db.Execute("BEGIN"));
  auto marks = ReadMarks(db);
  (void)db.Execute("ROLLBACK");  // Nothing was written.
  return marks;
}

}  // namespace

Result<int> ReadFormat(Connection& db, int newest) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const Marks marks, ReadMarksOfOneCommit(db));
  const auto [application, format, tables] = marks;
  if (application == 0 && format == 0 && tables == 0) return 0;
  if (application != kApplicationId) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{} is an SQLite file, but not a siftsearch catalogue", db.file()));
  }
  if (format > newest) {
    return Status(StatusCode::kIncompatible,
                  fmt::format("{} was made by a newer siftsearch (format {}; this program reads up "
                              "to {})",
                              db.file(), format, newest));
  }
  if (format < 1) {
    return Status(StatusCode::kCorrupt,
                  fmt::format("{} is damaged: its format is {}", db.file(), format));
  }
  return static_cast<int>(format);
}

Status ApplyScripts(Connection& db, int from, std::span<const std::string_view> scripts) {
  for (std::size_t i = static_cast<std::size_t>(from); i < scripts.size(); ++i) {
    SIFTSEARCH_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db));
    SIFTSEARCH_RETURN_IF_ERROR(db.Execute(std::string(scripts[i])));
    SIFTSEARCH_RETURN_IF_ERROR(
        db.Execute(fmt::format("PRAGMA application_id = {}", kApplicationId)));
    SIFTSEARCH_RETURN_IF_ERROR(db.Execute(fmt::format("PRAGMA user_version = {}", i + 1)));
    SIFTSEARCH_RETURN_IF_ERROR(transaction.Commit());
  }
  return {};
}

}  // namespace siftsearch::catalog
