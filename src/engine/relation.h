#pragma once

#include <array>
#include <string>

#include "siftsearch/types.h"

namespace siftsearch::engine {

/// Sizes that a relation is read from.
struct RelationInput {
  /// ∂(image) / ∂(query) in the shared region, by rows.
  std::array<double, 4> jacobian{};
  double query_overlap = 0;  ///< Share of the query inside the image, 0 to 1.
  double image_overlap = 0;  ///< Share of the image inside the query, 0 to 1.
  bool inverted = false;     ///< Light and dark are exchanged.
  int query_pages = 1;       ///< Pages or frames of each file; one of them was looked at.
  int image_pages = 1;
};

/// What the query is to the image, in words: "same picture", "crop of, 34 % of its area, rotated
/// 12°", "same picture, mirrored", "contains it, at 12 % of the query's area", "overlaps, …", with
/// "scaled to 50 %" where the query shows the content smaller or larger than the image does.
/// Rotation is clockwise as seen, from the image to the query; of a mirrored query, to the query
/// mirrored back, left and right. Where a file has several pages, the words say that the first ones
/// are meant: "same first page (of 12 and 9)", "crop of, …, of the first pages (of 1 and 9)".
std::string DescribeRelation(const RelationInput& input);

/// "of 12 and 9" for the pages of the two files; empty where each has one.
std::string OfPages(int query_pages, int image_pages);

}  // namespace siftsearch::engine
