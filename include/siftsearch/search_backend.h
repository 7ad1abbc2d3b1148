#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "siftsearch/export.h"
#include "siftsearch/status.h"
#include "siftsearch/types.h"

namespace siftsearch {

/// One file to store. Files with the same content share one stored set of features.
struct PutItem {
  std::string path;  ///< Key of the image; any bytes but NUL.
  std::int64_t file_bytes = 0;
  std::int64_t modified_ns = 0;  ///< Modification time, nanoseconds since 1970.
  ContentHash hash{};
  /// Null when the backend already has this content (`FindContent`).
  std::shared_ptr<const FeatureSet> features;
  std::map<std::string, std::string> attributes;  ///< Added to those the path already has.
  /// Paths whose files are gone, best first: where nothing is stored under `path`, the image of the
  /// first of them that has this content takes the path instead of a new image.
  std::vector<std::string> moved_from = {};
};

enum class PutAction { kAdded, kReplaced, kUnchanged, kMoved };

struct PutOutcome {
  PutAction action = PutAction::kAdded;
  ImageId id = 0;
  std::string moved_from = {};  ///< Of kMoved: the path before.
};

/// What the catalogue knows of an image.
struct ImageRecord {
  ImageId id = 0;
  std::string path;
  ContentHash hash{};
  std::int64_t content = 0;  ///< Names the stored features; equal for files with equal bytes.
  std::int64_t file_bytes = 0;
  std::int64_t modified_ns = 0;
  std::int64_t added_s = 0;  ///< Seconds since 1970.
  int width = 0;
  int height = 0;
  int descriptors = 0;
  /// Pages or frames of the file. The first that shows something is what was looked at.
  int pages = 1;
  std::map<std::string, std::string> attributes;
};

/// A keypoint of the query and the stored keypoint that it voted for.
struct VotedPair {
  std::int32_t query = 0;  ///< Index into the query's features.
  Keypoint image;
  float weight = 0;
  float rarity = 1;  ///< 1 / (1 + other contents with a row about as near).
};

/// A stored content that earned votes, not yet verified.
struct VotedContent {
  std::int64_t content = 0;
  int width = 0;
  int height = 0;
  double votes = 0;
  std::vector<VotedPair> pairs;
};

/// A row near a descriptor of the query: whose it is, and the squared L2 distance.
struct NearRow {
  std::int64_t content = 0;  ///< 0: there is none.
  std::int32_t distance = 0;
};

/// What a search gives for one query.
struct SearchResult {
  std::vector<VotedContent> candidates;  ///< Best votes first.
  /// Of a search that may miss rows: the k rows that were found nearest to each descriptor,
  /// ascending, those that are none last. Empty where the search is exact.
  std::vector<NearRow> nearest;
};

/// A picture as a whole to look for: its PDQ, and those of it turned and mirrored, as far as
/// wanted.
struct AlikeQuery {
  std::vector<Pdq> turns;
  std::int64_t exclude_content = 0;  ///< If positive, it is passed over.
};

/// A stored content whose PDQ is near one of a query's.
struct AlikeContent {
  std::int64_t content = 0;
  int distance = 0;  ///< Bits, to the nearest of the query's.
  int turn = 0;      ///< Index of that one.
};

/// How thorough the search of an approximate index is; nothing changes for an exact one.
struct Approximation {
  int nprobe = 0;      ///< Inverted lists visited; 0: the square root of their number.
  int ef_search = 0;   ///< Candidates kept in a graph; 0: 256.
  bool rerank = true;  ///< Order candidates by exact distances between the stored descriptors.
};

/// When a call that may take long gives up; it ends soon after then.
struct CallOptions {
  std::optional<std::chrono::steady_clock::time_point> deadline = {};
  /// Asked now and then, from any thread; true ends the call.
  std::function<bool()> stop = {};

  /// Ok while the call may go on; else kCancelled or kDeadlineExceeded.
  Status Check() const {
    if (stop && stop()) return {StatusCode::kCancelled, "the call was stopped"};
    if (deadline && std::chrono::steady_clock::now() >= *deadline) {
      return {StatusCode::kDeadlineExceeded, "the call was not done at its deadline"};
    }
    return {};
  }
};

struct SearchOptions {
  int neighbours = 10;      ///< k: nearest rows that may vote, per query descriptor.
  int max_candidates = 50;  ///< Contents returned, best votes first.
  int threads = 1;
  /// kInvalidArgument where the database's index does not have a number that is not 0.
  Approximation approximation = {};
  CallOptions call = {};
};

/// One query of a batch. `exclude_content` (if positive) gets no votes: its rows are passed over as
/// if they were not stored.
struct SearchQuery {
  const FeatureSet* features = nullptr;
  std::int64_t exclude_content = 0;
};

/// What a person decided about two pictures, or about one.
enum class Verdict {
  kConfirmed,  ///< They are copies.
  kNotACopy,   ///< They are not, whatever agrees.
};

/// "confirmed" or "not_a_copy".
constexpr std::string_view VerdictName(Verdict verdict) {
  return verdict == Verdict::kConfirmed ? "confirmed" : "not_a_copy";
}

/// Bound to contents, so that it holds wherever the files go. Of one picture `b` is all zeros: it
/// is no copy of anything. Else a <= b.
struct VerdictRecord {
  ContentHash a{};
  ContentHash b{};
  Verdict verdict = Verdict::kConfirmed;
  std::int64_t decided_s = 0;  ///< Seconds since 1970.
};

struct BackendStats {
  std::int64_t images = 0;
  std::int64_t contents = 0;             ///< Distinct contents that images have.
  std::int64_t descriptors = 0;          ///< Searchable rows.
  std::int64_t removed_descriptors = 0;  ///< Rows that wait for `Compact`.
  std::int64_t segments = 0;
  std::int64_t segment_bytes = 0;
  std::int64_t catalog_bytes = 0;
  std::int64_t generation = 0;   ///< Counts commits.
  std::string index;             ///< Key of the index: "auto", "Terms" or a factory key of Faiss.
  std::string index_in_use;      ///< What "auto" stands for; empty for a key that can't be used.
  std::int64_t index_bytes = 0;  ///< Size of the index's files; 0: there are none.
  std::string kernel;            ///< Variant that searches.
};

/// A damaged or missing part found by `Check`.
struct CheckProblem {
  std::string file;
  std::string problem;
};

/// One commit of a backend, held fast: whatever is written meanwhile, all answers are of it.
/// Immutable; calls are safe from several threads, and none waits for another's search. It keeps
/// what it needs, files and memory, until it is let go, and may outlive its backend. Errors as of
/// SearchBackend.
class SIFTSEARCH_EXPORT BackendSnapshot {
 public:
  virtual ~BackendSnapshot() = default;

  /// Counts commits: snapshots of one number give equal answers.
  virtual std::int64_t generation() const = 0;

  /// Best voted contents of each query, one pass over the database for the batch.
  virtual Result<std::vector<SearchResult>> Search(std::span<const SearchQuery> queries,
                                                   const SearchOptions& options) const = 0;

  /// The contents of each query whose PDQ differs in at most `most` bits, nearest first, then by
  /// content; one pass over all signatures for the batch. A content stored without one is not
  /// found.
  virtual Result<std::vector<std::vector<AlikeContent>>> FindAlike(
      std::span<const AlikeQuery> queries, int most, const CallOptions& call = {}) const = 0;

  /// Stored features of contents, in their order; kNotFound where one of them is not stored.
  virtual Result<std::vector<FeatureSet>> Features(std::span<const std::int64_t> contents,
                                                   const CallOptions& call = {}) const = 0;

  /// The images that have each of the contents, by id; none where no image has it.
  virtual Result<std::vector<std::vector<ImageRecord>>> Describe(
      std::span<const std::int64_t> contents, const CallOptions& call = {}) const = 0;

  /// The record of a path, or none.
  virtual Result<std::optional<ImageRecord>> FindPath(const std::string& path) const = 0;
  /// The record of an id, or none.
  virtual Result<std::optional<ImageRecord>> FindId(ImageId id) const = 0;
  /// The content of files with these bytes; 0 when no features of it are stored.
  virtual Result<std::int64_t> FindContent(const ContentHash& hash) const = 0;

  /// Calls `visit` with every image of an id above `after`, by ascending id, until it returns
  /// false. `visit` may call the snapshot and its backend, writes included.
  virtual Status List(const std::function<bool(const ImageRecord&)>& visit,
                      const CallOptions& call = {}, ImageId after = 0) const = 0;

  virtual Result<BackendStats> Stats() const = 0;
  /// All verdicts, by a, then b.
  virtual Result<std::vector<VerdictRecord>> Verdicts() const = 0;
};

/// Told, of a call that goes over the whole database, how many rows it is through with and how many
/// there are. Called from the thread of that call.
using RowsProgress = std::function<void(std::int64_t done, std::int64_t total)>;

/// Storage and search of features; knows nothing of pixels. Calls are safe from several threads;
/// writers are serialised, readers hold one commit fast (`Pin`). Errors carry the file's name, or
/// whom else they come from; kUnavailable: a store elsewhere does not answer. Nothing is thrown:
/// memory that can't be had is kOutOfMemory.
class SIFTSEARCH_EXPORT SearchBackend {
 public:
  virtual ~SearchBackend() = default;

  virtual const ExtractorSettings& settings() const = 0;

  /// The newest commit. One answer reads all through one snapshot and lets it go then: held for
  /// long, it may keep space that writers would use again.
  virtual Result<std::shared_ptr<const BackendSnapshot>> Pin() = 0;

  /// Stores a batch in one commit: durable, then visible, when it returns; all or nothing.
  /// A path that is stored with another content gets a new id; an image that is moved keeps its id
  /// and attributes. An item without features whose
  /// content is not stored after all is kNotFound, and nothing is stored.
  virtual Result<std::vector<PutOutcome>> Put(std::span<const PutItem> items) = 0;

  /// Removes images in one commit. Ids that do not exist are passed over; returns how many went.
  virtual Result<std::int64_t> Remove(std::span<const ImageId> ids) = 0;

  /// Remembers verdicts, in one commit; a newer one (by `decided_s`) replaces an older.
  virtual Status PutVerdicts(std::span<const VerdictRecord> verdicts) = 0;
  /// Forgets the verdicts on these pairs; returns how many there were.
  virtual Result<std::int64_t> ForgetVerdicts(std::span<const VerdictRecord> verdicts) = 0;

  /// Verifies every checksum and count; an empty list means sound.
  virtual Result<std::vector<CheckProblem>> Check(const RowsProgress& progress = {}) = 0;
  /// Merges segments and gives back the space of removed images.
  virtual Status Compact(const RowsProgress& progress = {}) = 0;
  /// Searches by another index from now on: a key as of BackendStats::index. What it needs is built
  /// first; searches that are under way, and those of other processes, go on with what they have.
  /// kInvalidArgument, with the cause, for a key that is none.
  virtual Status SetIndex(const std::string& key, const RowsProgress& progress = {}) = 0;
  /// Writes an `IDMap,Flat` file that stock Faiss reads; the ids are content numbers.
  virtual Status ExportFaiss(const std::string& file) = 0;
};

}  // namespace siftsearch
