#include "local/snapshot.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/status_macros.h"
#include "siftsearch/types.h"

namespace siftsearch::local {
namespace {

std::shared_ptr<const SegmentReader> ReaderOf(const Snapshot* snapshot, std::int64_t segment) {
  if (snapshot == nullptr) return nullptr;
  const auto& parts = snapshot->parts();
  const auto part = std::lower_bound(
      parts.begin(), parts.end(), segment,
      [](const Snapshot::Part& part, std::int64_t id) { return part.segment < id; });
  return part != parts.end() && part->segment == segment ? part->reader : nullptr;
}

Status CheckListed(const SegmentReader& reader, const catalog::SegmentRecord& listed) {
  if (reader.rows() == static_cast<std::uint64_t>(listed.rows) &&
      reader.contents().size() == static_cast<std::size_t>(listed.contents) &&
      reader.bytes() == listed.bytes) {
    return {};
  }
  return {StatusCode::kCorrupt,
          fmt::format("{} is not the file that the catalogue lists: it holds {} rows of {} images "
                      "in {} bytes, the catalogue says {} rows of {} images in {} bytes",
                      reader.path(), reader.rows(), reader.contents().size(), reader.bytes(),
                      listed.rows, listed.contents, listed.bytes)};
}

}  // namespace

Status WithAdvice(const Status& status) {
  if (status.code() != StatusCode::kCorrupt) return status;
  return {status.code(), status.message() + "; `siftsearch check` names all damage"};
}

Status MissingIsDamage(const Status& status) {
  if (status.code() != StatusCode::kNotFound) return status;
  return {StatusCode::kCorrupt, "a segment is missing: " + status.message()};
}

Result<std::shared_ptr<const Snapshot>> Snapshot::Open(
    FileEnv& env, const std::string& folder, std::span<const std::uint64_t> settings_digests,
    const catalog::Listing& listing, const Snapshot* previous) {
  std::shared_ptr<Snapshot> snapshot(new Snapshot);
  snapshot->generation_ = listing.generation;
  snapshot->index_key_ = listing.index_key;
  snapshot->dead_ = listing.dead_contents;
  for (const catalog::SegmentRecord& listed : listing.segments) {
    std::shared_ptr<const SegmentReader> reader = ReaderOf(previous, listed.id);
    if (reader == nullptr) {
      SIFTSEARCH_ASSIGN_OR_RETURN(
          reader, SegmentReader::Open(env, folder + "/" + listed.file, settings_digests));
      SIFTSEARCH_RETURN_IF_ERROR(CheckListed(*reader, listed));
    }
    snapshot->parts_.push_back(
        {.segment = listed.id, .first_row = snapshot->rows_, .reader = std::move(reader)});
    snapshot->rows_ += listed.rows;
    snapshot->AppendSpans(snapshot->parts_.back(), 0, &snapshot->spans_);
  }
  for (const kernel::RowSpan& span : snapshot->spans_) {
    snapshot->live_rows_ += static_cast<std::int64_t>(span.count);
  }
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

void Snapshot::AppendSpans(const Part& part, std::int64_t without,
                           std::vector<kernel::RowSpan>* spans) const {
  const SegmentReader& reader = *part.reader;
  std::vector<const SegmentContent*> passed_over;
  const auto contents = reader.contents();
  if (contents.empty()) return;
  const auto first = std::lower_bound(dead_.begin(), dead_.end(), contents.front().content);
  const auto last = std::upper_bound(first, dead_.end(), contents.back().content);
  for (auto dead = first; dead != last; ++dead) {
    if (const SegmentContent* entry = reader.Find(*dead)) passed_over.push_back(entry);
  }
  const SegmentContent* extra = IsLive(without) ? reader.Find(without) : nullptr;
  if (extra != nullptr) {
    passed_over.insert(std::upper_bound(passed_over.begin(), passed_over.end(), extra,
                                        [](const SegmentContent* a, const SegmentContent* b) {
                                          return a->first_row < b->first_row;
                                        }),
                       extra);
  }
  const auto append = [&](std::uint64_t begin, std::uint64_t end) {
    if (begin == end) return;
    spans->push_back({.rows = reader.descriptors().data() + begin * kDescriptorBytes,
                      .count = end - begin,
                      .first_row = part.first_row + static_cast<std::int64_t>(begin)});
  };
  std::uint64_t begin = 0;
  for (const SegmentContent* entry : passed_over) {
    append(begin, entry->first_row);
    begin = entry->first_row + entry->rows;
  }
  append(begin, reader.rows());
}

std::vector<kernel::RowSpan> Snapshot::SpansWithout(std::int64_t content) const {
  std::vector<kernel::RowSpan> spans;
  for (const Part& part : parts_) AppendSpans(part, content, &spans);
  return spans;
}

Snapshot::Place Snapshot::At(std::int64_t row) const {
  const auto next =
      std::upper_bound(parts_.begin(), parts_.end(), row,
                       [](std::int64_t row, const Part& part) { return row < part.first_row; });
  const Part& part = *std::prev(next);
  const SegmentContent& entry =
      part.reader->OfRow(static_cast<std::uint64_t>(row - part.first_row));
  return {.reader = part.reader.get(),
          .entry = &entry,
          .first_row = part.first_row + static_cast<std::int64_t>(entry.first_row)};
}

std::optional<Snapshot::Place> Snapshot::Find(std::int64_t content) const {
  for (const Part& part : parts_) {
    if (const SegmentContent* entry = part.reader->Find(content)) {
      return Place{.reader = part.reader.get(),
                   .entry = entry,
                   .first_row = part.first_row + static_cast<std::int64_t>(entry->first_row)};
    }
  }
  return std::nullopt;
}

bool Snapshot::IsLive(std::int64_t content) const {
  return !std::binary_search(dead_.begin(), dead_.end(), content);
}

Status Snapshot::Verify(int threads, const CallOptions& call) const {
  for (const Part& part : parts_) {
    SIFTSEARCH_RETURN_IF_ERROR(call.Check());
    SIFTSEARCH_RETURN_IF_ERROR(WithAdvice(part.reader->Verify(threads)));
  }
  return {};
}

}  // namespace siftsearch::local
