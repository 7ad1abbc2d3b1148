#include <vector>

#include "base/exception_status.h"
#include "base/status_macros.h"
#include "index/faiss_file.h"
#include "index/id_range.h"
#include "local/local_backend.h"

namespace siftsearch::local {
namespace {

std::vector<index::IdRange> LiveRanges(const Snapshot& snapshot) {
  std::vector<index::IdRange> ranges;
  for (const Snapshot::Part& part : snapshot.parts()) {
    for (const SegmentContent& entry : part.reader->contents()) {
      if (!snapshot.IsLive(entry.content)) continue;
      ranges.push_back({.first_row = part.first_row + static_cast<std::int64_t>(entry.first_row),
                        .count = static_cast<std::int64_t>(entry.rows),
                        .id = entry.content});
    }
  }
  return ranges;
}

}  // namespace

Status LocalBackend::ExportFaiss(const std::string& file) try {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, CurrentRows());
  SIFTSEARCH_RETURN_IF_ERROR(snapshot->Verify(threads()));
  return index::WriteFaissFlat(kDescriptorBytes, snapshot->spans(), LiveRanges(*snapshot), file);
} catch (const std::exception& error) {
  return StatusOf(error);
}

}  // namespace siftsearch::local
