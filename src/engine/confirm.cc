#include "engine/confirm.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/status_macros.h"
#include "engine/relation.h"
#include "verify/pixels.h"
#include "verify/refine.h"
#include "verify/score.h"
#include "verify/verify.h"

namespace siftsearch::engine {
namespace {

Box BoundingBox(const std::vector<Point>& polygon) {
  if (polygon.empty()) return {};
  const auto [left, right] = std::minmax_element(
      polygon.begin(), polygon.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
  const auto [top, bottom] = std::minmax_element(
      polygon.begin(), polygon.end(), [](const Point& a, const Point& b) { return a.y < b.y; });
  return {left->x, top->y, right->x - left->x, bottom->y - top->y};
}

double Share(const std::vector<Point>& polygon, int width, int height) {
  const double area = static_cast<double>(width) * height;
  return area > 0 ? std::min(1.0, verify::PolygonArea(polygon) / area) : 0;
}

/// Preview pixels from picture pixels, with pixel centres at whole numbers in both.
Transform ToPreview(int width, int height, const image::GreyImage& preview) {
  const double x = static_cast<double>(preview.width) / width;
  const double y = static_cast<double>(preview.height) / height;
  return {x, 0, 0.5 * x - 0.5, 0, y, 0.5 * y - 0.5, 0, 0, 1};
}

/// Without pixels where it can't be decoded.
image::GreyImage DecodedPreview(std::span<const std::uint8_t> preview) {
  auto decoded = image::DecodeGrey(preview, {});
  return decoded.ok() ? std::move(decoded).value() : image::GreyImage();
}

/// The pixels of both previews where the match lays them over each other; none without previews.
std::optional<verify::PixelAgreement> ComparePixels(const image::GreyImage& query_preview,
                                                    const image::GreyImage& preview,
                                                    const QueryForm& form, const FeatureSet& image,
                                                    const verify::Refinement& refined,
                                                    const Transform& image_from_query) {
  if (query_preview.pixels.empty() || preview.pixels.empty()) return std::nullopt;
  image::GreyImage ours = query_preview;
  if (form.form.inverted) {
    for (std::uint8_t& pixel : ours.pixels) pixel = static_cast<std::uint8_t>(255 - pixel);
  }
  const Transform to_query = ToPreview(form.features.width, form.features.height, ours);
  const Transform to_image = ToPreview(image.width, image.height, preview);
  std::vector<Point> points;
  for (const auto& pair : refined.pairs) {
    const Keypoint& point = image.keypoints[pair.second];
    points.push_back(verify::Apply(to_image, {point.x, point.y}));
  }
  verify::PixelAgreement agreement = verify::CompareAligned(
      {ours.width, ours.height, ours.pixels}, {preview.width, preview.height, preview.pixels},
      verify::Product(verify::Product(to_image, image_from_query), verify::Inverse(to_query)),
      points, refined.warp.Scaled(to_image[0], to_image[4]));
  const auto [left, top, right, bottom] = agreement.rectangle;
  const Transform to_pixels = verify::Inverse(to_image);
  const Point first = verify::Apply(to_pixels, {left, top});
  const Point last = verify::Apply(to_pixels, {right, bottom});
  agreement.cells.side /= to_image[0];
  agreement.rectangle = {first.x, first.y, last.x, last.y};
  return agreement;
}

/// `Evidence::pdq_distance` of a query and an image's preview.
double SignatureDistance(const QueryLook& look, const image::GreyImage& preview, bool inverted) {
  if (preview.pixels.empty()) return Evidence().pdq_distance;
  const Pdq theirs = features::PdqOf(preview);
  if (std::min(theirs.quality, look.turns[0].quality) < features::kLeastQuality) {
    return Evidence().pdq_distance;
  }
  int nearest = 256;
  for (const Pdq& ours : look.turns) {
    const int distance = PdqDistance(ours, theirs);
    nearest = std::min(nearest, inverted ? 256 - distance : distance);
  }
  return nearest;
}

/// Share of what the two pictures both show that the hull of the agreeing points takes up.
double HullShare(const FeatureSet& query, const FeatureSet& image,
                 const verify::Refinement& refined) {
  std::vector<Point> points;
  for (const auto& pair : refined.pairs) {
    const Keypoint& point = query.keypoints[pair.first];
    points.push_back({point.x, point.y});
  }
  const double overlap = verify::PolygonArea(verify::OverlapInQuery(
      refined.image_from_query, {query.width, query.height}, {image.width, image.height}));
  const double hull = verify::PolygonArea(verify::ConvexHull(std::move(points)));
  return overlap > 0 ? std::min(1.0, hull / overlap) : 0;
}

/// Fills in the evidence and what follows from it. `unit`: of the evidence, in image pixels.
void Judge(const verify::Refinement& refined, const std::optional<verify::PixelAgreement>& pixels,
           double unit, bool itself, VerifiedContent& verified) {
  const Match& match = verified.match;
  Evidence& evidence = verified.match.evidence;
  evidence.inliers = match.inliers;
  const auto shares = std::minmax(match.query_overlap_percent, match.image_overlap_percent);
  evidence.smaller_share = shares.first / 100;
  evidence.larger_share = shares.second / 100;
  evidence.warp = refined.warp.Rms() / unit;
  evidence.residual = refined.residual;
  evidence.scale_spread = refined.scale_spread;
  evidence.angle_spread = refined.angle_spread;
  evidence.descriptor_distance = refined.descriptor_distance;
  evidence.query_found = refined.query_found;
  evidence.image_found = refined.image_found;
  evidence.parallax = refined.parallax;
  evidence.closeness = verified.close / std::max<std::size_t>(1, verified.common.size());
  evidence.rarity = MeanRarity(verified, {}, {});
  verified.has_pixels = pixels && pixels->windows > 0;
  if (pixels) {
    evidence.pixel_correlation = pixels->correlation;
    evidence.pixels_coherent = pixels->coherent;
    evidence.pixels_inside = pixels->inside;
    evidence.pixels_covered = pixels->covered;
    evidence.own_background = pixels->own_background;
    evidence.pixels_at_points = pixels->at_points;
    evidence.pixels_in_hull = pixels->in_hull;
    evidence.pixels_agreeing = pixels->agreeing;
    evidence.pixels_between = pixels->between;
    evidence.pixels_best = pixels->best;
    evidence.extra_in_both = pixels->extra_in_both;
    evidence.solid_share = pixels->solid_share;
    evidence.solid_attained = pixels->solid_attained;
    evidence.unsettled = pixels->unsettled;
    evidence.textured = pixels->textured;
  }
  Score(itself, verified);
}

}  // namespace

QueryLook QueryLook::Of(std::span<const std::uint8_t> preview) {
  QueryLook look;
  look.preview = DecodedPreview(preview);
  if (!look.preview.pixels.empty()) look.turns = features::PdqInAllTurns(look.preview);
  return look;
}

double MeanRarity(const VerifiedContent& verified, std::span<const int> copies,
                  std::span<const double> shares) {
  double sum = 0;
  for (const auto& [query, others] : verified.common) {
    const double but_copies = others - (copies.empty() ? 0 : copies[query]);
    sum += 1 / (1 + std::max(0.0, but_copies) * (1 - (shares.empty() ? 0 : shares[query])));
  }
  return sum / std::max<std::size_t>(1, verified.common.size());
}

void Score(bool itself, VerifiedContent& verified) {
  Match& match = verified.match;
  const Evidence& evidence = match.evidence;
  verified.log_odds = !verified.has_pixels ? verify::LogOddsOfPoints(evidence)
                      : itself             ? verify::LogOddsOfRepetition(evidence)
                                           : verify::LogOdds(evidence);
  match.score = verify::ScoreFromLogOdds(verified.log_odds);
  match.copy = match.score >= kCopyThreshold;
  match.kind = verify::KindOf(evidence, match.score);
}

Transform FromPicture(const Transform& image_from_form, int width, features::Form form) {
  Transform t = image_from_form;
  if (!form.mirrored) return t;
  // x' = width − 1 − x, put in place of x.
  for (int row = 0; row < 3; ++row) {
    t[row * 3 + 2] += t[row * 3] * (width - 1);
    t[row * 3] = -t[row * 3];
  }
  return t;
}

void DescribeRegion(const FeatureSet& query, const FeatureSet& image,
                    const std::optional<verify::PixelAgreement>& pixels, Match& match) {
  const auto overlap = verify::OverlapInQuery(match.image_from_query, {query.width, query.height},
                                              {image.width, image.height});
  match.image_polygon.clear();
  for (const Point& point : overlap) {
    match.image_polygon.push_back(verify::Apply(match.image_from_query, point));
  }
  if (pixels && pixels->coherent > 0) {
    const auto [left, top, right, bottom] = pixels->rectangle;
    auto cut = verify::ClipToRectangle(match.image_polygon, left, top, right, bottom);
    if (verify::PolygonArea(cut) > 0) match.image_polygon = std::move(cut);
  }
  match.query_polygon.clear();
  const Transform query_from_image = verify::Inverse(match.image_from_query);
  for (const Point& point : match.image_polygon) {
    match.query_polygon.push_back(verify::Apply(query_from_image, point));
  }
  match.query_box = BoundingBox(match.query_polygon);
  match.image_box = BoundingBox(match.image_polygon);
  const double query_share = Share(match.query_polygon, query.width, query.height);
  const double image_share = Share(match.image_polygon, image.width, image.height);
  match.query_overlap_percent = 100 * query_share;
  match.image_overlap_percent = 100 * image_share;
  const Point centre{match.query_box.x + match.query_box.width / 2,
                     match.query_box.y + match.query_box.height / 2};
  const auto j = verify::JacobianAt(match.image_from_query, centre);
  match.relation =
      DescribeRelation({j, query_share, image_share, match.inverted, query.pages, image.pages});
}

Status Confirm(const FeaturesOfContent& features_of, const QueryForm& form, const QueryLook& look,
               bool itself, bool keep_points, VerifiedContent& verified) {
  const auto image = features_of(verified.content);
  if (!image.ok()) {
    return image.status().code() == StatusCode::kNotFound ? Status() : image.status();
  }
  Match& match = verified.match;
  verify::Refinement refined = verify::Refine(form.features, *image, verified.image_from_form);
  verified.image_from_form = refined.image_from_query;
  const int width = form.features.width;
  match.image_from_query = FromPicture(refined.image_from_query, width, form.form);
  match.inliers = std::max(match.inliers, refined.distinct);
  const image::GreyImage preview = DecodedPreview(image->preview);
  const std::optional<verify::PixelAgreement> pixels =
      ComparePixels(look.preview, preview, form, *image, refined, match.image_from_query);
  if (pixels && pixels->coherent > 0) {
    const auto [left, top, right, bottom] = pixels->rectangle;
    verify::CountFound(form.features, *image, {left, top, right, bottom}, refined);
  }
  if (pixels && pixels->windows > 0) {
    match.evidence.unevenness = verify::Unevenness(form.features, *image, refined,
                                                   [&](Point p) { return pixels->cells.Holds(p); });
  }
  DescribeRegion(form.features, *image, pixels, match);
  match.evidence.pdq_distance = SignatureDistance(look, preview, form.form.inverted);
  match.evidence.hull_share = HullShare(form.features, *image, refined);
  const double unit = std::max(image->width, image->height) / verify::kWorkingSide;
  Judge(refined, pixels, unit, itself, verified);
  if (!keep_points || refined.pairs.empty()) return {};
  match.inlier_points.clear();
  for (const auto& [q, i] : refined.pairs) {
    const Keypoint& ours = form.features.keypoints[q];
    const Keypoint& theirs = image->keypoints[i];
    match.inlier_points.push_back(
        {features::InForm(Point{ours.x, ours.y}, width, form.form), {theirs.x, theirs.y}});
  }
  return {};
}

}  // namespace siftsearch::engine
