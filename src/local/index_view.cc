#include "local/index_view.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "siftsearch/types.h"

namespace siftsearch::local {
namespace {

/// Candidates asked of the index for each neighbour: codes are coarse, and some rows are removed.
constexpr int kCandidatesPerNeighbour = 4;
/// Memory for the candidates of the queries that are searched at one time.
constexpr std::size_t kCandidateBytes = 64 << 20;
constexpr std::size_t kBytesPerCandidate = 32;

std::unordered_map<std::int64_t, Snapshot::Place> LiveContents(const Snapshot& snapshot) {
  std::unordered_map<std::int64_t, Snapshot::Place> places;
  for (const Snapshot::Part& part : snapshot.parts()) {
    for (const SegmentContent& entry : part.reader->contents()) {
      if (!snapshot.IsLive(entry.content)) continue;
      places[entry.content] = {
          .reader = part.reader.get(),
          .entry = &entry,
          .first_row = part.first_row + static_cast<std::int64_t>(entry.first_row)};
    }
  }
  return places;
}

std::int32_t SquaredDistance(const std::uint8_t* a, const std::uint8_t* b) {
  std::int32_t sum = 0;
  for (int i = 0; i < kDescriptorBytes; ++i) {
    const std::int32_t difference = std::int32_t{a[i]} - b[i];
    sum += difference * difference;
  }
  return sum;
}

void AppendSpan(const kernel::RowSpan& span, std::vector<kernel::RowSpan>* spans) {
  if (!spans->empty()) {
    kernel::RowSpan& last = spans->back();
    if (last.rows + last.count * kDescriptorBytes == span.rows &&
        last.first_row + static_cast<std::int64_t>(last.count) == span.first_row) {
      last.count += span.count;
      return;
    }
  }
  spans->push_back(span);
}

}  // namespace

Coverage Measure(const Snapshot& snapshot, std::span<const index::IndexedContent> contents) {
  std::unordered_map<std::int64_t, std::int64_t> indexed;
  for (const index::IndexedContent& content : contents) indexed[content.content] = content.rows;
  Coverage coverage;
  for (const index::IndexedContent& content : contents) coverage.gone += content.rows;
  for (const Snapshot::Part& part : snapshot.parts()) {
    for (const SegmentContent& entry : part.reader->contents()) {
      if (!snapshot.IsLive(entry.content)) continue;
      const auto held = indexed.find(entry.content);
      if (held != indexed.end() && held->second == static_cast<std::int64_t>(entry.rows)) {
        coverage.covered += entry.rows;
        coverage.gone -= entry.rows;
        continue;
      }
      const std::uint8_t* rows = part.reader->Descriptors(entry).data();
      coverage.uncovered += entry.rows;
      coverage.to_add.push_back({.content = entry.content, .rows = rows, .count = entry.rows});
      AppendSpan({.rows = rows,
                  .count = entry.rows,
                  .first_row = part.first_row + static_cast<std::int64_t>(entry.first_row)},
                 &coverage.uncovered_spans);
    }
  }
  return coverage;
}

bool IsIndexOf(const Snapshot& snapshot, std::span<const index::IndexedContent> contents,
               int threads) {
  const auto live = LiveContents(snapshot);
  std::atomic<bool> same = true;
  ParallelFor(contents.size(), threads, [&](std::size_t i) {
    const auto place = live.find(contents[i].content);
    if (place == live.end()) return;
    const auto bytes = place->second.reader->Descriptors(*place->second.entry);
    if (static_cast<std::int64_t>(place->second.entry->rows) != contents[i].rows ||
        Checksum(bytes) != contents[i].checksum) {
      same = false;
    }
  });
  return same;
}

IndexView::IndexView(std::shared_ptr<const Snapshot> snapshot,
                     std::shared_ptr<const index::ApproximateIndex> index)
    : snapshot_(std::move(snapshot)), index_(std::move(index)) {
  const auto live = LiveContents(*snapshot_);
  std::int64_t label = 0;
  for (const index::IndexedContent& content : index_->contents()) {
    Block block{.first_label = label, .first_row = 0, .rows = nullptr};
    const auto place = live.find(content.content);
    if (place != live.end() &&
        static_cast<std::int64_t>(place->second.entry->rows) == content.rows) {
      block.first_row = place->second.first_row;
      block.rows = place->second.reader->Descriptors(*place->second.entry).data();
    }
    blocks_.push_back(block);
    label += content.rows;
  }
  uncovered_ = Measure(*snapshot_, index_->contents()).uncovered_spans;
}

double IndexView::farthest_yardstick() const { return std::numeric_limits<double>::infinity(); }

Status IndexView::Nearest(std::span<const std::uint8_t> queries, const kernel::TopKOptions& options,
                          const Approximation& approximation,
                          std::vector<kernel::Neighbour>* found) const {
  const std::size_t n = queries.size() / kDescriptorBytes;
  const std::size_t k = static_cast<std::size_t>(options.k);
  found->assign(n * k, {});
  const int candidates = static_cast<int>(
      std::min<std::int64_t>(std::int64_t{options.k} * kCandidatesPerNeighbour, index_->rows()));
  const std::size_t bytes_each =
      static_cast<std::size_t>(candidates) * kBytesPerCandidate + kDescriptorBytes * sizeof(float);
  const std::size_t step = std::max<std::size_t>(1, kCandidateBytes / bytes_each);
  for (std::size_t begin = 0; begin < n; begin += step) {
    if (options.stop && options.stop()) {
      return {StatusCode::kCancelled, "the search was stopped"};
    }
    const std::size_t count = std::min(step, n - begin);
    SIFTSEARCH_RETURN_IF_ERROR(
        NearestOfPart(queries.subspan(begin * kDescriptorBytes, count * kDescriptorBytes), options,
                      candidates, approximation, found->data() + begin * k));
  }
  return {};
}

Status IndexView::NearestOfPart(std::span<const std::uint8_t> queries,
                                const kernel::TopKOptions& options, int candidates,
                                const Approximation& approximation,
                                kernel::Neighbour* found) const {
  const std::size_t n = queries.size() / kDescriptorBytes;
  const std::size_t k = static_cast<std::size_t>(options.k);
  const std::size_t width = static_cast<std::size_t>(candidates);
  std::vector<index::ApproximateIndex::Candidate> given;
  SIFTSEARCH_RETURN_IF_ERROR(
      index_->Search(queries, candidates, approximation, options.threads, &given));
  std::vector<kernel::Neighbour> exact;
  if (!uncovered_.empty()) {
    SIFTSEARCH_RETURN_IF_ERROR(
        kernel::TopK(uncovered_, kDescriptorBytes, queries, options, &exact));
  }
  ParallelFor(n, options.threads, [&](std::size_t i) {
    std::vector<kernel::Neighbour> ranked;
    if (!exact.empty()) ranked.assign(exact.begin() + i * k, exact.begin() + (i + 1) * k);
    std::erase_if(ranked, [](const kernel::Neighbour& none) { return none.row < 0; });
    Rank(queries.data() + i * kDescriptorBytes, approximation.rerank,
         {given.data() + i * width, width}, &ranked);
    const std::size_t count = std::min(k, ranked.size());
    std::partial_sort(ranked.begin(), ranked.begin() + count, ranked.end(), Nearer);
    std::copy_n(ranked.begin(), count, found + i * k);
  });
  return {};
}

/// Appends the candidates that are live, with the distances to order them by.
void IndexView::Rank(const std::uint8_t* query, bool rerank,
                     std::span<const index::ApproximateIndex::Candidate> candidates,
                     std::vector<kernel::Neighbour>* ranked) const {
  for (const auto& candidate : candidates) {
    if (candidate.row < 0) continue;
    const auto after = std::upper_bound(
        blocks_.begin(), blocks_.end(), candidate.row,
        [](std::int64_t row, const Block& block) { return row < block.first_label; });
    const Block& block = *std::prev(after);
    if (block.rows == nullptr) continue;
    const std::int64_t offset = candidate.row - block.first_label;
    const std::int32_t distance =
        rerank ? SquaredDistance(query, block.rows + offset * kDescriptorBytes)
               : static_cast<std::int32_t>(std::lround(std::clamp(candidate.distance, 0.0f, 1e9f)));
    ranked->push_back({.row = block.first_row + offset, .distance = distance});
  }
}

}  // namespace siftsearch::local
