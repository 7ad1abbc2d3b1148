#include "image/png_layout.h"

#include <algorithm>
#include <boost/crc.hpp>
#include <string_view>

namespace siftsearch::image {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kSignatureBytes = 8;
/// Length and kind before a chunk's data, checksum behind it.
constexpr std::size_t kBeforeData = 8;
constexpr std::size_t kAroundData = 12;
/// Signature and IHDR.
constexpr std::size_t kHeadBytes = 33;
constexpr std::size_t kMostFramesKept = 16;
constexpr std::uint8_t kEnd[] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};

std::uint32_t Big(Bytes bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | bytes[at + i];
  return value;
}

void PutBig(std::uint32_t value, std::uint8_t* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

std::string_view KindAt(Bytes bytes, std::size_t at) {
  return {reinterpret_cast<const char*>(bytes.data()) + at + 4, 4};
}

std::uint32_t Checksum(std::string_view kind, Bytes data) {
  boost::crc_32_type crc;
  crc.process_bytes(kind.data(), kind.size());
  crc.process_bytes(data.data(), data.size());
  return crc.checksum();
}

/// A checksum, made wrong where that of the file's chunk is.
std::uint32_t WithSoundness(Bytes bytes, std::size_t at, std::uint32_t checksum) {
  const Bytes data = bytes.subspan(at + kBeforeData, Big(bytes, at));
  const bool sound =
      Checksum(KindAt(bytes, at), data) == Big(bytes, at + kBeforeData + data.size());
  return sound ? checksum : ~checksum;
}

PngFrame FrameAt(Bytes bytes, std::size_t at) {
  const std::size_t data = at + kBeforeData + 4;  // Behind the sequence number.
  return {.control = at,
          .x = Big(bytes, data + 8),
          .y = Big(bytes, data + 12),
          .width = Big(bytes, data),
          .height = Big(bytes, data + 4)};
}

/// Notes one whole chunk.
void Note(Bytes bytes, std::size_t at, bool& animated, PngLayout& layout) {
  constexpr std::uint32_t kControlBytes = 26;
  const std::string_view kind = KindAt(bytes, at);
  if (at == kSignatureBytes && kind == "CgBI") layout.crushed = true;
  if (kind == "acTL" && layout.pixels == 0) animated = true;
  if (kind == "IDAT" && layout.pixels == 0) {
    layout.pixels = at;
    layout.hidden = layout.frame_count == 0;
  }
  if (kind != "fcTL" || !animated || Big(bytes, at) != kControlBytes) return;
  ++layout.frame_count;
  if (layout.frames.size() < kMostFramesKept) layout.frames.push_back(FrameAt(bytes, at));
}

}  // namespace

PngLayout ReadPngLayout(Bytes bytes) {
  PngLayout layout;
  layout.frame_count = 0;
  bool animated = false;
  std::size_t at = kSignatureBytes;
  while (bytes.size() >= at + kAroundData && Big(bytes, at) <= bytes.size() - at - kAroundData &&
         KindAt(bytes, at) != "IEND") {
    Note(bytes, at, animated, layout);
    at += kAroundData + Big(bytes, at);
  }
  layout.end = at;
  const Bytes rest = bytes.subspan(std::min(at, bytes.size()));
  layout.has_end = rest.size() >= sizeof(kEnd) && std::equal(kEnd, std::end(kEnd), rest.begin());
  const bool in_pixels = rest.size() >= kBeforeData && KindAt(bytes, at) == "IDAT";
  layout.end_missing = !layout.has_end && layout.pixels > 0 && !in_pixels;
  if (layout.frame_count == 0 || layout.pixels < kHeadBytes) {
    layout.hidden = false;
    layout.frame_count = 1;
    layout.frames.clear();
  }
  return layout;
}

PngSource::PngSource(Bytes bytes, const PngLayout& layout, int frame)
    : bytes_(bytes), layout_(layout) {
  const auto index = static_cast<std::size_t>(frame);
  if (index < layout.frames.size() && (index > 0 || layout.hidden)) frame_ = &layout.frames[index];
}

PngFrame PngSource::Place() const {
  if (bytes_.size() < kHeadBytes) return {};
  return {.control = 0,
          .x = frame_ != nullptr ? frame_->x : 0,
          .y = frame_ != nullptr ? frame_->y : 0,
          .width = Big(bytes_, 16),
          .height = Big(bytes_, 20)};
}

bool PngSource::Read(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    if (part_.empty()) {
      if (stage_ == Stage::kDone) return false;
      part_ = NextPart();
      continue;
    }
    const std::size_t count = std::min(out.size(), part_.size());
    std::copy_n(part_.begin(), count, out.begin());
    part_ = part_.subspan(count);
    out = out.subspan(count);
  }
  return true;
}

Bytes PngSource::NextPart() {
  switch (stage_) {
    case Stage::kHead:
      return NextHead();
    case Stage::kBetween:  // The palette and the like.
      at_ = frame_->control + kAroundData + Big(bytes_, frame_->control);
      stage_ = Stage::kChunk;
      return bytes_.subspan(kHeadBytes, layout_.pixels - kHeadBytes);
    case Stage::kChunk:
      return NextFrameChunk();
    case Stage::kData:
      stage_ = Stage::kChecksum;
      return data_;
    case Stage::kChecksum:
      stage_ = Stage::kChunk;
      return checksum_;
    case Stage::kEnd:
      stage_ = Stage::kDone;
      return kEnd;
    case Stage::kDone:
      break;
  }
  return {};
}

/// The file up to its end, or the head of the file with the size of the frame.
Bytes PngSource::NextHead() {
  if (frame_ == nullptr) {
    const bool whole = layout_.has_end || layout_.end_missing;
    stage_ = whole ? Stage::kEnd : Stage::kDone;
    return whole ? bytes_.first(layout_.end) : bytes_;
  }
  std::copy_n(bytes_.begin(), kHeadBytes, own_.begin());
  PutBig(frame_->width, &own_[16]);
  PutBig(frame_->height, &own_[20]);
  PutBig(WithSoundness(bytes_, 8, Checksum("IHDR", Bytes(own_).subspan(16, 13))), &own_[29]);
  stage_ = Stage::kBetween;
  return own_;
}

/// The beginning of the frame's next chunk of pixels, as that of an IDAT.
Bytes PngSource::NextFrameChunk() {
  while (at_ < layout_.end) {
    const std::size_t at = at_;
    const std::string_view kind = KindAt(bytes_, at);
    const Bytes data = bytes_.subspan(at + kBeforeData, Big(bytes_, at));
    at_ += kAroundData + data.size();
    if (kind == "fcTL") break;
    if (kind != "fdAT" || data.size() < 4) continue;
    data_ = data.subspan(4);  // Behind the sequence number.
    PutBig(static_cast<std::uint32_t>(data_.size()), own_.data());
    std::copy_n("IDAT", 4, &own_[4]);
    PutBig(WithSoundness(bytes_, at, Checksum("IDAT", data_)), checksum_.data());
    stage_ = Stage::kData;
    return Bytes(own_).first(kBeforeData);
  }
  stage_ = Stage::kEnd;
  return {};
}

}  // namespace siftsearch::image
