#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "siftsearch/results.h"

namespace siftsearch::engine {

/// A pair as one of its two pictures sees it.
struct PairSide {
  std::size_t picture = 0;    ///< Number of the picture,
  std::size_t other = 0;      ///< and of its counterpart; the same of files of equal bytes.
  double area = 0;            ///< Of the picture, in pixels.
  Box box;                    ///< Around the shared region.
  std::vector<Point> points;  ///< That agree.
  /// The counterpart was not cut from the picture: it shows the region larger, or it is all in the
  /// picture and turned.
  bool foreign = false;
};

/// The parts of one picture, found from its pairs. Two regions are one part where they have half of
/// the smaller in common, unless the pairs of the larger show something else inside the smaller: a
/// picture laid into another is not a part of that one.
///
/// A pair agrees inside a box that its region covers where its points lie there (a quarter of what
/// their density elsewhere gives), or where its counterpart is itself a copy of one that shows the
/// box: an original, its copy and a crop are such a triangle. What does not agree is a hole. A box
/// is apart from the regions around it where three points or more were due in a hole, or where
/// there are as many holes as pairs that agree.
///
/// Calls in this order, each for all pairs of the picture: `Look`, `Weigh`, `Answer`; then
/// `Decide`, then the rest. The result depends on the order of the pairs as `Look` gets them only.
/// Memory is bounded: 64 regions, of each 8 counterparts and 32 open questions.
class PictureParts {
 public:
  /// Asks whether picture `other` is a copy of one that shows region `region`.
  struct Question {
    std::size_t other = 0;
    std::size_t region = 0;
  };

  void Look(const PairSide& side);
  /// The questions that the points of a pair leave open.
  std::vector<Question> Weigh(const PairSide& side);
  /// True where `shown` is one of the pictures that show the region.
  bool Shows(std::size_t region, std::size_t shown) const;
  /// Yes to a question that `Weigh` gave.
  void Answer(const Question& question);
  void Decide();

  /// 1, or one for the whole, one for what surrounds parts laid in, and one of each part.
  std::size_t nodes() const { return apart_ ? 2 + parts_.size() : 1; }
  /// The node that a pair connects.
  std::size_t NodeOf(const PairSide& side) const;
  /// Share of a pair's region that parts cover which the pair does not show.
  double Covered(const PairSide& side) const;
  /// True of a collage and of a picture with another laid into it, false of one that crops were cut
  /// from: two parts or more (the surroundings count as one) are shown by pictures that were not
  /// cut from it, or parts beside each other are all of it.
  bool PutTogether() const;

 private:
  struct Votes {
    int agree = 0;
    int holes = 0;
    int sure_holes = 0;
  };
  struct Asked {
    std::size_t other = 0;
    int around = 0;  ///< Index of the region around, or that of the whole picture.
    bool sure = false;
    bool closed = false;
  };
  struct Region {
    PairSide first;  ///< The pair that it was first seen in.
    std::vector<std::size_t> shown_by;
    std::vector<Asked> asked;
    std::map<int, Votes> votes;  ///< By the region around.
    bool foreign = false;        ///< Of one that shows it.
    int part = -1;
  };
  struct Part {
    std::size_t smallest = 0;  ///< Of its regions.
    int laid_in = -1;          ///< The largest that is apart from what surrounds it.
    bool foreign = false;
  };
  enum class Finding { kBeside, kAgrees, kHole, kSureHole };

  static Finding Find(const PairSide& side, const Box& box);
  static bool IsSameRegion(const PairSide& side, const Region& region);
  int RegionOf(const PairSide& side) const;
  bool IsApart(const Region& inner, int around) const;
  bool HasHole(const PairSide& side, const Region& region) const;
  void Place(std::size_t region);
  bool IsTiled() const;

  double area_ = 0;
  std::vector<Region> regions_;
  std::vector<Part> parts_;
  bool laid_in_ = false;  ///< A part is apart from what surrounds it.
  bool apart_ = false;
};

}  // namespace siftsearch::engine
