#include "cli/html_report.h"

#include <fmt/format.h>

#include <filesystem>
#include <random>
#include <string_view>
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
  const auto snapshot = backend.Pin();
  if (!snapshot.ok()) return;
  const auto stored = snapshot.value()->FindPath(image.path);
  if (!stored.ok() || !stored.value()) return;
  const std::int64_t content = stored.value()->content;
  auto features = snapshot.value()->Features({&content, 1});
  if (!features.ok() || features->empty() || features->front().preview.empty()) return;
  std::vector<std::uint8_t>& jpeg = features->front().preview;
  const auto preview = image::DecodeGrey(jpeg, {});
  if (!preview.ok()) return;
  look.thumbnail_width = preview->width;
  look.thumbnail_height = preview->height;
  look.thumbnail = std::move(jpeg);
}

namespace fs = std::filesystem;

std::string PictureName(int number) { return fmt::format("{:06}.jpg", number); }

bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

PictureFolder::PictureFolder(const std::string& page)
    : folder_(fs::path(page).replace_extension().string() + "_pictures"),
      page_name_(fs::path(page).filename()) {}

PictureFolder::~PictureFolder() {
  if (!name_.empty() && !kept_) RemovePictures(name_);
}

Status PictureFolder::MakeFolder() {
  SIFTSEARCH_RETURN_IF_ERROR(DiskEnv().CreateDirectory(folder_));
  std::random_device random;
  std::error_code error;
  do {
    name_ = fmt::format("{}-{:08x}", page_name_, static_cast<std::uint32_t>(random()));
  } while (!fs::create_directory(folder_ + "/" + name_, error) && !error);
  if (!error) return {};
  name_.clear();
  return {StatusCode::kIoError,
          fmt::format("{}: no folder can be made in it ({})", folder_, error.message())};
}

Result<std::string> PictureFolder::Add(std::span<const std::uint8_t> jpeg) {
  if (name_.empty()) SIFTSEARCH_RETURN_IF_ERROR(MakeFolder());
  const std::string file = name_ + "/" + PictureName(++pictures_);
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto out,
                              DiskEnv().CreateNew(folder_ + "/" + file, Access::kShared));
  SIFTSEARCH_RETURN_IF_ERROR(out->Append(jpeg));
  SIFTSEARCH_RETURN_IF_ERROR(out->Sync());
  SIFTSEARCH_RETURN_IF_ERROR(out->Close());
  return fs::path(folder_).filename().string() + "/" + file;
}

Status PictureFolder::Sync() {
  if (name_.empty()) return {};
  SIFTSEARCH_RETURN_IF_ERROR(DiskEnv().SyncDirectory(folder_ + "/" + name_));
  SIFTSEARCH_RETURN_IF_ERROR(DiskEnv().SyncDirectory(folder_));
  return DiskEnv().SyncDirectory(DirectoryOf(folder_));
}

void PictureFolder::Keep() {
  kept_ = true;
  const auto names = DiskEnv().List(folder_);
  if (!names.ok()) return;  // There is none.
  const std::string ours = page_name_ + "-";
  for (const std::string& name : *names) {
    const bool earlier = name.starts_with(ours) && name.size() == ours.size() + 8 &&
                         IsHex(std::string_view(name).substr(ours.size()));
    if (earlier && name != name_) RemovePictures(name);
  }
}

/// Only what can be of ours: whatever else is there, and then the folder, stays.
void PictureFolder::RemovePictures(const std::string& name) {
  const std::string folder = folder_ + "/" + name;
  std::error_code ignored;
  for (int i = 1; fs::remove(folder + "/" + PictureName(i), ignored); ++i) continue;
  fs::remove(folder, ignored);
  fs::remove(folder_, ignored);
}

HtmlReport::HtmlReport(const std::string& file, const std::string& title, const InputLimits& limits,
                       int threads, SearchBackend* backend, Output& output)
    : pictures_(file), limits_(limits), threads_(threads), backend_(backend), output_(output) {
  output_.Write(report::PageBegin(title));
}

Result<std::string> HtmlReport::ThumbnailUrl(engine::PictureLook& look, const ImageRecord& image) {
  if (look.thumbnail.empty() && backend_ != nullptr) UsePreview(*backend_, image, look);
  if (look.thumbnail.empty()) return std::string();
  if (++thumbnails_ <= kThumbnailsInPage) return report::JpegUrl(look.thumbnail);
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::string name, pictures_.Add(look.thumbnail));
  return report::RelativeUrl(name);
}

Status HtmlReport::WriteGroup() {
  if (pairs_.empty()) return {};
  const std::string asked = queries_first_ ? pairs_.front().query.path : "";
  engine::GroupReport group =
      engine::DescribeGroup(std::exchange(pairs_, {}), limits_, threads_, asked);
  report::PageGroup page{group.number, group.weakest, {}, std::move(group.pairs)};
  for (engine::GroupMember& member : group.members) {
    SIFTSEARCH_ASSIGN_OR_RETURN(std::string url, ThumbnailUrl(member.look, member.image));
    page.members.push_back(
        {std::move(member.image), std::move(member.equal_files), std::move(member.equal_relations),
         member.original, std::move(member.relation), member.score, std::move(url),
         member.look.thumbnail_width, member.look.thumbnail_height, std::move(member.look.problem),
         std::move(member.look.taken), member.look.gone});
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
  return pictures_.Sync();
}

}  // namespace siftsearch::cli
