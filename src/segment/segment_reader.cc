#include "segment/segment_reader.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/hash.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "segment/segment_format.h"

namespace siftsearch {
namespace {

using namespace segment;  // NOLINT: the names of the format, in the file that reads it.

constexpr std::uint64_t kRowsAtOnce = 256;

std::uint64_t Aligned(std::uint64_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

SegmentReader::SegmentReader(std::string path, std::shared_ptr<const MappedFile> file)
    : path_(std::move(path)), file_(std::move(file)) {}

Result<std::shared_ptr<const SegmentReader>> SegmentReader::Open(
    FileEnv& env, const std::string& path, std::span<const std::uint64_t> settings_digests) {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto file, env.Map(path));
  std::shared_ptr<SegmentReader> reader(new SegmentReader(path, std::move(file)));
  SIFTSEARCH_RETURN_IF_ERROR(reader->LoadHeader(settings_digests));
  SIFTSEARCH_RETURN_IF_ERROR(reader->LoadFooter());
  SIFTSEARCH_RETURN_IF_ERROR(reader->LoadContents());
  return std::shared_ptr<const SegmentReader>(std::move(reader));
}

Status SegmentReader::Corrupt(const std::string& cause) const {
  return {StatusCode::kCorrupt, path_ + ": damaged segment file: " + cause};
}

Status SegmentReader::LoadHeader(std::span<const std::uint64_t> settings_digests) {
  const auto bytes = file_->bytes();
  if (bytes.size() < kHeaderBytes + kFooterBytes) return Corrupt("it is cut short");
  const auto header = bytes.first(kHeaderBytes);
  if (!std::equal(kHeaderMagic.begin(), kHeaderMagic.end(), header.begin())) {
    return Corrupt("it does not begin as a segment file");
  }
  header_checksum_ = LoadU64(&header[kHeaderBytes - 8]);
  if (Checksum(header.first(kHeaderBytes - 8)) != header_checksum_) {
    return Corrupt("the header's checksum differs");
  }
  const std::uint32_t version = LoadU32(&header[8]);
  if (version != kVersion) {
    return {StatusCode::kIncompatible, path_ + ": has format version " + std::to_string(version) +
                                           ", this program reads version " +
                                           std::to_string(kVersion)};
  }
  const std::uint64_t digest = LoadU64(&header[24]);
  if (std::find(settings_digests.begin(), settings_digests.end(), digest) ==
      settings_digests.end()) {
    return {StatusCode::kIncompatible,
            path_ + ": was made with other extractor settings than this database's"};
  }
  const HeaderBytes expected = EncodeHeader(digest);
  if (!std::equal(expected.begin(), expected.end(), header.begin())) {
    return Corrupt("the header has unknown values");
  }
  return {};
}

Status SegmentReader::LoadFooter() {
  const auto bytes = file_->bytes();
  const auto end = bytes.last(kFooterBytes);
  if (!std::equal(kFooterMagic.begin(), kFooterMagic.end(), &end[kFooterBytes - 16])) {
    return Corrupt("it does not end as a segment file, so it may be cut short");
  }
  if (LoadU64(&end[kFooterBytes - 8]) != Checksum(end.first(kFooterBytes - 8))) {
    return Corrupt("the footer's checksum differs");
  }
  // The checksum does not make the numbers true. They follow from three of them, so compute the
  // rest, once those are too small to overflow, and compare the whole footer.
  Footer footer{.contents = LoadU64(&end[0]), .rows = LoadU64(&end[8])};
  if (footer.rows > bytes.size() / kDescriptorBytes ||
      footer.contents > bytes.size() / kContentEntryBytes) {
    return Corrupt("it is too short for its rows and contents");
  }
  const std::uint64_t descriptor_bytes = footer.rows * kDescriptorBytes;
  const std::uint64_t keypoint_bytes = footer.rows * kKeypointBytes;
  const std::uint64_t table_bytes = footer.contents * kContentEntryBytes;
  footer.keypoints_offset = Aligned(kHeaderBytes + descriptor_bytes);
  footer.contents_offset = Aligned(footer.keypoints_offset + keypoint_bytes);
  footer.checksums_offset = Aligned(footer.contents_offset + table_bytes);
  const std::uint64_t checked_bytes = footer.checksums_offset - kHeaderBytes;
  const std::uint64_t checksum_bytes = (checked_bytes + kChunkBytes - 1) / kChunkBytes * 8;
  footer.file_bytes = footer.checksums_offset + checksum_bytes + kFooterBytes;
  if (footer.file_bytes != bytes.size()) return Corrupt("its length does not fit its footer");

  descriptors_ = bytes.subspan(kHeaderBytes, descriptor_bytes);
  keypoints_ = bytes.subspan(footer.keypoints_offset, keypoint_bytes);
  contents_table_ = bytes.subspan(footer.contents_offset, table_bytes);
  checked_ = bytes.subspan(kHeaderBytes, checked_bytes);
  checksums_ = bytes.subspan(footer.checksums_offset, checksum_bytes);
  sound_ = std::vector<std::atomic<bool>>(checksum_bytes / 8);
  rows_ = footer.rows;
  footer.header_checksum = header_checksum_;
  footer.contents_checksum = LoadU64(&end[56]);
  footer.checksums_checksum = LoadU64(&end[64]);
  const FooterBytes expected = EncodeFooter(footer);
  if (!std::equal(expected.begin(), expected.end(), end.begin())) {
    return Corrupt("the footer does not fit the file");
  }
  if (Checksum(contents_table_) != footer.contents_checksum) {
    return Corrupt("the checksum of the table of contents differs");
  }
  if (Checksum(checksums_) != footer.checksums_checksum) {
    return Corrupt("the checksum of the table of checksums differs");
  }
  return {};
}

Status SegmentReader::LoadContents() {
  contents_.reserve(contents_table_.size() / kContentEntryBytes);
  std::int64_t last = 0;
  std::uint64_t next_row = 0;
  for (auto table = contents_table_; !table.empty(); table = table.subspan(kContentEntryBytes)) {
    const SegmentContent entry{static_cast<std::int64_t>(LoadU64(&table[0])), LoadU64(&table[8]),
                               LoadU32(&table[16]), static_cast<int>(LoadU32(&table[20])),
                               static_cast<int>(LoadU32(&table[24]))};
    if (entry.content <= last) return Corrupt("contents are not in ascending order");
    if (entry.first_row != next_row || entry.rows > rows_ - next_row) {
      return Corrupt("rows of content " + std::to_string(entry.content) + " are out of place");
    }
    if (entry.width <= 0 || entry.height <= 0) {
      return Corrupt("size of content " + std::to_string(entry.content) + " is out of range");
    }
    last = entry.content;
    next_row += entry.rows;
    while (content_of_rows_.size() * kRowsAtOnce < next_row) {
      content_of_rows_.push_back(static_cast<std::uint32_t>(contents_.size()));
    }
    contents_.push_back(entry);
  }
  return next_row == rows_ ? Status() : Corrupt("rows belong to no content");
}

std::uint64_t SegmentReader::digest() const { return LoadU64(file_->bytes().last(8).data()); }

const SegmentContent* SegmentReader::Find(std::int64_t content) const {
  const auto found = std::lower_bound(
      contents_.begin(), contents_.end(), content,
      [](const SegmentContent& entry, std::int64_t number) { return entry.content < number; });
  return found != contents_.end() && found->content == content ? &*found : nullptr;
}

const SegmentContent& SegmentReader::OfRow(std::uint64_t row) const {
  std::size_t index = content_of_rows_[row / kRowsAtOnce];
  while (row >= contents_[index].first_row + contents_[index].rows) ++index;
  return contents_[index];
}

Keypoint SegmentReader::keypoint(const SegmentContent& content, std::uint32_t row) const {
  assert(row < content.rows && content.first_row + row < rows_);
  return UnpackKeypoint(&keypoints_[(content.first_row + row) * kKeypointBytes],
                        PositionQuantum(content.width, content.height));
}

std::span<const std::uint8_t> SegmentReader::PackedKeypoints(const SegmentContent& content) const {
  return keypoints_.subspan(content.first_row * kKeypointBytes,
                            std::size_t{content.rows} * kKeypointBytes);
}

Status SegmentReader::ReadRow(std::uint64_t row, std::span<std::uint8_t> descriptor) const {
  return file_->Read(kHeaderBytes + row * kDescriptorBytes, descriptor);
}

Result<bool> SegmentReader::ReadRowAtOnce(std::uint64_t row,
                                          std::span<std::uint8_t> descriptor) const {
  return file_->ReadAtOnce(kHeaderBytes + row * kDescriptorBytes, descriptor);
}

std::span<const std::uint8_t> SegmentReader::Descriptors(const SegmentContent& content) const {
  return descriptors_.subspan(content.first_row * kDescriptorBytes,
                              std::size_t{content.rows} * kDescriptorBytes);
}

Result<FeatureSet> SegmentReader::Features(std::int64_t content) const {
  const SegmentContent* const entry = Find(content);
  if (entry == nullptr) {
    return Status(StatusCode::kNotFound, path_ + ": has no content " + std::to_string(content));
  }
  FeatureSet features;
  features.width = entry->width;
  features.height = entry->height;
  features.keypoints.reserve(entry->rows);
  for (std::uint32_t row = 0; row < entry->rows; ++row) {
    features.keypoints.push_back(keypoint(*entry, row));
  }
  const auto descriptors = Descriptors(*entry);
  features.descriptors.assign(descriptors.begin(), descriptors.end());
  return features;
}

/// Threads that do it at once find the same.
bool SegmentReader::IsSound(std::size_t chunk) const {
  if (sound_[chunk].load(std::memory_order_relaxed)) return true;
  const std::size_t begin = chunk * kChunkBytes;
  const auto bytes = checked_.subspan(begin, std::min(kChunkBytes, checked_.size() - begin));
  if (Checksum(bytes) != LoadU64(&checksums_[8 * chunk])) return false;
  sound_[chunk].store(true, std::memory_order_relaxed);
  return true;
}

Status SegmentReader::DamagedChunk(std::size_t chunk) const {
  return Corrupt("checksum differs in the chunk at byte " +
                 std::to_string(kHeaderBytes + chunk * kChunkBytes));
}

Status SegmentReader::Verify(int threads) const {
  std::vector<std::size_t> chunks;
  for (std::size_t chunk = 0; chunk < sound_.size(); ++chunk) {
    if (!sound_[chunk].load(std::memory_order_relaxed)) chunks.push_back(chunk);
  }
  std::atomic<std::size_t> first_damaged = sound_.size();
  ParallelFor(chunks.size(), threads, [&](std::size_t part) {
    if (IsSound(chunks[part])) return;
    std::size_t known = first_damaged.load();
    while (chunks[part] < known && !first_damaged.compare_exchange_weak(known, chunks[part])) {
    }
  });
  return first_damaged < sound_.size() ? DamagedChunk(first_damaged) : Status();
}

Status SegmentReader::VerifyChunksOf(std::span<const std::uint8_t> bytes) const {
  if (bytes.empty()) return {};
  const auto begin = static_cast<std::size_t>(bytes.data() - checked_.data());
  for (std::size_t chunk = begin / kChunkBytes; chunk * kChunkBytes < begin + bytes.size();
       ++chunk) {
    if (!IsSound(chunk)) return DamagedChunk(chunk);
  }
  return {};
}

Status SegmentReader::VerifyKeypoints(const SegmentContent& content) const {
  return VerifyChunksOf(PackedKeypoints(content));
}

Status SegmentReader::VerifyFeatures(const SegmentContent& content) const {
  SIFTSEARCH_RETURN_IF_ERROR(VerifyKeypoints(content));
  return VerifyChunksOf(Descriptors(content));
}

}  // namespace siftsearch
