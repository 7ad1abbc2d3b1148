#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "env/file_env.h"
#include "kernel/topk.h"
#include "segment/segment_reader.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"

namespace siftsearch::local {

/// The searchable rows of one commit. Rows are numbered through all segments in their order, the
/// rows of removed contents included. Immutable, safe from several threads; it keeps its files
/// mapped, whatever writers do meanwhile. What it lends lives as long as it does.
class Snapshot {
 public:
  /// A stored content and where its rows lie.
  struct Place {
    const SegmentReader* reader = nullptr;
    const SegmentContent* entry = nullptr;
    std::int64_t first_row = 0;  ///< Of the content, in the snapshot's numbering.
  };

  /// Opens the listed segments in `folder`, taking over those that `previous` (may be null) has
  /// open. kNotFound where a file is missing: the listing may be out of date. kCorrupt: a file that
  /// is damaged or differs from the listing.
  static Result<std::shared_ptr<const Snapshot>> Open(
      FileEnv& env, const std::string& folder, std::span<const std::uint64_t> settings_digests,
      const catalog::Listing& listing, const Snapshot* previous);

  std::int64_t generation() const { return generation_; }
  /// The key of the index that the commit left.
  const std::string& index_key() const { return index_key_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t live_rows() const { return live_rows_; }

  /// Live rows; contents that lie together make one span.
  const std::vector<kernel::RowSpan>& spans() const { return spans_; }
  /// The same without the rows of one content.
  std::vector<kernel::RowSpan> SpansWithout(std::int64_t content) const;

  /// The content of a row of `spans()`.
  Place At(std::int64_t row) const;
  /// Where a content lies, live or not; none when it has no rows.
  std::optional<Place> Find(std::int64_t content) const;
  bool IsLive(std::int64_t content) const;
  bool IsLiveRow(std::int64_t row) const { return dead_.empty() || IsLive(At(row).entry->content); }

  struct Part {
    std::int64_t segment = 0;
    std::int64_t first_row = 0;
    std::shared_ptr<const SegmentReader> reader;
  };
  const std::vector<Part>& parts() const { return parts_; }

  /// Checks every checksum of the segments that were not checked yet. kCorrupt, or of `call`.
  Status Verify(int threads, const CallOptions& call = {}) const;

 private:
  Snapshot() = default;
  void AppendSpans(const Part& part, std::int64_t without,
                   std::vector<kernel::RowSpan>* spans) const;

  std::int64_t generation_ = 0;
  std::string index_key_;
  std::int64_t rows_ = 0;
  std::int64_t live_rows_ = 0;
  std::vector<Part> parts_;
  std::vector<std::int64_t> dead_;  ///< Ascending.
  std::vector<kernel::RowSpan> spans_;
};

/// The error of opening a file that the catalogue lists: kCorrupt where it is missing.
Status MissingIsDamage(const Status& status);
/// A damaged segment's error, with what to do about it.
Status WithAdvice(const Status& status);

}  // namespace siftsearch::local
