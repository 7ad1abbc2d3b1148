#include "local/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "kernel/topk.h"
#include "siftsearch/types.h"
#include "vote/vote.h"

namespace siftsearch::local {
namespace {

constexpr int kMaxK = 4096;  // Of kernel::TopK.
/// Neighbours asked for beyond k where some rows are to be passed over, and how the number grows
/// for the descriptors for which that was not enough.
constexpr int kFirstExtra = 8;
constexpr int kExtraGrowth = 8;
constexpr std::size_t kNeighbourBytes = 64 << 20;
/// Where one in so many descriptors of a query has k neighbours that are equally near, its picture
/// may be stored more than k times, by files that differ in what is not pixels.
constexpr std::size_t kTiedPart = 4;

/// Rows [begin, end) of a snapshot.
struct RowRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  bool contains(std::int64_t row) const { return row >= begin && row < end; }
  bool empty() const { return begin == end; }
};

/// One descriptor of a query of a batch.
struct Slot {
  std::size_t query = 0;
  std::size_t descriptor = 0;
};

/// Searches for some of the queries at a time: those whose neighbours fit the memory.
class BatchSearch {
 public:
  BatchSearch(const Snapshot& snapshot, const SearchView* view,
              std::span<const SearchQuery> queries, const SearchOptions& options,
              kernel::Variant variant)
      : snapshot_(snapshot),
        view_(view),
        queries_(queries),
        options_(options),
        top_k_{
            .k = options.neighbours, .threads = std::max(1, options.threads), .variant = variant} {
    // Without limits nobody is asked: the kernel then takes the rows in longer runs.
    if (options.call.deadline || options.call.stop) {
      top_k_.stop = [&call = options.call] { return !call.Check().ok(); };
    }
  }

  Result<std::vector<SearchResult>> Run() {
    FindExcluded();
    nearest_.resize(queries_.size());
    further_.resize(queries_.size());
    SIFTSEARCH_RETURN_IF_ERROR(SearchAll());
    SIFTSEARCH_RETURN_IF_ERROR(SearchTies());
    std::vector<SearchResult> results(queries_.size());
    std::vector<Status> statuses(queries_.size());
    ParallelFor(queries_.size(), top_k_.threads,
                [&](std::size_t query) { statuses[query] = Vote(query, &results[query]); });
    for (const Status& status : statuses) SIFTSEARCH_RETURN_IF_ERROR(status);
    return results;
  }

 private:
  std::size_t k() const { return static_cast<std::size_t>(options_.neighbours); }

  void FindExcluded() {
    for (const SearchQuery& query : queries_) {
      RowRange range;
      if (query.exclude_content > 0 && snapshot_.IsLive(query.exclude_content)) {
        if (const auto place = snapshot_.Find(query.exclude_content)) {
          range = {.begin = place->first_row, .end = place->first_row + place->entry->rows};
        }
      }
      any_excluded_ = any_excluded_ || !range.empty();
      excluded_.push_back(range);
    }
  }

  /// Passes with more and more neighbours for the descriptors whose k places are not yet filled.
  Status SearchAll() {
    std::vector<Slot> pending;
    for (std::size_t query = 0; query < queries_.size(); ++query) {
      const std::size_t size = queries_[query].features->size();
      nearest_[query].resize(size * k());
      for (std::size_t i = 0; i < size; ++i) pending.push_back({.query = query, .descriptor = i});
    }
    int extra = any_excluded_ ? kFirstExtra : 0;
    while (!pending.empty() && options_.neighbours + extra <= kMaxK) {
      SIFTSEARCH_ASSIGN_OR_RETURN(pending, Pass(pending, nullptr, options_.neighbours + extra));
      extra *= kExtraGrowth;
    }
    return SearchCut(std::move(pending));
  }

  /// Further neighbours for the descriptors of queries of which many are tied, so that each content
  /// that can be a candidate gets its votes, and what is less near some, too.
  Status SearchTies() {
    const int extra = any_excluded_ ? kFirstExtra : 0;
    const int further = std::min(options_.max_candidates, kMaxK - options_.neighbours - extra);
    std::vector<Slot> pending;
    for (std::size_t query = 0; query < queries_.size(); ++query) {
      const std::vector<Slot> tied = Tied(query);
      if (tied.empty() || tied.size() * kTiedPart < queries_[query].features->size()) continue;
      MakeRoom(query, static_cast<std::size_t>(further));
      pending.insert(pending.end(), tied.begin(), tied.end());
    }
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::vector<Slot> lacking,
                                Pass(pending, nullptr, options_.neighbours + further + extra));
    (void)lacking;  // Places may stay empty.
    return {};
  }

  /// Descriptors whose k neighbours are equally near.
  std::vector<Slot> Tied(std::size_t query) const {
    std::vector<Slot> tied;
    for (std::size_t i = 0; i < queries_[query].features->size(); ++i) {
      const kernel::Neighbour* row = nearest_[query].data() + i * k();
      const kernel::Neighbour& last = row[k() - 1];
      if (k() > 1 && last.row >= 0 && last.distance == row[0].distance) {
        tied.push_back({.query = query, .descriptor = i});
      }
    }
    return tied;
  }

  void MakeRoom(std::size_t query, std::size_t further) {
    const std::vector<kernel::Neighbour> narrow = std::move(nearest_[query]);
    const std::size_t width = k() + further;
    further_[query] = further;
    nearest_[query].assign(narrow.size() / k() * width, {});
    for (std::size_t i = 0; i * k() < narrow.size(); ++i) {
      std::copy_n(narrow.begin() + static_cast<std::ptrdiff_t>(i * k()), k(),
                  nearest_[query].begin() + static_cast<std::ptrdiff_t>(i * width));
    }
  }

  /// For contents with more rows than a pass may give: passes that leave those rows out.
  Status SearchCut(std::vector<Slot> pending) {
    for (auto begin = pending.begin(); begin != pending.end();) {
      const auto end = std::find_if(begin, pending.end(),
                                    [&](const Slot& slot) { return slot.query != begin->query; });
      const auto spans = snapshot_.SpansWithout(queries_[begin->query].exclude_content);
      SIFTSEARCH_ASSIGN_OR_RETURN(const std::vector<Slot> left,
                                  Pass({begin, end}, &spans, options_.neighbours));
      (void)left;  // Nothing is: no excluded row was searched.
      begin = end;
    }
    return {};
  }

  /// Searches for `pending` with k' = `wide_k`, in `cut` or (null) all live rows; returns the
  /// descriptors that lack neighbours still.
  Result<std::vector<Slot>> Pass(const std::vector<Slot>& pending,
                                 const std::vector<kernel::RowSpan>* cut, int wide_k) {
    std::vector<Slot> lacking;
    const std::size_t width = static_cast<std::size_t>(wide_k);
    const std::size_t step =
        std::max<std::size_t>(1, kNeighbourBytes / (width * sizeof(kernel::Neighbour)));
    kernel::TopKOptions top_k = top_k_;
    top_k.k = wide_k;
    for (std::size_t begin = 0; begin < pending.size(); begin += step) {
      const std::size_t count = std::min(step, pending.size() - begin);
      const std::span<const Slot> slots(pending.data() + begin, count);
      std::vector<kernel::Neighbour> found;
      SIFTSEARCH_RETURN_IF_ERROR(Nearest(Gather(slots), cut, top_k, &found));
      for (std::size_t i = 0; i < count; ++i) {
        if (!Fill(slots[i], {found.data() + i * width, width})) lacking.push_back(slots[i]);
      }
    }
    return lacking;
  }

  Status Nearest(const std::vector<std::uint8_t>& descriptors,
                 const std::vector<kernel::RowSpan>* cut, const kernel::TopKOptions& top_k,
                 std::vector<kernel::Neighbour>* found) const {
    if (cut == nullptr && view_ != nullptr) {
      return view_->Nearest(descriptors, top_k, options_.approximation, found);
    }
    return kernel::TopK(cut != nullptr ? *cut : snapshot_.spans(), kDescriptorBytes, descriptors,
                        top_k, found);
  }

  std::vector<std::uint8_t> Gather(std::span<const Slot> slots) const {
    std::vector<std::uint8_t> descriptors(slots.size() * kDescriptorBytes);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      std::memcpy(descriptors.data() + i * kDescriptorBytes,
                  queries_[slots[i].query].features->descriptors.data() +
                      slots[i].descriptor * kDescriptorBytes,
                  kDescriptorBytes);
    }
    return descriptors;
  }

  /// Keeps the first neighbours that are not excluded, as many as there is room for; false when
  /// there may be further ones.
  bool Fill(const Slot& slot, std::span<const kernel::Neighbour> found) {
    const std::size_t width = k() + further_[slot.query];
    kernel::Neighbour* out = nearest_[slot.query].data() + slot.descriptor * width;
    std::size_t filled = 0;
    for (const kernel::Neighbour& neighbour : found) {
      if (filled == width) return true;
      if (neighbour.row < 0) break;
      if (!excluded_[slot.query].contains(neighbour.row)) out[filled++] = neighbour;
    }
    std::fill(out + filled, out + width, kernel::Neighbour{});
    return filled == width || found.back().row < 0 || excluded_[slot.query].empty();
  }

  Status Vote(std::size_t query, SearchResult* result) const {
    std::vector<vote::Neighbour> neighbours;
    neighbours.reserve(nearest_[query].size());
    for (const kernel::Neighbour& found : nearest_[query]) {
      vote::Neighbour neighbour;
      if (found.row >= 0) {
        neighbour = {.row = found.row,
                     .image = snapshot_.At(found.row).entry->content,
                     .distance = found.distance};
      }
      neighbours.push_back(neighbour);
    }
    vote::VoteOptions counting{.max_candidates = options_.max_candidates,
                               .further = static_cast<int>(further_[query])};
    if (view_ != nullptr) {
      counting.farthest_yardstick = view_->farthest_yardstick();
      KeepNearest(neighbours, k() + further_[query], &result->nearest);
    }
    for (const vote::Candidate& candidate :
         vote::CountVotes(neighbours, options_.neighbours, counting)) {
      SIFTSEARCH_ASSIGN_OR_RETURN(VotedContent described, Describe(candidate));
      result->candidates.push_back(std::move(described));
    }
    return {};
  }

  /// The first k of each row of so many neighbours.
  void KeepNearest(std::span<const vote::Neighbour> neighbours, std::size_t width,
                   std::vector<NearRow>* nearest) const {
    nearest->reserve(neighbours.size() / width * k());
    for (std::size_t row = 0; row < neighbours.size(); row += width) {
      for (const vote::Neighbour& near : neighbours.subspan(row, k())) {
        nearest->push_back(
            {.content = std::max<std::int64_t>(0, near.image), .distance = near.distance});
      }
    }
  }

  Result<VotedContent> Describe(const vote::Candidate& candidate) const {
    const Snapshot::Place first = snapshot_.At(candidate.correspondences.front().row);
    SIFTSEARCH_RETURN_IF_ERROR(WithAdvice(first.reader->VerifyKeypoints(*first.entry)));
    VotedContent content{.content = candidate.image,
                         .width = first.entry->width,
                         .height = first.entry->height,
                         .votes = candidate.votes,
                         .pairs = {}};
    content.pairs.reserve(candidate.correspondences.size());
    for (const vote::Correspondence& pair : candidate.correspondences) {
      const Snapshot::Place place = snapshot_.At(pair.row);
      const auto row = static_cast<std::uint32_t>(pair.row - place.first_row);
      content.pairs.push_back({.query = pair.query,
                               .image = place.reader->keypoint(*place.entry, row),
                               .weight = pair.weight,
                               .rarity = pair.rarity});
    }
    return content;
  }

  const Snapshot& snapshot_;
  const SearchView* const view_;
  const std::span<const SearchQuery> queries_;
  const SearchOptions& options_;
  kernel::TopKOptions top_k_;
  std::vector<RowRange> excluded_;
  bool any_excluded_ = false;
  /// For each descriptor of each query: k, and as many more as `further_` says.
  std::vector<std::vector<kernel::Neighbour>> nearest_;
  std::vector<std::size_t> further_;
};

Status CheckArguments(std::span<const SearchQuery> queries, const SearchOptions& options) {
  if (options.neighbours < 1 || options.neighbours > kMaxK - kFirstExtra) {
    return {StatusCode::kInvalidArgument,
            fmt::format("the number of neighbours is {}; it must be 1 to {}", options.neighbours,
                        kMaxK - kFirstExtra)};
  }
  for (const SearchQuery& query : queries) {
    if (query.features == nullptr ||
        query.features->descriptors.size() != query.features->size() * kDescriptorBytes) {
      return {StatusCode::kInvalidArgument, "a query's descriptors do not fit its keypoints"};
    }
  }
  return {};
}

Status WhyStopped(const CallOptions& call) {
  const Status why = call.Check();
  return why.ok() ? Status(StatusCode::kCancelled, "the call was stopped") : why;
}

/// Queries from `begin` whose neighbours fit the memory together; at least one.
std::size_t BatchEnd(std::span<const SearchQuery> queries, std::size_t begin, int neighbours) {
  const std::size_t bytes_each =
      static_cast<std::size_t>(neighbours + kFirstExtra) * sizeof(kernel::Neighbour);
  std::size_t bytes = 0;
  std::size_t end = begin;
  while (end < queries.size()) {
    bytes += queries[end].features->size() * bytes_each;
    if (end > begin && bytes > kNeighbourBytes) break;
    ++end;
  }
  return end;
}

}  // namespace

Result<std::vector<SearchResult>> SearchSnapshot(const Snapshot& snapshot, const SearchView* view,
                                                 std::span<const SearchQuery> queries,
                                                 const SearchOptions& options,
                                                 kernel::Variant variant) {
  SIFTSEARCH_RETURN_IF_ERROR(CheckArguments(queries, options));
  std::vector<SearchResult> results;
  results.reserve(queries.size());
  for (std::size_t begin = 0; begin < queries.size();) {
    const std::size_t end = BatchEnd(queries, begin, options.neighbours);
    BatchSearch search(snapshot, view, queries.subspan(begin, end - begin), options, variant);
    auto part = search.Run();
    if (part.status().code() == StatusCode::kCancelled) return WhyStopped(options.call);
    if (!part.ok()) return part.status();
    std::move(part->begin(), part->end(), std::back_inserter(results));
    begin = end;
  }
  return results;
}

}  // namespace siftsearch::local
