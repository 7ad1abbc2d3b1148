#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/sqlite.h"
#include "siftsearch/engine.h"
#include "siftsearch/results.h"
#include "siftsearch/status.h"

namespace siftsearch::engine {

/// Where a report gathers what it finds before it is put in order (schema/report.md): an SQLite
/// file, so that memory does not grow with the pairs and a stopped report can go on. What was put
/// is durable a second later. One object holds a file at a time, also of those in other processes;
/// used from one thread.
class ReportJournal {
 public:
  /// `file` empty: a temporary one, which can't be resumed. A new file is its owner's only. `task`
  /// says what is asked; with `resume`, what `file` holds is kept if it has the same task, else
  /// kInvalidArgument; without, it is made anew. A file that is neither empty nor the journal of a
  /// report is left alone: kInvalidArgument. kBusy: another report has it.
  static Result<std::unique_ptr<ReportJournal>> Open(const std::string& file, bool resume,
                                                     const std::string& task);

  ~ReportJournal();

  /// True where this query was searched before.
  Result<bool> IsDone(std::string_view query);
  /// All of a query's pairs were put; a Checkpoint.
  Status SetDone(std::string_view query);
  Result<std::int64_t> CountDone();

  /// A pair of contents, found from one of its two sides: the better side stays, on a tie that of
  /// the later query. The images of `pair` are not read.
  Status PutContents(std::int64_t query, std::int64_t content, double log_odds, const Match& match);
  /// Calls `visit` with the pairs of contents, (query, content, match).
  Status VisitContents(
      const std::function<Status(std::int64_t, std::int64_t, const Match&)>& visit);

  /// A pair of images; `order` is that of its query.
  Status PutPair(std::int64_t order, const ReportPair& pair);
  /// What was put up to here belongs together: it becomes lasting, unless that was done within the
  /// last second.
  Status Checkpoint();
  Status ClearPairs();
  /// Removes those of one order.
  Status RemovePairs(std::int64_t order);
  /// The images that queries have pairs with, each once.
  Result<std::vector<ImageId>> ImagesInPairs();

  /// Numbers the groups of the copies (see GroupBuilder); gives how many there are.
  Result<std::int64_t> NumberGroups();

  /// Takes the groups that the pairs came with.
  Status KeepGroups();

  /// The pairs in order, ranked.
  Status Visit(ReportOrder order, const std::function<Status(const ReportPair&)>& visit);

  /// What was handed on is lasting elsewhere: removes the file.
  Status Finish();

 private:
  explicit ReportJournal(std::unique_ptr<catalog::Connection> db) : db_(std::move(db)) {}
  static Result<std::unique_ptr<ReportJournal>> OpenFile(const std::string& file, bool resume,
                                                         const std::string& task);
  Status MakeTables(const std::string& task);
  Status Begin();
  Status CommitNow();
  Status VisitCopies(const std::function<Status(std::int64_t, const ReportPair&)>& visit);

  std::unique_ptr<catalog::Connection> db_;
  std::optional<catalog::Transaction> transaction_;
  std::int64_t begun_ms_ = 0;
  bool is_file_ = false;
};

}  // namespace siftsearch::engine
