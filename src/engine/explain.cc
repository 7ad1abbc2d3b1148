#include "siftsearch/engine.h"
#include "verify/decision_model.h"

namespace siftsearch {

std::vector<double> Explain(const Evidence& evidence) {
  const verify::Contributions pushes = verify::DecisionModel::Shipped().Explain(evidence);
  return {pushes.begin(), pushes.end()};
}

}  // namespace siftsearch
