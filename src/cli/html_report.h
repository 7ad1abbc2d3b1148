#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/output.h"
#include "engine/group_report.h"
#include "siftsearch/engine.h"

namespace siftsearch::cli {

/// The pictures of a page that are no part of it: files in a folder of their own, made when it is
/// needed, PAGE_pictures/PAGE.html-XXXXXXXX/. So a page that is there keeps its pictures until
/// another has its name, and each page has its own only.
class PictureFolder {
 public:
  /// `page` is where the page will be.
  explicit PictureFolder(const std::string& page);
  /// Removes the pictures of a page that did not get its name.
  ~PictureFolder();

  /// Stores a picture; gives its path from the page.
  Result<std::string> Add(std::span<const std::uint8_t> jpeg);
  /// Makes the names of all pictures lasting.
  Status Sync();
  /// The page has its name: the pictures of earlier ones go.
  void Keep();

 private:
  Status MakeFolder();
  void RemovePictures(const std::string& name);

  const std::string folder_;
  const std::string page_name_;
  std::string name_;  ///< Inside the folder; empty until it is needed.
  int pictures_ = 0;
  bool kept_ = false;
};

/// Writes the page of a report from its pairs in the order of groups. The first thumbnails are part
/// of the page, so that a small one is one file; the others are files in a folder beside it.
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
  /// The output was closed: the page has its name.
  void Keep() { pictures_.Keep(); }

 private:
  Status WriteGroup();
  Result<std::string> ThumbnailUrl(engine::PictureLook& look, const ImageRecord& image);

  PictureFolder pictures_;
  const InputLimits limits_;
  const int threads_;
  SearchBackend* const backend_;
  Output& output_;
  std::vector<ReportPair> pairs_;  ///< Of the group under way.
  std::int64_t thumbnails_ = 0;
  bool queries_first_ = false;
};

}  // namespace siftsearch::cli
