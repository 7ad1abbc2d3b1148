#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "catalog/sqlite.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"
#include "siftsearch/types.h"

namespace siftsearch::catalog {

/// A listed segment file.
struct SegmentRecord {
  std::int64_t id = 0;
  std::string file;  ///< Name inside segments/.
  std::int64_t rows = 0;
  std::int64_t contents = 0;
  std::int64_t bytes = 0;
};

struct ContentRecord {
  std::int64_t content = 0;
  int width = 0;
  int height = 0;
  int descriptors = 0;
  bool live = true;
  int pages = 1;
};

/// Key of the index of a new database.
inline constexpr std::string_view kDefaultIndexKey = "auto";

/// What a reader needs of one commit.
struct Listing {
  std::int64_t generation = 0;
  std::string index_key;                    ///< How to search: "auto", "Terms" or a key of Faiss.
  std::vector<SegmentRecord> segments;      ///< By ascending id.
  std::vector<std::int64_t> dead_contents;  ///< Ascending.
};

struct Counts {
  std::int64_t images = 0;
  std::int64_t contents = 0;     ///< Live ones.
  std::int64_t descriptors = 0;  ///< Of live contents.
  std::int64_t removed_descriptors = 0;
  std::int64_t bytes = 0;  ///< Size of the catalogue.
};

enum class Access {
  kRead,    ///< An older format is refused.
  kWrite,   ///< An older format is migrated; the caller holds the write lock of the folder.
  kCreate,  ///< As kWrite; an empty or missing file becomes a new catalogue.
};

/// The catalogue of a database (schema/catalog.md): one SQLite connection, for one thread at a
/// time; other connections see what was committed. Reads see the newest commit, between BeginRead
/// and EndRead that of BeginRead. Errors carry the file's name: see Connection.
class Catalog {
 public:
  /// `settings` and `index_key` are stored when a catalogue is made. kNotFound when there is no
  /// catalogue yet (also an empty file, which a crash can leave), kIncompatible for a newer format.
  static Result<std::unique_ptr<Catalog>> Open(const std::string& file, Access access,
                                               const ExtractorSettings& settings = {},
                                               std::string_view index_key = kDefaultIndexKey);

  const ExtractorSettings& settings() const { return settings_; }
  /// What identifies the settings in segment files: first the digest that new ones get, then that
  /// of segments from before format 4, if the catalogue is as old.
  const std::vector<std::uint64_t>& settings_digests() const { return settings_digests_; }

  /// Holds the newest commit fast for the reads that follow; returns its generation. Writers go on
  /// meanwhile. A catalogue without a write-ahead log, which its next writer gives it, can't be
  /// held: there CheckRead says whether it is still the same.
  Result<std::int64_t> BeginRead();
  /// kUnavailable: what was read since BeginRead may be of several commits.
  Status CheckRead();
  void EndRead();

  Result<std::int64_t> Generation();
  Result<std::string> IndexKey();
  /// All of one commit.
  Result<Listing> ReadListing();
  Result<Counts> Count();

  Result<std::optional<ImageRecord>> FindPath(const std::string& path);
  Result<std::optional<ImageRecord>> FindId(ImageId id);
  Result<std::vector<ImageRecord>> ImagesOf(std::int64_t content);  ///< By ascending id.
  Result<std::optional<ContentRecord>> FindHash(const ContentHash& hash);
  Result<std::optional<ContentRecord>> FindContent(std::int64_t content);
  /// Every content, ascending, until `visit` returns false.
  Status VisitContents(const std::function<bool(const ContentRecord&)>& visit);
  /// Up to `most` images with the next greater ids, ascending.
  Result<std::vector<ImageRecord>> ImagesAfter(ImageId id, std::int64_t most);
  /// Sentences that name what SQLite's integrity check, and ours on the tables, find wrong.
  Result<std::vector<std::string>> IntegrityProblems();

  /// Changes are made in a transaction; the rest of this class writes nothing.
  Result<Transaction> Begin() { return Transaction::Begin(*db_); }
  /// The id that the next InsertImage gives, which is the number of its content if that is new.
  Result<ImageId> NextImageId();
  Status InsertContent(const ContentRecord& content, const ContentHash& hash);
  /// Stores the preview of a content; it goes with the content.
  Status InsertPreview(std::int64_t content, std::span<const std::uint8_t> jpeg);
  /// The preview of a content; empty where there is none.
  Result<std::vector<std::uint8_t>> FindPreview(std::int64_t content);
  /// Stores the signature of a content; it goes with the content.
  Status InsertSignature(std::int64_t content, const Pdq& signature);
  /// The signature of a content; of quality 0 where there is none.
  Result<Pdq> FindSignature(std::int64_t content);
  /// The signature of every content that has one, live or not, by content.
  Status VisitSignatures(const std::function<void(std::int64_t content, const Pdq&)>& visit);
  /// Adds an image of a content that is in the catalogue; `id` and what belongs to the content are
  /// not read.
  Result<ImageId> InsertImage(const ImageRecord& image);
  /// Changes what a re-read file may change: size, modification time, attributes.
  Status UpdateImage(const ImageRecord& image);
  /// Takes an image out; its content dies with its last image. False when there is none.
  Result<bool> DeleteImage(ImageId id);
  Status ReviveContent(std::int64_t content);
  /// Takes out a content that is dead; its rows must be in no listed segment afterwards.
  Status DeleteContent(std::int64_t content);
  /// Takes out the dead contents without descriptors, which nothing else refers to.
  Status DeleteEmptyDeadContents();
  /// Number of the next segment; one more for each further segment.
  Result<std::int64_t> NextSegmentId();
  Status InsertSegment(const SegmentRecord& segment);
  Status DeleteSegment(std::int64_t id);
  /// A newer verdict on the same contents replaces an older one.
  Status PutVerdict(const VerdictRecord& verdict);
  /// False when there is none.
  Result<bool> DeleteVerdict(const ContentHash& a, const ContentHash& b);
  Result<std::vector<VerdictRecord>> Verdicts();  ///< By a, then b.

  Status SetIndexKey(std::string_view key);

  /// Counts the commit up; the last change before it.
  Status AdvanceGeneration();

  /// Gives unused space of the file back. Outside transactions.
  Status Vacuum();

 private:
  explicit Catalog(std::unique_ptr<Connection> db) : db_(std::move(db)) {}
  Status LoadSettings();
  Result<bool> HasWriteAheadLog();
  Result<ImageRecord> ReadImage(const Query& row) const;
  Result<std::optional<ImageRecord>> ReadOneImage(Query query) const;
  Result<std::vector<ImageRecord>> ReadImages(Query query) const;
  Status Corrupt(const std::string& what) const;

  std::unique_ptr<Connection> db_;
  std::int64_t read_generation_ = 0;  ///< Of BeginRead.
  ExtractorSettings settings_;
  std::vector<std::uint64_t> settings_digests_;
};

/// JSON object of strings; kInvalidArgument where a key or value is not UTF-8.
Result<std::string> AttributesToJson(const std::map<std::string, std::string>& attributes);

}  // namespace siftsearch::catalog
