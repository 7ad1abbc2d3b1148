// What each way of counting votes is worth, without verification.
//   vote_bench --bench DIR --db DB
// DIR is a bench of `copybench make`, DB the database of its originals that `copybench run` leaves.
// Each query is extracted and searched once (exact, k = 10, in all forms), then every rule counts
// the same neighbours. Prints a line of JSON for each rule.
#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/parallel.h"
#include "base/status_macros.h"
#include "engine/picture_file.h"
#include "env/file_env.h"
#include "features/extractor.h"
#include "features/forms.h"
#include "kernel/topk.h"
#include "local/local_backend.h"
#include "program.h"
#include "siftsearch/engine.h"
#include "vote/vote.h"

namespace siftsearch::bench {
namespace {

using Json = nlohmann::ordered_json;

const QueryOptions kOptions;
/// All images that got a vote.
constexpr vote::VoteOptions kAll{.max_candidates = std::numeric_limits<int>::max()};
/// Bins of the turn (30° each) and of the scale (an octave each) from query to stored keypoint.
constexpr int kBins = 12;

/// What a neighbour at distance d votes with; K is the k-th neighbour's distance.
enum class Weight {
  kOne,
  kDifference,  ///< K − d: Jégou, Douze, Schmid, INRIA RR-7656, 2011.
  kCloseness,   ///< (1 − d/y)²: vote::CountVotes.
};

struct Rule {
  const char* name;
  Weight weight = Weight::kCloseness;
  bool once = true;         ///< A descriptor votes once for an image.
  bool one_to_one = false;  ///< A stored row gets its heaviest vote only, of equal ones the first.
  /// w · sqrt(w / Σw) over the images of a descriptor (Jégou, Douze, Schmid, "On the burstiness of
  /// visual elements", CVPR 2009, equation 11).
  bool burst = false;
  bool rarity = false;  ///< Times Correspondence::rarity.
  /// Only the votes of the best turn, or of the best scale if they are fewer (Jégou, Douze, Schmid,
  /// "Hamming embedding and weak geometric consistency", ECCV 2008, equation 8).
  bool geometry = false;
};

constexpr std::array kRules = {
    Rule{.name = "every neighbour counts 1", .weight = Weight::kOne, .once = false},
    Rule{.name = "once for an image", .weight = Weight::kOne},
    Rule{.name = "once for an image, one to one", .weight = Weight::kOne, .one_to_one = true},
    Rule{.name = "K - d", .weight = Weight::kDifference},
    Rule{.name = "(1 - d/y)^2"},
    Rule{.name = "(1 - d/y)^2, one to one", .one_to_one = true},
    Rule{.name = "(1 - d/y)^2, burst", .burst = true},
    Rule{.name = "(1 - d/y)^2, rarity", .rarity = true},
    Rule{.name = "(1 - d/y)^2, turn and scale", .geometry = true},
};

struct Stored {
  std::vector<std::uint8_t> rows;
  std::vector<int> image;  ///< Of each row.
  std::vector<Keypoint> keypoints;
  std::map<std::string, int> number;  ///< Of each file name.
};

struct Hit {
  int query = 0;
  std::int64_t row = 0;
  double weight = 0;
  double rarity = 1;
};

using Votes = std::map<int, double>;

Result<Stored> Load(local::LocalBackend& backend) {
  Stored stored;
  Status status;
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, backend.Pin());
  SIFTSEARCH_RETURN_IF_ERROR(snapshot->List([&](const ImageRecord& image) {
    const auto read = snapshot->Features({&image.content, 1});
    status = read.status();
    if (!status.ok()) return false;
    const FeatureSet* const features = &read.value().front();
    const int number = static_cast<int>(stored.number.size());
    stored.number[std::filesystem::path(image.path).filename()] = number;
    stored.rows.insert(stored.rows.end(), features->descriptors.begin(),
                       features->descriptors.end());
    stored.keypoints.insert(stored.keypoints.end(), features->keypoints.begin(),
                            features->keypoints.end());
    stored.image.resize(stored.keypoints.size(), number);
    return true;
  }));
  SIFTSEARCH_RETURN_IF_ERROR(status);
  return stored;
}

/// The votes of vote::CountVotes.
std::vector<Hit> CloseHits(std::span<const vote::Neighbour> neighbours) {
  std::vector<Hit> hits;
  for (const vote::Candidate& candidate : vote::CountVotes(neighbours, kOptions.neighbours, kAll)) {
    for (const vote::Correspondence& vote : candidate.correspondences) {
      hits.push_back({vote.query, vote.row, vote.weight, vote.rarity});
    }
  }
  return hits;
}

double Distance(const vote::Neighbour& neighbour) {
  return std::sqrt(static_cast<double>(neighbour.distance));
}

/// The votes of a rule with another weight.
std::vector<Hit> OtherHits(std::span<const vote::Neighbour> neighbours, const Rule& rule) {
  std::vector<Hit> hits;
  const auto k = static_cast<std::size_t>(kOptions.neighbours);
  for (std::size_t query = 0; query * k < neighbours.size(); ++query) {
    const auto row = neighbours.subspan(query * k, k);
    const double kth = row.back().image < 0 ? vote::kTypicalDistance : Distance(row.back());
    std::set<std::int64_t> seen;
    for (const vote::Neighbour& neighbour : row) {
      if (neighbour.image < 0) break;
      const double weight = rule.weight == Weight::kOne ? 1 : kth - Distance(neighbour);
      if (weight <= 0 || (!seen.insert(neighbour.image).second && rule.once)) continue;
      hits.push_back({static_cast<int>(query), neighbour.row, weight});
    }
  }
  return hits;
}

void NormaliseBursts(std::vector<Hit>& hits) {
  std::map<int, double> sums;
  for (const Hit& hit : hits) sums[hit.query] += hit.weight;
  for (Hit& hit : hits) hit.weight *= std::sqrt(hit.weight / sums[hit.query]);
}

void KeepHeaviestOfRows(std::vector<Hit>& hits) {
  std::sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.query < b.query;
  });
  std::set<std::int64_t> taken;
  std::erase_if(hits, [&](const Hit& hit) { return !taken.insert(hit.row).second; });
}

/// A rule's hits of one form of a query.
std::vector<Hit> Hits(std::span<const vote::Neighbour> neighbours, const Rule& rule) {
  std::vector<Hit> hits =
      rule.weight == Weight::kCloseness ? CloseHits(neighbours) : OtherHits(neighbours, rule);
  if (rule.rarity) {
    for (Hit& hit : hits) hit.weight *= hit.rarity;
  }
  if (rule.burst) NormaliseBursts(hits);
  if (rule.one_to_one) KeepHeaviestOfRows(hits);
  return hits;
}

/// Votes by turn and by scale; the larger of neighbouring bins together.
class Histogram {
 public:
  explicit Histogram(bool round) : round_(round) {}
  void Add(int bin, double weight) { bins_[bin] += weight; }
  double Best() const {
    double best = 0;
    for (std::size_t i = 0; i < bins_.size(); ++i) {
      const bool last = i + 1 == bins_.size();
      best = std::max(best, bins_[i] + (last ? (round_ ? bins_[0] : 0) : bins_[i + 1]));
    }
    return best;
  }

 private:
  std::array<double, kBins> bins_{};
  bool round_;
};

Votes Count(const Stored& stored, const FeatureSet& query,
            std::span<const vote::Neighbour> neighbours, const Rule& rule) {
  const std::vector<Hit> hits = Hits(neighbours, rule);
  Votes votes;
  if (!rule.geometry) {
    for (const Hit& hit : hits) votes[stored.image[hit.row]] += hit.weight;
    return votes;
  }
  std::map<int, std::pair<Histogram, Histogram>> histograms;
  for (const Hit& hit : hits) {
    const Keypoint& from = query.keypoints[hit.query];
    const Keypoint& to = stored.keypoints[hit.row];
    auto& [turns, scales] =
        histograms.try_emplace(stored.image[hit.row], Histogram(true), Histogram(false))
            .first->second;
    const double turn = std::fmod(to.angle - from.angle + 720, 360);
    turns.Add(std::min(kBins - 1, static_cast<int>(turn * kBins / 360)), hit.weight);
    const double octaves = std::log2(to.scale / from.scale);
    scales.Add(std::clamp(static_cast<int>(std::floor(octaves)) + kBins / 2, 0, kBins - 1),
               hit.weight);
  }
  for (const auto& [image, both] : histograms) {
    votes[image] = std::min(both.first.Best(), both.second.Best());
  }
  return votes;
}

/// What a rule's votes said of all queries.
struct Account {
  std::vector<std::pair<double, bool>> pairs;  ///< Votes; whether the pair is right.
  int copies = 0, first = 0;                   ///< Queries that are copies; right image first.
  int right = 0, found = 0;                    ///< Right pairs; among the candidates.
};

std::vector<std::pair<double, int>> Ranked(const Votes& votes) {
  std::vector<std::pair<double, int>> ranked;
  for (const auto& [image, weight] : votes) ranked.emplace_back(weight, image);
  std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  return ranked;
}

/// `forms`: the votes of each form of one query.
void Enter(const std::vector<Votes>& forms, const std::set<int>& right,
           const std::set<int>& ignored, Account& account) {
  Votes best;
  for (const Votes& votes : forms) {
    auto ranked = Ranked(votes);
    const auto most = static_cast<std::size_t>(kOptions.max_candidates);
    ranked.resize(std::min(ranked.size(), most));
    for (const auto& [weight, image] : ranked) best[image] = std::max(best[image], weight);
  }
  for (const auto& [image, weight] : best) {
    if (!ignored.contains(image)) account.pairs.emplace_back(weight, right.contains(image));
  }
  for (const int image : right) account.found += best.contains(image) ? 1 : 0;
  account.right += static_cast<int>(right.size());
  if (right.empty()) return;
  ++account.copies;
  const auto ranked = Ranked(best);
  account.first += !ranked.empty() && right.contains(ranked.front().second) ? 1 : 0;
}

Json Summary(const Rule& rule, Account& account) {
  std::sort(account.pairs.begin(), account.pairs.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  double precisions = 0, recall_99 = 0;
  int hits = 0;
  for (std::size_t i = 0; i < account.pairs.size(); ++i) {
    if (!account.pairs[i].second) continue;
    const double precision = ++hits / static_cast<double>(i + 1);
    precisions += precision;
    if (precision >= 0.99) recall_99 = hits / static_cast<double>(account.right);
  }
  return {{"rule", rule.name},
          {"first", account.first / static_cast<double>(account.copies)},
          {"among_30", account.found / static_cast<double>(account.right)},
          {"micro_ap", precisions / account.right},
          {"recall_at_precision_99", recall_99}};
}

class Bench {
 public:
  Bench(Stored stored, std::unique_ptr<features::FeatureExtractor> extractor)
      : stored_(std::move(stored)), extractor_(std::move(extractor)) {}

  Status Ask(const std::filesystem::path& folder, const Json& truth) {
    SIFTSEARCH_ASSIGN_OR_RETURN(
        const engine::PictureFile file,
        engine::ReadPictureFile(folder / truth["query"].get<std::string>(), InputLimits()));
    SIFTSEARCH_ASSIGN_OR_RETURN(const image::GreyImage picture,
                                image::DecodeGrey(file.bytes, {}, extractor_->settings().max_side));
    SIFTSEARCH_ASSIGN_OR_RETURN(const FeatureSet features, extractor_->Extract(picture));
    std::array<std::vector<Votes>, kRules.size()> votes;
    for (const features::Form form : features::AllForms()) {
      const bool itself = !form.mirrored && !form.inverted;
      const FeatureSet query = features::InForm(
          features, form,
          itself ? features.size() : static_cast<std::size_t>(kOptions.form_features));
      SIFTSEARCH_ASSIGN_OR_RETURN(const auto neighbours, Search(query));
      for (std::size_t i = 0; i < kRules.size(); ++i) {
        votes[i].push_back(Count(stored_, query, neighbours, kRules[i]));
      }
    }
    for (std::size_t i = 0; i < kRules.size(); ++i) {
      Enter(votes[i], Images(truth, "originals"), Images(truth, "ignored"), accounts_[i]);
    }
    return {};
  }

  void Print() {
    for (std::size_t i = 0; i < kRules.size(); ++i) {
      std::cout << Summary(kRules[i], accounts_[i]).dump() << std::endl;
    }
  }

 private:
  /// The neighbours of each descriptor, with the numbers of their images.
  Result<std::vector<vote::Neighbour>> Search(const FeatureSet& query) const {
    std::vector<kernel::Neighbour> nearest;
    const kernel::Variant variant = kernel::SupportedVariants().front();
    const kernel::RowSpan span{stored_.rows.data(), stored_.keypoints.size(), 0};
    SIFTSEARCH_RETURN_IF_ERROR(kernel::TopK(
        {&span, 1}, kDescriptorBytes, query.descriptors,
        {.k = kOptions.neighbours, .threads = AvailableThreads(), .variant = variant}, &nearest));
    std::vector<vote::Neighbour> neighbours;
    for (const auto& [row, distance] : nearest) {
      neighbours.push_back({row, row < 0 ? -1 : stored_.image[row], distance});
    }
    return neighbours;
  }

  std::set<int> Images(const Json& truth, const char* key) const {
    std::set<int> images;
    for (const Json& entry : truth.value(key, Json::array())) {
      const Json& path = entry.is_string() ? entry : entry["path"];
      const auto found =
          stored_.number.find(std::filesystem::path(path.get<std::string>()).filename());
      if (found != stored_.number.end()) images.insert(found->second);
    }
    return images;
  }

  const Stored stored_;
  const std::unique_ptr<features::FeatureExtractor> extractor_;
  std::array<Account, kRules.size()> accounts_;
};

Status Run(const std::filesystem::path& folder, const std::string& database) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto backend,
                              local::LocalBackend::Open(DiskEnv(), database, {.read_only = true}));
  ExtractorSettings settings = backend->settings();
  // As `query` does.
  settings.max_features = static_cast<int>(settings.max_features * kOptions.query_features);
  settings.contrast_threshold = features::kLowContrast;
  SIFTSEARCH_ASSIGN_OR_RETURN(auto extractor, features::MakeExtractor(settings));
  SIFTSEARCH_ASSIGN_OR_RETURN(Stored stored, Load(*backend));
  std::cout
      << Json{{"images", stored.number.size()}, {"descriptors", stored.keypoints.size()}}.dump()
      << std::endl;
  Bench bench(std::move(stored), std::move(extractor));
  std::ifstream truth(folder / "truth.jsonl");
  if (!truth)
    return Status(StatusCode::kNotFound, (folder / "truth.jsonl").string() + " is missing.");
  for (std::string line; std::getline(truth, line);) {
    SIFTSEARCH_RETURN_IF_ERROR(bench.Ask(folder, Json::parse(line)));
  }
  bench.Print();
  return {};
}

}  // namespace
}  // namespace siftsearch::bench

int main(int argc, char** argv) {
  using namespace siftsearch::bench;
  namespace po = boost::program_options;
  std::string folder, database;
  po::options_description named;
  named.add_options()("bench", po::value(&folder)->required(), "folder that copybench made")(
      "db", po::value(&database)->required(), "database of its originals");
  return RunProgram("vote_bench", argc, argv, named, [&] { return Run(folder, database); });
}
