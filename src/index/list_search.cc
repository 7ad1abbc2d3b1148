#include "index/list_search.h"

#include <faiss/impl/FaissAssert.h>
#include <faiss/invlists/InvertedLists.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "siftsearch/types.h"

namespace siftsearch::index {
namespace {

using Id = faiss::Index::idx_t;

constexpr std::size_t kFewQueries = 8;

/// The k nearest rows of each query so far, as heaps with the farthest on top.
class Nearest {
 public:
  Nearest(std::size_t queries, std::size_t k) : k_(k), heaps_(queries) {
    for (auto& heap : heaps_) heap.reserve(k);
  }

  /// Rows at this distance or above are too far, even with the smallest id.
  std::int32_t Limit(std::size_t query) const {
    const auto& heap = heaps_[query];
    return heap.size() < k_ ? kernel::TopKOptions::kNoLimit : heap.front().first + 1;
  }

  void Add(std::size_t query, std::int32_t distance, Id id) {
    auto& heap = heaps_[query];
    const std::pair row(distance, id);
    if (heap.size() == k_) {
      if (!(row < heap.front())) return;
      std::pop_heap(heap.begin(), heap.end());
      heap.pop_back();
    }
    heap.push_back(row);
    std::push_heap(heap.begin(), heap.end());
  }

  void Write(float* distances, Id* labels) {
    for (auto& heap : heaps_) {
      std::sort_heap(heap.begin(), heap.end());
      for (std::size_t i = 0; i < k_; ++i) {
        *distances++ =
            i < heap.size() ? static_cast<float>(heap[i].first) : std::numeric_limits<float>::max();
        *labels++ = i < heap.size() ? heap[i].second : -1;
      }
    }
  }

 private:
  const std::size_t k_;
  std::vector<std::vector<std::pair<std::int32_t, Id>>> heaps_;
};

class Visitor {
 public:
  Visitor(const faiss::InvertedLists& lists, kernel::Variant variant,
          std::span<const std::uint8_t> queries, std::size_t k, Nearest& nearest)
      : lists_(lists), queries_(queries), nearest_(nearest) {
    options_.k = static_cast<int>(k);
    options_.variant = variant;
  }

  /// `visits`: pairs of list and query, by list.
  void Visit(std::span<const std::pair<Id, std::uint32_t>> visits) {
    for (std::size_t first = 0, last = 0; first < visits.size(); first = last) {
      while (last < visits.size() && visits[last].first == visits[first].first) ++last;
      VisitList(static_cast<std::size_t>(visits[first].first), visits.subspan(first, last - first));
    }
  }

 private:
  void VisitList(std::size_t list, std::span<const std::pair<Id, std::uint32_t>> visits) {
    const std::size_t size = lists_.list_size(list);
    if (size == 0) return;
    if (visits.size() < kFewQueries) return ScanPairs(list, visits);
    together_.clear();
    limits_.clear();
    for (const auto& [_, query] : visits) {
      const auto bytes = queries_.subspan(query * std::size_t{kDescriptorBytes}, kDescriptorBytes);
      together_.insert(together_.end(), bytes.begin(), bytes.end());
      limits_.push_back(nearest_.Limit(query));
    }
    faiss::InvertedLists::ScopedCodes codes(&lists_, list);
    const faiss::InvertedLists::ScopedIds ids(&lists_, list);
    const kernel::RowSpan rows{codes.get(), size, 0};
    options_.distances_below = limits_;
    const Status status = kernel::TopK({&rows, 1}, kDescriptorBytes, together_, options_, &found_);
    if (!status.ok()) FAISS_THROW_MSG(status.message());
    const std::size_t k = static_cast<std::size_t>(options_.k);
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (found_[i].row < 0) continue;
      nearest_.Add(visits[i / k].second, found_[i].distance,
                   ids[static_cast<std::size_t>(found_[i].row)]);
    }
  }

  /// The same, pair by pair: preparing the kernel for a few queries takes longer.
  void ScanPairs(std::size_t list, std::span<const std::pair<Id, std::uint32_t>> visits) {
    kernel::Distance* const distance = kernel::DistanceOf(options_.variant);
    faiss::InvertedLists::ScopedCodes codes(&lists_, list);
    const faiss::InvertedLists::ScopedIds ids(&lists_, list);
    for (const auto& [_, query] : visits) {
      const std::uint8_t* bytes = &queries_[query * std::size_t{kDescriptorBytes}];
      std::int32_t limit = nearest_.Limit(query);
      for (std::size_t row = 0; row < lists_.list_size(list); ++row) {
        const std::int32_t found =
            distance(bytes, codes.get() + row * kDescriptorBytes, kDescriptorBytes);
        if (found >= limit) continue;
        nearest_.Add(query, found, ids[row]);
        limit = nearest_.Limit(query);
      }
    }
  }

  const faiss::InvertedLists& lists_;
  const std::span<const std::uint8_t> queries_;
  Nearest& nearest_;
  kernel::TopKOptions options_;
  // Of the list in hand.
  std::vector<std::uint8_t> together_;
  std::vector<std::int32_t> limits_;
  std::vector<kernel::Neighbour> found_;
};

}  // namespace

void SearchLists(const faiss::InvertedLists& lists, kernel::Variant variant,
                 std::span<const std::uint8_t> queries, const Id* assign, std::size_t probes,
                 std::size_t k, float* distances, Id* labels) {
  const std::size_t count = queries.size() / kDescriptorBytes;
  Nearest nearest(count, k);
  Visitor visitor(lists, variant, queries, k, nearest);
  // The nearest list of each query first: its rows are a limit that few others are below.
  for (const auto& [begin, end] : {std::pair<std::size_t, std::size_t>{0, 1}, {1, probes}}) {
    std::vector<std::pair<Id, std::uint32_t>> visits;
    for (std::size_t query = 0; query < count; ++query) {
      for (std::size_t i = begin; i < std::min(end, probes); ++i) {
        const Id list = assign[query * probes + i];
        if (list >= 0) visits.emplace_back(list, static_cast<std::uint32_t>(query));
      }
    }
    std::sort(visits.begin(), visits.end());
    visitor.Visit(visits);
  }
  nearest.Write(distances, labels);
}

}  // namespace siftsearch::index
