#include "local/pinned_commit.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/exception_status.h"
#include "base/status_macros.h"
#include "local/search.h"
#include "vote/alike.h"

namespace siftsearch::local {
namespace {

/// Images that are read from the catalogue at one time.
constexpr std::int64_t kListedAtOnce = 256;

Status CheckApproximation(const index::FactoryKey& key, const Approximation& asked) {
  if (asked.nprobe < 0 || asked.ef_search < 0) {
    return {StatusCode::kInvalidArgument, "nprobe and ef_search are not negative"};
  }
  if (asked.nprobe > 0 && key.lists() == 0) {
    return {
        StatusCode::kInvalidArgument,
        fmt::format("nprobe is for an index of lists (IVF…); the database's is {}", key.text())};
  }
  if (asked.ef_search > 0 && !key.graph()) {
    return {StatusCode::kInvalidArgument,
            fmt::format("ef_search is for an index with a graph (HNSW…); the database's is {}",
                        key.text())};
  }
  return {};
}

}  // namespace

template <typename Read>
auto PinnedCommit::FromCatalog(Read read) const
    -> decltype(read(std::declval<catalog::Catalog&>())) {
  const std::lock_guard lock(catalog_mutex_);
  auto found = read(*catalog_);
  if (found.ok()) SIFTSEARCH_RETURN_IF_ERROR(catalog_->CheckRead());
  return found;
}

Result<std::vector<SearchResult>> PinnedCommit::Search(std::span<const SearchQuery> queries,
                                                       const SearchOptions& options) const try {
  SIFTSEARCH_RETURN_IF_ERROR(options.call.Check());
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto keeper, commit_->keeper);
  SIFTSEARCH_RETURN_IF_ERROR(CheckApproximation(keeper->key(), options.approximation));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto rows, commit_->rows);
  // What is looked up is verified where an answer is made of it.
  const auto verify = [&] { return rows->Verify(setup_.threads, options.call); };
  if (!keeper->LooksUp(*rows)) SIFTSEARCH_RETURN_IF_ERROR(verify());
  SIFTSEARCH_ASSIGN_OR_RETURN(auto view, View(rows));
  auto found = SearchSnapshot(*rows, view.get(), queries, options, setup_.variant);
  if (view == nullptr || found.status().code() != StatusCode::kCorrupt) return found;
  // Where the segments are sound, it is their index that is not.
  SIFTSEARCH_RETURN_IF_ERROR(verify());
  Distrust(view);
  SIFTSEARCH_ASSIGN_OR_RETURN(view, View(rows));
  return SearchSnapshot(*rows, view.get(), queries, options, setup_.variant);
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::shared_ptr<const SearchView>> PinnedCommit::View(
    std::shared_ptr<const Snapshot> rows) const {
  const std::lock_guard lock(commit_->view_mutex);
  if (!commit_->view) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto keeper, commit_->keeper);
    SIFTSEARCH_ASSIGN_OR_RETURN(commit_->view, keeper->View(std::move(rows), setup_.threads));
  }
  return *commit_->view;
}

void PinnedCommit::Distrust(const std::shared_ptr<const SearchView>& view) const {
  const std::lock_guard lock(commit_->view_mutex);
  if (commit_->view != view) return;  // Another search was first.
  commit_->view.reset();
  (*commit_->keeper)->Distrust();
}

Result<std::vector<FeatureSet>> PinnedCommit::Features(std::span<const std::int64_t> contents,
                                                       const CallOptions& call) const try {
  std::vector<FeatureSet> features;
  features.reserve(contents.size());
  for (const std::int64_t content : contents) {
    SIFTSEARCH_RETURN_IF_ERROR(call.Check());
    SIFTSEARCH_ASSIGN_OR_RETURN(FeatureSet of_content, FeaturesOf(content));
    features.push_back(std::move(of_content));
  }
  return features;
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<FeatureSet> PinnedCommit::FeaturesOf(std::int64_t content) const {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto rows, commit_->rows);
  FeatureSet features;
  const auto place = rows->Find(content);
  if (place) {
    SIFTSEARCH_RETURN_IF_ERROR(WithAdvice(place->reader->VerifyFeatures(*place->entry)));
    SIFTSEARCH_ASSIGN_OR_RETURN(features, place->reader->Features(content));
  }
  const Status filled = FromCatalog([&](catalog::Catalog& catalog) -> Status {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto record, catalog.FindContent(content));
    if (!record || (!place && record->descriptors > 0)) {
      return {StatusCode::kNotFound,
              fmt::format("the database {} has no content {}", setup_.folder, content)};
    }
    features.width = record->width;
    features.height = record->height;
    features.pages = record->pages;
    SIFTSEARCH_ASSIGN_OR_RETURN(features.pdq, catalog.FindSignature(content));
    if (!place) return {};
    SIFTSEARCH_ASSIGN_OR_RETURN(features.preview, catalog.FindPreview(content));
    return {};
  });
  SIFTSEARCH_RETURN_IF_ERROR(filled);
  return features;
}

Result<std::vector<std::vector<AlikeContent>>> PinnedCommit::FindAlike(
    std::span<const AlikeQuery> queries, int most, const CallOptions& call) const try {
  SIFTSEARCH_RETURN_IF_ERROR(call.Check());
  const auto& dead = commit_->listing.dead_contents;
  vote::AlikeFinder finder(queries, most);
  SIFTSEARCH_RETURN_IF_ERROR(FromCatalog([&](catalog::Catalog& catalog) {
    return catalog.VisitSignatures([&](std::int64_t content, const Pdq& signature) {
      if (!std::binary_search(dead.begin(), dead.end(), content)) finder.Visit(content, signature);
    });
  }));
  return finder.Take();
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::vector<std::vector<ImageRecord>>> PinnedCommit::Describe(
    std::span<const std::int64_t> contents, const CallOptions& call) const try {
  std::vector<std::vector<ImageRecord>> images;
  images.reserve(contents.size());
  for (const std::int64_t content : contents) {
    SIFTSEARCH_RETURN_IF_ERROR(call.Check());
    SIFTSEARCH_ASSIGN_OR_RETURN(auto of_content, FromCatalog([&](catalog::Catalog& catalog) {
                                  return catalog.ImagesOf(content);
                                }));
    images.push_back(std::move(of_content));
  }
  return images;
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::optional<ImageRecord>> PinnedCommit::FindPath(const std::string& path) const try {
  return FromCatalog([&](catalog::Catalog& catalog) { return catalog.FindPath(path); });
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::optional<ImageRecord>> PinnedCommit::FindId(ImageId id) const try {
  return FromCatalog([&](catalog::Catalog& catalog) { return catalog.FindId(id); });
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::int64_t> PinnedCommit::FindContent(const ContentHash& hash) const try {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto content, FromCatalog([&](catalog::Catalog& catalog) {
                                return catalog.FindHash(hash);
                              }));
  return content ? content->content : 0;
} catch (const std::exception& error) {
  return StatusOf(error);
}

Status PinnedCommit::List(const std::function<bool(const ImageRecord&)>& visit,
                          const CallOptions& call, ImageId after) const try {
  ImageId last = after;
  while (true) {
    SIFTSEARCH_RETURN_IF_ERROR(call.Check());
    // The connection is free while images are visited.
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto images, FromCatalog([&](catalog::Catalog& catalog) {
                                  return catalog.ImagesAfter(last, kListedAtOnce);
                                }));
    for (const ImageRecord& image : images) {
      if (!visit(image)) return {};
    }
    if (static_cast<std::int64_t>(images.size()) < kListedAtOnce) return {};
    last = images.back().id;
  }
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<BackendStats> PinnedCommit::Stats() const try {
  BackendStats stats;
  {
    const std::lock_guard lock(commit_->facts_mutex);
    if (!commit_->counts) {
      SIFTSEARCH_ASSIGN_OR_RETURN(
          commit_->counts, FromCatalog([](catalog::Catalog& catalog) { return catalog.Count(); }));
    }
    stats.images = commit_->counts->images;
    stats.contents = commit_->counts->contents;
    stats.descriptors = commit_->counts->descriptors;
    stats.removed_descriptors = commit_->counts->removed_descriptors;
    stats.catalog_bytes = commit_->counts->bytes;
  }
  stats.segments = static_cast<std::int64_t>(commit_->listing.segments.size());
  for (const catalog::SegmentRecord& segment : commit_->listing.segments) {
    stats.segment_bytes += segment.bytes;
  }
  stats.generation = commit_->listing.generation;
  stats.index = commit_->listing.index_key;
  if (const auto& keeper = commit_->keeper; keeper.ok()) {
    stats.index_in_use = (*keeper)->KeyInUse(stats.descriptors);
    stats.index_bytes = (*keeper)->bytes();
  }
  stats.kernel = kernel::VariantName(setup_.variant);
  return stats;
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::vector<VerdictRecord>> PinnedCommit::Verdicts() const try {
  const std::lock_guard lock(commit_->facts_mutex);
  if (!commit_->verdicts) {
    SIFTSEARCH_ASSIGN_OR_RETURN(commit_->verdicts, FromCatalog([](catalog::Catalog& catalog) {
                                  return catalog.Verdicts();
                                }));
  }
  return *commit_->verdicts;
} catch (const std::exception& error) {
  return StatusOf(error);
}

}  // namespace siftsearch::local
