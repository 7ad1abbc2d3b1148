#include "engine/report_journal.h"

#include <chrono>
#include <cmath>

#include "base/status_macros.h"
#include "engine/group_builder.h"
#include "env/file_env.h"
#include "report/json.h"
#include "report/read_json.h"

namespace siftsearch::engine {
namespace {

constexpr std::int64_t kCommitMs = 1000;

constexpr std::int64_t kBridge = 1, kQueryInParts = 2, kImageInParts = 4, kCoveredPercent = 8;

constexpr std::int64_t kApplicationId = 0x53494a52;  // "SIJR", as in kTables.

// Scores and odds are whole millionths; flags are the three above, and the covered
// per cent times the fourth.
constexpr char kTables[] =
    "PRAGMA application_id = 0x53494a52; PRAGMA user_version = 1;"
    "CREATE TABLE task (id INTEGER PRIMARY KEY CHECK (id = 1), what TEXT NOT NULL) STRICT;"
    "CREATE TABLE done (query BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;"
    "CREATE TABLE contents (low INTEGER, high INTEGER, query INTEGER NOT NULL,"
    "  odds INTEGER NOT NULL, match TEXT NOT NULL, PRIMARY KEY (low, high)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE pairs (id INTEGER PRIMARY KEY, query INTEGER NOT NULL, score INTEGER NOT NULL,"
    "  inliers INTEGER NOT NULL, image INTEGER NOT NULL, copy INTEGER NOT NULL,"
    "  names BLOB NOT NULL, in_group INTEGER, flags INTEGER NOT NULL, pair TEXT NOT NULL) STRICT;"
    "CREATE INDEX pairs_by_query ON pairs (query, score DESC, inliers DESC, image, id);"
    "CREATE INDEX pairs_by_score ON pairs (copy, score DESC, names);";

constexpr char kPutContents[] =
    "INSERT INTO contents VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (low, high) DO UPDATE SET "
    "query = excluded.query, odds = excluded.odds, match = excluded.match WHERE "
    "excluded.odds > odds OR (excluded.odds = odds AND excluded.query > query)";
constexpr char kPutPair[] =
    "INSERT INTO pairs (query, score, inliers, image, copy, names, flags, pair) "
    "VALUES (?, ?, ?, ?, ?, ?, 0, ?)";
constexpr char kByQuery[] =
    "SELECT pair, in_group, flags, query, rank() OVER (PARTITION BY query "
    "ORDER BY score DESC, inliers DESC, image, id) FROM pairs "
    "ORDER BY query, score DESC, inliers DESC, image, id";
constexpr char kByGroup[] =
    "SELECT pair, in_group, flags, query, rank() OVER (PARTITION BY query "
    "ORDER BY score DESC, inliers DESC, image, id) AS place FROM pairs "
    "ORDER BY in_group IS NULL, in_group, query, place";
constexpr char kCopies[] =
    "SELECT id, pair FROM pairs WHERE copy = 1 ORDER BY score DESC, names, id";
/// Groups as the builder named them (negative) become 1, 2, … by their first pair.
constexpr char kRenumber[] =
    "WITH firsts AS MATERIALIZED (SELECT in_group AS name, row_number() OVER (ORDER BY min(place)) "
    "AS number "
    "FROM (SELECT in_group, row_number() OVER (ORDER BY query, score DESC, inliers DESC, image, "
    "id) AS place FROM pairs) WHERE in_group IS NOT NULL GROUP BY in_group) "
    "UPDATE pairs SET in_group = (SELECT number FROM firsts WHERE name = in_group) "
    "WHERE in_group IS NOT NULL";

std::int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::int64_t Millionths(double value) { return std::llround(value * 1e6); }

/// The two paths in an order of their own, so that ties do not depend on that of the database.
std::string NamesOf(const ReportPair& pair) {
  const auto [low, high] = std::minmax(pair.query.path, pair.match.image.path);
  return low + '\0' + high;
}

/// What a file is to a journal.
enum class Holds { kNothing, kJournal, kOther };

Result<Holds> Look(catalog::Connection& db) {
  const auto number = [&](const char* sql) -> Result<std::int64_t> {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto query, db.Prepare(sql));
    SIFTSEARCH_RETURN_IF_ERROR(query.Step().status());
    return query.Int(0);
  };
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t id, number("PRAGMA application_id"));
  if (id == kApplicationId) return Holds::kJournal;
  // An empty file, or one that a run was killed in before it could put anything there.
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t objects,
                              number("SELECT count(*) FROM sqlite_schema"));
  return id == 0 && objects == 0 ? Holds::kNothing : Holds::kOther;
}

Status NoJournal(const std::string& file) {
  return {StatusCode::kInvalidArgument,
          file +
              " is there and is not the journal of a report, or is damaged: it is left alone; "
              "remove it, or give it another name"};
}

/// Opens a file that is empty or a journal for this connection alone: SQLite's locks hold until it
/// ends. What is neither is only looked at.
Result<std::unique_ptr<catalog::Connection>> OpenAlone(const std::string& file) {
  const auto open = [&]() -> Result<std::unique_ptr<catalog::Connection>> {
    SIFTSEARCH_ASSIGN_OR_RETURN(
        auto db, catalog::Connection::Open(file, catalog::Connection::Mode::kExisting, 0));
    SIFTSEARCH_ASSIGN_OR_RETURN(const Holds holds, Look(*db));
    if (holds == Holds::kOther) return NoJournal(file);
    SIFTSEARCH_RETURN_IF_ERROR(
        db->Execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT"));
    return db;
  };
  auto db = open();
  if (db.status().code() == StatusCode::kCorrupt) return NoJournal(file);
  if (db.status().code() != StatusCode::kBusy) return db;
  return Status(StatusCode::kBusy, file + " is in use: another report is being made with it");
}

/// Makes an empty file where there is none; true if it did.
Result<bool> MakeFile(const std::string& file) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool there, DiskEnv().Exists(file));
  if (there) return false;
  for (const char* ending : {"-journal", "-wal"}) {
    // SQLite would take it for a part of the new file.
    SIFTSEARCH_ASSIGN_OR_RETURN(const bool left, DiskEnv().Exists(file + ending));
    if (!left) continue;
    return Status(StatusCode::kInvalidArgument,
                  file + ending +
                      " is there without the journal that it belongs to: remove it, "
                      "or give it another name");
  }
  const auto made = DiskEnv().CreateNew(file, Access::kPrivate);
  if (made.status().code() == StatusCode::kAlreadyExists) return false;
  SIFTSEARCH_RETURN_IF_ERROR(made.status());
  return true;
}

Status CheckTask(catalog::Connection& db, const std::string& task) {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto query, db.Prepare("SELECT what FROM task"));
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool row, query.Step());
  if (row && query.Text(0) == task) return {};
  return {StatusCode::kInvalidArgument,
          db.file() +
              " is of another report: the database has changed since, or the options are "
              "others; without --resume the report starts anew"};
}

Result<Match> ReadMatch(const std::string& text) {
  SIFTSEARCH_ASSIGN_OR_RETURN(ReportPair pair, report::ReadPairJson(text));
  return std::move(pair.match);
}

/// By the parts that other pairs tell of, or by the pair's own pixels. Less than `kLeastCovered`
/// may be what compression makes of a busy place.
std::int64_t CoveredPercent(GroupBuilder& builder, const ReportPair& pair) {
  constexpr double kLeastCovered = 0.05;
  const double covered = std::max(builder.Covered(pair), pair.match.evidence.pixels_covered);
  return covered < kLeastCovered ? 0 : std::llround(100 * covered);
}

}  // namespace

Result<std::unique_ptr<ReportJournal>> ReportJournal::Open(const std::string& file, bool resume,
                                                           const std::string& task) {
  if (!file.empty()) return OpenFile(file, resume, task);
  if (resume) {
    return Status(StatusCode::kInvalidArgument,
                  "a report goes on only where the file of its journal is named");
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(auto db,
                              catalog::Connection::Open("the report's temporary file",
                                                        catalog::Connection::Mode::kTemporary));
  std::unique_ptr<ReportJournal> journal(new ReportJournal(std::move(db)));
  SIFTSEARCH_RETURN_IF_ERROR(journal->MakeTables(task));
  return journal;
}

Result<std::unique_ptr<ReportJournal>> ReportJournal::OpenFile(const std::string& file, bool resume,
                                                               const std::string& task) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool made, MakeFile(file));
  SIFTSEARCH_ASSIGN_OR_RETURN(auto db, OpenAlone(file));
  std::unique_ptr<ReportJournal> journal(new ReportJournal(std::move(db)));
  journal->is_file_ = true;
  SIFTSEARCH_ASSIGN_OR_RETURN(const Holds holds, Look(*journal->db_));
  if (holds == Holds::kJournal && resume) {
    SIFTSEARCH_RETURN_IF_ERROR(CheckTask(*journal->db_, task));
    return journal;
  }
  Status status = holds == Holds::kJournal ? journal->db_->Clear() : Status();
  if (status.ok()) status = journal->MakeTables(task);
  if (!status.ok() && made) (void)journal->Finish();  // The first error is the one to tell.
  if (!status.ok()) return status;
  return journal;
}

Status ReportJournal::MakeTables(const std::string& task) {
  // Nobody else reads it, so a long transaction may take room in the file, not in memory.
  SIFTSEARCH_RETURN_IF_ERROR(db_->Execute("PRAGMA cache_spill = ON"));
  SIFTSEARCH_RETURN_IF_ERROR(Begin());
  SIFTSEARCH_RETURN_IF_ERROR(db_->Execute(kTables));
  {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto insert,
                                db_->Prepare("INSERT INTO task (id, what) VALUES (1, ?)"));
    SIFTSEARCH_RETURN_IF_ERROR(insert.Bind(std::string_view(task)).Run());
  }
  return CommitNow();
}

Status ReportJournal::Begin() {
  if (transaction_) return {};
  SIFTSEARCH_ASSIGN_OR_RETURN(auto transaction, catalog::Transaction::Begin(*db_));
  transaction_.emplace(std::move(transaction));
  begun_ms_ = NowMs();
  return {};
}

Status ReportJournal::Checkpoint() {
  return transaction_ && NowMs() - begun_ms_ >= kCommitMs ? CommitNow() : Status();
}

Status ReportJournal::CommitNow() {
  if (!transaction_) return {};
  const Status status = transaction_->Commit();
  transaction_.reset();
  return status;
}

Result<bool> ReportJournal::IsDone(std::string_view query) {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto select, db_->Prepare("SELECT 1 FROM done WHERE query = ?"));
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(query.data());
  return select.BindBlob({bytes, query.size()}).Step();
}

Status ReportJournal::SetDone(std::string_view query) {
  SIFTSEARCH_RETURN_IF_ERROR(Begin());
  SIFTSEARCH_ASSIGN_OR_RETURN(auto insert, db_->Prepare("INSERT OR IGNORE INTO done VALUES (?)"));
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(query.data());
  SIFTSEARCH_RETURN_IF_ERROR(insert.BindBlob({bytes, query.size()}).Run());
  return Checkpoint();
}

Result<std::int64_t> ReportJournal::CountDone() {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto count, db_->Prepare("SELECT count(*) FROM done"));
  SIFTSEARCH_RETURN_IF_ERROR(count.Step().status());
  return count.Int(0);
}

Status ReportJournal::PutContents(std::int64_t query, std::int64_t content, double log_odds,
                                  const Match& match) {
  SIFTSEARCH_RETURN_IF_ERROR(Begin());
  SIFTSEARCH_ASSIGN_OR_RETURN(auto insert, db_->Prepare(kPutContents));
  ReportPair pair;
  pair.match = match;
  const std::string text = report::PairJson(pair);
  insert.Bind(std::min(query, content)).Bind(std::max(query, content)).Bind(query);
  return insert.Bind(Millionths(log_odds)).Bind(std::string_view(text)).Run();
}

Status ReportJournal::VisitContents(
    const std::function<Status(std::int64_t, std::int64_t, const Match&)>& visit) {
  SIFTSEARCH_RETURN_IF_ERROR(CommitNow());
  SIFTSEARCH_ASSIGN_OR_RETURN(
      auto select, db_->Prepare("SELECT query, low, high, match FROM contents ORDER BY low, high"));
  while (true) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return {};
    const std::int64_t query = select.Int(0);
    SIFTSEARCH_ASSIGN_OR_RETURN(const Match match, ReadMatch(select.Text(3)));
    SIFTSEARCH_RETURN_IF_ERROR(visit(query, select.Int(1) + select.Int(2) - query, match));
  }
}

Status ReportJournal::PutPair(std::int64_t order, const ReportPair& pair) {
  SIFTSEARCH_RETURN_IF_ERROR(Begin());
  SIFTSEARCH_ASSIGN_OR_RETURN(auto insert, db_->Prepare(kPutPair));
  const std::string names = NamesOf(pair);
  const std::string text = report::PairJson(pair);
  insert.Bind(order).Bind(Millionths(pair.match.score)).Bind(std::int64_t{pair.match.inliers});
  insert.Bind(pair.match.image.id).Bind(std::int64_t{pair.match.copy});
  insert.BindBlob({reinterpret_cast<const std::uint8_t*>(names.data()), names.size()});
  return insert.Bind(std::string_view(text)).Run();
}

Status ReportJournal::ClearPairs() {
  SIFTSEARCH_RETURN_IF_ERROR(CommitNow());
  return db_->Execute("DELETE FROM pairs");
}

Status ReportJournal::RemovePairs(std::int64_t order) {
  SIFTSEARCH_RETURN_IF_ERROR(Begin());
  SIFTSEARCH_ASSIGN_OR_RETURN(auto remove, db_->Prepare("DELETE FROM pairs WHERE query = ?"));
  return remove.Bind(order).Run();
}

Result<std::vector<ImageId>> ReportJournal::ImagesInPairs() {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto select, db_->Prepare("SELECT DISTINCT image FROM pairs"));
  std::vector<ImageId> images;
  while (true) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return images;
    images.push_back(select.Int(0));
  }
}

Status ReportJournal::VisitCopies(
    const std::function<Status(std::int64_t, const ReportPair&)>& visit) {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto select, db_->Prepare(kCopies));
  while (true) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return {};
    SIFTSEARCH_ASSIGN_OR_RETURN(const ReportPair pair, report::ReadPairJson(select.Text(1)));
    SIFTSEARCH_RETURN_IF_ERROR(visit(select.Int(0), pair));
  }
}

Result<std::int64_t> ReportJournal::NumberGroups() {
  SIFTSEARCH_RETURN_IF_ERROR(CommitNow());
  GroupBuilder builder;
  using Pass = void (GroupBuilder::*)(const ReportPair&);
  for (const Pass pass :
       {&GroupBuilder::Look, &GroupBuilder::Weigh, &GroupBuilder::Answer, &GroupBuilder::Join}) {
    if (pass == &GroupBuilder::Answer && !builder.HasQuestions()) continue;
    SIFTSEARCH_RETURN_IF_ERROR(VisitCopies([&](std::int64_t, const ReportPair& pair) {
      (builder.*pass)(pair);
      return Status();
    }));
  }
  builder.Settle();
  SIFTSEARCH_RETURN_IF_ERROR(Begin());
  // Changes nothing that the visit goes by.
  SIFTSEARCH_RETURN_IF_ERROR(VisitCopies([&](std::int64_t id, const ReportPair& pair) -> Status {
    const auto group = builder.GroupOf(pair);
    const std::int64_t flags = (group ? 0 : kBridge) |
                               (builder.InParts(pair.query) ? kQueryInParts : 0) |
                               (builder.InParts(pair.match.image) ? kImageInParts : 0) |
                               CoveredPercent(builder, pair) * kCoveredPercent;
    SIFTSEARCH_ASSIGN_OR_RETURN(
        auto update,
        db_->Prepare("UPDATE pairs SET flags = ?, in_group = nullif(?, 0) WHERE id = ?"));
    update.Bind(flags).Bind(group ? -1 - static_cast<std::int64_t>(*group) : 0);
    return update.Bind(id).Run();
  }));
  SIFTSEARCH_RETURN_IF_ERROR(CommitNow());
  SIFTSEARCH_RETURN_IF_ERROR(db_->Execute(kRenumber));
  SIFTSEARCH_ASSIGN_OR_RETURN(auto count,
                              db_->Prepare("SELECT count(DISTINCT in_group) FROM pairs"));
  SIFTSEARCH_RETURN_IF_ERROR(count.Step().status());
  return count.Int(0);
}

Status ReportJournal::KeepGroups() {
  SIFTSEARCH_RETURN_IF_ERROR(CommitNow());
  return db_->Execute(
      "UPDATE pairs SET in_group = pair ->> '$.group', flags = (pair ->> '$.bridge') + "
      "2 * (pair ->> '$.query_in_parts') + 4 * (pair ->> '$.image_in_parts') + "
      "8 * coalesce(pair ->> '$.covered_percent', 0)");
}

Status ReportJournal::Visit(ReportOrder order,
                            const std::function<Status(const ReportPair&)>& visit) {
  SIFTSEARCH_RETURN_IF_ERROR(CommitNow());
  SIFTSEARCH_ASSIGN_OR_RETURN(auto select,
                              db_->Prepare(order == ReportOrder::kQuery ? kByQuery : kByGroup));
  while (true) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return {};
    SIFTSEARCH_ASSIGN_OR_RETURN(ReportPair pair, report::ReadPairJson(select.Text(0)));
    pair.group = select.Int(1);
    pair.bridge = (select.Int(2) & kBridge) != 0;
    pair.query_in_parts = (select.Int(2) & kQueryInParts) != 0;
    pair.image_in_parts = (select.Int(2) & kImageInParts) != 0;
    pair.covered_percent = static_cast<int>(select.Int(2) / kCoveredPercent);
    pair.match.rank = static_cast<int>(select.Int(4));
    SIFTSEARCH_RETURN_IF_ERROR(visit(pair));
  }
}

ReportJournal::~ReportJournal() {
  transaction_.reset();  // Before its connection.
}

Status ReportJournal::Finish() {
  SIFTSEARCH_RETURN_IF_ERROR(CommitNow());
  // While it is locked, so that nobody else has begun to use it.
  return is_file_ ? DiskEnv().Remove(db_->file()) : Status();
}

}  // namespace siftsearch::engine
