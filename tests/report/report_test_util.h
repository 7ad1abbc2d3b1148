#pragma once

#include "siftsearch/results.h"

namespace siftsearch::report {

/// A crop of image 17 with easy numbers.
inline Match SampleMatch(const std::string& path = "/p/a.jpg") {
  Match match;
  match.rank = 1;
  match.image.id = 17;
  match.image.path = path;
  match.image.attributes = {{"seller", "acme"}};
  match.score = 0.99876543;
  match.copy = true;
  match.kind = MatchKind::kCopy;
  match.votes = 210.504;
  match.inliers = 143;
  match.relation = "crop of, 34 % of its area";
  match.image_from_query = {1, 0, 10, 0, 1, 20, 0, 0, 1};
  match.query_polygon = {{-0.5, -0.5}, {99.5, -0.5}, {99.5, 49.5}, {-0.5, 49.5}};
  match.image_polygon = {{9.5, 19.5}, {109.5, 19.5}, {109.5, 69.5}, {9.5, 69.5}};
  match.query_box = {-0.5, -0.5, 100, 50};
  match.image_box = {9.5, 19.5, 100, 50};
  match.query_overlap_percent = 100;
  match.image_overlap_percent = 33.74;
  return match;
}

inline QueryResult SampleResult() {
  QueryResult result;
  result.query = "q.jpg";
  result.width = 100;
  result.height = 50;
  result.descriptors = 812;
  result.matches = {SampleMatch()};
  result.timings = {1.234, 2, 3, 4};
  return result;
}

}  // namespace siftsearch::report
