#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "siftsearch/export.h"
#include "siftsearch/results.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"
#include "siftsearch/types.h"

namespace siftsearch {

/// Version of the library, such as "0.1.0".
SIFTSEARCH_EXPORT std::string_view Version();

/// What is refused before memory is taken for it.
struct InputLimits {
  std::int64_t max_pixels = 268'435'456;        ///< Width × height of a picture.
  std::int64_t max_file_bytes = 1'073'741'824;  ///< Size of a picture file.
};

struct EngineOptions {
  bool create = false;  ///< Make the database when there is none.
  bool read_only = false;
  std::optional<ExtractorSettings> settings =
      {};  ///< To create with; must equal an existing database's.
  /// Key of the index to create with; must equal an existing database's (SearchBackend::SetIndex
  /// changes it). None: "auto".
  std::optional<std::string> index = {};
  InputLimits limits = {};
  int threads = 0;                     ///< 0: one for each available processor.
  std::int64_t lock_wait_ms = 60'000;  ///< How long a writer waits for another.
  /// Variant of the exact search ("portable", "avx2", …); empty: the fastest that the machine has.
  std::string kernel = {};
  /// Relations also tell what the files at the paths of pictures show: their colours, hard links.
  /// False: queries and reports open no file but the ones that they are to look for.
  bool look_at_files = true;
};

/// One input of Add: a file, what `read` gives, or a path that could not be read as one (`problem`
/// says why).
struct AddInput {
  std::string path = {};  ///< Absolute, or another name that begins with no slash.
  Status problem = {};    ///< Not ok: the input is accounted for and nothing is read.
  bool ignored =
      false;  ///< With a problem: passed over rather than failed (a text file in a folder).
  bool from_folder = false;  ///< Found in a folder, so a file that is no picture is ignored.
  std::map<std::string, std::string> attributes = {};  ///< Beside those of AddOptions.
  /// Gives the bytes of a picture that is no file (an URL, its `path`); called from any thread.
  std::function<Result<std::vector<std::uint8_t>>()> read = {};
};

struct AddOptions {
  std::map<std::string, std::string> attributes;
  std::int64_t commit_bytes = 8 << 20;  ///< Features held before a commit …
  std::int64_t commit_ms = 5'000;       ///< … or time since the last one.
  /// Asked between images, from one thread; true ends the run after a last commit.
  std::function<bool()> stop;
};

/// A picture to look for.
struct QueryInput {
  std::string name;                                     ///< Its path, or what to call `bytes`.
  std::optional<std::vector<std::uint8_t>> bytes = {};  ///< Of the picture file; none: read `name`.
  Status problem = {};                                  ///< Not ok: nothing is read.
  /// `name` is the path of a stored image: its stored features are looked for, and it is not listed
  /// itself. Only Engine::Query takes such a picture.
  bool stored = false;
};

struct QueryOptions {
  /// Pictures listed; stored files of equal bytes are one.
  int top = 10;
  /// Of files of equal bytes, so many are listed at most, by id.
  int max_equal_files = std::numeric_limits<int>::max();
  double min_score = 0;
  /// Matches of which more were expected by chance (Evidence::log10_false_alarms) are not listed.
  double max_log10_false_alarms = 9;
  std::function<bool(const ImageRecord&)> accept = {};  ///< Images it refuses are not listed.
  int neighbours = 10;                                  ///< k of the vote.
  int max_candidates = 30;                              ///< Contents verified geometrically.
  std::int64_t batch_bytes = 32 << 20;                  ///< Memory for one pass over the database.
  /// The strongest descriptors that are searched in mirrored and inverted form, too; 0: none.
  int form_features = 200;
  /// Descriptors of a queried file, in multiples of what a stored image keeps: in a collage or
  /// under another picture many are not the copy's. Above 1 faint ones, too. From 0.1 to 100.
  double query_features = 2;
  Approximation approximation = {};
  /// At the deadline, or when told to stop, the call ends with an error; results that `sink` has
  /// got stand.
  CallOptions call = {};
};

enum class ReportOrder {
  kQuery,  ///< By query, then rank.
  kGroup,  ///< By group; pairs that are in none come last.
};

struct ReportOptions {
  double min_score = kCopyThreshold;
  double max_log10_false_alarms = 9;  ///< As of QueryOptions.
  int neighbours = 10;
  int max_candidates = 30;
  std::int64_t batch_bytes = 32 << 20;  ///< Memory for one pass over the database.
  int form_features = 200;              ///< As of QueryOptions.
  double query_features = 2;            ///< As of QueryOptions, of files that are not stored.
  Approximation approximation = {};
  ReportOrder order = ReportOrder::kQuery;
  /// Also list pairs that were decided to be no copies (Match::verdict says so).
  bool list_rejected = false;
  /// Stored images that it refuses are in no pair.
  std::function<bool(const ImageRecord&)> accept;
  bool skip_same_folder = false;  ///< Two pictures of one folder are no pair.
  /// Relations of copies say what colours they have, for which their files are read once more.
  bool tell_colours = true;
  /// What else the pairs depend on, in words of the caller's: what `accept` asks.
  std::string conditions = {};
  /// File that holds what was compared until the report is done (schema/report.md), for its owner
  /// only; empty: a temporary one, without a name. Only an empty file or the journal of a report is
  /// written to and removed, another is refused (kInvalidArgument), and so is one that another
  /// report is using (kBusy).
  std::string journal = {};
  /// Go on where the journal of a report ends that was stopped or could not be finished. Without
  /// such a file the report starts anew; kInvalidArgument if its database or options were others,
  /// or without the name of a journal.
  bool resume = false;
  /// Called once, after the last pair: makes what `sink` wrote lasting. The journal of a complete
  /// report is removed only after this returned ok; an error of `sink` or of this ends the report
  /// with that error and keeps the journal, so that `resume` does the rest without a search.
  std::function<Status(const Report&)> finish;
  std::function<bool()> stop;
  std::function<void(std::int64_t done, std::int64_t total, std::int64_t pairs)> progress;
};

struct CompareOptions {
  ExtractorSettings settings = {};
  InputLimits limits = {};
  int threads = 0;  ///< 0: one for each available processor.
  /// Variant of the exact search, as of EngineOptions.
  std::string kernel = {};
};

/// Finds `image` in `query` without a database: the matches are the places of one in the other; of
/// two files of equal bytes one match of score 1, "identical file". Where both are one file (the
/// same name, or paths that lead to the same file) they are the places that repeat others
/// (copy-move); each pair of places may be told from both sides. An input that can't be read ends
/// it with a Status that names it.
SIFTSEARCH_EXPORT Result<QueryResult> Compare(QueryInput query, QueryInput image,
                                              const CompareOptions& options);

/// What each term of the evidence adds to the log-odds of a score, before calibration, in the order
/// of kEvidenceTerms: how far it moves them from those of the mean example in training. Safe from
/// several threads.
SIFTSEARCH_EXPORT std::vector<double> Explain(const Evidence& evidence);

/// Hashes a whole picture; needs no database. An input that can't be read ends it with a Status
/// that names it. Safe from several threads.
SIFTSEARCH_EXPORT Result<PictureHash> HashPicture(const QueryInput& input,
                                                  const InputLimits& limits);

/// The facade: decode, extract, store, search, verify, describe. Safe from many threads; each call
/// uses several itself. A call that reads is of one commit, the newest when it begins, whatever is
/// written meanwhile; nobody waits for another's search. Errors of one image never end a batch; a
/// Status returned by a method means that the whole operation ended, with everything committed so
/// far kept. Nothing is thrown: memory that can't be had is kOutOfMemory, and what a callback
/// throws ends the operation with kInternal and its text.
class SIFTSEARCH_EXPORT Engine {
 public:
  struct Impl;

  /// Opens (or makes) the database folder `database`.
  static Result<std::unique_ptr<Engine>> Open(const std::string& database,
                                              const EngineOptions& options);
  /// Over any backend.
  static Result<std::unique_ptr<Engine>> Over(std::unique_ptr<SearchBackend> backend,
                                              const EngineOptions& options);
  ~Engine();

  SearchBackend& backend();

  /// Adds images in the order in which `next` gives them; `next` returns none at the end and is
  /// called from one thread. `report` is called in that order, from the calling thread, when the
  /// outcome is durable. Memory does not grow with the number of inputs.
  Result<AddSummary> Add(const std::function<std::optional<AddInput>()>& next,
                         const AddOptions& options,
                         const std::function<void(const AddOutcome&)>& report);

  /// Queries with each picture that `next` gives, until it returns none; `sink` gets the results in
  /// that order. Many pictures share a pass over the database (their search times are shares of
  /// it). A picture that can't be read gives a result with an error.
  Status Query(const std::function<std::optional<QueryInput>()>& next, const QueryOptions& options,
               const std::function<void(const QueryResult&)>& sink);
  /// Queries with one picture.
  Result<QueryResult> Query(QueryInput input, const QueryOptions& options);

  /// All pairs of copies inside the database, each unordered pair of pictures once: files of equal
  /// bytes are one picture, which stands in pairs with others by one of its files (the first by
  /// path, as far as conditions let it), and n such files are n - 1 pairs with that one. `sink`
  /// gets them at the end; memory does not grow with their number.
  Result<Report> ReportAll(const ReportOptions& options,
                           const std::function<Status(const ReportPair&)>& sink);

  /// Copies, in the database, of each file that `next` gives. A stored picture that several files
  /// hold stands in the pairs by one of them; the pairs of the others with that one come last. A
  /// file that can't be read is passed to `failed` and the rest goes on.
  Result<Report> ReportFiles(const std::function<std::optional<AddInput>()>& next,
                             const ReportOptions& options,
                             const std::function<void(const AddOutcome&)>& failed,
                             const std::function<Status(const ReportPair&)>& sink);

 private:
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace siftsearch
