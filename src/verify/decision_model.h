#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "siftsearch/evidence.h"
#include "siftsearch/status.h"

namespace siftsearch::verify {

/// What a term of the evidence adds to the log-odds, in the order of kEvidenceTerms.
using Contributions = std::array<double, kEvidenceTerms.size()>;

/// Gradient-boosted trees (Friedman, Annals of Statistics 2001) over kEvidenceTerms, each split in
/// the direction of its term, so that evidence for a copy never lowers the log-odds; then a
/// calibration that keeps the order. Read from data/models, whose files `copybench train` writes
/// (schema/model.md). Immutable; safe from several threads.
class DecisionModel {
 public:
  /// kInvalidArgument for what is no such file: names the field. A term is found by its name.
  static Result<DecisionModel> Parse(std::string_view json);

  /// The model that is compiled in.
  static const DecisionModel& Shipped();

  /// Natural logarithm of the odds that the pictures share copied content, calibrated.
  double LogOdds(const Evidence& evidence) const;

  /// Natural logarithm of the odds that what is no copy is one thing taken twice (same scene) and
  /// not a part that many pictures have (shared overlay).
  double SceneLogOdds(const Evidence& evidence) const;

  /// How each term moves LogOdds away from that of the mean example, before calibration: over all
  /// trees, the change of a node's mean at each split by the term (Saabas, 2014). Their sum and the
  /// mean are the raw log-odds.
  Contributions Explain(const Evidence& evidence) const;

 private:
  /// A node: an inner one sends values of its term up to `threshold` left, others right.
  struct Node {
    std::int16_t term = -1;  ///< Index into kEvidenceTerms; −1: a leaf.
    std::int16_t left = 0;   ///< Index among the nodes of its tree.
    std::int16_t right = 0;
    double threshold = 0;
    double value = 0;  ///< Log-odds to add; of an inner node the mean of its leaves.
  };
  using Tree = std::vector<Node>;

  struct Ensemble {
    double bias = 0;
    std::vector<Tree> trees;

    double Sum(const Evidence& evidence) const;
  };

  struct Reader;

  double Calibrated(double raw) const;

  Ensemble copy_;
  Ensemble scene_;
  std::vector<double> raw_;         ///< Ascending log-odds of the trees …
  std::vector<double> calibrated_;  ///< … and what they are worth, ascending; linear between.
};

}  // namespace siftsearch::verify
