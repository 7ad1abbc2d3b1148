#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "engine/boxes.h"
#include "engine/confirm.h"
#include "engine/impl.h"
#include "engine/match_alone.h"
#include "engine/near_duplicates.h"
#include "verify/score.h"
#include "verify/verify.h"

namespace siftsearch::engine {
namespace {

/// So many contents are looked at closer, and as many more as long as half are copies; only where
/// the points agree better than chance alone would have it.
constexpr std::ptrdiff_t kConfirmedAtOnce = 30;
constexpr double kWorthConfirming = -1;
/// Log10 of the number of false alarms above which the two pictures are matched alone, too: where
/// some voted pairs agree, and of the picture itself the first candidates in any case. Of more than
/// 60,000 others that were matched alone, six became copies (bench/EXPERIMENTS.md).
constexpr double kInDoubt = -30;
constexpr std::size_t kFirstMatchedAlone = 5;
/// Places of one picture in another that are looked for.
constexpr std::size_t kMostPlaces = 12;
/// Two places are one where their boxes overlap by this much (IoU) in both pictures.
constexpr double kSamePlace = 0.3;
/// Of a place in the query, how much may lie in one that is known.
constexpr double kHasItsPlace = 0.5;
/// Of a known place's piece of the query, how much is the same piece once more, and how much of one
/// place in the image may lie in another.
constexpr double kSamePiece = 0.8;
constexpr double kApart = 0.2;
/// A voted pair belongs to a place up to this many times the tolerance of inliers from it.
constexpr double kExplained = 3;

/// Score from which a match is taken for a copy without doubt.
constexpr double kSure = 0.9;
/// How well the pixels of a match must agree for what sure copies have to count as rare in it: a
/// template that the copies share with others stays common.
constexpr double kAgreeingPixels = 0.7;
/// Rarity below which other contents that have the points of a match are compared with it.
constexpr double kCommon = 0.5;

/// A content as one form of the query voted for it.
struct Candidate {
  const QueryForm* form = nullptr;
  const VotedContent* voted = nullptr;
  bool promising = false;  ///< Even where no voted pairs agree.
};

using Candidates = std::vector<Candidate>;

/// Of the geometry alone.
bool AgreesBetter(const VerifiedContent& a, const VerifiedContent& b) {
  const double x = a.match.evidence.log10_false_alarms, y = b.match.evidence.log10_false_alarms;
  if (x != y) return x < y;
  if (a.match.votes != b.match.votes) return a.match.votes > b.match.votes;
  return a.content < b.content;
}

bool RanksBefore(const VerifiedContent& a, const VerifiedContent& b) {
  if (a.match.score != b.match.score || a.match.score > 0) {
    if (a.match.score == 0 || b.match.score == 0) return a.match.score > 0;
    if (a.log_odds != b.log_odds) return a.log_odds > b.log_odds;
  }
  return AgreesBetter(a, b);
}

double OverlapOfBoxes(const Box& a, const Box& b) {
  const double both = SharedArea(a, b);
  return both > 0 ? both / (Area(a) + Area(b) - both) : 0;
}

double ShareInside(const Box& box, const Box& other) {
  const double both = SharedArea(box, other);
  return both > 0 ? both / Area(box) : 0;
}

class CandidateVerifier {
 public:
  CandidateVerifier(const VerifyInput& input, int threads)
      : input_(input), threads_(threads), prepared_(input.forms.size()) {
    for (const QueryForm& form : input.forms) {
      for (std::size_t rank = 0; rank < form.candidates.size(); ++rank) {
        const VotedContent& voted = form.candidates[rank];
        const bool promising = &form == input.forms.data() && rank < kFirstMatchedAlone;
        candidates_[voted.content].push_back({&form, &voted, promising});
      }
    }
    look_ = QueryLook::Of(input.preview);
  }

  Result<std::vector<VerifiedContent>> Run() {
    std::vector<const Candidates*> work;
    for (const auto& [content, candidates] : candidates_) work.push_back(&candidates);
    std::vector<VerifiedContent> verified(work.size());
    std::vector<Status> statuses(work.size());
    ParallelFor(work.size(), threads_, [&](std::size_t i) {
      auto best = Best(*work[i], {});
      statuses[i] = best.status();
      if (best.ok()) verified[i] = std::move(best).value();
    });
    for (const Status& status : statuses) SIFTSEARCH_RETURN_IF_ERROR(status);
    std::stable_sort(verified.begin(), verified.end(), AgreesBetter);
    SIFTSEARCH_RETURN_IF_ERROR(ConfirmBest(verified));
    std::erase_if(verified, [&](const VerifiedContent& v) {
      return v.match.score < input_.min_score ||
             v.match.evidence.log10_false_alarms > input_.max_log10_false_alarms;
    });
    std::stable_sort(verified.begin(), verified.end(), RanksBefore);
    return verified;
  }

 private:
  /// Whether a voted pair agrees with a place that is known.
  bool Explained(const QueryForm& form, const verify::PointPair& pair,
                 const VotedContent& candidate, const std::vector<VerifiedContent>& places) const {
    const double reach = kExplained * verify::VerifyOptions().tolerance *
                         std::max(candidate.width, candidate.height);
    return std::any_of(places.begin(), places.end(), [&](const VerifiedContent& place) {
      if (&input_.forms[place.form] != &form) return false;
      const Point at = verify::Apply(place.image_from_form, {pair.query.x, pair.query.y});
      return std::hypot(at.x - pair.image.x, at.y - pair.image.y) <= reach;
    });
  }

  VerifiedContent Fit(const QueryForm& form, const VotedContent& candidate,
                      const std::vector<VerifiedContent>& places) const {
    const FeatureSet& query = form.features;
    std::vector<verify::PointPair> pairs;
    pairs.reserve(candidate.pairs.size());
    std::vector<float> rarity;
    std::vector<std::int32_t> queries;
    for (const VotedPair& pair : candidate.pairs) {
      pairs.push_back({query.keypoints[pair.query], pair.image, pair.weight});
      if (Explained(form, pairs.back(), candidate, places)) {
        pairs.pop_back();
        continue;
      }
      rarity.push_back(pair.rarity);
      queries.push_back(pair.query);
    }
    verify::VerifyOptions options;
    // Each form is a picture more that chance could agree with.
    options.images_searched = input_.images_searched * static_cast<double>(input_.forms.size());
    const verify::Verification fit = verify::FitSimilarity(
        pairs, {query.width, query.height}, {candidate.width, candidate.height}, options);
    VerifiedContent verified;
    verified.content = candidate.content;
    verified.form = static_cast<std::size_t>(&form - input_.forms.data());
    verified.image_from_form = fit.image_from_query;
    Match& match = verified.match;
    match.evidence.log10_false_alarms = fit.log10_false_alarms;
    match.votes = candidate.votes;
    for (const std::int32_t i : fit.inliers) {
      verified.close += pairs[i].weight;
      verified.common.emplace_back(queries[i], 1 / rarity[i] - 1);
    }
    match.inliers = fit.distinct_inliers;
    match.mirrored = form.form.mirrored;
    match.inverted = form.form.inverted;
    return verified;
  }

  /// The best form's fit of a content, without what `places` explain; where the votes leave doubt,
  /// of the pairs that matching the two pictures alone gives, if they agree better.
  Result<VerifiedContent> Best(const Candidates& candidates,
                               const std::vector<VerifiedContent>& places) const {
    std::optional<VerifiedContent> best;
    const auto take = [&](VerifiedContent fit) {
      if (!best || AgreesBetter(fit, *best)) best = std::move(fit);
    };
    std::optional<Result<FeatureSet>> image;
    for (const auto& [form, voted, promising] : candidates) {
      VerifiedContent fit = Fit(*form, *voted, places);
      const double false_alarms = fit.match.evidence.log10_false_alarms;
      const bool in_doubt = false_alarms > kInDoubt && (promising || false_alarms < 0);
      const bool may_miss_rows = !form->nearest.empty();
      take(std::move(fit));
      const bool incomplete = may_miss_rows && false_alarms < kWorthConfirming;
      // A picture alone with itself is but the same.
      if (!(in_doubt || incomplete) || input_.itself) continue;
      if (!image) image = input_.features_of(voted->content);
      if (image->status().code() == StatusCode::kNotFound) continue;  // Removed meanwhile.
      SIFTSEARCH_RETURN_IF_ERROR(image->status());
      SIFTSEARCH_ASSIGN_OR_RETURN(const auto alone, Nearest(*form, **image));
      if (!may_miss_rows) {
        take(Fit(*form, MatchAlone(alone, **image, *voted), places));
        continue;
      }
      const VotedContent complete = WithMissedVotes(alone, **image, form->nearest, *voted);
      take(Fit(*form, complete, places));
      if (in_doubt) take(Fit(*form, MatchAlone(alone, **image, complete), places));
    }
    return std::move(*best);
  }

  /// The rows of a picture alone that are nearest to each descriptor of a form.
  Result<std::vector<kernel::Neighbour>> Nearest(const QueryForm& form,
                                                 const FeatureSet& image) const {
    SIFTSEARCH_ASSIGN_OR_RETURN(const kernel::PreparedQueries* const descriptors, Prepared(form));
    return NearestAlone(form.features.size(), *descriptors, image);
  }

  /// The descriptors of a form, laid out when they are needed for the first time.
  Result<const kernel::PreparedQueries*> Prepared(const QueryForm& form) const {
    auto& prepared = prepared_[static_cast<std::size_t>(&form - input_.forms.data())];
    std::call_once(prepared.once, [&] {
      prepared.queries.emplace(kernel::PreparedQueries::Make(form.features.descriptors,
                                                             kDescriptorBytes, input_.kernel));
    });
    SIFTSEARCH_RETURN_IF_ERROR(prepared.queries->status());
    return &**prepared.queries;
  }

  /// Makes the whole features of those forms of which only the strongest were searched.
  void CompleteForms() {
    const FeatureSet& whole = input_.forms.front().features;
    for (const QueryForm& form : input_.forms) {
      complete_.push_back(form.features.size() == whole.size() ? nullptr
                                                               : std::make_unique<QueryForm>());
      if (!complete_.back()) continue;
      complete_.back()->form = form.form;
      complete_.back()->features = features::InForm(whole, form.form, whole.size());
    }
  }

  const QueryForm& CompleteForm(std::size_t index) const {
    return complete_[index] ? *complete_[index] : input_.forms[index];
  }

  /// Confirms a fit, then looks for further places of the same picture.
  Status ConfirmPlaces(VerifiedContent first, std::vector<VerifiedContent>& places) const {
    VerifiedContent next = std::move(first);
    while (true) {
      SIFTSEARCH_RETURN_IF_ERROR(Confirm(input_.features_of, CompleteForm(next.form), look_,
                                         input_.itself, input_.keep_points, next));
      if (!places.empty() && !(next.match.copy && IsNewPlace(next.match, places))) return {};
      places.push_back(std::move(next));
      if (!places.back().match.copy || places.size() >= kMostPlaces) return {};
      SIFTSEARCH_ASSIGN_OR_RETURN(next, Best(candidates_.at(places.front().content), places));
      if (next.match.evidence.log10_false_alarms >= kWorthConfirming) return {};
    }
  }

  static bool IsWholeAndApart(const Match& match, const Match& known) {
    return ShareInside(known.query_box, match.query_box) > kSamePiece &&
           ShareInside(match.image_box, known.image_box) < kApart &&
           ShareInside(known.image_box, match.image_box) < kApart;
  }

  bool IsNewPlace(const Match& match, const std::vector<VerifiedContent>& places) const {
    return std::none_of(places.begin(), places.end(), [&](const VerifiedContent& place) {
      const Match& known = place.match;
      // A piece of the query that has its place is not elsewhere in the image as well, but all of
      // it and apart from there: what repeats in it (lines of a watermark) fits in other places,
      // too.
      if (!input_.itself && ShareInside(match.query_box, known.query_box) > kHasItsPlace &&
          !IsWholeAndApart(match, known)) {
        return true;
      }
      return OverlapOfBoxes(match.query_box, known.query_box) > kSamePlace &&
             OverlapOfBoxes(match.image_box, known.image_box) > kSamePlace;
    });
  }

  /// `verified`, in the order of AgreesBetter, becomes what confirming the best of it gives, and
  /// the rest. Where half are copies there may be more.
  Status ConfirmBest(std::vector<VerifiedContent>& verified) {
    std::vector<VerifiedContent> confirmed;
    const auto worth = std::find_if(verified.begin(), verified.end(), [](const auto& v) {
      return v.match.evidence.log10_false_alarms >= kWorthConfirming;
    });
    auto next = verified.begin();
    bool more = false;
    do {
      const auto count = std::min<std::ptrdiff_t>(kConfirmedAtOnce, worth - next);
      const std::size_t before = confirmed.size();
      SIFTSEARCH_RETURN_IF_ERROR(ConfirmAll({next, next + count}, confirmed));
      next += count;
      SIFTSEARCH_RETURN_IF_ERROR(DiscountAll({next, worth}, confirmed));
      // Only a content's first place may be no copy.
      const auto others =
          std::count_if(confirmed.begin() + static_cast<std::ptrdiff_t>(before), confirmed.end(),
                        [](const auto& v) { return !v.match.copy; });
      more = count == kConfirmedAtOnce && 2 * others <= count;
    } while (more);
    std::move(next, verified.end(), std::back_inserter(confirmed));
    verified = std::move(confirmed);
    return {};
  }

  Status ConfirmAll(std::span<VerifiedContent> contents, std::vector<VerifiedContent>& confirmed) {
    if (!contents.empty() && complete_.empty()) CompleteForms();
    std::vector<Status> statuses(contents.size());
    std::vector<std::vector<VerifiedContent>> places(contents.size());
    ParallelFor(contents.size(), threads_, [&](std::size_t i) {
      statuses[i] = ConfirmPlaces(std::move(contents[i]), places[i]);
    });
    for (const Status& status : statuses) SIFTSEARCH_RETURN_IF_ERROR(status);
    for (auto& found : places) std::move(found.begin(), found.end(), std::back_inserter(confirmed));
    return {};
  }

  /// Until no more matches become sure. `pending` are contents that are still to be confirmed.
  Status DiscountAll(std::span<const VerifiedContent> pending,
                     std::vector<VerifiedContent>& confirmed) {
    std::size_t sure = 0;
    do {
      while (DiscountCopies(confirmed)) {
      }
      sure = SureContents(confirmed).size();
      SIFTSEARCH_RETURN_IF_ERROR(DiscountNearDuplicates(pending, confirmed));
    } while (SureContents(confirmed).size() != sure);
    return {};
  }

  static std::set<std::int64_t> SureContents(std::span<const VerifiedContent> confirmed) {
    std::set<std::int64_t> sure;
    for (const VerifiedContent& v : confirmed) {
      if (v.match.score >= kSure) sure.insert(v.content);
    }
    return sure;
  }

  /// How many of the contents that `counts` each point of the form voted for.
  template <typename Predicate>
  static std::vector<int> HowManyHave(const QueryForm& form, const Predicate& counts) {
    std::vector<int> by_point(form.features.size(), 0);
    for (const VotedContent& candidate : form.candidates) {
      if (!counts(candidate.content)) continue;
      for (const VotedPair& pair : candidate.pairs) ++by_point[pair.query];
    }
    return by_point;
  }

  /// What sure copies of the query have is not common for that: it counts as rare again in others
  /// whose pixels agree. True when one more may have become sure.
  bool DiscountCopies(std::vector<VerifiedContent>& confirmed) {
    const auto sure = SureContents(confirmed);
    if (sure.size() == discounted_) return false;
    discounted_ = sure.size();
    const auto is_sure = [&](std::int64_t content) { return sure.contains(content); };
    std::vector<std::vector<int>> copies;
    for (const QueryForm& form : input_.forms) copies.push_back(HowManyHave(form, is_sure));
    for (VerifiedContent& v : confirmed) {
      if (!v.has_pixels || is_sure(v.content)) continue;
      const bool agrees = v.match.evidence.pixels_inside >= kAgreeingPixels;
      SetRarity(agrees ? MeanRarity(v, copies[v.form], {}) : MeanRarity(v, {}, {}), v);
    }
    return true;
  }

  /// A picture that is stored several times does not make itself common. Matches that other
  /// contents make common are grouped with those and with sure ones where they show the same
  /// picture.
  Status DiscountNearDuplicates(std::span<const VerifiedContent> pending,
                                std::vector<VerifiedContent>& confirmed) const {
    const auto sure = SureContents(confirmed);
    std::vector<std::size_t> common, sure_ones, hopeless;
    for (std::size_t i = 0; i < confirmed.size(); ++i) {
      if (confirmed[i].match.score >= kSure) {
        sure_ones.push_back(i);
      } else if (!sure.contains(confirmed[i].content) && IsCommon(confirmed[i])) {
        (CouldBeCopy(confirmed[i]) ? common : hopeless).push_back(i);
      }
    }
    for (auto* indexes : {&common, &sure_ones, &hopeless}) {
      std::stable_sort(indexes->begin(), indexes->end(), [&](std::size_t a, std::size_t b) {
        return RanksBefore(confirmed[a], confirmed[b]);
      });
    }
    std::vector<std::size_t> others = std::move(sure_ones);
    others.insert(others.end(), hopeless.begin(), hopeless.end());
    SIFTSEARCH_ASSIGN_OR_RETURN(
        const auto groups, NearDuplicates(input_.features_of, confirmed, common, others, threads_));
    for (const auto& group : groups) DiscountGroup(group, pending, confirmed);
    return {};
  }

  /// Whether it would be one, were its points rare.
  bool CouldBeCopy(VerifiedContent v) const {
    SetRarity(1, v);
    return v.match.copy;
  }

  static bool IsCommon(const VerifiedContent& v) {
    return v.has_pixels && MeanRarity(v, {}, {}) < kCommon &&
           v.match.evidence.log10_false_alarms < verify::kSurelyNoChance &&
           v.match.evidence.pixels_inside >= verify::kDeniedPixels;
  }

  /// Of the other contents that have a point of an unsure match, the share that is in its group
  /// does not count; that share is the one among the candidates that are not pending.
  void DiscountGroup(std::span<const std::size_t> group, std::span<const VerifiedContent> pending,
                     std::vector<VerifiedContent>& confirmed) const {
    std::set<std::int64_t> members, waiting;
    for (const std::size_t i : group) members.insert(confirmed[i].content);
    for (const VerifiedContent& v : pending) waiting.insert(v.content);
    const QueryForm& form = input_.forms[confirmed[group.front()].form];
    const auto in_group =
        HowManyHave(form, [&](auto content) { return members.contains(content); });
    const auto known = HowManyHave(form, [&](auto content) { return !waiting.contains(content); });
    std::vector<double> shares(known.size());
    for (std::size_t point = 0; point < shares.size(); ++point) {
      if (in_group[point] > 1) shares[point] = (in_group[point] - 1.0) / (known[point] - 1.0);
    }
    for (const std::size_t i : group) {
      VerifiedContent& v = confirmed[i];
      const double rarity = MeanRarity(v, {}, shares);
      if (v.match.score < kSure && rarity > v.match.evidence.rarity) SetRarity(rarity, v);
    }
  }

  void SetRarity(double rarity, VerifiedContent& v) const {
    v.match.evidence.rarity = rarity;
    Score(input_.itself, v);
  }

  struct PreparedForm {
    std::once_flag once;
    std::optional<Result<kernel::PreparedQueries>> queries;
  };

  const VerifyInput& input_;
  const int threads_;
  mutable std::vector<PreparedForm> prepared_;  ///< By form.
  std::size_t discounted_ = 0;                  ///< Sure copies when rarity was last discounted.
  QueryLook look_;
  std::map<std::int64_t, Candidates> candidates_;
  std::vector<std::unique_ptr<QueryForm>> complete_;  ///< By form; null: as it was searched.
};

}  // namespace

Result<std::vector<VerifiedContent>> VerifyCandidates(const VerifyInput& input, int threads) {
  return CandidateVerifier(input, threads).Run();
}

}  // namespace siftsearch::engine
