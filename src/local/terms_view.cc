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

/// How a descriptor is looked up (bench/EXPERIMENTS.md).
struct LookUp {
  int words;             ///< Nearest ones whose rows it meets, at most;
  std::int32_t farther;  ///< of those as of lists::ProbeOptions.
  int mean_words;        ///< How many that are, of real descriptors in the mean.
  /// Rows that are measured of those that it meets, some 1,500 of 750,000 and 55,000 of 75,000,000:
  /// those that differ least, and as many more as differ as much as the last.
  std::size_t measured;
};
constexpr LookUp kInFewRows = {8, lists::ProbeOptions().farther, 8, 64};
constexpr LookUp kInManyRows = {4, 12'000, 3, 32};
constexpr std::int64_t kManyRows = 10'000'000;
/// By how much a row may differ: one in 20 of the unrelated rows of a word differs by no more, one
/// in 40, and so on.
constexpr std::array<int, 10> kMostDiffering = {35, 32, 30, 28, 26, 25, 23, 22, 20, 19};
/// Descriptors that meet a word's rows together.
constexpr std::size_t kQueriesTogether = 16384;
constexpr std::size_t kSelectedAtOnce = 1024;
constexpr std::size_t kGatheredAhead = 4;
/// Descriptors whose rows are measured before the caller is asked whether to stop: the rows may
/// have to come from the disk.
constexpr std::size_t kMeasuredUnasked = 32;
/// What a page fault of a mapped file maps, and how many reads of a row take as long (2 to 5 µs).
constexpr std::size_t kFaultBytes = 64 << 10;
constexpr std::size_t kReadsPerFault = 12;
constexpr std::size_t kFewDescriptors = 8192;
constexpr std::size_t kSignatureBytes = sizeof(std::uint64_t);

const LookUp& LookUpIn(std::int64_t rows) { return rows < kManyRows ? kInFewRows : kInManyRows; }

/// Some four times the rows that are measured differ by no more.
int MostDiffering(std::int64_t rows) {
  const LookUp& look_up = LookUpIn(rows);
  const auto met = static_cast<std::uint64_t>(rows * look_up.mean_words / lists::kWords);
  const auto halvings = static_cast<std::size_t>(std::bit_width(met / (20 * 4 * look_up.measured)));
  return kMostDiffering[std::min(halvings, kMostDiffering.size() - 1)];
}

/// kCancelled where the caller wants no more.
Status CheckStop(const kernel::TopKOptions& options) {
  if (!options.stop || !options.stop()) return {};
  return {StatusCode::kCancelled, "the search was stopped"};
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
  const Sought sought = {std::max(LookUpIn(snapshot_->rows()).measured, 2 * k), ReadsRows(count)};
  std::vector<Status> statuses(parts);
  ParallelFor(parts, options.threads, [&](std::size_t part) {
    const std::size_t begin = part * each, some = std::min(each, count - begin);
    statuses[part] = NearestOf(queries.subspan(begin * kDescriptorBytes, some * kDescriptorBytes),
                               options, sought, {found->data() + begin * k, some * k});
  });
  for (const Status& status : statuses) SIFTSEARCH_RETURN_IF_ERROR(status);
  return {};
}

/// Gathers the entries near each descriptor, word by word of a file, so that the rows of a word
/// meet all descriptors while they lie in the cache; then measures the rows of those.
Status TermsView::NearestOf(std::span<const std::uint8_t> queries,
                            const kernel::TopKOptions& options, const Sought& sought,
                            std::span<kernel::Neighbour> nearest) const {
  const std::size_t count = queries.size() / kDescriptorBytes;
  const std::size_t k = static_cast<std::size_t>(options.k);
  const std::vector<Meeting> meetings = Meetings(queries, options);
  std::vector<LeastDiffering> gathered(
      count, LeastDiffering(sought.rows, MostDiffering(snapshot_->rows())));
  for (std::size_t file = 0; file < files_.size(); ++file) {
    SIFTSEARCH_RETURN_IF_ERROR(CheckStop(options));
    SIFTSEARCH_RETURN_IF_ERROR(
        Gather(file, meetings, kernel::SelectNearOf(options.variant), gathered));
  }
  kernel::MeasureRows* const measure = kernel::MeasureRowsOf(options.variant);
  Rows rows, next;
  std::span<const std::uint64_t> places;  // Of `next`, and of the descriptor after it.
  std::span<const std::uint64_t> later = PlacesOf(gathered.front());
  std::vector<std::size_t> lacking;
  for (std::size_t i = 0; i <= count; ++i) {
    if (i % kMeasuredUnasked == 0) SIFTSEARCH_RETURN_IF_ERROR(CheckStop(options));
    // The rows of one descriptor come from memory while those of the one before are measured, and
    // so do their numbers one step earlier.
    std::swap(rows, next);
    places = std::exchange(later, {});
    if (i + 1 < count) later = PlacesOf(gathered[i + 1]);
    if (i < count) SIFTSEARCH_RETURN_IF_ERROR(Locate(places, sought.read, &next));
    if (i > 0) {
      const auto found = nearest.subspan((i - 1) * k, k);
      Measure(&queries[(i - 1) * kDescriptorBytes], rows, measure, found);
      if (found.back().row < 0 && gathered[i - 1].has_left_out()) lacking.push_back(i - 1);
    }
  }
  gathered = {};
  return lacking.empty()
             ? Status()
             : NearestAgain(queries, lacking, options, {8 * sought.rows, sought.read}, nearest);
}

/// For descriptors whose places rows of removed images took: looks at more rows.
Status TermsView::NearestAgain(std::span<const std::uint8_t> queries,
                               std::span<const std::size_t> lacking,
                               const kernel::TopKOptions& options, const Sought& sought,
                               std::span<kernel::Neighbour> nearest) const {
  const std::size_t k = static_cast<std::size_t>(options.k);
  std::vector<std::uint8_t> of_lacking;
  for (const std::size_t i : lacking) {
    const auto descriptor = queries.subspan(i * kDescriptorBytes, kDescriptorBytes);
    of_lacking.insert(of_lacking.end(), descriptor.begin(), descriptor.end());
  }
  std::vector<kernel::Neighbour> found(lacking.size() * k);
  SIFTSEARCH_RETURN_IF_ERROR(NearestOf(of_lacking, options, sought, found));
  for (std::size_t i = 0; i < lacking.size(); ++i) {
    std::copy_n(found.begin() + static_cast<std::ptrdiff_t>(i * k), k,
                nearest.begin() + static_cast<std::ptrdiff_t>(lacking[i] * k));
  }
  return {};
}

/// The words of all descriptors, in their order, so that what is sought is read one after the
/// other.
std::vector<TermsView::Meeting> TermsView::Meetings(std::span<const std::uint8_t> queries,
                                                    const kernel::TopKOptions& options) const {
  const LookUp& look_up = LookUpIn(snapshot_->rows());
  const lists::ProbeOptions near = {
      .words = look_up.words, .farther = look_up.farther, .variant = options.variant};
  std::vector<Meeting> meetings;
  for (const lists::Probe& probe : lists::Vocabulary::Shipped().Probes(queries, near)) {
    meetings.push_back({.word = probe.term.word,
                        .descriptor = probe.descriptor,
                        .sought = {probe.term.signs, probe.certain}});
  }
  std::stable_sort(meetings.begin(), meetings.end(),
                   [](const Meeting& a, const Meeting& b) { return a.word < b.word; });
  return meetings;
}

/// Adds the entries of one file that are near what is sought.
Status TermsView::Gather(std::size_t file, std::span<const Meeting> meetings,
                         kernel::SelectNear* select, std::span<LeastDiffering> gathered) const {
  kernel::NearSignature found[kSelectedAtOnce + kernel::kSelectNearSpare];
  lists::TermsFile::Entries entries;
  std::uint32_t word = lists::kWords;
  for (std::size_t i = 0; i < meetings.size(); ++i) {
    const Meeting& ahead = meetings[std::min(i + kGatheredAhead, meetings.size() - 1)];
    __builtin_prefetch(&gathered[ahead.descriptor]);
    const Meeting& meeting = meetings[i];
    if (meeting.word != word) {
      word = meeting.word;
      SIFTSEARCH_RETURN_IF_ERROR(files_[file]->OfWord(word, &entries));
    }
    LeastDiffering& near = gathered[meeting.descriptor];
    const std::size_t size = entries.signatures.size() / kSignatureBytes;
    for (std::size_t from = 0; from < size; from += kSelectedAtOnce) {
      const std::size_t some = std::min(kSelectedAtOnce, size - from);
      const std::size_t kept = select(entries.signatures.data() + from * kSignatureBytes, some,
                                      meeting.sought, near.limit(), found);
      if (kept > 0) near.Add({found, kept}, file, entries.first + static_cast<std::uint32_t>(from));
    }
  }
  return {};
}

/// Where the entries lie, whose row numbers will be asked for.
std::span<const std::uint64_t> TermsView::PlacesOf(LeastDiffering& gathered) const {
  const auto places = gathered.TakePlaces();
  for (const std::uint64_t place : places) {
    files_[LeastDiffering::FileOf(place)]->PrefetchRow(LeastDiffering::EntryOf(place));
  }
  return places;
}

/// Whether the rows of so many descriptors are read rather than touched: a page fault maps all
/// pages around it and costs what a dozen reads do. Those of many are touched, since further
/// batches follow.
bool TermsView::ReadsRows(std::size_t descriptors) const {
  const auto faults = static_cast<std::size_t>(snapshot_->rows()) * kDescriptorBytes / kFaultBytes;
  return descriptors <= kFewDescriptors &&
         descriptors * LookUpIn(snapshot_->rows()).measured < kReadsPerFault * faults;
}

/// The rows of entries, whose places ascend; reads them, or asks for their memory.
Status TermsView::Locate(std::span<const std::uint64_t> places, bool read, Rows* rows) const {
  rows->numbers.clear();
  rows->descriptors.clear();
  thread_local std::vector<std::uint32_t> in_file;
  for (std::size_t begin = 0; begin < places.size(); begin = rows->numbers.size()) {
    const std::size_t file = LeastDiffering::FileOf(places[begin]);
    in_file.clear();
    for (std::size_t i = begin; i < places.size() && LeastDiffering::FileOf(places[i]) == file;
         ++i) {
      in_file.push_back(LeastDiffering::EntryOf(places[i]));
    }
    SIFTSEARCH_RETURN_IF_ERROR(files_[file]->ToRows(in_file));
    const Snapshot::Part& part = snapshot_->parts()[file];
    for (const std::uint32_t row : in_file) {
      const std::uint8_t* const bytes =
          part.reader->descriptors().data() + std::size_t{row} * kDescriptorBytes;
      for (int line = 0; line < kDescriptorBytes && !read; line += 64) {
        __builtin_prefetch(bytes + line);
      }
      rows->descriptors.push_back(bytes);
      rows->numbers.push_back(part.first_row + row);
    }
  }
  return read ? Read(places, rows) : Status();
}

/// Copies the descriptors of rows from their files: those that are in memory first, while the disk
/// looks for the others.
Status TermsView::Read(std::span<const std::uint64_t> places, Rows* rows) const {
  rows->read.resize(places.size() * kDescriptorBytes);
  std::vector<std::size_t> waiting;
  const auto read = [&](std::size_t i, bool at_once) -> Result<bool> {
    const Snapshot::Part& part = snapshot_->parts()[LeastDiffering::FileOf(places[i])];
    const auto row = static_cast<std::uint64_t>(rows->numbers[i] - part.first_row);
    const std::span<std::uint8_t> to(&rows->read[i * kDescriptorBytes], kDescriptorBytes);
    rows->descriptors[i] = to.data();
    if (at_once) return part.reader->ReadRowAtOnce(row, to);
    SIFTSEARCH_RETURN_IF_ERROR(part.reader->ReadRow(row, to));
    return true;
  };
  for (std::size_t i = 0; i < places.size(); ++i) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const bool done, read(i, /*at_once=*/true));
    if (!done) waiting.push_back(i);
  }
  for (const std::size_t i : waiting) {
    SIFTSEARCH_RETURN_IF_ERROR(read(i, /*at_once=*/false).status());
  }
  return {};
}

/// Keeps the nearest live ones. The rows are brought together, since those of several files are
/// measured at once.
void TermsView::Measure(const std::uint8_t* query, const Rows& rows, kernel::MeasureRows* measure,
                        std::span<kernel::Neighbour> nearest) const {
  thread_local std::vector<std::uint8_t> bytes;
  thread_local std::vector<std::uint32_t> numbers;
  thread_local std::vector<std::int32_t> distances;
  const std::size_t size = rows.numbers.size();
  bytes.resize(size * kDescriptorBytes);
  numbers.resize(size);
  distances.resize(size);
  for (std::size_t i = 0; i < size; ++i) {
    std::memcpy(&bytes[i * kDescriptorBytes], rows.descriptors[i], kDescriptorBytes);
    numbers[i] = static_cast<std::uint32_t>(i);
  }
  measure(query, bytes.data(), numbers.data(), size, distances.data());
  std::vector<kernel::Neighbour> measured;
  measured.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    measured.push_back({.row = rows.numbers[i], .distance = distances[i]});
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
