#include "cli/html_report.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/status_macros.h"
#include "env/file_env.h"
#include "image/decode.h"
#include "report/html_page.h"

namespace siftsearch::cli {
namespace {

/// Some 15 kB each.
constexpr std::int64_t kThumbnailsInPage = 600;

/// The stored preview of a picture whose file is gone.
void UsePreview(SearchBackend& backend, const ImageRecord& image, engine::PictureLook& look) {
  const auto stored = backend.FindPath(image.path);
  if (!stored.ok() || !stored.value()) return;
  auto features = backend.Features(stored.value()->content);
  if (!features.ok() || features->preview.empty()) return;
  const auto preview = image::DecodeGrey(features->preview, {});
  if (!preview.ok()) return;
  look.thumbnail_width = preview->width;
  look.thumbnail_height = preview->height;
  look.thumbnail = std::move(features->preview);
}

}  // namespace

HtmlReport::HtmlReport(const std::string& file, const std::string& title, const InputLimits& limits,
                       int threads, SearchBackend* backend, Output& output)
    : folder_(std::filesystem::path(file).replace_extension().string() + "_pictures"),
      folder_name_(std::filesystem::path(folder_).filename()),
      limits_(limits),
      threads_(threads),
      backend_(backend),
      output_(output) {
  output_.Write(report::PageBegin(title));
}

Result<std::string> HtmlReport::ThumbnailUrl(engine::PictureLook& look, const ImageRecord& image) {
  if (look.thumbnail.empty() && backend_ != nullptr) UsePreview(*backend_, image, look);
  if (look.thumbnail.empty()) return std::string();
  if (++thumbnails_ <= kThumbnailsInPage) return report::JpegUrl(look.thumbnail);
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  const std::string name = fmt::format("{:06}.jpg", thumbnails_);
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto file, DiskEnv().Create(folder_ + "/" + name));
  SIFTSEARCH_RETURN_IF_ERROR(file->Append(look.thumbnail));
  SIFTSEARCH_RETURN_IF_ERROR(file->Close());
  return report::RelativeUrl(folder_name_ + "/" + name);
}

Status HtmlReport::WriteGroup() {
  if (pairs_.empty()) return {};
  const std::string asked = queries_first_ ? pairs_.front().query.path : "";
  engine::GroupReport group =
      engine::DescribeGroup(std::exchange(pairs_, {}), limits_, threads_, asked);
  report::PageGroup page{group.number, group.weakest, {}, std::move(group.pairs)};
  for (engine::GroupMember& member : group.members) {
    SIFTSEARCH_ASSIGN_OR_RETURN(std::string url, ThumbnailUrl(member.look, member.image));
    page.members.push_back({std::move(member.image), member.original, std::move(member.relation),
                            member.score, std::move(url), member.look.thumbnail_width,
                            member.look.thumbnail_height, std::move(member.look.problem),
                            std::move(member.look.taken)});
  }
  output_.Write(report::PageGroupText(page));
  return {};
}

Status HtmlReport::Add(const ReportPair& pair) {
  const bool same = !pairs_.empty() && pair.group > 0 && pairs_.front().group == pair.group;
  if (!same) SIFTSEARCH_RETURN_IF_ERROR(WriteGroup());
  pairs_.push_back(pair);
  return {};
}

Status HtmlReport::End(const std::string& about, bool partial) {
  SIFTSEARCH_RETURN_IF_ERROR(WriteGroup());
  output_.Write(report::PageEnd(about, partial));
  return {};
}

}  // namespace siftsearch::cli
