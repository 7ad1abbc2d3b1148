#include "verify/decision_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "base/status_macros.h"
#include "verify/shipped_model.h"

namespace siftsearch::verify {
namespace {

using Json = nlohmann::json;

constexpr int kFormat = 1;
constexpr std::size_t kMostNodes = 4096;

/// Thrown inside this file only.
struct Wrong {
  std::string field;
};

template <typename T>
T Field(const Json& json, const std::string& name) {
  try {
    return json.at(name).get<T>();
  } catch (const Json::exception&) {
    throw Wrong{name};
  }
}

std::int16_t TermIndex(const std::string& name) {
  for (std::size_t i = 0; i < kEvidenceTerms.size(); ++i) {
    if (kEvidenceTerms[i].name == name) return static_cast<std::int16_t>(i);
  }
  throw Wrong{"terms: " + name};
}

void CheckAscending(const std::vector<double>& values, const char* name) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i]) || (i > 0 && values[i] <= values[i - 1])) throw Wrong{name};
  }
}

}  // namespace

struct DecisionModel::Reader {
  std::vector<std::int16_t> terms;

  Tree ReadTree(const Json& json) const {
    const auto term = Field<std::vector<int>>(json, "term");
    const auto left = Field<std::vector<int>>(json, "left");
    const auto right = Field<std::vector<int>>(json, "right");
    const auto threshold = Field<std::vector<double>>(json, "threshold");
    const auto value = Field<std::vector<double>>(json, "value");
    const std::size_t size = term.size();
    if (size == 0 || size > kMostNodes || left.size() != size || right.size() != size ||
        threshold.size() != size || value.size() != size) {
      throw Wrong{"trees: sizes"};
    }
    Tree tree(size);
    for (std::size_t i = 0; i < size; ++i) {
      if (!std::isfinite(threshold[i]) || !std::isfinite(value[i])) throw Wrong{"trees: value"};
      tree[i].value = value[i];
      tree[i].threshold = threshold[i];
      if (term[i] < 0) continue;
      if (static_cast<std::size_t>(term[i]) >= terms.size()) throw Wrong{"trees: term"};
      tree[i].term = terms[static_cast<std::size_t>(term[i])];
      tree[i].left = Child(left[i], i, size);
      tree[i].right = Child(right[i], i, size);
    }
    return tree;
  }

  /// A child stands behind its parent: so no path is endless.
  static std::int16_t Child(int child, std::size_t parent, std::size_t size) {
    if (child <= static_cast<int>(parent) || child >= static_cast<int>(size)) {
      throw Wrong{"trees: child"};
    }
    return static_cast<std::int16_t>(child);
  }

  Ensemble ReadEnsemble(const Json& json) const {
    Ensemble ensemble;
    ensemble.bias = Field<double>(json, "bias");
    for (const Json& tree : Field<std::vector<Json>>(json, "trees")) {
      ensemble.trees.push_back(ReadTree(tree));
    }
    return ensemble;
  }

  static DecisionModel Read(const Json& json) {
    if (Field<int>(json, "format") != kFormat) throw Wrong{"format"};
    Reader reader;
    for (const auto& name : Field<std::vector<std::string>>(json, "terms")) {
      reader.terms.push_back(TermIndex(name));
    }
    DecisionModel model;
    model.copy_ = reader.ReadEnsemble(Field<Json>(json, "copy"));
    model.scene_ = reader.ReadEnsemble(Field<Json>(json, "scene"));
    const Json calibration = Field<Json>(json, "calibration");
    model.raw_ = Field<std::vector<double>>(calibration, "raw");
    model.calibrated_ = Field<std::vector<double>>(calibration, "log_odds");
    if (model.raw_.size() < 2 || model.raw_.size() != model.calibrated_.size()) {
      throw Wrong{"calibration"};
    }
    CheckAscending(model.raw_, "calibration: raw");
    CheckAscending(model.calibrated_, "calibration: log_odds");
    return model;
  }
};

Result<DecisionModel> DecisionModel::Parse(std::string_view json) {
  const Json parsed = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded())
    return Status(StatusCode::kInvalidArgument, "a decision model that is no JSON");
  try {
    return Reader::Read(parsed);
  } catch (const Wrong& wrong) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("a decision model with a wrong field \"{}\"", wrong.field));
  }
}

const DecisionModel& DecisionModel::Shipped() {
  // Compiled in and tested: of a wrong one value() says why and ends the program.
  static const DecisionModel model = [] {
    const auto bytes = ShippedModel();
    return Parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}).value();
  }();
  return model;
}

double DecisionModel::Ensemble::Sum(const Evidence& evidence) const {
  double sum = bias;
  for (const Tree& tree : trees) {
    const Node* node = tree.data();
    while (node->term >= 0) {
      const double value = evidence.*kEvidenceTerms[static_cast<std::size_t>(node->term)].value;
      node = &tree[static_cast<std::size_t>(value <= node->threshold ? node->left : node->right)];
    }
    sum += node->value;
  }
  return sum;
}

double DecisionModel::Calibrated(double raw) const {
  // Beyond the outermost knots the line of the last two goes on.
  const auto above = std::upper_bound(raw_.begin() + 1, raw_.end() - 1, raw);
  const auto i = static_cast<std::size_t>(above - raw_.begin());
  const double along = (raw - raw_[i - 1]) / (raw_[i] - raw_[i - 1]);
  return calibrated_[i - 1] + along * (calibrated_[i] - calibrated_[i - 1]);
}

double DecisionModel::LogOdds(const Evidence& evidence) const {
  return Calibrated(copy_.Sum(evidence));
}

double DecisionModel::SceneLogOdds(const Evidence& evidence) const { return scene_.Sum(evidence); }

Contributions DecisionModel::Explain(const Evidence& evidence) const {
  Contributions contributions{};
  for (const Tree& tree : copy_.trees) {
    const Node* node = tree.data();
    while (node->term >= 0) {
      const auto term = static_cast<std::size_t>(node->term);
      const double value = evidence.*kEvidenceTerms[term].value;
      const Node* next =
          &tree[static_cast<std::size_t>(value <= node->threshold ? node->left : node->right)];
      contributions[term] += next->value - node->value;
      node = next;
    }
  }
  return contributions;
}

}  // namespace siftsearch::verify
