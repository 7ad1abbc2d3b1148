#pragma once

#include <string>
#include <vector>

#include "cli/output.h"
#include "engine/group_report.h"
#include "siftsearch/engine.h"

namespace siftsearch::cli {

/// Writes the page of a report from its pairs in the order of groups. The first thumbnails are part
/// of the page, so that a small one is one file; the others are files in a folder beside it, made
/// when it is needed.
class HtmlReport {
 public:
  /// `file` is where the page will be. `backend` may be null; it gives previews of pictures whose
  /// files are gone.
  HtmlReport(const std::string& file, const std::string& title, const InputLimits& limits,
             int threads, SearchBackend* backend, Output& output);

  /// Each group is the answer to one query: that is shown first, and what the others are to it.
  void ShowQueriesFirst() { queries_first_ = true; }

  Status Add(const ReportPair& pair);
  /// `about` is a sentence on what was compared.
  Status End(const std::string& about, bool partial);

 private:
  Status WriteGroup();
  Result<std::string> ThumbnailUrl(engine::PictureLook& look, const ImageRecord& image);

  const std::string folder_;  ///< Of further thumbnails.
  const std::string folder_name_;
  const InputLimits limits_;
  const int threads_;
  SearchBackend* const backend_;
  Output& output_;
  std::vector<ReportPair> pairs_;  ///< Of the group under way.
  std::int64_t thumbnails_ = 0;
  bool queries_first_ = false;
};

}  // namespace siftsearch::cli
