#include "catalog/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/status_macros.h"

namespace siftsearch::catalog {
namespace {

bool IsNoSpace(int system_error) {
  return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

StatusCode CodeOf(int code, int system_error) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return StatusCode::kOutOfSpace;
    case SQLITE_IOERR:
      if (code == SQLITE_IOERR_NOMEM) return StatusCode::kOutOfMemory;
      if (code == SQLITE_IOERR_CORRUPTFS) return StatusCode::kCorrupt;
      return IsNoSpace(system_error) ? StatusCode::kOutOfSpace : StatusCode::kIoError;
    case SQLITE_NOMEM:
      return StatusCode::kOutOfMemory;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return StatusCode::kCorrupt;
    case SQLITE_CANTOPEN:
      if (IsNoSpace(system_error)) return StatusCode::kOutOfSpace;
      return system_error == ENOENT ? StatusCode::kNotFound : StatusCode::kPermissionDenied;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return StatusCode::kPermissionDenied;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return StatusCode::kBusy;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    default:
      return StatusCode::kInternal;
  }
}

/// The system's reason of a failed read or write, 0 where SQLite no longer knows it.
int LastFileError(sqlite3* db) {
  int error = 0;
  if (sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &error) == SQLITE_OK &&
      error != 0) {
    return error;
  }
  sqlite3_file* journal = nullptr;
  if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &journal) == SQLITE_OK &&
      journal != nullptr && journal->pMethods != nullptr &&
      journal->pMethods->xFileControl(journal, SQLITE_FCNTL_LAST_ERRNO, &error) == SQLITE_OK &&
      error != 0) {
    return error;
  }
  return sqlite3_system_errno(db);  // A journal that could not be begun is gone by now.
}

std::string Describe(const std::string& file, int code, int system_error, const char* text) {
  std::string message = fmt::format("{}: {}", file, text);
  const int primary = code & 0xff;
  const bool from_system = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
  if (from_system && system_error != 0) {
    message += fmt::format(" ({})", std::strerror(system_error));
  }
  if (code == SQLITE_READONLY_ROLLBACK || code == SQLITE_READONLY_CANTLOCK) {
    message += "; a write was interrupted, and undoing it needs permission to write";
  }
  return message;
}

}  // namespace

Query::Query(Query&& other) noexcept
    : db_(other.db_),
      statement_(std::exchange(other.statement_, nullptr)),
      parameter_(other.parameter_),
      bind_error_(other.bind_error_) {}

Query& Query::operator=(Query&& other) noexcept {
  std::swap(db_, other.db_);
  std::swap(statement_, other.statement_);
  std::swap(parameter_, other.parameter_);
  std::swap(bind_error_, other.bind_error_);
  return *this;
}

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);  // Repeats the error that Step has already returned.
  sqlite3_clear_bindings(statement_);
}

Query& Query::Bind(std::int64_t value) {
  const int code = sqlite3_bind_int64(statement_, ++parameter_, value);
  if (bind_error_ == SQLITE_OK) bind_error_ = code;
  return *this;
}

Query& Query::Bind(std::string_view text) {
  const int code = sqlite3_bind_text64(statement_, ++parameter_, text.data(), text.size(),
                                       SQLITE_TRANSIENT, SQLITE_UTF8);
  if (bind_error_ == SQLITE_OK) bind_error_ = code;
  return *this;
}

Query& Query::BindBlob(std::span<const std::uint8_t> bytes) {
  ++parameter_;
  const int code = bytes.empty() ? sqlite3_bind_zeroblob(statement_, parameter_, 0)
                                 : sqlite3_bind_blob64(statement_, parameter_, bytes.data(),
                                                       bytes.size(), SQLITE_TRANSIENT);
  if (bind_error_ == SQLITE_OK) bind_error_ = code;
  return *this;
}

Result<bool> Query::Step() {
  if (bind_error_ != SQLITE_OK) return db_->Error(bind_error_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return db_->Error(code);
}

Status Query::Run() {
  SIFTSEARCH_ASSIGN_OR_RETURN(bool row, Step());
  assert(!row);
  (void)row;
  return {};
}

std::int64_t Query::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Query::Text(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string()
                         : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

std::vector<std::uint8_t> Query::Blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr) return {};
  return {data, data + size};
}

Result<std::unique_ptr<Connection>> Connection::Open(const std::string& file, Mode mode,
                                                     int busy_ms) {
  sqlite3* handle = nullptr;
  // Read-write even for readers: a reader must be able to roll back what a killed writer left.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (mode == Mode::kExisting ? 0 : SQLITE_OPEN_CREATE);
  const char* name = mode == Mode::kTemporary ? "" : file.c_str();
  const int code = sqlite3_open_v2(name, &handle, flags, nullptr);
  if (handle == nullptr) {
    return Status(StatusCode::kOutOfMemory, fmt::format("{}: out of memory", file));
  }
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> owned(handle, &sqlite3_close);
  std::unique_ptr<Connection> db(new Connection(file, handle));
  (void)owned.release();  // The connection closes it.
  if (code != SQLITE_OK) return db->Error(code);
  sqlite3_busy_timeout(handle, busy_ms);
  // Readers go on during a write transaction: it must not spill into the file before the commit.
  SIFTSEARCH_RETURN_IF_ERROR(db->Execute(
      "PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = ON; PRAGMA cache_spill = OFF"));
  return db;
}

Connection::~Connection() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

Result<Query> Connection::Prepare(const char* sql) {
  if (auto known = statements_.find(std::string_view(sql)); known != statements_.end()) {
    return Query(this, known->second);
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return Error(code);
  std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> owned(statement, &sqlite3_finalize);
  statements_.emplace(sql, statement);
  (void)owned.release();  // The connection finalizes it.
  return Query(this, statement);
}

Status Connection::Execute(const std::string& sql) {
  const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Status() : Error(code);
}

Status Connection::KeepWriteAheadLog() {
  int keep = 1;
  const int code = sqlite3_file_control(db_, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
  if (code != SQLITE_OK) return Error(code);
  return Execute("PRAGMA journal_size_limit = 4194304");
}

Status Connection::Clear() {
  sqlite3_db_config(db_, SQLITE_DBCONFIG_RESET_DATABASE, 1, nullptr);
  const Status status = Execute("VACUUM");
  sqlite3_db_config(db_, SQLITE_DBCONFIG_RESET_DATABASE, 0, nullptr);
  return status;
}

std::int64_t Connection::LastInsertId() const { return sqlite3_last_insert_rowid(db_); }
std::int64_t Connection::Changes() const { return sqlite3_changes64(db_); }
bool Connection::InTransaction() const { return sqlite3_get_autocommit(db_) == 0; }

Status Connection::Error(int code) const {
  const bool io_error = (code & 0xff) == SQLITE_IOERR;
  const int system_error = io_error ? LastFileError(db_) : sqlite3_system_errno(db_);
  // sqlite3_errmsg can hold an older text when an open or a bind failed.
  const char* text =
      sqlite3_extended_errcode(db_) == code ? sqlite3_errmsg(db_) : sqlite3_errstr(code);
  return {CodeOf(code, system_error), Describe(file_, code, system_error, text)};
}

Result<Transaction> Transaction::Begin(Connection& db) {
  SIFTSEARCH_RETURN_IF_ERROR(db.Execute("BEGIN IMMEDIATE"));
  return Transaction(&db);
}

Transaction::~Transaction() {
  if (db_ == nullptr || !db_->InTransaction()) return;
  // A failing rollback leaves the journal, and the next connection rolls back with it.
  (void)db_->Execute("ROLLBACK");
}

Status Transaction::Commit() {
  SIFTSEARCH_RETURN_IF_ERROR(db_->Execute("COMMIT"));
  db_ = nullptr;
  return {};
}

}  // namespace siftsearch::catalog
