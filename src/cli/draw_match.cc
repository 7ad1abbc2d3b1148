#include "cli/draw_match.h"

#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/output.h"
#include "draw/match_picture.h"
#include "draw/match_svg.h"
#include "engine/picture_file.h"
#include "image/decode.h"

namespace siftsearch::cli {
namespace {

Status Draw(const std::string& output, const InputLimits& input_limits, const Match& match,
            std::span<const std::uint8_t> query) {
  const image::DecodeLimits limits{input_limits.max_pixels, input_limits.max_file_bytes};
  const auto about = [](const std::string& path, const Status& status) {
    return Status(status.code(), path + ": " + status.message());
  };
  const auto file = engine::ReadPictureFile(match.image.path, input_limits);
  if (!file.ok()) return about(match.image.path, file.status());
  const auto theirs = image::DecodeRgb(file->bytes, limits);
  if (!theirs.ok()) return about(match.image.path, theirs.status());
  if (theirs->width != match.image.width || theirs->height != match.image.height) {
    return about(match.image.path,
                 {StatusCode::kInvalidArgument, "has changed since it was added"});
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto ours, image::DecodeRgb(query, limits));
  std::string text;
  if (DrawFormat(output) == "svg") {
    SIFTSEARCH_ASSIGN_OR_RETURN(text, draw::DrawMatchSvg(ours, *theirs, match, {}));
  } else {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto drawing, draw::DrawMatch(ours, *theirs, match, {}));
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto bytes, image::Encode(drawing, DrawFormat(output), 90));
    text.assign(bytes.begin(), bytes.end());
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(auto file_output, Output::Open(output));
  file_output.Write(text);
  return file_output.Close();
}

}  // namespace

std::string DrawFormat(const std::string& file) {
  for (const auto& [ending, format] :
       {std::pair{".png", "png"}, {".jpg", "jpeg"}, {".jpeg", "jpeg"}, {".svg", "svg"}}) {
    if (file.ends_with(ending)) return format;
  }
  throw UsageError("--draw writes a .png, .jpg or .svg");
}

Status DrawBest(const std::string& file, const InputLimits& limits, const QueryResult& result,
                std::span<const std::uint8_t> query, const Console& console) {
  if (result.matches.empty() || result.matches.front().query_polygon.empty()) {
    console.Note("no match to draw");
    return {};
  }
  return Draw(file, limits, result.matches.front(), query);
}

}  // namespace siftsearch::cli
