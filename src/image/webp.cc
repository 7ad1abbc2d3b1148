#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <memory>

#include "base/status_macros.h"
#include "image/raster.h"

namespace siftsearch::image {
namespace {

using Demuxer = std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)>;

int Orientation(const WebPDemuxer* demuxer) {
  WebPChunkIterator chunk{};
  int orientation = 1;
  if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk) != 0) {
    orientation = ExifOrientation({chunk.chunk.bytes, chunk.chunk.size});
  }
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

Status FrameError(VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_OK:
      return Status();
    case VP8_STATUS_OUT_OF_MEMORY:
      return OutOfMemory();
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return CutShort();
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return Status(StatusCode::kUnsupported, "this kind of WebP is not read");
    default:
      return Damaged("the WebP data cannot be decoded");
  }
}

/// Draws the frame at its place on the canvas, whose ground it is laid on.
Status DrawFrame(const WebPIterator& frame, std::uint8_t ground, Raster& canvas) {
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) {
    return Status(StatusCode::kInternal, "libwebp differs from the version built against");
  }
  SIFTSEARCH_RETURN_IF_ERROR(
      FrameError(WebPGetFeatures(frame.fragment.bytes, frame.fragment.size, &config.input)));
  // The frame's own header may contradict the container's, whose size was checked.
  if (config.input.width > canvas.width - frame.x_offset ||
      config.input.height > canvas.height - frame.y_offset) {
    return Damaged("the WebP frame is larger than its canvas");
  }
  config.output.colorspace = MODE_RGBA;
  const Status decoded = FrameError(WebPDecode(frame.fragment.bytes, frame.fragment.size, &config));
  const WebPRGBABuffer& rgba = config.output.u.RGBA;
  for (int y = 0; decoded.ok() && y < config.output.height; ++y) {
    const std::uint8_t* in = rgba.rgba + static_cast<std::ptrdiff_t>(y) * rgba.stride;
    for (int x = 0; x < config.output.width; ++x, in += 4) {
      StoreRgba(in, ground, canvas.channels, canvas.At(frame.x_offset + x, frame.y_offset + y));
    }
  }
  WebPFreeDecBuffer(&config.output);
  return decoded;
}

Result<Raster> DecodeFrame(const DecodeRequest& request, const WebPDemuxer* demuxer, int n) {
  Raster raster = MakeRaster(static_cast<int>(WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH)),
                             static_cast<int>(WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT)),
                             request.channels, request.ground);
  WebPIterator frame{};
  Status drawn = Damaged("the WebP has no frame");
  if (WebPDemuxGetFrame(demuxer, n + 1, &frame) != 0) {
    raster.transparent =
        frame.has_alpha != 0 || frame.width < raster.width || frame.height < raster.height;
    drawn = DrawFrame(frame, request.ground, raster);
  }
  WebPDemuxReleaseIterator(&frame);
  SIFTSEARCH_RETURN_IF_ERROR(drawn);
  return raster;
}

}  // namespace

Result<Raster> DecodeWebp(const DecodeRequest& request) {
  const WebPData data{request.bytes.data(), request.bytes.size()};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  const Demuxer demuxer(WebPDemuxPartial(&data, &state), WebPDemuxDelete);
  if (state == WEBP_DEMUX_PARSING_HEADER) return CutShort();
  if (state == WEBP_DEMUX_PARSE_ERROR) return Damaged("the WebP container cannot be read");
  if (demuxer == nullptr) return OutOfMemory();
  const std::int64_t width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  const std::int64_t height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  SIFTSEARCH_RETURN_IF_ERROR(CheckSize(width, height, request.limits));
  if (state != WEBP_DEMUX_DONE) return CutShort();

  const int frames = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_FRAME_COUNT));
  SIFTSEARCH_ASSIGN_OR_RETURN(Raster raster,
                              DecodePages(request, frames, [&](const DecodeRequest& asked, int n) {
                                return DecodeFrame(asked, demuxer.get(), n);
                              }));
  raster.orientation = Orientation(demuxer.get());
  raster.animated = true;
  return raster;
}

}  // namespace siftsearch::image
