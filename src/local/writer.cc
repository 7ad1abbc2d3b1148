#include "local/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "local/merge_plan.h"
#include "local/numbered_name.h"
#include "local/snapshot.h"
#include "segment/segment_writer.h"
#include "siftsearch/types.h"

namespace siftsearch::local {
namespace {

constexpr std::int64_t kMaxCompactedBytes = std::int64_t{8} << 30;
/// What a row takes in a segment, for planning.
constexpr std::int64_t kRowBytes = kDescriptorBytes + 8;

std::int64_t NowSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Status CheckItem(const PutItem& item) {
  if (item.path.empty() || item.path.find('\0') != std::string::npos) {
    return {StatusCode::kInvalidArgument, "an image's path is empty or holds a NUL byte"};
  }
  if (item.features != nullptr &&
      item.features->descriptors.size() != item.features->size() * kDescriptorBytes) {
    return {StatusCode::kInvalidArgument,
            fmt::format("{}: its descriptors do not fit its keypoints", item.path)};
  }
  return {};
}

}  // namespace

Writer::Writer(FileEnv& env, std::string segments, catalog::Catalog& catalog,
               catalog::Transaction transaction, int threads)
    : env_(env),
      folder_(std::move(segments)),
      catalog_(catalog),
      transaction_(std::move(transaction)),
      threads_(threads) {}

Result<std::unique_ptr<Writer>> Writer::Begin(FileEnv& env, const std::string& segments,
                                              catalog::Catalog& catalog, int threads) {
  SIFTSEARCH_ASSIGN_OR_RETURN(catalog::Transaction transaction, catalog.Begin());
  std::unique_ptr<Writer> writer(
      new Writer(env, segments, catalog, std::move(transaction), threads));
  SIFTSEARCH_ASSIGN_OR_RETURN(catalog::Listing listing, catalog.ReadListing());
  writer->listed_ = std::move(listing.segments);
  // The name of the folder must survive a power cut before a segment in it may be listed.
  if (writer->listed_.empty()) {
    SIFTSEARCH_RETURN_IF_ERROR(env.CreateDirectory(segments));
    SIFTSEARCH_RETURN_IF_ERROR(
        env.SyncDirectory(std::filesystem::path(segments).parent_path().string()));
  }
  SIFTSEARCH_RETURN_IF_ERROR(writer->RemoveLeftovers());
  return writer;
}

Status Writer::RemoveLeftovers() {
  std::set<std::string> listed;
  for (const catalog::SegmentRecord& segment : listed_) listed.insert(segment.file);
  SIFTSEARCH_ASSIGN_OR_RETURN(std::vector<std::string> names, env_.List(folder_));
  for (const std::string& name : names) {
    if (listed.contains(name) || !IsNumberedName(name, ".seg")) continue;
    SIFTSEARCH_RETURN_IF_ERROR(env_.Remove(folder_ + "/" + name));
  }
  return {};
}

Result<std::vector<PutOutcome>> Writer::Put(std::span<const PutItem> items) {
  std::vector<PutOutcome> outcomes;
  outcomes.reserve(items.size());
  for (const PutItem& item : items) {
    SIFTSEARCH_RETURN_IF_ERROR(CheckItem(item));
    SIFTSEARCH_ASSIGN_OR_RETURN(PutOutcome outcome, PutOne(item));
    outcomes.push_back(outcome);
  }
  return outcomes;
}

Result<PutOutcome> Writer::PutOne(const PutItem& item) {
  SIFTSEARCH_ASSIGN_OR_RETURN(std::optional<ImageRecord> stored, catalog_.FindPath(item.path));
  if (stored && stored->hash == item.hash) return UpdateUnchanged(*std::move(stored), item);

  if (!stored) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto moved, MoveOne(item));
    if (moved) return *moved;
  }
  ImageRecord image;
  image.path = item.path;
  image.file_bytes = item.file_bytes;
  image.modified_ns = item.modified_ns;
  image.added_s = NowSeconds();
  image.attributes = item.attributes;
  PutOutcome outcome{.action = PutAction::kAdded, .id = 0, .moved_from = {}};
  if (stored) {
    outcome.action = PutAction::kReplaced;
    image.attributes.insert(stored->attributes.begin(), stored->attributes.end());
    SIFTSEARCH_RETURN_IF_ERROR(catalog_.DeleteImage(stored->id).status());
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(image.content, StoreContent(item));
  SIFTSEARCH_ASSIGN_OR_RETURN(outcome.id, catalog_.InsertImage(image));
  changed_ = true;
  return outcome;
}

/// Gives the item's path to the image of the first path of `moved_from` that has its content.
Result<std::optional<PutOutcome>> Writer::MoveOne(const PutItem& item) {
  for (const std::string& path : item.moved_from) {
    SIFTSEARCH_ASSIGN_OR_RETURN(std::optional<ImageRecord> image, catalog_.FindPath(path));
    if (!image || image->hash != item.hash) continue;
    PutOutcome outcome{.action = PutAction::kMoved, .id = image->id, .moved_from = path};
    image->path = item.path;
    image->file_bytes = item.file_bytes;
    image->modified_ns = item.modified_ns;
    for (const auto& [key, value] : item.attributes) image->attributes[key] = value;
    SIFTSEARCH_RETURN_IF_ERROR(catalog_.UpdateImage(*image));
    changed_ = true;
    return std::optional<PutOutcome>(std::move(outcome));
  }
  return std::optional<PutOutcome>();
}

Result<PutOutcome> Writer::UpdateUnchanged(ImageRecord image, const PutItem& item) {
  std::map<std::string, std::string> attributes = item.attributes;
  attributes.insert(image.attributes.begin(), image.attributes.end());
  const PutOutcome outcome{.action = PutAction::kUnchanged, .id = image.id, .moved_from = {}};
  if (image.file_bytes == item.file_bytes && image.modified_ns == item.modified_ns &&
      image.attributes == attributes) {
    return outcome;
  }
  image.file_bytes = item.file_bytes;
  image.modified_ns = item.modified_ns;
  image.attributes = std::move(attributes);
  SIFTSEARCH_RETURN_IF_ERROR(catalog_.UpdateImage(image));
  changed_ = true;
  return outcome;
}

/// The number of the item's content, alive, with its features stored or noted to be written.
Result<std::int64_t> Writer::StoreContent(const PutItem& item) {
  SIFTSEARCH_ASSIGN_OR_RETURN(std::optional<catalog::ContentRecord> known,
                              catalog_.FindHash(item.hash));
  if (known) {
    if (!known->live) SIFTSEARCH_RETURN_IF_ERROR(catalog_.ReviveContent(known->content));
    return known->content;
  }
  if (item.features == nullptr) {
    return Status(StatusCode::kNotFound,
                  fmt::format("{}: the features of its content are not stored", item.path));
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const ImageId id, catalog_.NextImageId());
  const catalog::ContentRecord content{.content = id,
                                       .width = item.features->width,
                                       .height = item.features->height,
                                       .descriptors = static_cast<int>(item.features->size()),
                                       .live = true,
                                       .pages = item.features->pages};
  SIFTSEARCH_RETURN_IF_ERROR(catalog_.InsertContent(content, item.hash));
  if (item.features->pdq.quality > 0) {
    SIFTSEARCH_RETURN_IF_ERROR(catalog_.InsertSignature(id, item.features->pdq));
  }
  if (item.features->size() > 0) {
    if (!item.features->preview.empty()) {
      SIFTSEARCH_RETURN_IF_ERROR(catalog_.InsertPreview(id, item.features->preview));
    }
    new_contents_.push_back({.content = id, .features = item.features.get()});
  }
  return id;
}

Result<std::int64_t> Writer::Remove(std::span<const ImageId> ids) {
  std::int64_t removed = 0;
  for (ImageId id : ids) {
    SIFTSEARCH_ASSIGN_OR_RETURN(bool existed, catalog_.DeleteImage(id));
    removed += existed ? 1 : 0;
  }
  changed_ = changed_ || removed > 0;
  return removed;
}

Status Writer::PutVerdicts(std::span<const VerdictRecord> verdicts) {
  for (const VerdictRecord& verdict : verdicts) {
    SIFTSEARCH_RETURN_IF_ERROR(catalog_.PutVerdict(verdict));
  }
  changed_ = changed_ || !verdicts.empty();
  return {};
}

Result<std::int64_t> Writer::ForgetVerdicts(std::span<const VerdictRecord> verdicts) {
  std::int64_t forgotten = 0;
  for (const VerdictRecord& verdict : verdicts) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const bool existed, catalog_.DeleteVerdict(verdict.a, verdict.b));
    forgotten += existed ? 1 : 0;
  }
  changed_ = changed_ || forgotten > 0;
  return forgotten;
}

Status Writer::SetIndex(std::string_view key) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::string before, catalog_.IndexKey());
  if (before == key) return {};
  changed_ = true;
  return catalog_.SetIndexKey(key);
}

Status Writer::Compact(RowsProgress progress) {
  compact_ = true;
  progress_ = std::move(progress);
  SIFTSEARCH_ASSIGN_OR_RETURN(catalog::Listing listing, catalog_.ReadListing());
  changed_ = changed_ || listing.segments.size() > 1 || !listing.dead_contents.empty();
  return {};
}

Status Writer::Commit() {
  if (!changed_) return {};
  SIFTSEARCH_RETURN_IF_ERROR(catalog_.DeleteEmptyDeadContents());
  SIFTSEARCH_ASSIGN_OR_RETURN(catalog::Listing listing, catalog_.ReadListing());
  dead_ = {listing.dead_contents.begin(), listing.dead_contents.end()};
  SIFTSEARCH_RETURN_IF_ERROR(DropNewDead());
  SIFTSEARCH_RETURN_IF_ERROR(ApplyAll(PlanRewrites()));
  SIFTSEARCH_RETURN_IF_ERROR(catalog_.AdvanceGeneration());
  SIFTSEARCH_RETURN_IF_ERROR(transaction_.Commit());
  // The commit stands whatever becomes of the old files: the next writer removes what stays.
  for (const std::string& file : obsolete_files_) (void)env_.Remove(folder_ + "/" + file);
  return {};
}

Status Writer::ApplyAll(const std::vector<Rewrite>& rewrites) {
  for (const Rewrite& rewrite : rewrites) rows_total_ += RowsOf(rewrite);
  std::int64_t done = 0;
  TellRows(done);
  for (const Rewrite& rewrite : rewrites) {
    SIFTSEARCH_RETURN_IF_ERROR(Apply(rewrite));
    TellRows(done += RowsOf(rewrite));  // With those that were left out.
  }
  return {};
}

void Writer::TellRows(std::int64_t done) {
  rows_done_ = done;
  if (progress_) progress_(rows_done_, rows_total_);
}

/// Of the segments.
std::int64_t Writer::RowsOf(const Rewrite& rewrite) {
  std::int64_t rows = 0;
  for (const catalog::SegmentRecord& segment : rewrite.segments) rows += segment.rows;
  return rows;
}

/// A content that came and went inside this commit (its path was given twice) is never written.
Status Writer::DropNewDead() {
  for (const Source& source : new_contents_) {
    if (dead_.contains(source.content)) {
      SIFTSEARCH_RETURN_IF_ERROR(catalog_.DeleteContent(source.content));
    }
  }
  std::erase_if(new_contents_,
                [&](const Source& source) { return dead_.contains(source.content); });
  return {};
}

std::vector<Writer::Rewrite> Writer::PlanRewrites() const {
  std::vector<Rewrite> rewrites;
  if (compact_) {
    std::int64_t bytes = 0;
    for (const catalog::SegmentRecord& segment : listed_) {
      if (rewrites.empty() || bytes + segment.bytes > kMaxCompactedBytes) {
        rewrites.emplace_back();
        bytes = 0;
      }
      rewrites.back().segments.push_back(segment);
      bytes += segment.bytes;
    }
    return rewrites;
  }
  std::vector<MergePart> parts;
  for (const catalog::SegmentRecord& segment : listed_) {
    parts.push_back({.rows = segment.rows, .bytes = segment.bytes});
  }
  if (!new_contents_.empty()) {
    std::int64_t rows = 0;
    for (const Source& source : new_contents_) {
      rows += static_cast<std::int64_t>(source.features->size());
    }
    parts.push_back({.rows = rows, .bytes = rows * kRowBytes});
  }
  bool new_planned = new_contents_.empty();
  for (const std::vector<std::size_t>& group : PlanMerges(parts)) {
    Rewrite& rewrite = rewrites.emplace_back();
    for (std::size_t part : group) {
      if (part < listed_.size()) {
        rewrite.segments.push_back(listed_[part]);
      } else {
        rewrite.new_contents = new_planned = true;
      }
    }
  }
  if (!new_planned) rewrites.push_back({.segments = {}, .new_contents = true});
  return rewrites;
}

Status Writer::Apply(const Rewrite& rewrite) {
  std::vector<std::shared_ptr<const SegmentReader>> readers;
  SIFTSEARCH_ASSIGN_OR_RETURN(std::vector<Source> sources, Collect(rewrite, &readers));
  const bool as_it_is = rewrite.segments.size() == 1 && !rewrite.new_contents &&
                        sources.size() == readers.front()->contents().size();
  if (as_it_is) return {};
  for (std::size_t i = 0; i < rewrite.segments.size(); ++i) {
    for (const SegmentContent& entry : readers[i]->contents()) {
      if (!dead_.contains(entry.content)) continue;
      SIFTSEARCH_RETURN_IF_ERROR(catalog_.DeleteContent(entry.content));
    }
    SIFTSEARCH_RETURN_IF_ERROR(catalog_.DeleteSegment(rewrite.segments[i].id));
    obsolete_files_.push_back(rewrite.segments[i].file);
  }
  return sources.empty() ? Status() : WriteSegment(sources);
}

/// The live contents of a rewrite, ascending. Damage must not get a new, valid checksum, so old
/// segments are verified first.
Result<std::vector<Writer::Source>> Writer::Collect(
    const Rewrite& rewrite, std::vector<std::shared_ptr<const SegmentReader>>* readers) {
  std::vector<Source> sources;
  for (const catalog::SegmentRecord& segment : rewrite.segments) {
    auto opened =
        SegmentReader::Open(env_, folder_ + "/" + segment.file, catalog_.settings_digests());
    if (!opened.ok()) return WithAdvice(MissingIsDamage(opened.status()));
    SIFTSEARCH_RETURN_IF_ERROR(WithAdvice((*opened)->Verify(threads_)));
    (*opened)->ReleasePages();
    for (const SegmentContent& entry : (*opened)->contents()) {
      if (dead_.contains(entry.content)) continue;
      sources.push_back({.content = entry.content, .reader = opened->get(), .entry = &entry});
    }
    readers->push_back(std::move(opened).value());
  }
  if (rewrite.new_contents) {
    sources.insert(sources.end(), new_contents_.begin(), new_contents_.end());
  }
  std::sort(sources.begin(), sources.end(),
            [](const Source& a, const Source& b) { return a.content < b.content; });
  return sources;
}

Status Writer::WriteSegment(const std::vector<Source>& sources) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t id, catalog_.NextSegmentId());
  const std::string name = fmt::format("{:08}.seg", id);
  SIFTSEARCH_ASSIGN_OR_RETURN(
      std::unique_ptr<SegmentWriter> writer,
      SegmentWriter::Create(env_, folder_ + "/" + name, catalog_.settings_digests().front()));
  const SegmentReader* previous = nullptr;
  for (const Source& source : sources) {
    // Contents of a segment mostly follow one another; a merge holds about one segment in memory.
    if (previous != nullptr && previous != source.reader) previous->ReleasePages();
    previous = source.reader;
    if (source.features != nullptr) {
      SIFTSEARCH_RETURN_IF_ERROR(writer->Add(source.content, *source.features));
    } else {
      SIFTSEARCH_RETURN_IF_ERROR(writer->AddRaw(source.content, source.entry->width,
                                                source.entry->height,
                                                source.reader->Descriptors(*source.entry),
                                                source.reader->PackedKeypoints(*source.entry)));
      TellRows(rows_done_ + static_cast<std::int64_t>(source.entry->rows));
    }
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const SegmentSummary summary, writer->Finish());
  return catalog_.InsertSegment({.id = id,
                                 .file = name,
                                 .rows = static_cast<std::int64_t>(summary.rows),
                                 .contents = static_cast<std::int64_t>(summary.contents),
                                 .bytes = summary.bytes});
}

}  // namespace siftsearch::local
