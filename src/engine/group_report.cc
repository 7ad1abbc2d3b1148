#include "engine/group_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <tuple>

#include "base/parallel.h"
#include "engine/boxes.h"
#include "engine/picture_file.h"
#include "engine/relation.h"
#include "verify/verify.h"

namespace siftsearch::engine {
namespace {

/// A picture that shows a part smaller than this has lost some of its detail: it is more likely
/// what the part was put into than what it was cut from.
constexpr double kLeastScale = 0.9;
/// Tangent of the angle up to which a part lies upright in a picture.
constexpr double kUprightSlope = 0.035;
/// Steps of log2 of a scale within which two pictures show the content equally large.
constexpr double kScaleSteps = 4;
constexpr double kBrightnessChange = 10;
constexpr double kContrastChange = 1.25;
constexpr int kQualityChange = 5;
/// JPEG quality below which a file has visibly been compressed once more.
constexpr int kGoodQuality = 75;
constexpr std::int64_t kSecond = 1'000'000'000;

/// ∂(image) / ∂(query) at the middle of the shared region, by rows.
std::array<double, 4> JacobianOf(const Match& match) {
  const Box& box = match.query_box;
  return verify::JacobianAt(match.image_from_query,
                            {box.x + box.width / 2, box.y + box.height / 2});
}

/// How much larger the image shows the shared content than the query does.
double ScaleOf(const Match& match) {
  const auto j = JacobianOf(match);
  const double scale = std::sqrt(std::abs(j[0] * j[3] - j[1] * j[2]));
  return std::isfinite(scale) && scale > 0 ? scale : 1;
}

/// True where the sides of one picture lie along those of the other, as those of a crop do.
bool IsUpright(const Match& match) {
  const auto j = JacobianOf(match);
  const double along = std::max(std::abs(j[0]), std::abs(j[1]));
  const double across = std::min(std::abs(j[0]), std::abs(j[1]));
  return across <= kUprightSlope * along;
}

/// What the pairs say of a member as the original.
struct Claim {
  bool put_together = false;  ///< From several pictures, or something is laid over it.
  int covered = 100;          ///< Per cent, in the pair of which least is covered.
  int parts = 0;    ///< Pictures cut from it, less those that it was cut from or turned into.
  double size = 0;  ///< Mean log2 of how much larger it shows the content than others.
  int pairs = 0;

  double Steps() const { return pairs > 0 ? std::round(size / pairs * kScaleSteps) : 0; }
};

class GroupDescriber {
 public:
  GroupDescriber(std::vector<ReportPair> pairs, const InputLimits& limits, int threads,
                 std::string asked)
      : asked_(std::move(asked)) {
    group_.number = pairs.empty() ? 0 : pairs.front().group;
    group_.pairs = std::move(pairs);
    for (const ReportPair& pair : group_.pairs) {
      Add(pair.query);
      Add(pair.match.image);
    }
    ParallelFor(group_.members.size(), threads,
                [&](std::size_t i) { LookAtFirst(limits, group_.members[i]); });
  }

  GroupReport Describe() {
    WeighClaims();
    SortMembers();
    const std::vector<Links> links = FindLinks();
    for (std::size_t i = 1; i < group_.members.size(); ++i) Relate(group_.members[i], links[i]);
    FindWeakest();
    return std::move(group_);
  }

 private:
  void Add(const ImageRecord& image) {
    if (index_.contains(image.path)) return;
    std::size_t member = group_.members.size();
    if (image.hash != ContentHash{})
      member = by_hash_.try_emplace(image.hash, member).first->second;
    index_[image.path] = member;
    if (member == group_.members.size()) {
      group_.members.emplace_back().image = image;
    } else {
      group_.members[member].equal_files.push_back(image);
    }
  }

  /// Puts the files of a member in order and looks at the first that can be read.
  void LookAtFirst(const InputLimits& limits, GroupMember& member) const {
    std::vector<ImageRecord>& files = member.equal_files;
    files.push_back(std::move(member.image));
    const auto rank = [&](const ImageRecord& file) {
      return std::tuple(file.path != asked_, file.modified_ns / kSecond, file.path);
    };
    std::sort(files.begin(), files.end(),
              [&](const ImageRecord& a, const ImageRecord& b) { return rank(a) < rank(b); });
    std::size_t shown = 0;
    bool all_gone = true;
    while (shown < files.size()) {
      member.look = LookAt(files[shown].path, limits);
      all_gone = all_gone && member.look.gone;
      if (member.look.problem.empty() || files[shown].path == asked_) break;
      ++shown;
    }
    if (shown == files.size()) {  // None can be; all for the same reason, most likely.
      shown = 0;
      member.look.gone = all_gone;
    }
    member.image = std::move(files[shown]);
    files.erase(files.begin() + static_cast<std::ptrdiff_t>(shown));
    for (const ImageRecord& file : files) {
      member.equal_relations.push_back(RelationOfEqual(file.path, member.image.path));
    }
  }

  static std::string RelationOfEqual(const std::string& path, const std::string& other) {
    if (path.starts_with('/') && IsGone(path)) return "identical file, but gone";
    const std::string same = SameFile(path, other);
    return same.empty() ? "identical file" : same;
  }

  Claim& ClaimOf(const ImageRecord& image) {
    return claims_[group_.members[index_.at(image.path)].image.path];
  }

  void WeighClaims() {
    for (const ReportPair& pair : group_.pairs) {
      Claim& query = ClaimOf(pair.query);
      Claim& image = ClaimOf(pair.match.image);
      if (&query == &image) continue;
      const double scale = ScaleOf(pair.match);
      query.put_together = pair.query_in_parts;
      image.put_together = pair.image_in_parts;
      query.covered = std::min(query.covered, pair.covered_percent);
      image.covered = std::min(image.covered, pair.covered_percent);
      query.size -= std::log2(scale);
      image.size += std::log2(scale);
      ++query.pairs;
      ++image.pairs;
      const bool query_inside = pair.match.query_overlap_percent >= kWholePercent;
      const bool image_inside = pair.match.image_overlap_percent >= kWholePercent;
      if (query_inside == image_inside) continue;
      if (!IsUpright(pair.match)) {
        // Turned into a larger frame: parts are seldom cut out askew.
        --(query_inside ? image : query).parts;
        continue;
      }
      const bool large_enough = query_inside ? scale >= kLeastScale : 1 / scale >= kLeastScale;
      if (!large_enough) continue;
      query.parts += query_inside ? -1 : 1;
      image.parts += query_inside ? 1 : -1;
    }
    FindCovered();
  }

  /// Where some agree all over with others, those that agree so with none have something laid over
  /// them. Of a pair alone nothing tells which of the two has.
  void FindCovered() {
    const auto covered = [](const auto& entry) {
      return entry.second.covered > 100 - kWholePercent;
    };
    if (std::all_of(claims_.begin(), claims_.end(), covered)) return;
    for (auto& entry : claims_) entry.second.put_together |= covered(entry);
  }

  /// Best claim first; ties by what the files are.
  auto Rank(const GroupMember& member) const {
    const Claim& claim = claims_.at(member.image.path);
    const ImageRecord& image = member.image;
    return std::make_tuple(image.path != asked_, member.look.gone, claim.put_together, -claim.parts,
                           -claim.Steps(), -static_cast<std::int64_t>(image.width) * image.height,
                           member.look.jpeg_quality.value_or(100) < kGoodQuality, TimeOf(member),
                           image.path);
  }

  static std::string TimeOf(const GroupMember& member) {
    if (!member.look.taken.empty()) return member.look.taken;
    const auto seconds = static_cast<std::time_t>(member.image.modified_ns / kSecond);
    return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(seconds));
  }

  void SortMembers() {
    std::sort(group_.members.begin(), group_.members.end(),
              [&](const GroupMember& a, const GroupMember& b) { return Rank(a) < Rank(b); });
    for (std::size_t i = 0; i < group_.members.size(); ++i) {
      const GroupMember& member = group_.members[i];
      index_[member.image.path] = i;
      for (const ImageRecord& file : member.equal_files) index_[file.path] = i;
    }
    if (group_.members.empty()) return;
    GroupMember& first = group_.members[0];
    first.original = true;
    first.relation = PlaceOf(first);
  }

  /// What is said of the first.
  std::string PlaceOf(const GroupMember& first) const {
    if (first.image.path == asked_) return "the picture that was asked about";
    const bool alone = group_.members.size() < 2;
    if (first.look.gone) {
      return alone ? "its files are gone" : "its file is gone, as are those of the others";
    }
    if (alone) return "probably the original: all files have its bytes";
    const GroupMember& next = group_.members[1];
    if (claims_.at(first.image.path).put_together) {
      return next.look.gone ? "put together from several pictures; the files of the others are gone"
                            : "put together from several pictures, as are the others";
    }
    return "probably the original: " + Reason(first, next);
  }

  /// By what a member ranks before the next one.
  std::string Reason(const GroupMember& first, const GroupMember& next) const {
    const auto a = Rank(first), b = Rank(next);
    const Claim& claim = claims_.at(first.image.path);
    if (std::get<1>(a) != std::get<1>(b)) return "the file of the other is gone";
    if (std::get<2>(a) != std::get<2>(b)) {
      return "the other is put together from several pictures or covered in part";
    }
    if (std::get<3>(a) != std::get<3>(b)) {
      return claim.parts > 0 ? fmt::format("most complete, {} of the others {} cut from it",
                                           claim.parts, claim.parts == 1 ? "is" : "are")
                             : "most complete";
    }
    if (std::get<4>(a) != std::get<4>(b)) return "shows the shared content largest";
    if (std::get<5>(a) != std::get<5>(b)) {
      return fmt::format("largest, {} × {}", first.image.width, first.image.height);
    }
    if (std::get<6>(a) != std::get<6>(b)) {
      return "of equal size, and less compressed";
    }
    if (std::get<7>(a) != std::get<7>(b)) {
      return fmt::format("oldest, {} {}", first.look.taken.empty() ? "file of" : "taken",
                         TimeOf(first));
    }
    return "first by path, nothing else tells them apart";
  }

  /// The best pairs of a member; null where there is none.
  struct Links {
    const ReportPair* with_original = nullptr;
    const ReportPair* with_any = nullptr;
  };

  std::vector<Links> FindLinks() const {
    std::vector<Links> links(group_.members.size());
    const auto keep = [](const ReportPair*& best, const ReportPair& pair) {
      if (!best || pair.match.score > best->match.score) best = &pair;
    };
    for (const ReportPair& pair : group_.pairs) {
      const std::size_t a = index_.at(pair.query.path), b = index_.at(pair.match.image.path);
      if (a == b) continue;
      keep(links[a].with_any, pair);
      keep(links[b].with_any, pair);
      if (a == 0 || b == 0) keep(links[std::max(a, b)].with_original, pair);
    }
    return links;
  }

  void Relate(GroupMember& member, const Links& links) const {
    const GroupMember& original = group_.members.front();
    const ReportPair* pair = links.with_original;
    if (links.with_any == nullptr) {  // Of an edited report.
      member.relation = "its pairs with the others are not listed";
      return;
    }
    if (pair != nullptr) {
      member.relation = InWords(member, original, *pair);
    } else {
      pair = links.with_any;
      const bool is_query = IsOf(member, pair->query);
      const std::string& link = is_query ? pair->match.image.path : pair->query.path;
      member.relation = fmt::format("to {}: {}", std::filesystem::path(link).filename().string(),
                                    InWords(member, group_.members[index_.at(link)], *pair));
    }
    if (member.look.gone) member.relation += ", its file is gone";
    member.score = pair->match.score;
  }

  bool IsOf(const GroupMember& member, const ImageRecord& image) const {
    return &group_.members[index_.at(image.path)] == &member;
  }

  std::string InWords(const GroupMember& member, const GroupMember& other,
                      const ReportPair& pair) const {
    if (member.look.pixels != 0 && member.look.pixels == other.look.pixels) {
      const std::string of = OfPages(member.image.pages, other.image.pages);
      return of.empty() ? "identical pixels, other file"
                        : fmt::format("identical pixels in the first page ({}), other file", of);
    }
    const bool is_query = IsOf(member, pair.query);
    const std::string words = is_query ? pair.match.relation : TurnedRelation(pair);
    const std::string covered =
        pair.covered_percent > 0 ? fmt::format(", {} % covered", pair.covered_percent) : "";
    std::string colours =
        is_query ? ColourWords(member.look.colours, other.look.colours, pair.match, false)
                 : ColourWords(other.look.colours, member.look.colours, pair.match, true);
    if (words.find(colours) != std::string::npos) colours.clear();  // A report said so already.
    return words + colours + covered + Changes(member.look, other.look, words.starts_with("same "));
  }

  /// The relation of the image to the query.
  static std::string TurnedRelation(const ReportPair& pair) {
    const Match& match = pair.match;
    const auto j = JacobianOf(match);
    const double d = j[0] * j[3] - j[1] * j[2];
    return DescribeRelation({{j[3] / d, -j[1] / d, -j[2] / d, j[0] / d},
                             match.image_overlap_percent / 100,
                             match.query_overlap_percent / 100,
                             match.inverted,
                             match.image.pages,
                             pair.query.pages});
  }

  /// What differs beside the geometry; of whole pictures also their light.
  static std::string Changes(const PictureLook& copy, const PictureLook& original, bool whole) {
    std::string words;
    if (!copy.problem.empty() || !original.problem.empty()) return words;
    if (whole) {
      const double brighter = copy.brightness - original.brightness;
      if (std::abs(brighter) > kBrightnessChange) words += brighter > 0 ? ", brighter" : ", darker";
      const double ratio = (copy.contrast + 1) / (original.contrast + 1);
      if (ratio > kContrastChange) words += ", more contrast";
      if (ratio < 1 / kContrastChange) words += ", less contrast";
    }
    const bool worse = copy.jpeg_quality &&
                       *copy.jpeg_quality + kQualityChange <= original.jpeg_quality.value_or(100);
    if (worse) words += fmt::format(", JPEG quality about {}", *copy.jpeg_quality);
    return words;
  }

  /// Joins the members by their best pairs first; the last pair needed is the weakest link.
  void FindWeakest() {
    std::vector<const ReportPair*> pairs;
    for (const ReportPair& pair : group_.pairs) pairs.push_back(&pair);
    std::sort(pairs.begin(), pairs.end(), [](const ReportPair* a, const ReportPair* b) {
      return a->match.score > b->match.score;
    });
    std::vector<std::size_t> parent(group_.members.size());
    std::iota(parent.begin(), parent.end(), std::size_t{0});
    const auto root = [&](std::size_t i) {
      while (parent[i] != i) i = parent[i] = parent[parent[i]];
      return i;
    };
    for (const ReportPair* pair : pairs) {
      const std::size_t a = root(index_.at(pair->query.path));
      const std::size_t b = root(index_.at(pair->match.image.path));
      if (a == b) continue;
      parent[b] = a;
      group_.weakest = std::min(group_.weakest, pair->match.score);
    }
  }

  const std::string asked_;
  GroupReport group_;
  std::map<std::string, std::size_t> index_;  ///< Of members by path of any of their files.
  std::map<ContentHash, std::size_t> by_hash_;
  std::map<std::string, Claim> claims_;
};

}  // namespace

GroupReport DescribeGroup(std::vector<ReportPair> pairs, const InputLimits& limits, int threads,
                          const std::string& asked) {
  return GroupDescriber(std::move(pairs), limits, threads, asked).Describe();
}

}  // namespace siftsearch::engine
