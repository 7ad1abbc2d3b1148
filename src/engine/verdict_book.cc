#include "engine/verdict_book.h"

#include <algorithm>

#include "base/status_macros.h"

namespace siftsearch::engine {

Result<VerdictBook> VerdictBook::Of(const BackendSnapshot& snapshot) {
  VerdictBook book;
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto records, snapshot.Verdicts());
  for (const VerdictRecord& record : records) {
    book.verdicts_[{record.a, record.b}] = record.verdict;
    if (record.verdict == Verdict::kConfirmed) book.confirmed_.insert({record.a, record.b});
  }
  return book;
}

std::optional<Verdict> VerdictBook::Find(const ContentHash& a, const ContentHash& b) const {
  const auto [low, high] = std::minmax(a, b);
  for (const auto& key :
       {std::pair(low, high), std::pair(a, ContentHash{}), std::pair(b, ContentHash{})}) {
    const auto found = verdicts_.find(key);
    if (found != verdicts_.end()) return found->second;
  }
  return std::nullopt;
}

bool VerdictBook::Apply(const ContentHash& query, Match& match) const {
  if (verdicts_.empty()) return true;
  match.verdict = Find(query, match.image.hash);
  if (!match.verdict) return true;
  match.copy = match.verdict == Verdict::kConfirmed;
  match.kind = match.copy ? MatchKind::kCopy : MatchKind::kUnclear;
  return match.copy;
}

}  // namespace siftsearch::engine
