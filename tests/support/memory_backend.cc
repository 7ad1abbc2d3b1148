#include "support/memory_backend.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "kernel/topk.h"
#include "vote/alike.h"
#include "vote/vote.h"

namespace siftsearch {
namespace {

bool IsAscii(const PutItem& item) {
  return std::all_of(item.attributes.begin(), item.attributes.end(), [](const auto& attribute) {
    const auto plain = [](char c) { return static_cast<unsigned char>(c) < 128; };
    return std::all_of(attribute.first.begin(), attribute.first.end(), plain) &&
           std::all_of(attribute.second.begin(), attribute.second.end(), plain);
  });
}

Status CheckItem(const PutItem& item) {
  if (item.path.empty()) return {StatusCode::kInvalidArgument, "an item has no path"};
  if (!IsAscii(item)) {
    return {StatusCode::kInvalidArgument, "this backend takes attributes in ASCII only"};
  }
  const FeatureSet* features = item.features.get();
  if (features != nullptr && features->descriptors.size() != features->size() * kDescriptorBytes) {
    return {StatusCode::kInvalidArgument, item.path + ": descriptors do not fit the keypoints"};
  }
  return {};
}

}  // namespace

struct MemoryBackend::Tables {
  struct Content {
    ContentHash hash{};
    std::shared_ptr<const FeatureSet> features;
    bool live = true;
  };

  std::map<ImageId, ImageRecord> images;
  std::map<std::int64_t, Content> contents;
  std::map<std::pair<ContentHash, ContentHash>, VerdictRecord> verdicts;
  ImageId next_id = 1;
  std::int64_t generation = 0;

  const ImageRecord* FindPath(const std::string& path) const {
    const auto found = std::find_if(images.begin(), images.end(),
                                    [&](const auto& image) { return image.second.path == path; });
    return found == images.end() ? nullptr : &found->second;
  }

  std::int64_t FindHash(const ContentHash& hash) const {
    const auto found = std::find_if(contents.begin(), contents.end(), [&](const auto& content) {
      return content.second.hash == hash;
    });
    return found == contents.end() ? 0 : found->first;
  }

  std::vector<ImageRecord> ImagesOf(std::int64_t content) const {
    std::vector<ImageRecord> found;
    for (const auto& [id, image] : images) {
      if (image.content == content) found.push_back(image);
    }
    return found;
  }

  void RemoveImage(ImageId id) {
    const std::int64_t content = images.at(id).content;
    images.erase(id);
    if (ImagesOf(content).empty()) contents.at(content).live = false;
  }

  /// Dead contents that go at once: those without rows, and those above `last`, which are new.
  void DropDead(std::int64_t last) {
    std::erase_if(contents, [&](const auto& content) {
      return !content.second.live && (content.second.features->size() == 0 || content.first > last);
    });
  }

  Result<PutOutcome> Put(const PutItem& item);
  bool Update(const PutItem& item, ImageRecord& image);
  Result<std::int64_t> StoreContent(const PutItem& item);
};

/// True where it changed anything.
bool MemoryBackend::Tables::Update(const PutItem& item, ImageRecord& image) {
  const ImageRecord before = image;
  image.file_bytes = item.file_bytes;
  image.modified_ns = item.modified_ns;
  for (const auto& [key, value] : item.attributes) image.attributes[key] = value;
  return image.file_bytes != before.file_bytes || image.modified_ns != before.modified_ns ||
         image.attributes != before.attributes;
}

Result<std::int64_t> MemoryBackend::Tables::StoreContent(const PutItem& item) {
  if (const std::int64_t known = FindHash(item.hash); known > 0) {
    contents.at(known).live = true;
    return known;
  }
  if (item.features == nullptr) {
    return Status(StatusCode::kNotFound, item.path + ": its content is not stored");
  }
  contents[next_id] = {.hash = item.hash, .features = item.features};
  return next_id;
}

Result<PutOutcome> MemoryBackend::Tables::Put(const PutItem& item) {
  SIFTSEARCH_RETURN_IF_ERROR(CheckItem(item));
  const ImageRecord* stored = FindPath(item.path);
  if (stored != nullptr && stored->hash == item.hash) {
    generation += Update(item, images.at(stored->id));
    return PutOutcome{.action = PutAction::kUnchanged, .id = stored->id};
  }
  ++generation;
  for (const std::string& before : item.moved_from) {
    const ImageRecord* moved = stored == nullptr ? FindPath(before) : nullptr;
    if (moved == nullptr || moved->hash != item.hash) continue;
    ImageRecord& image = images.at(moved->id);
    image.path = item.path;
    Update(item, image);
    return PutOutcome{.action = PutAction::kMoved, .id = image.id, .moved_from = before};
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t content, StoreContent(item));
  const FeatureSet& features = *contents.at(content).features;
  ImageRecord image;
  image.id = next_id++;
  image.path = item.path;
  image.hash = item.hash;
  image.content = content;
  image.width = features.width;
  image.height = features.height;
  image.descriptors = static_cast<int>(features.size());
  image.pages = features.pages;
  PutOutcome outcome{.action = PutAction::kAdded, .id = image.id};
  if (stored != nullptr) {
    outcome.action = PutAction::kReplaced;
    image.attributes = stored->attributes;
  }
  Update(item, image);
  images[image.id] = std::move(image);
  if (stored != nullptr) RemoveImage(stored->id);
  return outcome;
}

namespace {

class MemorySnapshot : public BackendSnapshot {
 public:
  explicit MemorySnapshot(std::shared_ptr<const MemoryBackend::Tables> tables)
      : tables_(std::move(tables)) {}

  std::int64_t generation() const override { return tables_->generation; }

  Result<std::vector<SearchResult>> Search(std::span<const SearchQuery> queries,
                                           const SearchOptions& options) const override {
    if (options.neighbours < 1) {
      return Status(StatusCode::kInvalidArgument, "the number of neighbours is below 1");
    }
    std::vector<SearchResult> results;
    for (const SearchQuery& query : queries) {
      SIFTSEARCH_RETURN_IF_ERROR(options.call.Check());
      SIFTSEARCH_ASSIGN_OR_RETURN(auto found, SearchOne(query, options));
      results.push_back(std::move(found));
    }
    return results;
  }

  Result<std::vector<std::vector<AlikeContent>>> FindAlike(std::span<const AlikeQuery> queries,
                                                           int most,
                                                           const CallOptions& call) const override {
    SIFTSEARCH_RETURN_IF_ERROR(call.Check());
    vote::AlikeFinder finder(queries, most);
    for (const auto& [number, content] : tables_->contents) {
      const Pdq& signature = content.features->pdq;
      if (content.live && signature.quality > 0) finder.Visit(number, signature);
    }
    return finder.Take();
  }

  Result<std::vector<FeatureSet>> Features(std::span<const std::int64_t> contents,
                                           const CallOptions& call) const override {
    SIFTSEARCH_RETURN_IF_ERROR(call.Check());
    std::vector<FeatureSet> features;
    for (const std::int64_t content : contents) {
      const auto found = tables_->contents.find(content);
      if (found == tables_->contents.end()) {
        return Status(StatusCode::kNotFound, "no content " + std::to_string(content));
      }
      features.push_back(*found->second.features);
    }
    return features;
  }

  Result<std::vector<std::vector<ImageRecord>>> Describe(std::span<const std::int64_t> contents,
                                                         const CallOptions& call) const override {
    SIFTSEARCH_RETURN_IF_ERROR(call.Check());
    std::vector<std::vector<ImageRecord>> images;
    for (const std::int64_t content : contents) images.push_back(tables_->ImagesOf(content));
    return images;
  }

  Result<std::optional<ImageRecord>> FindPath(const std::string& path) const override {
    const ImageRecord* found = tables_->FindPath(path);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }

  Result<std::optional<ImageRecord>> FindId(ImageId id) const override {
    const auto found = tables_->images.find(id);
    return found == tables_->images.end() ? std::nullopt : std::optional(found->second);
  }

  Result<std::int64_t> FindContent(const ContentHash& hash) const override {
    return tables_->FindHash(hash);
  }

  Status List(const std::function<bool(const ImageRecord&)>& visit, const CallOptions& call,
              ImageId after) const override {
    SIFTSEARCH_RETURN_IF_ERROR(call.Check());
    for (auto at = tables_->images.upper_bound(after); at != tables_->images.end(); ++at) {
      if (!visit(at->second)) return {};
    }
    return {};
  }

  Result<BackendStats> Stats() const override {
    BackendStats stats;
    stats.images = static_cast<std::int64_t>(tables_->images.size());
    for (const auto& [number, content] : tables_->contents) {
      const auto rows = static_cast<std::int64_t>(content.features->size());
      stats.contents += content.live;
      (content.live ? stats.descriptors : stats.removed_descriptors) += rows;
    }
    stats.segments = 1;
    stats.generation = tables_->generation;
    return stats;
  }

  Result<std::vector<VerdictRecord>> Verdicts() const override {
    std::vector<VerdictRecord> verdicts;
    for (const auto& [key, verdict] : tables_->verdicts) verdicts.push_back(verdict);
    return verdicts;
  }

 private:
  Result<SearchResult> SearchOne(const SearchQuery& query, const SearchOptions& options) const {
    if (query.features == nullptr ||
        query.features->descriptors.size() != query.features->size() * kDescriptorBytes) {
      return Status(StatusCode::kInvalidArgument, "a query's descriptors do not fit");
    }
    std::vector<kernel::RowSpan> spans;
    std::vector<std::pair<std::int64_t, std::size_t>> rows;  // Content and index in it.
    for (const auto& [number, content] : tables_->contents) {
      if (!content.live || number == query.exclude_content) continue;
      spans.push_back({content.features->descriptors.data(), content.features->size(),
                       static_cast<std::int64_t>(rows.size())});
      for (std::size_t i = 0; i < content.features->size(); ++i) rows.emplace_back(number, i);
    }
    std::vector<kernel::Neighbour> nearest;
    SIFTSEARCH_RETURN_IF_ERROR(kernel::TopK(spans, kDescriptorBytes, query.features->descriptors,
                                            {.k = options.neighbours}, &nearest));
    std::vector<vote::Neighbour> neighbours;
    for (const kernel::Neighbour& found : nearest) {
      vote::Neighbour neighbour;
      if (found.row >= 0) neighbour = {found.row, rows[found.row].first, found.distance};
      neighbours.push_back(neighbour);
    }
    SearchResult result;
    for (const vote::Candidate& candidate : vote::CountVotes(
             neighbours, options.neighbours, {.max_candidates = options.max_candidates})) {
      const FeatureSet& features = *tables_->contents.at(candidate.image).features;
      VotedContent content{candidate.image, features.width, features.height, candidate.votes, {}};
      for (const vote::Correspondence& pair : candidate.correspondences) {
        content.pairs.push_back(
            {pair.query, features.keypoints[rows[pair.row].second], pair.weight, pair.rarity});
      }
      result.candidates.push_back(std::move(content));
    }
    return result;
  }

  const std::shared_ptr<const MemoryBackend::Tables> tables_;
};

}  // namespace

MemoryBackend::MemoryBackend(std::shared_ptr<Store> store) : store_(std::move(store)) {
  const std::lock_guard lock(store_->mutex);
  if (store_->newest == nullptr) store_->newest = std::make_shared<const Tables>();
}

Result<std::shared_ptr<const BackendSnapshot>> MemoryBackend::Pin() {
  const std::lock_guard lock(store_->mutex);
  return std::shared_ptr<const BackendSnapshot>(
      std::make_shared<const MemorySnapshot>(store_->newest));
}

Result<std::vector<PutOutcome>> MemoryBackend::Put(std::span<const PutItem> items) {
  const std::lock_guard lock(store_->mutex);
  auto next = std::make_shared<Tables>(*store_->newest);
  const ImageId last = next->next_id - 1;
  std::vector<PutOutcome> outcomes;
  for (const PutItem& item : items) {
    SIFTSEARCH_ASSIGN_OR_RETURN(PutOutcome outcome, next->Put(item));
    outcomes.push_back(std::move(outcome));
  }
  next->DropDead(last);
  store_->newest = std::move(next);
  return outcomes;
}

Result<std::int64_t> MemoryBackend::Remove(std::span<const ImageId> ids) {
  const std::lock_guard lock(store_->mutex);
  auto next = std::make_shared<Tables>(*store_->newest);
  std::int64_t removed = 0;
  for (const ImageId id : ids) {
    if (!next->images.contains(id)) continue;
    next->RemoveImage(id);
    ++removed;
  }
  next->DropDead(next->next_id - 1);
  next->generation += removed > 0;
  store_->newest = std::move(next);
  return removed;
}

Status MemoryBackend::PutVerdicts(std::span<const VerdictRecord> verdicts) {
  const std::lock_guard lock(store_->mutex);
  auto next = std::make_shared<Tables>(*store_->newest);
  for (const VerdictRecord& verdict : verdicts) {
    auto& stored = next->verdicts[{verdict.a, verdict.b}];
    if (verdict.decided_s >= stored.decided_s) stored = verdict;
  }
  ++next->generation;
  store_->newest = std::move(next);
  return {};
}

Result<std::int64_t> MemoryBackend::ForgetVerdicts(std::span<const VerdictRecord> verdicts) {
  const std::lock_guard lock(store_->mutex);
  auto next = std::make_shared<Tables>(*store_->newest);
  std::int64_t forgotten = 0;
  for (const VerdictRecord& verdict : verdicts) {
    forgotten += static_cast<std::int64_t>(next->verdicts.erase({verdict.a, verdict.b}));
  }
  next->generation += forgotten > 0;
  store_->newest = std::move(next);
  return forgotten;
}

Status MemoryBackend::Compact(const RowsProgress&) {
  const std::lock_guard lock(store_->mutex);
  auto next = std::make_shared<Tables>(*store_->newest);
  std::erase_if(next->contents, [](const auto& content) { return !content.second.live; });
  ++next->generation;
  store_->newest = std::move(next);
  return {};
}

Status MemoryBackend::SetIndex(const std::string& key, const RowsProgress&) {
  if (key == "auto" || key == "IDMap,Flat") return {};
  return {StatusCode::kInvalidArgument, "this backend can't be searched by an index " + key};
}

Status MemoryBackend::ExportFaiss(const std::string& file) {
  return {StatusCode::kUnsupported, file + ": this backend writes no files"};
}

}  // namespace siftsearch
