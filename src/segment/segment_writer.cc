#include "segment/segment_writer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <utility>

#include "base/hash.h"
#include "base/status_macros.h"
#include "segment/segment_format.h"

namespace siftsearch {
namespace {

using namespace segment;  // NOLINT: the names of the format, in the file that writes it.

std::string TemporaryName(const std::string& path) { return path + ".tmp"; }

bool IsFinite(const Keypoint& keypoint) {
  return std::isfinite(keypoint.x) && std::isfinite(keypoint.y) && std::isfinite(keypoint.scale) &&
         std::isfinite(keypoint.angle);
}

}  // namespace

SegmentWriter::SegmentWriter(FileEnv& env, std::string path) : env_(env), path_(std::move(path)) {
  chunk_.reserve(kChunkBytes);
}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::Create(FileEnv& env, std::string path,
                                                             std::uint64_t settings_digest) {
  std::unique_ptr<SegmentWriter> writer(new SegmentWriter(env, std::move(path)));
  SIFTSEARCH_ASSIGN_OR_RETURN(writer->file_, env.Create(TemporaryName(writer->path_)));
  const HeaderBytes header = EncodeHeader(settings_digest);
  writer->header_checksum_ = LoadU64(&header[kHeaderBytes - 8]);
  SIFTSEARCH_RETURN_IF_ERROR(writer->Write(header));
  writer->position_ = header.size();
  return writer;
}

SegmentWriter::~SegmentWriter() {
  if (finished_ || !file_) return;
  file_.reset();
  // Nobody is left to tell; a file that stays is an unlisted one.
  (void)env_.Remove(TemporaryName(path_));
}

Status SegmentWriter::CheckAddable(std::int64_t content, int width, int height,
                                   std::size_t descriptor_bytes, std::size_t rows) const {
  const auto refuse = [&](const std::string& cause) {
    return Status(StatusCode::kInvalidArgument,
                  path_ + ": content " + std::to_string(content) + " " + cause);
  };
  if (finished_) return refuse("can't be added to a finished segment");
  if (content <= 0) return refuse("has no positive number");
  if (!contents_.empty() && content <= contents_.back().content) {
    return refuse("does not come after content " + std::to_string(contents_.back().content));
  }
  if (width <= 0 || height <= 0) return refuse("has an empty picture");
  if (rows > std::numeric_limits<std::uint32_t>::max()) return refuse("has too many keypoints");
  if (descriptor_bytes != rows * kDescriptorBytes) {
    return refuse("has " + std::to_string(descriptor_bytes) + " bytes of descriptors for " +
                  std::to_string(rows) + " keypoints");
  }
  return {};
}

Status SegmentWriter::Add(std::int64_t content, const FeatureSet& features) {
  SIFTSEARCH_RETURN_IF_ERROR(error_);
  SIFTSEARCH_RETURN_IF_ERROR(CheckAddable(content, features.width, features.height,
                                          features.descriptors.size(), features.size()));
  if (!std::all_of(features.keypoints.begin(), features.keypoints.end(), IsFinite)) {
    return {StatusCode::kInvalidArgument, path_ + ": content " + std::to_string(content) +
                                              " has a keypoint whose values are not finite"};
  }
  const double quantum = PositionQuantum(features.width, features.height);
  for (const Keypoint& keypoint : features.keypoints) {
    const PackedKeypoint packed = PackKeypoint(keypoint, quantum);
    keypoints_.insert(keypoints_.end(), packed.begin(), packed.end());
  }
  return AddChecked({content, rows_, static_cast<std::uint32_t>(features.size()), features.width,
                     features.height},
                    features.descriptors);
}

Status SegmentWriter::AddRaw(std::int64_t content, int width, int height,
                             std::span<const std::uint8_t> descriptors,
                             std::span<const std::uint8_t> packed_keypoints) {
  SIFTSEARCH_RETURN_IF_ERROR(error_);
  const std::size_t rows = packed_keypoints.size() / kKeypointBytes;
  SIFTSEARCH_RETURN_IF_ERROR(CheckAddable(content, width, height, descriptors.size(), rows));
  if (packed_keypoints.size() % kKeypointBytes != 0) {
    return {StatusCode::kInvalidArgument,
            path_ + ": content " + std::to_string(content) + " has a part of a packed keypoint"};
  }
  keypoints_.insert(keypoints_.end(), packed_keypoints.begin(), packed_keypoints.end());
  return AddChecked({content, rows_, static_cast<std::uint32_t>(rows), width, height}, descriptors);
}

Status SegmentWriter::AddChecked(const Entry& entry, std::span<const std::uint8_t> descriptors) {
  contents_.push_back(entry);
  rows_ += entry.rows;
  return Append(descriptors);
}

Status SegmentWriter::Write(std::span<const std::uint8_t> bytes) {
  error_ = file_->Append(bytes);
  return error_;
}

Status SegmentWriter::Append(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kChunkBytes - chunk_.size()));
    chunk_.insert(chunk_.end(), part.begin(), part.end());
    position_ += part.size();
    bytes = bytes.subspan(part.size());
    if (chunk_.size() == kChunkBytes) SIFTSEARCH_RETURN_IF_ERROR(FlushChunk());
  }
  return {};
}

Status SegmentWriter::FlushChunk() {
  if (chunk_.empty()) return {};
  chunk_checksums_.push_back(Checksum(chunk_));
  SIFTSEARCH_RETURN_IF_ERROR(Write(chunk_));
  chunk_.clear();
  return {};
}

Status SegmentWriter::Pad() {
  const std::array<std::uint8_t, kAlignment> zeros{};
  return Append(std::span(zeros).first((kAlignment - position_ % kAlignment) % kAlignment));
}

std::vector<std::uint8_t> SegmentWriter::EncodeContents() const {
  std::vector<std::uint8_t> table(contents_.size() * kContentEntryBytes);
  std::uint8_t* to = table.data();
  for (const Entry& entry : contents_) {
    StoreU64(static_cast<std::uint64_t>(entry.content), to);
    StoreU64(entry.first_row, to + 8);
    StoreU32(entry.rows, to + 16);
    StoreU32(static_cast<std::uint32_t>(entry.width), to + 20);
    StoreU32(static_cast<std::uint32_t>(entry.height), to + 24);
    to += kContentEntryBytes;
  }
  return table;
}

Status SegmentWriter::WriteSections(SegmentSummary* summary) {
  Footer footer{.contents = contents_.size(), .rows = rows_, .header_checksum = header_checksum_};
  SIFTSEARCH_RETURN_IF_ERROR(Pad());
  footer.keypoints_offset = position_;
  SIFTSEARCH_RETURN_IF_ERROR(Append(keypoints_));
  SIFTSEARCH_RETURN_IF_ERROR(Pad());

  const std::vector<std::uint8_t> table = EncodeContents();
  footer.contents_offset = position_;
  footer.contents_checksum = Checksum(table);
  SIFTSEARCH_RETURN_IF_ERROR(Append(table));
  SIFTSEARCH_RETURN_IF_ERROR(Pad());
  SIFTSEARCH_RETURN_IF_ERROR(FlushChunk());

  std::vector<std::uint8_t> checksums(chunk_checksums_.size() * 8);
  for (std::size_t i = 0; i < chunk_checksums_.size(); ++i) {
    StoreU64(chunk_checksums_[i], &checksums[8 * i]);
  }
  footer.checksums_offset = position_;
  footer.checksums_checksum = Checksum(checksums);
  footer.file_bytes = position_ + checksums.size() + kFooterBytes;
  const FooterBytes end = EncodeFooter(footer);
  checksums.insert(checksums.end(), end.begin(), end.end());
  SIFTSEARCH_RETURN_IF_ERROR(Write(checksums));
  *summary = {rows_, contents_.size(), static_cast<std::int64_t>(footer.file_bytes)};
  return {};
}

Status SegmentWriter::Publish() {
  SIFTSEARCH_RETURN_IF_ERROR(file_->Sync());
  SIFTSEARCH_RETURN_IF_ERROR(file_->Close());
  SIFTSEARCH_RETURN_IF_ERROR(env_.Rename(TemporaryName(path_), path_));
  finished_ = true;
  const Status durable = env_.SyncDirectory(DirectoryOf(path_));
  // Without a durable name the segment does not count; the first error is the one to report.
  if (!durable.ok()) (void)env_.Remove(path_);
  return durable;
}

Result<SegmentSummary> SegmentWriter::Finish() {
  SIFTSEARCH_RETURN_IF_ERROR(error_);
  if (finished_) return Status(StatusCode::kInternal, path_ + ": finished twice");
  SegmentSummary summary;
  SIFTSEARCH_RETURN_IF_ERROR(WriteSections(&summary));
  error_ = Publish();
  SIFTSEARCH_RETURN_IF_ERROR(error_);
  return summary;
}

}  // namespace siftsearch
