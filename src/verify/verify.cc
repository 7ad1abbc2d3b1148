#include "verify/verify.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <tuple>

namespace siftsearch::verify {
namespace {

constexpr std::size_t kMaxHypotheses = 1000;
constexpr int kSmallestAgreement = 4;
/// A hypothesis from one pair is off by the keypoints' own error in scale and angle, so its inliers
/// are sought this much wider; refinement then narrows the tolerance step by step.
constexpr double kWidening[] = {3, 2, 1, 1};
/// Bounds of plausible input. They keep damaged values out of the arithmetic, not pictures.
constexpr float kLargestCoordinate = 1e7f;
constexpr double kLargestScale = 1000;

/// A similarity: (x, y) → (a·x − b·y + tx, b·x + a·y + ty).
struct Similarity {
  double a = 0;
  double b = 0;
  double tx = 0;
  double ty = 0;

  double scale() const { return std::hypot(a, b); }
  double degrees() const { return std::atan2(b, a) * 180 / std::numbers::pi; }
};

bool Plausible(const Similarity& model) {
  // Written so that NaN fails.
  return model.scale() >= 1 / kLargestScale && model.scale() <= kLargestScale &&
         std::abs(model.tx) < 1e9 && std::abs(model.ty) < 1e9;
}

bool Usable(const Keypoint& p) {
  return std::abs(p.x) < kLargestCoordinate && std::abs(p.y) < kLargestCoordinate &&
         std::isfinite(p.angle) && p.scale > 0 && p.scale < kLargestCoordinate;
}

bool Usable(const PointPair& pair) {
  return Usable(pair.query) && Usable(pair.image) && !std::isnan(pair.weight);
}

/// Best weight first; ties by the points themselves, so that the order given means nothing.
auto OrderKey(const PointPair& pair) {
  const auto point = [](const Keypoint& p) { return std::tie(p.x, p.y, p.scale, p.angle); };
  return std::make_tuple(-pair.weight, point(pair.query), point(pair.image));
}

/// Usable pairs in the order of their promise, field by field so that the compiler can vectorise.
struct Columns {
  std::vector<std::int32_t> index;  ///< Into the pairs as given.
  std::vector<float> qx, qy, px, py;
  std::vector<float> log_scale;  ///< Natural logarithm of the pair's own scale ratio.
  std::vector<float> degrees;    ///< The pair's own rotation, [0, 360).

  explicit Columns(std::span<const PointPair> pairs) {
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (Usable(pairs[i])) index.push_back(static_cast<std::int32_t>(i));
    }
    std::stable_sort(index.begin(), index.end(), [&](std::int32_t a, std::int32_t b) {
      return OrderKey(pairs[a]) < OrderKey(pairs[b]);
    });
    for (const std::int32_t i : index) Append(pairs[i]);
  }

  Columns() = default;

  std::size_t size() const { return index.size(); }

  void Append(const Columns& from, std::size_t i) {
    index.push_back(from.index[i]);
    qx.push_back(from.qx[i]);
    qy.push_back(from.qy[i]);
    px.push_back(from.px[i]);
    py.push_back(from.py[i]);
    log_scale.push_back(from.log_scale[i]);
    degrees.push_back(from.degrees[i]);
  }

 private:
  void Append(const PointPair& pair) {
    qx.push_back(pair.query.x);
    qy.push_back(pair.query.y);
    px.push_back(pair.image.x);
    py.push_back(pair.image.y);
    log_scale.push_back(
        static_cast<float>(std::log(static_cast<double>(pair.image.scale) / pair.query.scale)));
    const double turned = std::fmod(static_cast<double>(pair.image.angle) - pair.query.angle, 360);
    degrees.push_back(static_cast<float>(turned < 0 ? turned + 360 : turned));
  }
};

/// Largest disagreements of an inlier.
struct Tolerance {
  double pixels = 0;
  double log_scale = 0;
  double degrees = 0;
};

/// The inlier test with a model's constants worked out once.
class InlierTest {
 public:
  InlierTest(const Columns& columns, const Similarity& model, const Tolerance& tolerance,
             double widening)
      : columns_(columns),
        a_(static_cast<float>(model.a)),
        b_(static_cast<float>(model.b)),
        tx_(static_cast<float>(model.tx)),
        ty_(static_cast<float>(model.ty)),
        limit_(static_cast<float>(tolerance.pixels * widening * tolerance.pixels * widening)),
        log_scale_(static_cast<float>(std::log(model.scale()))),
        max_log_scale_(static_cast<float>(tolerance.log_scale)),
        degrees_(static_cast<float>(model.degrees())),
        max_degrees_(static_cast<float>(tolerance.degrees)) {}

  /// Branch-free, for the loop over all pairs.
  int operator()(std::size_t i) const {
    const float dx = a_ * columns_.qx[i] - b_ * columns_.qy[i] + tx_ - columns_.px[i];
    const float dy = b_ * columns_.qx[i] + a_ * columns_.qy[i] + ty_ - columns_.py[i];
    // In (−180, 540), so one subtraction brings it to a distance on the circle.
    const float turn = std::abs(columns_.degrees[i] - degrees_);
    const float apart = std::min(turn, std::abs(360 - turn));
    return (dx * dx + dy * dy <= limit_) &
           (std::abs(columns_.log_scale[i] - log_scale_) <= max_log_scale_) &
           (apart <= max_degrees_);
  }

  /// How many of [begin, end) agree.
  int Count(std::size_t begin, std::size_t end) const {
    int count = 0;
    for (std::size_t i = begin; i < end; ++i) count += (*this)(i);
    return count;
  }

 private:
  const Columns& columns_;
  float a_, b_, tx_, ty_, limit_, log_scale_, max_log_scale_, degrees_, max_degrees_;
};

/// The pairs sorted by their own rotation and scale ratio, so that the inliers of a model are
/// looked for among the few pairs that may be some.
class Binned {
 public:
  Binned(const Columns& columns, const Tolerance& tolerance)
      : rotations_(std::max(1, static_cast<int>(360 / std::max(1.0, tolerance.degrees * kRoom)))),
        degrees_(360.0 / rotations_),
        log_scale_(std::max(0.05, tolerance.log_scale * kRoom)),
        starts_(static_cast<std::size_t>(rotations_) * kScales + 1) {
    std::vector<std::size_t> bin(columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i) {
      bin[i] = Bin(Rotation(columns.degrees[i]), Scale(columns.log_scale[i]));
      ++starts_[bin[i] + 1];
    }
    std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
    std::vector<std::size_t> order(columns.size());
    std::vector<std::size_t> next = starts_;
    for (std::size_t i = 0; i < columns.size(); ++i) order[next[bin[i]]++] = i;
    for (const std::size_t i : order) sorted_.Append(columns, i);
    place_.assign(order.begin(), order.end());
  }

  /// How many of all pairs agree with a model.
  int Count(const Similarity& model, const Tolerance& tolerance, double widening) const {
    const InlierTest test(sorted_, model, tolerance, widening);
    int count = 0;
    ForEachRange(model,
                 [&](std::size_t begin, std::size_t end) { count += test.Count(begin, end); });
    return count;
  }

  /// Those that do, ascending.
  std::vector<int> Collect(const Similarity& model, const Tolerance& tolerance,
                           double widening) const {
    const InlierTest test(sorted_, model, tolerance, widening);
    std::vector<int> inliers;
    ForEachRange(model, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        if (test(i)) inliers.push_back(place_[i]);
      }
    });
    std::sort(inliers.begin(), inliers.end());
    return inliers;
  }

 private:
  static constexpr int kScales = 16;
  static constexpr double kRoom = 1.05;  // For rounding.

  /// Runs of `sorted_` that hold every pair whose own rotation and scale ratio fit the model.
  template <typename Visit>
  void ForEachRange(const Similarity& model, const Visit& visit) const {
    if (rotations_ < 3) return visit(0, sorted_.size());
    const double degrees = model.degrees();
    const int rotation = Rotation(static_cast<float>(degrees < 0 ? degrees + 360 : degrees));
    const int scale = Scale(static_cast<float>(std::log(model.scale())));
    for (const int turn : {rotations_ - 1, 0, 1}) {
      const int there = (rotation + turn) % rotations_;
      visit(starts_[Bin(there, std::max(0, scale - 1))],
            starts_[Bin(there, std::min(kScales - 1, scale + 1)) + 1]);
    }
  }

  std::size_t Bin(int rotation, int scale) const {
    return static_cast<std::size_t>(rotation) * kScales + scale;
  }
  int Rotation(float degrees) const {
    return std::min(rotations_ - 1, static_cast<int>(degrees / degrees_));
  }
  int Scale(float log_scale) const {
    return static_cast<int>(
        std::clamp(std::floor(log_scale / log_scale_) + kScales / 2, 0.0, kScales - 1.0));
  }

  const int rotations_;
  const double degrees_;
  const double log_scale_;
  std::vector<std::size_t> starts_;  ///< Of each bin in `sorted_`, and its end.
  Columns sorted_;
  std::vector<int> place_;  ///< Of each pair of `sorted_` among all.
};

Similarity FromPair(const Columns& columns, std::size_t i) {
  const double scale = std::exp(static_cast<double>(columns.log_scale[i]));
  const double angle = columns.degrees[i] * std::numbers::pi / 180;
  Similarity model{scale * std::cos(angle), scale * std::sin(angle), 0, 0};
  model.tx = columns.px[i] - (model.a * columns.qx[i] - model.b * columns.qy[i]);
  model.ty = columns.py[i] - (model.b * columns.qx[i] + model.a * columns.qy[i]);
  return model;
}

/// Least squares over the inliers (Umeyama, PAMI 1991, without reflection); `model` itself where
/// they do not fix it.
Similarity LeastSquaresSimilarity(const Columns& c, const std::vector<int>& inliers,
                                  const Similarity& model) {
  double qx = 0, qy = 0, px = 0, py = 0;
  for (const int i : inliers) {
    qx += c.qx[i], qy += c.qy[i];
    px += c.px[i], py += c.py[i];
  }
  const double n = static_cast<double>(inliers.size());
  qx /= n, qy /= n, px /= n, py /= n;
  double dot = 0, cross = 0, spread = 0;
  for (const int i : inliers) {
    const double ux = c.qx[i] - qx, uy = c.qy[i] - qy;
    const double vx = c.px[i] - px, vy = c.py[i] - py;
    dot += ux * vx + uy * vy;
    cross += ux * vy - uy * vx;
    spread += ux * ux + uy * uy;
  }
  if (!(spread > 0)) return model;
  Similarity refined{dot / spread, cross / spread, 0, 0};
  refined.tx = px - (refined.a * qx - refined.b * qy);
  refined.ty = py - (refined.b * qx + refined.a * qy);
  return Plausible(refined) ? refined : model;
}

/// Positions already counted in one picture, in the cells of a grid.
class Positions {
 public:
  /// `most`: how many there may be; the grid has about as many cells.
  Positions(double pixel, Size size, std::size_t most)
      : limit_(static_cast<float>(pixel * pixel)),
        cell_(static_cast<float>(
            std::max({1e-3, pixel,
                      std::sqrt(static_cast<double>(size.width) * size.height /
                                static_cast<double>(std::max<std::size_t>(1, most)))}))),
        columns_(CellsOf(size.width)),
        rows_(CellsOf(size.height)),
        last_(static_cast<std::size_t>(columns_) * rows_, kNone) {}

  bool Near(float x, float y) const {
    const int column = Cell(x, columns_), row = Cell(y, rows_);
    for (int r = std::max(0, row - 1); r <= std::min(rows_ - 1, row + 1); ++r) {
      for (int c = std::max(0, column - 1); c <= std::min(columns_ - 1, column + 1); ++c) {
        for (int i = last_[At(c, r)]; i != kNone; i = points_[i].before) {
          const float dx = points_[i].x - x, dy = points_[i].y - y;
          if (dx * dx + dy * dy < limit_) return true;
        }
      }
    }
    return false;
  }

  void Add(float x, float y) {
    int& last = last_[At(Cell(x, columns_), Cell(y, rows_))];
    points_.push_back({x, y, last});
    last = static_cast<int>(points_.size()) - 1;
  }

 private:
  static constexpr int kMostCells = 1024;
  static constexpr int kNone = -1;

  struct Point {
    float x, y;
    int before;  ///< Another point of the cell.
  };

  int CellsOf(int length) const {
    return static_cast<int>(std::clamp(length / cell_ + 1, 1.0f, static_cast<float>(kMostCells)));
  }
  /// What lies outside belongs to the outermost cells: neighbours stay neighbours.
  int Cell(float at, int cells) const {
    return static_cast<int>(std::clamp(at / cell_, 0.0f, static_cast<float>(cells - 1)));
  }
  std::size_t At(int column, int row) const {
    return static_cast<std::size_t>(row) * columns_ + column;
  }

  const float limit_;
  const float cell_;
  const int columns_;
  const int rows_;
  std::vector<int> last_;  ///< Point of each cell.
  std::vector<Point> points_;
};

struct Agreement {
  Similarity model;
  std::vector<int> inliers;  ///< Into the columns, ascending.
  int distinct = 0;
};

class Fitter {
 public:
  Fitter(std::span<const PointPair> pairs, Size query, Size image, const VerifyOptions& options)
      : query_(query),
        image_(image),
        columns_(pairs),
        tolerance_{options.tolerance * std::max(image.width, image.height),
                   std::log(options.max_scale_factor), options.max_angle_degrees},
        query_pixel_(std::max(query.width, query.height) / kWorkingSide),
        image_pixel_(std::max(image.width, image.height) / kWorkingSide),
        binned_(columns_, tolerance_) {}

  const Columns& columns() const { return columns_; }
  const Tolerance& tolerance() const { return tolerance_; }

  Agreement Best() const {
    Agreement best;
    int most_wide = 0;
    std::vector<bool> explained(columns_.size());
    const std::size_t hypotheses = std::min(columns_.size(), kMaxHypotheses);
    for (std::size_t h = 0; h < hypotheses; ++h) {
      if (explained[h]) continue;
      const Similarity model = FromPair(columns_, h);
      if (!Plausible(model)) continue;
      const int wide = binned_.Count(model, tolerance_, kWidening[0]);
      // Only a hypothesis that nearly matches the widest agreement met so far can beat it.
      if (wide < 2 || wide * 4 < most_wide * 3) continue;
      most_wide = std::max(most_wide, wide);
      Agreement refined = Refined(model, binned_.Collect(model, tolerance_, kWidening[0]));
      if (refined.distinct <= best.distinct) continue;
      best = std::move(refined);
      explained.assign(columns_.size(), false);
      for (const int i : best.inliers) explained[i] = true;
    }
    return best;
  }

  /// Inliers at positions of their own in both pictures: keypoints with several orientations, and
  /// many that match one, are one piece of evidence.
  int Distinct(const std::vector<int>& inliers) const {
    Positions query(query_pixel_, query_, inliers.size());
    Positions image(image_pixel_, image_, inliers.size());
    int distinct = 0;
    for (const int i : inliers) {
      const float qx = columns_.qx[i], qy = columns_.qy[i];
      const float px = columns_.px[i], py = columns_.py[i];
      if (query.Near(qx, qy) || image.Near(px, py)) continue;
      query.Add(qx, qy);
      image.Add(px, py);
      ++distinct;
    }
    return distinct;
  }

 private:
  Agreement Judged(const Similarity& model) const {
    Agreement agreement{model, binned_.Collect(model, tolerance_, 1), 0};
    agreement.distinct = Distinct(agreement.inliers);
    return agreement;
  }

  /// The hypothesis or what least squares make of it, whichever more pairs agree with.
  Agreement Refined(const Similarity& hypothesis, std::vector<int> inliers) const {
    Agreement best = Judged(hypothesis);
    Similarity model = hypothesis;
    for (const double widening : kWidening) {
      if (inliers.size() < 2) break;
      model = LeastSquaresSimilarity(columns_, inliers, model);
      inliers = binned_.Collect(model, tolerance_, widening);
      if (widening > 1) continue;
      Agreement refined = Judged(model);
      // Of equals the last one, fitted to more points, is the more precise.
      if (refined.distinct >= best.distinct) best = std::move(refined);
    }
    return best;
  }

  const Size query_;
  const Size image_;
  const Columns columns_;
  const Tolerance tolerance_;
  const double query_pixel_;
  const double image_pixel_;
  const Binned binned_;
};

/// std::lgamma keeps the sign in a variable that all threads share.
double LogGamma(double x) {
  int sign = 0;
  return lgamma_r(x, &sign);
}

double Log10Binomial(double n, double k) {
  return (LogGamma(n + 1) - LogGamma(k + 1) - LogGamma(n - k + 1)) / std::numbers::ln10;
}

/// How likely one unrelated pair is to agree with a given similarity: its image point falls in the
/// tolerance disc and its rotation in the window. Scale ratios of unrelated keypoints crowd around
/// one value, which the scale window may well cover, so it is given no credit.
double ChanceOfAgreement(const Tolerance& tolerance, Size image) {
  const double disc = std::numbers::pi * tolerance.pixels * tolerance.pixels;
  const double area = static_cast<double>(image.width) * image.height;
  return std::min(1.0, disc / area) * std::min(1.0, tolerance.degrees / 180);
}

/// log10 of: pictures × pairs that could propose × chance that so many of the others agree (the
/// binomial tail by its first-term bound).
double Log10FalseAlarms(int agreeing, int total, double chance, double images) {
  const double others = agreeing - 1;
  const double tail = Log10Binomial(total - 1, others) + others * std::log10(chance);
  return std::log10(std::max(1.0, images)) + std::log10(total) + std::min(0.0, tail);
}

/// Distinct positions among all pairs, the number of independent trials. Too many to count all
/// against all where a picture has very many features: then all stand for themselves, which only
/// lowers the score.
int Trials(const Fitter& fitter, int agreeing) {
  constexpr std::size_t kMostCounted = 4000;
  const std::size_t size = fitter.columns().size();
  if (size > kMostCounted) return static_cast<int>(size);
  std::vector<int> all(size);
  for (std::size_t i = 0; i < size; ++i) all[i] = static_cast<int>(i);
  return std::max(agreeing, fitter.Distinct(all));
}

}  // namespace

double ScoreFromFalseAlarms(double log10_false_alarms) {
  return 1 / (1 + std::pow(10.0, (log10_false_alarms - kLog10FalseAlarmsAtHalf) / 4));
}

Verification FitSimilarity(std::span<const PointPair> pairs, Size query, Size image,
                           const VerifyOptions& options) {
  Verification result;
  if (query.width < 1 || query.height < 1 || image.width < 1 || image.height < 1) return result;
  const Fitter fitter(pairs, query, image, options);
  const Agreement best = fitter.Best();
  if (best.distinct < kSmallestAgreement) return result;
  const Similarity& m = best.model;
  result.image_from_query = {m.a, -m.b, m.tx, m.b, m.a, m.ty, 0, 0, 1};
  for (const int i : best.inliers) result.inliers.push_back(fitter.columns().index[i]);
  std::sort(result.inliers.begin(), result.inliers.end());
  result.distinct_inliers = best.distinct;
  result.log10_false_alarms =
      Log10FalseAlarms(best.distinct, Trials(fitter, best.distinct),
                       ChanceOfAgreement(fitter.tolerance(), image), options.images_searched);
  result.score = ScoreFromFalseAlarms(result.log10_false_alarms);
  return result;
}

}  // namespace siftsearch::verify
