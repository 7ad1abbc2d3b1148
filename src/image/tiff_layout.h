#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace siftsearch::image {

/// One page of a TIFF that is looked at.
struct TiffPage {
  std::uint64_t offset = 0;   ///< Of its directory.
  bool names_extras = false;  ///< It has ExtraSamples: the meaning of bands beyond the colours.
};

/// The directories of a TIFF (also BigTIFF), as far as it matters which of them is its picture.
struct TiffLayout {
  /// Pages that are neither reduced versions nor masks of others; the first 16.
  std::vector<TiffPage> pages;
  int page_count = 1;
  /// The kind of raw camera picture ("NEF", "DNG" …), whose pages are previews; empty: it is none.
  std::string raw;
  bool in_sub_directory = false;  ///< The first page is a preview of one in a sub-directory.
  bool only_reduced = false;      ///< It has reduced versions only.
};

/// Never fails: a chain of directories that is damaged ends there. Time and memory are bounded by
/// the size of the file.
TiffLayout ReadTiffLayout(std::span<const std::uint8_t> bytes);

}  // namespace siftsearch::image
