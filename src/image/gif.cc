#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/status_macros.h"
#include "image/raster.h"

namespace siftsearch::image {
namespace {

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};

int ReadBytes(GifFileType* gif, GifByteType* out, int size) {
  auto& left = *static_cast<std::span<const std::uint8_t>*>(gif->UserData);
  const std::size_t count = std::min(left.size(), static_cast<std::size_t>(size));
  std::memcpy(out, left.data(), count);
  left = left.subspan(count);
  return static_cast<int>(count);
}

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

/// Draws the frame at its place on the white canvas; what lies outside is dropped.
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

}  // namespace

Result<Raster> DecodeGif(const DecodeRequest& request) {
  std::span<const std::uint8_t> left = request.bytes;
  int error = 0;
  const std::unique_ptr<GifFileType, CloseGif> gif(DGifOpen(&left, ReadBytes, &error));
  if (gif == nullptr) return GifError(error);
  int transparent = NO_TRANSPARENT_COLOR;
  SIFTSEARCH_RETURN_IF_ERROR(SkipToFrame(gif.get(), transparent));
  if (DGifGetImageDesc(gif.get()) == GIF_ERROR) return GifError(gif->Error);

  const GifImageDesc& frame = gif->Image;
  const int width = gif->SWidth > 0 ? gif->SWidth : frame.Left + frame.Width;
  const int height = gif->SHeight > 0 ? gif->SHeight : frame.Top + frame.Height;
  SIFTSEARCH_RETURN_IF_ERROR(CheckSize(width, height, request.limits));
  Raster raster = MakeRaster(width, height, request.channels);
  SIFTSEARCH_RETURN_IF_ERROR(DrawFrame(gif.get(), transparent, raster));
  return raster;
}

}  // namespace siftsearch::image
