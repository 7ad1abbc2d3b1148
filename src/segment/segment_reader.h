#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "env/file_env.h"
#include "siftsearch/status.h"
#include "siftsearch/types.h"

namespace siftsearch {

/// Where the features of one content lie in a segment.
struct SegmentContent {
  std::int64_t content = 0;
  std::uint64_t first_row = 0;
  std::uint32_t rows = 0;
  int width = 0;  ///< Of the upright image, in pixels.
  int height = 0;
};

/// A segment file, mapped into memory. Immutable; every method is safe from several threads, and
/// everything borrowed lives as long as the reader. Errors name the file.
class SegmentReader {
 public:
  /// Checks the header, the footer, the table of contents and the table of checksums; never reads
  /// descriptors or keypoints, whose damage only `Verify` finds. kCorrupt: damaged or cut short;
  /// kIncompatible: a newer format version or other extractor settings than those of
  /// `settings_digests` (one is enough); else as `FileEnv::Map`.
  static Result<std::shared_ptr<const SegmentReader>> Open(
      FileEnv& env, const std::string& path, std::span<const std::uint64_t> settings_digests);

  /// By ascending content number; their rows follow each other without gaps.
  std::span<const SegmentContent> contents() const { return contents_; }
  std::uint64_t rows() const { return rows_; }
  /// All rows, `rows()` × kDescriptorBytes bytes, 64-byte aligned.
  std::span<const std::uint8_t> descriptors() const { return descriptors_; }
  /// Copies the descriptor of a row, without mapping its pages (MappedFile::Read).
  Status ReadRow(std::uint64_t row, std::span<std::uint8_t> descriptor) const;
  /// The same, but false where the disk has to be waited for (MappedFile::ReadAtOnce).
  Result<bool> ReadRowAtOnce(std::uint64_t row, std::span<std::uint8_t> descriptor) const;
  /// Size of the file.
  std::int64_t bytes() const { return static_cast<std::int64_t>(file_->bytes().size()); }
  const std::string& path() const { return path_; }
  /// Tells this segment from others: the checksum of its footer, which holds those of all the rest.
  std::uint64_t digest() const;

  /// The entry of a content, null when it is not in this segment.
  const SegmentContent* Find(std::int64_t content) const;
  /// The entry of the content that a row (below `rows()`) belongs to.
  const SegmentContent& OfRow(std::uint64_t row) const;
  /// Keypoint of a row, counted from the content's first; `content` is an entry of this segment
  /// and `row_in_content` < content.rows.
  Keypoint keypoint(const SegmentContent& content, std::uint32_t row_in_content) const;
  /// Stored keypoints, 8 bytes each, for `SegmentWriter::AddRaw`.
  std::span<const std::uint8_t> PackedKeypoints(const SegmentContent& content) const;
  /// Descriptors of one content.
  std::span<const std::uint8_t> Descriptors(const SegmentContent& content) const;
  /// A copy of everything stored of a content; kNotFound when it is not in this segment.
  Result<FeatureSet> Features(std::int64_t content) const;

  /// Reads the whole file and compares every checksum, on up to `threads` threads: kCorrupt names
  /// the first damaged chunk. A chunk that was found sound is not read again.
  Status Verify(int threads) const;
  /// The same for the chunks that hold the keypoints of a content, an entry of this segment.
  Status VerifyKeypoints(const SegmentContent& content) const;
  /// The same for those that hold its keypoints or its descriptors.
  Status VerifyFeatures(const SegmentContent& content) const;

  /// Gives back the memory of the pages that were read; they are read again when needed.
  void ReleasePages() const { file_->Release(); }

 private:
  SegmentReader(std::string path, std::shared_ptr<const MappedFile> file);
  Status LoadHeader(std::span<const std::uint64_t> settings_digests);
  Status LoadFooter();
  Status LoadContents();
  Status Corrupt(const std::string& cause) const;
  bool IsSound(std::size_t chunk) const;
  /// The chunks that hold some of `checked_`; the error is of the first that is damaged.
  Status VerifyChunksOf(std::span<const std::uint8_t> bytes) const;
  Status DamagedChunk(std::size_t chunk) const;

  const std::string path_;
  const std::shared_ptr<const MappedFile> file_;
  std::uint64_t header_checksum_ = 0;
  std::uint64_t rows_ = 0;
  std::span<const std::uint8_t> descriptors_;
  std::span<const std::uint8_t> keypoints_;
  std::span<const std::uint8_t> contents_table_;
  std::span<const std::uint8_t> checked_;    ///< What the chunk checksums cover.
  std::span<const std::uint8_t> checksums_;  ///< 8 bytes a chunk of `checked_`.
  std::vector<SegmentContent> contents_;
  /// The index of the content of each kRowsAtOnce-th row.
  std::vector<std::uint32_t> content_of_rows_;
  mutable std::vector<std::atomic<bool>> sound_;  ///< By chunk.
};

}  // namespace siftsearch
