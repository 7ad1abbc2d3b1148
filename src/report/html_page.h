#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "siftsearch/results.h"

namespace siftsearch::report {

/// A picture of a group on the page.
struct PageMember {
  ImageRecord image;
  std::vector<ImageRecord> equal_files;      ///< Others of the same bytes.
  std::vector<std::string> equal_relations;  ///< Of each to `image`, in words.
  bool original = false;
  std::string relation;
  double score = 0;
  std::string thumbnail;  ///< An URL (data: or relative to the page); empty: there is none.
  int thumbnail_width = 0;
  int thumbnail_height = 0;
  std::string problem;  ///< Why there is no thumbnail.
  std::string taken;    ///< By EXIF, or empty.
  bool gone = false;    ///< There is no file at its path any more.
};

struct PageGroup {
  std::int64_t number = 0;  ///< 0: a pair that is in no group.
  double weakest = 1;
  std::vector<PageMember> members;
  std::vector<ReportPair> pairs;
};

/// The pieces of the page of a report, in the order Begin, Group …, End. It asks for nothing
/// outside itself but thumbnails that are relative URLs. Names are data to it, never markup.
std::string PageBegin(const std::string& title);
std::string PageGroupText(const PageGroup& group);
/// `about` is a sentence on what was compared; `partial` says that it is not all.
std::string PageEnd(const std::string& about, bool partial);

/// A relative path as an URL: everything but letters, digits and "/-_." is escaped.
std::string RelativeUrl(const std::string& path);

/// "data:image/jpeg;base64,…".
std::string JpegUrl(const std::vector<std::uint8_t>& jpeg);

}  // namespace siftsearch::report
