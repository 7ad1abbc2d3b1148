#include "local/terms_view.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "siftsearch/types.h"
#include "vote/vote.h"

namespace siftsearch::local {
namespace {

/// Rows that are measured of those that a descriptor meets, some 1,500 of 750,000 and 73,000 of
/// 75,000,000: those that differ least, and as many more as differ as much as the last
/// (bench/EXPERIMENTS.md).
constexpr std::size_t kMeasured = 64;
/// Words whose rows a descriptor meets, and rows of a database from which they are half as many.
constexpr int kNearWords = 8;
constexpr std::int64_t kManyRows = 10'000'000;
/// By how much a row may differ: one in 20 of the unrelated rows of a word differs by no more, one
/// in 40, and so on.
constexpr std::array<int, 10> kMostDiffering = {35, 32, 30, 28, 26, 25, 23, 22, 20, 19};
/// Descriptors that meet a word's rows together.
constexpr std::size_t kQueriesTogether = 16384;
constexpr std::size_t kSelectedAtOnce = 1024;
/// Descriptors whose rows are measured before the caller is asked whether to stop: the rows may
/// have to come from the disk.
constexpr std::size_t kMeasuredUnasked = 32;
constexpr std::size_t kSignatureBytes = sizeof(std::uint64_t);

int WordsFor(std::int64_t rows) { return rows < kManyRows ? kNearWords : kNearWords / 2; }

/// Some four times the rows that are measured differ by no more.
int MostDiffering(std::int64_t rows) {
  const auto met = static_cast<std::uint64_t>(rows) * WordsFor(rows) / lists::kWords;
  const auto halvings = static_cast<std::size_t>(std::bit_width(met / (20 * 4 * kMeasured)));
  return kMostDiffering[std::min(halvings, kMostDiffering.size() - 1)];
}

/// kCancelled where the caller wants no more.
Status CheckStop(const kernel::TopKOptions& options) {
  if (!options.stop || !options.stop()) return {};
  return {StatusCode::kCancelled, "the search was stopped"};
}

/// Probes in the order of their words.
std::vector<std::uint32_t> ByWord(std::span<const lists::Probe> probes) {
  std::vector<std::uint64_t> keys(probes.size());
  for (std::size_t i = 0; i < probes.size(); ++i) {
    keys[i] = std::uint64_t{probes[i].term.word} << 32 | i;
  }
  std::sort(keys.begin(), keys.end());
  std::vector<std::uint32_t> order(probes.size());
  for (std::size_t i = 0; i < keys.size(); ++i) order[i] = static_cast<std::uint32_t>(keys[i]);
  return order;
}

}  // namespace

TermsView::TermsView(std::shared_ptr<const Snapshot> snapshot,
                     std::vector<std::shared_ptr<const lists::TermsFile>> files)
    : snapshot_(std::move(snapshot)), files_(std::move(files)) {}

double TermsView::farthest_yardstick() const { return vote::kTypicalDistance; }

Status TermsView::Nearest(std::span<const std::uint8_t> queries, const kernel::TopKOptions& options,
                          const Approximation&, std::vector<kernel::Neighbour>* found) const {
  const std::size_t count = queries.size() / kDescriptorBytes;
  const std::size_t k = static_cast<std::size_t>(options.k);
  found->assign(count * k, {});
  const std::size_t threads = static_cast<std::size_t>(std::max(1, options.threads));
  const std::size_t each = std::min(kQueriesTogether, (count + threads - 1) / threads);
  if (each == 0) return {};
  const std::size_t parts = (count + each - 1) / each;
  std::vector<Status> statuses(parts);
  ParallelFor(parts, options.threads, [&](std::size_t part) {
    const std::size_t begin = part * each, some = std::min(each, count - begin);
    statuses[part] =
        NearestOf(queries.subspan(begin * kDescriptorBytes, some * kDescriptorBytes), options,
                  std::max(kMeasured, 2 * k), {found->data() + begin * k, some * k});
  });
  for (const Status& status : statuses) SIFTSEARCH_RETURN_IF_ERROR(status);
  return {};
}

/// Gathers the entries near each descriptor, word by word of a file, so that the rows of a word
/// meet all descriptors while they lie in the cache; then measures the rows of those `wanted`.
Status TermsView::NearestOf(std::span<const std::uint8_t> queries,
                            const kernel::TopKOptions& options, std::size_t wanted,
                            std::span<kernel::Neighbour> nearest) const {
  const std::size_t count = queries.size() / kDescriptorBytes;
  const std::size_t k = static_cast<std::size_t>(options.k);
  const int words = WordsFor(snapshot_->rows());
  const auto probes =
      lists::Vocabulary::Shipped().Probes(queries, {.words = words, .variant = options.variant});
  const std::vector<std::uint32_t> order = ByWord(probes);
  std::vector<LeastDiffering> gathered(count,
                                       LeastDiffering(wanted, MostDiffering(snapshot_->rows())));
  for (std::size_t file = 0; file < files_.size(); ++file) {
    SIFTSEARCH_RETURN_IF_ERROR(CheckStop(options));
    SIFTSEARCH_RETURN_IF_ERROR(Gather(file, {probes, order, static_cast<std::size_t>(words)},
                                      kernel::SelectNearOf(options.variant), gathered));
  }
  kernel::MeasureRows* const measure = kernel::MeasureRowsOf(options.variant);
  std::vector<Located> next;
  std::vector<std::size_t> lacking;
  for (std::size_t i = 0; i <= count; ++i) {
    if (i % kMeasuredUnasked == 0) SIFTSEARCH_RETURN_IF_ERROR(CheckStop(options));
    // The rows of one descriptor come from memory while those of the one before are measured.
    const std::vector<Located> rows = std::exchange(next, {});
    if (i < count) {
      SIFTSEARCH_ASSIGN_OR_RETURN(next, Locate(gathered[i].TakePlaces()));
    }
    if (i > 0) {
      const auto places = nearest.subspan((i - 1) * k, k);
      Measure(&queries[(i - 1) * kDescriptorBytes], rows, measure, places);
      if (places.back().row < 0 && gathered[i - 1].has_left_out()) lacking.push_back(i - 1);
    }
  }
  gathered = {};
  return lacking.empty() ? Status() : NearestAgain(queries, lacking, options, 8 * wanted, nearest);
}

/// For descriptors whose places rows of removed images took: looks at more rows.
Status TermsView::NearestAgain(std::span<const std::uint8_t> queries,
                               std::span<const std::size_t> lacking,
                               const kernel::TopKOptions& options, std::size_t wanted,
                               std::span<kernel::Neighbour> nearest) const {
  const std::size_t k = static_cast<std::size_t>(options.k);
  std::vector<std::uint8_t> of_lacking;
  for (const std::size_t i : lacking) {
    const auto descriptor = queries.subspan(i * kDescriptorBytes, kDescriptorBytes);
    of_lacking.insert(of_lacking.end(), descriptor.begin(), descriptor.end());
  }
  std::vector<kernel::Neighbour> found(lacking.size() * k);
  SIFTSEARCH_RETURN_IF_ERROR(NearestOf(of_lacking, options, wanted, found));
  for (std::size_t i = 0; i < lacking.size(); ++i) {
    std::copy_n(found.begin() + static_cast<std::ptrdiff_t>(i * k), k,
                nearest.begin() + static_cast<std::ptrdiff_t>(lacking[i] * k));
  }
  return {};
}

/// Adds the entries of one file that are near the probes.
Status TermsView::Gather(std::size_t file, const OrderedProbes& probes, kernel::SelectNear* select,
                         std::span<LeastDiffering> gathered) const {
  kernel::NearSignature found[kSelectedAtOnce + kernel::kSelectNearSpare];
  lists::TermsFile::Entries entries;
  std::uint32_t word = lists::kWords;
  for (const std::uint32_t number : probes.order) {
    const lists::Probe& probe = probes.probes[number];
    if (probe.term.word != word) {
      word = probe.term.word;
      SIFTSEARCH_RETURN_IF_ERROR(files_[file]->OfWord(word, &entries));
    }
    LeastDiffering& near = gathered[number / probes.words];
    const std::size_t size = entries.signatures.size() / kSignatureBytes;
    for (std::size_t from = 0; from < size; from += kSelectedAtOnce) {
      const std::size_t some = std::min(kSelectedAtOnce, size - from);
      const std::size_t kept = select(entries.signatures.data() + from * kSignatureBytes, some,
                                      {probe.term.signs, probe.certain}, near.limit(), found);
      if (kept > 0) near.Add({found, kept}, file, entries.first + static_cast<std::uint32_t>(from));
    }
  }
  return {};
}

/// The rows of entries, whose places ascend; asks for their memory.
Result<std::vector<TermsView::Located>> TermsView::Locate(
    std::span<const std::uint64_t> places) const {
  std::vector<Located> located(places.size());
  std::vector<std::uint32_t> rows;
  for (std::size_t begin = 0; begin < places.size();) {
    const std::size_t file = LeastDiffering::FileOf(places[begin]);
    rows.clear();
    for (std::size_t i = begin; i < places.size() && LeastDiffering::FileOf(places[i]) == file;
         ++i) {
      rows.push_back(LeastDiffering::EntryOf(places[i]));
    }
    SIFTSEARCH_RETURN_IF_ERROR(files_[file]->ToRows(rows));
    const Snapshot::Part& part = snapshot_->parts()[file];
    for (const std::uint32_t row : rows) {
      const std::uint8_t* bytes =
          part.reader->descriptors().data() + std::size_t{row} * kDescriptorBytes;
      for (int line = 0; line < kDescriptorBytes; line += 64) __builtin_prefetch(bytes + line);
      located[begin++] = {bytes, part.first_row + row};
    }
  }
  return located;
}

/// Keeps the nearest live ones. The rows are brought together, since those of several files are
/// measured at once.
void TermsView::Measure(const std::uint8_t* query, std::span<const Located> rows,
                        kernel::MeasureRows* measure, std::span<kernel::Neighbour> nearest) const {
  thread_local std::vector<std::uint8_t> bytes;
  thread_local std::vector<std::uint32_t> numbers;
  thread_local std::vector<std::int32_t> distances;
  bytes.resize(rows.size() * kDescriptorBytes);
  numbers.resize(rows.size());
  distances.resize(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::memcpy(&bytes[i * kDescriptorBytes], rows[i].bytes, kDescriptorBytes);
    numbers[i] = static_cast<std::uint32_t>(i);
  }
  measure(query, bytes.data(), numbers.data(), rows.size(), distances.data());
  std::vector<kernel::Neighbour> measured;
  measured.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    measured.push_back({.row = rows[i].row, .distance = distances[i]});
  }
  KeepNearest(measured, nearest);
}

/// The nearest live ones of rows, which are put in order as far as that takes.
void TermsView::KeepNearest(std::vector<kernel::Neighbour>& measured,
                            std::span<kernel::Neighbour> nearest) const {
  std::size_t kept = 0, sorted = 0;
  while (kept < nearest.size() && sorted < measured.size()) {
    const std::size_t end = std::min(measured.size(), sorted + nearest.size() - kept);
    std::partial_sort(measured.begin() + static_cast<std::ptrdiff_t>(sorted),
                      measured.begin() + static_cast<std::ptrdiff_t>(end), measured.end(), Nearer);
    for (; sorted < end; ++sorted) {
      const kernel::Neighbour& found = measured[sorted];
      if (snapshot_->IsLiveRow(found.row)) nearest[kept++] = found;
    }
  }
}

}  // namespace siftsearch::local
