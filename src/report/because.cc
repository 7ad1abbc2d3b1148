#include "report/because.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace siftsearch::report {
namespace {

/// Shares from which a sentence is worth saying.
constexpr double kTold = 0.15;
constexpr double kMuchParallax = 0.25;
constexpr double kCommon = 0.5;
constexpr double kMuch = 0.6;

int WholePercent(double share) { return static_cast<int>(std::lround(100 * share)); }

std::string PointsAgree(const Match& match) {
  return match.inliers == 1 ? "1 point agrees" : fmt::format("{} points agree", match.inliers);
}

bool IsSameFile(const Match& match) {
  return match.relation.starts_with("identical file") || match.relation.starts_with("same file");
}

/// What the pixels say of a copy.
std::string PixelsOfCopy(const Evidence& evidence) {
  if (evidence.textured == 0) return "there are no pixels to compare";
  if (evidence.pixels_covered >= kTold) {
    return fmt::format("something laid over it covers {} %", WholePercent(evidence.pixels_covered));
  }
  if (evidence.solid_attained > 0 && evidence.solid_share < 1 - kMuch) {
    return fmt::format("one part agrees, {} % of what both show is something else",
                       WholePercent(1 - evidence.solid_share));
  }
  return fmt::format("around them the pixels agree by {} %",
                     WholePercent(evidence.pixels_at_points));
}

std::string WhyScene(const Evidence& evidence) {
  if (evidence.parallax > kMuchParallax) {
    return "neighbours lie off together, as in another view of one thing";
  }
  return fmt::format("only {} % of the pixels there agree", WholePercent(evidence.pixels_agreeing));
}

std::string WhyOverlay(const Evidence& evidence) {
  if (evidence.own_background > kCommon) return "they stand on a background of their own";
  if (evidence.rarity < kCommon) return "other pictures have the same points";
  if (evidence.smaller_share > kMuch) {
    return fmt::format("between them {} % of the pixels differ",
                       WholePercent(1 - evidence.pixels_agreeing));
  }
  return fmt::format("they take up {} % of one picture and {} % of the other",
                     WholePercent(evidence.larger_share), WholePercent(evidence.smaller_share));
}

/// The terms by what they add, largest first; those of the other sign are left out.
std::string Pushes(const Evidence& evidence, const std::vector<double>& pushes, double sign) {
  constexpr std::size_t kMost = 4;
  constexpr double kLeast = 0.05;
  std::vector<std::size_t> order(pushes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return sign * pushes[a] > sign * pushes[b];
  });
  std::string text;
  for (std::size_t i = 0; i < std::min(kMost, order.size()); ++i) {
    const double push = pushes[order[i]];
    if (sign * push < kLeast) break;
    const EvidenceTerm& term = kEvidenceTerms[order[i]];
    text += fmt::format("{}{:+.1f} {} {:.4g}", text.empty() ? "" : ", ", push, term.name,
                        evidence.*term.value);
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace

std::string Because(const Match& match) {
  if (match.verdict) {
    return *match.verdict == Verdict::kConfirmed ? "it was confirmed as a copy"
                                                 : "it was decided to be no copy";
  }
  if (IsSameFile(match)) return "the files are equal byte by byte";
  if (match.query_polygon.empty()) return "no place was found where points agree";
  const Evidence& evidence = match.evidence;
  if (match.inliers == 0) {
    return fmt::format("the pictures as a whole differ in {} of 256 bits (PDQ)",
                       evidence.pdq_distance);
  }
  const std::string agree = PointsAgree(match);
  switch (match.kind) {
    case MatchKind::kCopy:
      return fmt::format("{} in one place{}; {}", agree,
                         evidence.warp > 0 ? " when the picture is bent back" : "",
                         PixelsOfCopy(evidence));
    case MatchKind::kSameScene:
      return fmt::format("{}, but {}", agree, WhyScene(evidence));
    case MatchKind::kSharedOverlay:
      return fmt::format("{}, but {}", agree, WhyOverlay(evidence));
    case MatchKind::kUnclear:
      break;
  }
  return agree + ", which chance can do as well";
}

std::string ExplanationTable(const QueryResult& result, const PushesOf& pushes_of) {
  std::string text;
  for (const Match& match : result.matches) {
    text += fmt::format("  {}: {}\n", match.rank, Because(match));
    if (match.query_polygon.empty() || IsSameFile(match)) continue;
    const std::vector<double> pushes = pushes_of(match.evidence);
    text += fmt::format("     for a copy: {}\n     against: {}\n",
                        Pushes(match.evidence, pushes, 1), Pushes(match.evidence, pushes, -1));
  }
  return text;
}

}  // namespace siftsearch::report
