#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "env/file_env.h"
#include "siftsearch/status.h"
#include "siftsearch/types.h"

namespace siftsearch {

/// What a finished segment holds.
struct SegmentSummary {
  std::uint64_t rows = 0;
  std::uint64_t contents = 0;
  std::int64_t bytes = 0;  ///< Size of the file.
};

/// Writes a segment file once, front to back (schema/segment.md). The file has the name PATH.tmp
/// until `Finish`; destroying an unfinished writer removes it. Memory: 1 MiB, and 8 bytes a row for
/// the keypoints, which follow all descriptors. Used from one thread. After an error of the file
/// every later call returns that error; a refused argument leaves the writer usable.
class SegmentWriter {
 public:
  /// `settings_digest` identifies the extractor settings; a reader must name it. `env` must
  /// outlive the writer.
  static Result<std::unique_ptr<SegmentWriter>> Create(FileEnv& env, std::string path,
                                                       std::uint64_t settings_digest);
  ~SegmentWriter();
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  /// Adds the features of a content. Content numbers are positive and ascend; sizes that do not
  /// fit each other and keypoints that are not finite are kInvalidArgument.
  Status Add(std::int64_t content, const FeatureSet& features);

  /// Adds a content as another segment stores it, keypoints unchanged: for merging.
  Status AddRaw(std::int64_t content, int width, int height,
                std::span<const std::uint8_t> descriptors,
                std::span<const std::uint8_t> packed_keypoints);

  std::uint64_t rows() const { return rows_; }

  /// Completes the file, makes it durable and gives it its name; when this returns ok, the segment
  /// survives a power cut. On an error there is no file PATH, unless removing it failed as well.
  Result<SegmentSummary> Finish();

 private:
  struct Entry {
    std::int64_t content;
    std::uint64_t first_row;
    std::uint32_t rows;
    int width;
    int height;
  };

  SegmentWriter(FileEnv& env, std::string path);
  Status CheckAddable(std::int64_t content, int width, int height, std::size_t descriptor_bytes,
                      std::size_t rows) const;
  Status AddChecked(const Entry& entry, std::span<const std::uint8_t> descriptors);
  Status Append(std::span<const std::uint8_t> bytes);
  Status Write(std::span<const std::uint8_t> bytes);
  Status Pad();
  Status FlushChunk();
  std::vector<std::uint8_t> EncodeContents() const;
  Status WriteSections(SegmentSummary* summary);
  Status Publish();

  FileEnv& env_;
  const std::string path_;
  std::unique_ptr<WritableFile> file_;
  Status error_;  ///< First error of the file.
  bool finished_ = false;
  std::uint64_t header_checksum_ = 0;
  std::uint64_t position_ = 0;  ///< Bytes appended, those of `chunk_` included.
  std::uint64_t rows_ = 0;
  std::vector<Entry> contents_;
  std::vector<std::uint8_t> keypoints_;
  std::vector<std::uint8_t> chunk_;  ///< The chunk being filled.
  std::vector<std::uint64_t> chunk_checksums_;
};

}  // namespace siftsearch
