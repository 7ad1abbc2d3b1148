#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"
#include "env/file_env.h"
#include "segment/segment_reader.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"

namespace siftsearch::local {

/// One commit: changes to the catalogue, and the segment files that they need. The caller holds the
/// folder's write lock for the whole of its life. Nothing is visible before `Commit`; given up
/// without it, nothing has changed but for unlisted files, which the next commit removes.
class Writer {
 public:
  /// `segments` is the folder of the segment files; made when it is missing. Removes what earlier
  /// writers left in it.
  static Result<std::unique_ptr<Writer>> Begin(FileEnv& env, const std::string& segments,
                                               catalog::Catalog& catalog, int threads);

  /// One item after the other, as if each were a commit of its own. `items` must outlive the
  /// commit.
  Result<std::vector<PutOutcome>> Put(std::span<const PutItem> items);
  /// Returns how many of the images existed.
  Result<std::int64_t> Remove(std::span<const ImageId> ids);
  Status PutVerdicts(std::span<const VerdictRecord> verdicts);
  /// Returns how many there were.
  Result<std::int64_t> ForgetVerdicts(std::span<const VerdictRecord> verdicts);
  /// `key` is one that index::FactoryKey knows.
  Status SetIndex(std::string_view key);
  /// Plans to rewrite all segments into as few as possible, without dead contents.
  /// `progress` is called while they are.
  Status Compact(RowsProgress progress);

  /// Writes the segments, then commits; durable when it returns ok. Does nothing when nothing
  /// changed.
  Status Commit();

 private:
  /// A content to be stored, new or from a segment that is merged.
  struct Source {
    std::int64_t content = 0;
    const FeatureSet* features = nullptr;  ///< Of a new content; else:
    const SegmentReader* reader = nullptr;
    const SegmentContent* entry = nullptr;
  };
  /// Segments, and perhaps the new contents, that become one file.
  struct Rewrite {
    std::vector<catalog::SegmentRecord> segments;
    bool new_contents = false;
  };

  Writer(FileEnv& env, std::string segments, catalog::Catalog& catalog,
         catalog::Transaction transaction, int threads);
  Status RemoveLeftovers();
  Result<PutOutcome> PutOne(const PutItem& item);
  Result<std::optional<PutOutcome>> MoveOne(const PutItem& item);
  Result<PutOutcome> UpdateUnchanged(ImageRecord image, const PutItem& item);
  Result<std::int64_t> StoreContent(const PutItem& item);
  Status DropNewDead();
  std::vector<Rewrite> PlanRewrites() const;
  Status ApplyAll(const std::vector<Rewrite>& rewrites);
  static std::int64_t RowsOf(const Rewrite& rewrite);
  void TellRows(std::int64_t done);
  Status Apply(const Rewrite& rewrite);
  Result<std::vector<Source>> Collect(const Rewrite& rewrite,
                                      std::vector<std::shared_ptr<const SegmentReader>>* readers);
  Status WriteSegment(const std::vector<Source>& sources);

  FileEnv& env_;
  const std::string folder_;
  catalog::Catalog& catalog_;
  catalog::Transaction transaction_;
  const int threads_;
  std::vector<catalog::SegmentRecord> listed_;  ///< Before this commit.
  std::set<std::int64_t> dead_;                 ///< When the segments are written.
  std::vector<Source> new_contents_;            ///< Ascending.
  std::vector<std::string> obsolete_files_;
  bool changed_ = false;
  bool compact_ = false;
  RowsProgress progress_;
  std::int64_t rows_done_ = 0, rows_total_ = 0;  ///< Of the rewrites.
};

}  // namespace siftsearch::local
