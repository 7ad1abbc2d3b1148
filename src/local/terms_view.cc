#include "local/terms_view.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "siftsearch/types.h"
#include "vote/vote.h"

namespace siftsearch::local {
namespace {

/// Words that a descriptor is looked up under, and rows below which no sign counts: it meets a
/// thousand of 400,000 rows then. More words lose fewer pairs and take longer
/// (bench/EXPERIMENTS.md).
constexpr int kNearWords = 8;
constexpr std::uint64_t kRowsWithoutSigns = 400'000;
constexpr int kMostFlips = 3;
/// Signs in which a row that is measured may differ. Of unrelated rows of a word a quarter differs
/// in no more than 8 (20 throws of a coin); with 6 copies lose votes. Where the look-up goes by
/// many signs, copies that are met differ in few of the others, and with 5 no more pairs are lost
/// than with 8 (bench/EXPERIMENTS.md).
constexpr int kMostDiffering = 8;
constexpr int kFewestDiffering = 5;
constexpr std::size_t kQueriesAtOnce = 32;

/// How often the rows are twice those without signs, or more.
int HalvingsOf(std::int64_t rows) {
  return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(rows) / kRowsWithoutSigns));
}

/// With each doubling of the rows the signs leave half of them, so that a descriptor meets about as
/// many in every database.
lists::ProbeOptions ProbingFor(std::int64_t rows, const kernel::TopKOptions& options) {
  const int halvings = HalvingsOf(rows);
  const int flips = std::min(halvings, kMostFlips);
  return {.signs = std::min(halvings + flips, lists::kSigns),
          .words = kNearWords,
          .flips = flips,
          .variant = options.variant,
          .threads = options.threads};
}

}  // namespace

TermsView::TermsView(std::shared_ptr<const Snapshot> snapshot,
                     std::vector<std::shared_ptr<const lists::TermsFile>> files)
    : snapshot_(std::move(snapshot)), files_(std::move(files)) {}

int TermsView::MostDiffering() const {
  return std::max(kFewestDiffering, kMostDiffering - HalvingsOf(snapshot_->rows()) / 2);
}

double TermsView::farthest_yardstick() const { return vote::kTypicalDistance; }

Status TermsView::Nearest(std::span<const std::uint8_t> queries, const kernel::TopKOptions& options,
                          const Approximation&, std::vector<kernel::Neighbour>* found) const {
  const lists::ProbeOptions probing = ProbingFor(snapshot_->rows(), options);
  const auto probes = lists::Vocabulary::Shipped().Probes(queries, probing);
  const std::size_t count = queries.size() / kDescriptorBytes;
  const std::size_t k = static_cast<std::size_t>(options.k);
  const std::size_t each = probing.probes();
  const lists::Term mask = lists::TermMask(probing.signs);
  found->assign(count * k, {});
  const std::size_t parts = (count + kQueriesAtOnce - 1) / kQueriesAtOnce;
  std::vector<Status> statuses(parts);
  ParallelFor(parts, options.threads, [&](std::size_t part) {
    if (options.stop && options.stop()) {
      statuses[part] = {StatusCode::kCancelled, "the search was stopped"};
    }
    const std::size_t end = std::min(count, (part + 1) * kQueriesAtOnce);
    for (std::size_t i = part * kQueriesAtOnce; i < end && statuses[part].ok(); ++i) {
      statuses[part] =
          NearestOf(&queries[i * std::size_t{kDescriptorBytes}], {&probes[i * each], each}, mask,
                    options.variant, {found->data() + i * k, k});
    }
  });
  for (const Status& status : statuses) SIFTSEARCH_RETURN_IF_ERROR(status);
  return {};
}

/// Looks one descriptor up and keeps the nearest live rows.
Status TermsView::NearestOf(const std::uint8_t* query, std::span<const lists::Term> probes,
                            lists::Term mask, kernel::Variant variant,
                            std::span<kernel::Neighbour> nearest) const {
  kernel::SelectNear* const select = kernel::SelectNearOf(variant);
  kernel::MeasureRows* const measure = kernel::MeasureRowsOf(variant);
  const int differing = MostDiffering();
  thread_local std::vector<std::uint32_t> rows;
  thread_local std::vector<std::int32_t> distances;
  thread_local std::vector<kernel::Neighbour> measured;
  measured.clear();
  for (std::size_t i = 0; i < files_.size(); ++i) {
    rows.clear();
    for (const lists::Term probe : probes) {
      SIFTSEARCH_RETURN_IF_ERROR(files_[i]->Find(probe, mask, differing, select, &rows));
    }
    const Snapshot::Part& part = snapshot_->parts()[i];
    distances.resize(rows.size());
    measure(query, part.reader->descriptors().data(), rows.data(), rows.size(), distances.data());
    for (std::size_t row = 0; row < rows.size(); ++row) {
      measured.push_back({.row = part.first_row + rows[row], .distance = distances[row]});
    }
  }
  KeepNearest(measured, nearest);
  return {};
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
