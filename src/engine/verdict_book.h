#pragma once

#include <map>
#include <set>
#include <utility>

#include "siftsearch/results.h"
#include "siftsearch/search_backend.h"

namespace siftsearch::engine {

/// The verdicts of a database, to look up.
class VerdictBook {
 public:
  static Result<VerdictBook> Of(const BackendSnapshot& snapshot);

  /// What was decided about two contents, or about either of them alone.
  std::optional<Verdict> Find(const ContentHash& a, const ContentHash& b) const;

  bool has_confirmed() const { return !confirmed_.empty(); }
  /// True of a content that was decided to be a copy of another: its matches are listed however
  /// little speaks for them.
  bool IsConfirmed(const ContentHash& content) const { return confirmed_.contains(content); }

  /// Sets a match's verdict and what follows from it: a confirmed one is a copy. False where the
  /// two are no copies. `query` is all zeros where it is not known.
  bool Apply(const ContentHash& query, Match& match) const;

 private:
  std::map<std::pair<ContentHash, ContentHash>, Verdict> verdicts_;
  std::set<ContentHash> confirmed_;
};

}  // namespace siftsearch::engine
