#pragma once

#include <functional>
#include <string>
#include <vector>

#include "siftsearch/results.h"

namespace siftsearch::report {

/// What decided about a match, in a sentence: "214 points agree in one place; something laid over
/// it covers 61 %". Pure.
std::string Because(const Match& match);

/// What each term of the evidence adds to a score, in the order of kEvidenceTerms (`Explain`).
using PushesOf = std::function<std::vector<double>(const Evidence&)>;

/// Below the table of a query: of each match why, and the terms that push its score most either
/// way, with their values.
std::string ExplanationTable(const QueryResult& result, const PushesOf& pushes_of);

}  // namespace siftsearch::report
