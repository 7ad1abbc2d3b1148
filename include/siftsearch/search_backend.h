#pragma once

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

/// How thorough the search of an approximate index is; nothing changes for an exact one.
struct Approximation {
  int nprobe = 0;      ///< Inverted lists visited; 0: the square root of their number.
  int ef_search = 0;   ///< Candidates kept in a graph; 0: 256.
  bool rerank = true;  ///< Order candidates by exact distances between the stored descriptors.
};

struct SearchOptions {
  int neighbours = 10;      ///< k: nearest rows that may vote, per query descriptor.
  int max_candidates = 50;  ///< Contents returned, best votes first.
  int threads = 1;
  std::optional<Approximation> approximation = {};  ///< None: as of SetApproximation.
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

/// Storage and search of features; knows nothing of pixels. Calls are safe from several threads;
/// writers are serialised, readers see one commit (the newest when the call begins). Errors carry
/// the file's name. Nothing is thrown: memory that can't be had is kOutOfMemory.
class SIFTSEARCH_EXPORT SearchBackend {
 public:
  virtual ~SearchBackend() = default;

  virtual const ExtractorSettings& settings() const = 0;

  /// The record of a path, or none.
  virtual Result<std::optional<ImageRecord>> FindPath(const std::string& path) = 0;
  /// The record of an id, or none.
  virtual Result<std::optional<ImageRecord>> FindId(ImageId id) = 0;
  /// The content of files with these bytes; 0 when no features of it are stored.
  virtual Result<std::int64_t> FindContent(const ContentHash& hash) = 0;

  /// Stores a batch in one commit: durable, then visible, when it returns; all or nothing.
  /// A path that is stored with another content gets a new id; an image that is moved keeps its id
  /// and attributes. An item without features whose
  /// content is not stored after all is kNotFound, and nothing is stored.
  virtual Result<std::vector<PutOutcome>> Put(std::span<const PutItem> items) = 0;

  /// Removes images in one commit. Ids that do not exist are passed over; returns how many went.
  virtual Result<std::int64_t> Remove(std::span<const ImageId> ids) = 0;

  /// Default of SearchOptions::approximation for later searches. kInvalidArgument for a number that
  /// the database's index does not have. Not while others search.
  virtual Status SetApproximation(const Approximation& approximation) = 0;

  /// Best voted contents of each query, one pass over the database for the batch.
  virtual Result<std::vector<std::vector<VotedContent>>> Search(
      std::span<const SearchQuery> queries, const SearchOptions& options) = 0;

  /// The images that have a content, by id; empty when it was removed meanwhile.
  virtual Result<std::vector<ImageRecord>> Describe(std::int64_t content) = 0;

  /// Calls `visit` with every image, by ascending id, until it returns false.
  virtual Status List(const std::function<bool(const ImageRecord&)>& visit) = 0;

  /// Stored features of a content.
  virtual Result<FeatureSet> Features(std::int64_t content) = 0;

  /// Remembers verdicts, in one commit; a newer one (by `decided_s`) replaces an older.
  virtual Status PutVerdicts(std::span<const VerdictRecord> verdicts) = 0;
  /// Forgets the verdicts on these pairs; returns how many there were.
  virtual Result<std::int64_t> ForgetVerdicts(std::span<const VerdictRecord> verdicts) = 0;
  /// All verdicts, by a, then b.
  virtual Result<std::vector<VerdictRecord>> Verdicts() = 0;

  virtual Result<BackendStats> Stats() = 0;
  /// Verifies every checksum and count; an empty list means sound.
  virtual Result<std::vector<CheckProblem>> Check() = 0;
  /// Merges segments and gives back the space of removed images.
  virtual Status Compact() = 0;
  /// Searches by another index from now on: a key as of BackendStats::index. What it needs is built
  /// first; searches that are under way, and those of other processes, go on with what they have.
  /// kInvalidArgument, with the cause, for a key that is none.
  virtual Status SetIndex(const std::string& key) = 0;
  /// Writes an `IDMap,Flat` file that stock Faiss reads; the ids are content numbers.
  virtual Status ExportFaiss(const std::string& file) = 0;
};

}  // namespace siftsearch
