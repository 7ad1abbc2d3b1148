#include <gif_lib.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/status_macros.h"
#include "image/raster.h"

namespace siftsearch::image {
namespace {

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};

using Bytes = std::span<const std::uint8_t>;

/// What giflib reads: the file's head, then a frame with what follows it.
struct GifSource {
  Bytes head;
  Bytes frame;
};

int ReadBytes(GifFileType* gif, GifByteType* out, int size) {
  auto& source = *static_cast<GifSource*>(gif->UserData);
  int done = 0;
  for (Bytes* part : {&source.head, &source.frame}) {
    const std::size_t count = std::min(part->size(), static_cast<std::size_t>(size - done));
    std::copy_n(part->begin(), count, out + done);
    *part = part->subspan(count);
    done += static_cast<int>(count);
  }
  return done;
}

/// Where the frames are, without decoding them.
class FrameWalker {
 public:
  explicit FrameWalker(Bytes bytes) : bytes_(bytes) {
    at_ = kHeadBytes;
    if (bytes.size() < kHeadBytes) return;
    SkipColours(bytes[10]);
    head_ = std::min(at_, bytes.size());
    frames_.push_back(head_);
    while (SkipRecord()) {
    }
  }

  /// At least 1, also of a file that ends before its first frame does.
  int count() const { return std::max(1, count_); }
  bool is_whole() const { return whole_; }
  GifSource SourceOf(int frame) const {
    const auto begin = static_cast<std::size_t>(frame) < frames_.size() ? frames_[frame] : head_;
    return {bytes_.first(head_), bytes_.subspan(begin)};
  }

 private:
  static constexpr std::size_t kHeadBytes = 13;
  static constexpr std::size_t kMostKept = 16;

  void SkipColours(std::uint8_t flags) {
    if ((flags & 0x80) != 0) at_ += std::size_t{3} << ((flags & 7) + 1);
  }

  bool SkipBlocks() {
    while (at_ < bytes_.size()) {
      const std::size_t size = bytes_[at_];
      at_ += size + 1;
      if (size == 0) return true;
    }
    return false;
  }

  /// False at the end.
  bool SkipRecord() {
    constexpr std::uint8_t kExtension = 0x21, kFrame = 0x2C, kEnd = 0x3B;
    if (at_ >= bytes_.size()) return false;
    const std::uint8_t kind = bytes_[at_];
    if (kind == kExtension) {
      at_ += 2;
      return SkipBlocks();
    }
    whole_ = kind == kEnd;
    if (kind != kFrame || bytes_.size() - at_ < 11) return false;
    const std::uint8_t flags = bytes_[at_ + 9];
    at_ += 10;
    SkipColours(flags);
    ++at_;  // The size of the codes.
    ++count_;
    if (!SkipBlocks()) return false;
    if (frames_.size() < kMostKept) frames_.push_back(at_);
    return true;
  }

  const Bytes bytes_;
  std::size_t at_ = 0;
  std::size_t head_ = 0;
  int count_ = 0;
  bool whole_ = false;
  std::vector<std::size_t> frames_;  ///< Where each, with the extensions before it, begins.
};

Status GifError(int error) {
  switch (error) {
    case D_GIF_ERR_NOT_ENOUGH_MEM:
      return OutOfMemory();
    case D_GIF_ERR_READ_FAILED:
    case D_GIF_ERR_EOF_TOO_SOON:
      return CutShort();
    default: {
      const char* text = GifErrorString(error);
      return Damaged(text != nullptr ? text : "the GIF cannot be read");
    }
  }
}

/// Reads up to the first frame; `transparent` becomes its transparent colour's index, -1 for none.
Status SkipToFrame(GifFileType* gif, int& transparent) {
  transparent = NO_TRANSPARENT_COLOR;
  GifRecordType record = UNDEFINED_RECORD_TYPE;
  while (true) {
    if (DGifGetRecordType(gif, &record) == GIF_ERROR) return GifError(gif->Error);
    if (record == IMAGE_DESC_RECORD_TYPE) return Status();
    if (record == TERMINATE_RECORD_TYPE) return Damaged("the GIF has no frame");
    int code = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) return GifError(gif->Error);
    while (block != nullptr) {
      GraphicsControlBlock control{};
      if (code == GRAPHICS_EXT_FUNC_CODE &&
          DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK) {
        transparent = control.TransparentColor;
      }
      if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) return GifError(gif->Error);
    }
  }
}

void DrawRow(const std::vector<GifPixelType>& row, const ColorMapObject& colours, int transparent,
             int left, std::uint8_t* out, const Raster& canvas) {
  for (int x = 0; x < static_cast<int>(row.size()) && left + x < canvas.width; ++x) {
    const int index = row[x];
    if (index == transparent || index >= colours.ColorCount) continue;
    const GifColorType& colour = colours.Colors[index];
    const std::uint8_t rgb[] = {colour.Red, colour.Green, colour.Blue};
    StoreRgb(rgb, canvas.channels, out + static_cast<std::size_t>(left + x) * canvas.channels);
  }
}

/// Draws the frame at its place on the canvas; what lies outside is dropped.
Status DrawFrame(GifFileType* gif, int transparent, Raster& canvas) {
  const GifImageDesc& frame = gif->Image;
  const ColorMapObject* colours = frame.ColorMap != nullptr ? frame.ColorMap : gif->SColorMap;
  if (colours == nullptr) return Damaged("the GIF has no colour table");
  if (frame.Width <= 0 || frame.Height <= 0) return Damaged("the GIF's frame has no pixels");
  struct Pass {
    int start;
    int step;
  };
  static constexpr Pass kInterlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
  static constexpr Pass kPlain[] = {{0, 1}};
  const std::span<const Pass> passes =
      frame.Interlace ? std::span<const Pass>(kInterlaced) : std::span<const Pass>(kPlain);
  std::vector<GifPixelType> row(static_cast<std::size_t>(frame.Width));
  for (const Pass& pass : passes) {
    for (int y = pass.start; y < frame.Height; y += pass.step) {
      if (DGifGetLine(gif, row.data(), frame.Width) == GIF_ERROR) return GifError(gif->Error);
      if (frame.Top + y >= canvas.height) continue;
      DrawRow(row, *colours, transparent, frame.Left, canvas.At(0, frame.Top + y), canvas);
    }
  }
  return Status();
}

Result<Raster> DecodeFrame(const DecodeRequest& request, GifSource source) {
  int error = 0;
  const std::unique_ptr<GifFileType, CloseGif> gif(DGifOpen(&source, ReadBytes, &error));
  if (gif == nullptr) return GifError(error);
  int transparent = NO_TRANSPARENT_COLOR;
  SIFTSEARCH_RETURN_IF_ERROR(SkipToFrame(gif.get(), transparent));
  if (DGifGetImageDesc(gif.get()) == GIF_ERROR) return GifError(gif->Error);

  const GifImageDesc& frame = gif->Image;
  const int width = gif->SWidth > 0 ? gif->SWidth : frame.Left + frame.Width;
  const int height = gif->SHeight > 0 ? gif->SHeight : frame.Top + frame.Height;
  SIFTSEARCH_RETURN_IF_ERROR(CheckSize(width, height, request.limits));
  Raster raster = MakeRaster(width, height, request.channels, request.ground);
  raster.transparent = transparent != NO_TRANSPARENT_COLOR || frame.Left > 0 || frame.Top > 0 ||
                       frame.Width < width || frame.Height < height;
  SIFTSEARCH_RETURN_IF_ERROR(DrawFrame(gif.get(), transparent, raster));
  return raster;
}

}  // namespace

Result<Raster> DecodeGif(const DecodeRequest& request) {
  const FrameWalker frames(request.bytes);
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Raster raster, DecodePages(request, frames.count(), [&](const DecodeRequest& asked, int n) {
        return DecodeFrame(asked, frames.SourceOf(n));
      }));
  raster.animated = true;
  if (!frames.is_whole()) raster.remark = "its end is missing";
  return raster;
}

}  // namespace siftsearch::image
