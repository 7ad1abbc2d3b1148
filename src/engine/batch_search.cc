#include "engine/batch_search.h"

#include <algorithm>
#include <utility>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "engine/alike.h"

namespace siftsearch::engine {
namespace {

/// Bytes that one query descriptor takes while its batch is searched: its features and its voted
/// pairs; beside them its neighbours.
constexpr std::int64_t kBytesPerDescriptor = 1024;
/// What a query without descriptors takes, beside its preview.
constexpr std::int64_t kBytesPerQuery = 4096;

}  // namespace

Status BatchSearch::Add(BatchQuery query) {
  const std::int64_t size = static_cast<std::int64_t>(query.features.size());
  const std::int64_t forms = static_cast<std::int64_t>(features::AllForms().size()) - 1;
  const std::int64_t extra = std::min<std::int64_t>(size, options_.form_features) * forms;
  const std::int64_t each =
      kBytesPerDescriptor + options_.neighbours * static_cast<std::int64_t>(sizeof(NearRow));
  bytes_ += (size + extra) * each + kBytesPerQuery +
            static_cast<std::int64_t>(query.features.preview.size());
  queries_.push_back(std::move(query));
  return bytes_ >= options_.batch_bytes ? Flush() : Status();
}

std::vector<QueryForm> BatchSearch::Forms() const {
  std::vector<QueryForm> forms;
  for (std::size_t i = 0; i < queries_.size(); ++i) {
    const FeatureSet& features = queries_[i].features;
    for (const features::Form form : features::AllForms()) {
      const bool itself = !form.mirrored && !form.inverted;
      if (!itself && options_.form_features == 0) continue;
      const auto most = itself ? features.size() : static_cast<std::size_t>(options_.form_features);
      forms.push_back({i, form, features::InForm(features, form, most), {}});
    }
  }
  return forms;
}

Result<FeatureSet> BatchSearch::FeaturesOf(std::int64_t content) const {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto features, snapshot_.Features({&content, 1}, options_.call));
  return std::move(features.front());
}

Result<std::vector<std::vector<AlikeContent>>> BatchSearch::FindAlike() const {
  std::vector<AlikeQuery> looks;
  for (const BatchQuery& query : queries_) looks.push_back(LookOf(query.features, query.content));
  const auto is_none = [](const AlikeQuery& look) { return look.turns.empty(); };
  if (std::all_of(looks.begin(), looks.end(), is_none)) {
    return std::vector<std::vector<AlikeContent>>();
  }
  return snapshot_.FindAlike(looks, kMostBitsApart, options_.call);
}

Status BatchSearch::Flush() {
  if (queries_.empty()) return {};
  const auto start = Clock::now();
  std::vector<QueryForm> forms = Forms();
  std::vector<SearchQuery> searches;
  double descriptors = 0;
  for (const QueryForm& form : forms) {
    searches.push_back({&form.features, queries_[form.query].content});
    descriptors += static_cast<double>(form.features.size());
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(auto found,
                              snapshot_.Search(searches, {.neighbours = options_.neighbours,
                                                          .max_candidates = options_.max_candidates,
                                                          .threads = impl_.threads,
                                                          .approximation = options_.approximation,
                                                          .call = options_.call}));
  for (std::size_t i = 0; i < forms.size(); ++i) {
    forms[i].candidates = std::move(found[i].candidates);
    forms[i].nearest = std::move(found[i].nearest);
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto alike, FindAlike());
  const double search_ms = MillisecondsSince(start);
  std::vector<std::vector<VerifiedContent>> verified(queries_.size());
  std::vector<Status> statuses(queries_.size());
  // Many queries keep the threads busy; a single one has them for its candidates.
  const int inner_threads = queries_.size() == 1 ? impl_.threads : 1;
  const std::size_t forms_each = forms.size() / queries_.size();
  ParallelFor(queries_.size(), impl_.threads, [&](std::size_t i) {
    const auto verify_start = Clock::now();
    BatchQuery& query = queries_[i];
    const std::span<const QueryForm> own(forms.data() + i * forms_each, forms_each);
    statuses[i] = options_.call.Check();
    if (!statuses[i].ok()) return;
    auto matches =
        VerifyCandidates({.features_of = [&](std::int64_t content) { return FeaturesOf(content); },
                          .forms = own,
                          .preview = query.features.preview,
                          .kernel = impl_.kernel,
                          .images_searched = options_.images_searched,
                          .min_score = query.confirmed ? 0 : options_.min_score,
                          .max_log10_false_alarms = options_.max_log10_false_alarms,
                          .keep_points = options_.keep_points},
                         inner_threads);
    statuses[i] = matches.status();
    if (matches.ok()) verified[i] = std::move(matches).value();
    if (statuses[i].ok() && !alike.empty()) {
      statuses[i] = AddAlike([&](std::int64_t content) { return FeaturesOf(content); },
                             query.features, alike[i], verified[i]);
    }
    Timings& timings = query.timings;
    timings.verify_ms = MillisecondsSince(verify_start);
    double size = 0;
    for (const QueryForm& form : own) size += static_cast<double>(form.features.size());
    if (descriptors > 0) timings.search_ms = search_ms * size / descriptors;
  });
  for (std::size_t i = 0; i < queries_.size(); ++i) {
    SIFTSEARCH_RETURN_IF_ERROR(statuses[i]);
    SIFTSEARCH_RETURN_IF_ERROR(sink_(queries_[i], std::move(verified[i])));
  }
  queries_.clear();
  bytes_ = 0;
  return {};
}

}  // namespace siftsearch::engine
