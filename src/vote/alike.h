#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "siftsearch/search_backend.h"

namespace siftsearch::vote {

/// Finds, among signatures that are put before it one by one, those near each query's
/// (BackendSnapshot::FindAlike). For one thread.
class AlikeFinder {
 public:
  /// `queries` must outlive it.
  AlikeFinder(std::span<const AlikeQuery> queries, int most);

  void Visit(std::int64_t content, const Pdq& signature);

  /// By query, nearest first, then by content.
  std::vector<std::vector<AlikeContent>> Take();

 private:
  const std::span<const AlikeQuery> queries_;
  const int most_;
  std::vector<std::vector<AlikeContent>> found_;
};

}  // namespace siftsearch::vote
