#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "siftsearch/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace siftsearch::catalog {

/// A prepared statement in use. Going out of scope resets it, which ends its read transaction. One
/// statement text may be in use once at a time per connection.
class Query {
 public:
  Query(Query&& other) noexcept;
  Query& operator=(Query&& other) noexcept;
  ~Query();

  /// Binds the next parameter, left to right. A failure comes out of the next Step.
  Query& Bind(std::int64_t value);
  Query& Bind(std::string_view text);
  Query& BindBlob(std::span<const std::uint8_t> bytes);

  /// True when a row is there to be read.
  Result<bool> Step();
  /// Steps a statement that gives no rows.
  Status Run();

  std::int64_t Int(int column) const;
  std::string Text(int column) const;  ///< Bytes of a text or a blob.
  std::vector<std::uint8_t> Blob(int column) const;

 private:
  friend class Connection;
  Query(class Connection* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}

  class Connection* db_;
  sqlite3_stmt* statement_;
  int parameter_ = 0;
  int bind_error_ = 0;
};

/// One connection to an SQLite file, for one thread at a time. Every error carries the file's name:
/// kOutOfSpace, kIoError, kCorrupt, kPermissionDenied, kBusy (another process held its lock for all
/// of `busy_ms`), kOutOfMemory, kInternal.
class Connection {
 public:
  enum class Mode {
    kExisting,  ///< Read-write where the file system allows it, else read-only.
    kCreate,    ///< Also makes the file.
    /// `file` only names it in errors: a file without a name, its owner's only, that holds what
    /// memory does not and goes with the connection.
    kTemporary,
  };

  static Result<std::unique_ptr<Connection>> Open(const std::string& file, Mode mode,
                                                  int busy_ms = 30'000);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  const std::string& file() const { return file_; }

  /// Prepared once per text, kept for the connection's life.
  Result<Query> Prepare(const char* sql);
  /// Runs statements that give no rows.
  Status Execute(const std::string& sql);
  /// Keeps the files of the write-ahead log, cut to 4 MiB, when the last connection closes: without
  /// them a reader that may write nothing can't open the database.
  Status KeepWriteAheadLog();
  /// Empties the database. No statement may be in use.
  Status Clear();

  std::int64_t LastInsertId() const;
  std::int64_t Changes() const;  ///< Rows changed by the last statement.
  bool InTransaction() const;

 private:
  friend class Query;
  Connection(std::string file, sqlite3* db) : file_(std::move(file)), db_(db) {}
  Status Error(int code) const;

  std::string file_;
  sqlite3* db_;
  std::map<std::string, sqlite3_stmt*, std::less<>> statements_;
};

/// A write transaction; rolled back unless committed.
class Transaction {
 public:
  static Result<Transaction> Begin(Connection& db);
  Transaction(Transaction&& other) noexcept : db_(other.db_) { other.db_ = nullptr; }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  /// Durable when it returns ok. After an error the file may hold either state (a lost disk);
  /// whoever goes on reads it anew.
  Status Commit();

 private:
  explicit Transaction(Connection* db) : db_(db) {}
  Connection* db_;
};

}  // namespace siftsearch::catalog
