#include "local/merge_plan.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace siftsearch::local {
namespace {

constexpr std::size_t kFewestMerged = kMergeFanOut / 2;

/// One part, or several that this plan has put together.
struct Group {
  std::vector<std::size_t> parts;
  std::int64_t rows = 0;
  std::int64_t bytes = 0;

  std::int64_t unread_bytes() const { return parts.size() > 1 ? 0 : bytes; }
};

int TierOf(std::int64_t rows) {
  int tier = 0;
  while (rows >= static_cast<std::int64_t>(kMergeFanOut)) {
    rows /= static_cast<std::int64_t>(kMergeFanOut);
    ++tier;
  }
  return tier;
}

/// The first members that fit what is left of the byte limit.
std::vector<std::size_t> Fitting(const std::vector<Group>& groups,
                                 const std::vector<std::size_t>& members, std::int64_t* budget) {
  std::vector<std::size_t> fitting;
  std::int64_t left = *budget;
  for (std::size_t member : members) {
    if (groups[member].unread_bytes() > left) break;
    left -= groups[member].unread_bytes();
    fitting.push_back(member);
  }
  if (fitting.size() < kFewestMerged) return {};
  *budget = left;
  return fitting;
}

/// The first of the members takes in the others.
void Merge(const std::vector<std::size_t>& members, std::vector<Group>* groups) {
  Group& target = (*groups)[members.front()];
  for (std::size_t i = 1; i < members.size(); ++i) {
    const Group& source = (*groups)[members[i]];
    target.parts.insert(target.parts.end(), source.parts.begin(), source.parts.end());
    target.rows += source.rows;
    target.bytes += source.bytes;
  }
  for (std::size_t i = members.size(); i-- > 1;) {
    groups->erase(groups->begin() + static_cast<std::ptrdiff_t>(members[i]));
  }
}

bool MergeOneTier(std::vector<Group>* groups, std::int64_t* budget) {
  std::map<int, std::vector<std::size_t>> tiers;
  for (std::size_t i = 0; i < groups->size(); ++i) tiers[TierOf((*groups)[i].rows)].push_back(i);
  for (const auto& [tier, members] : tiers) {
    if (members.size() < kMergeFanOut) continue;
    const std::vector<std::size_t> fitting = Fitting(*groups, members, budget);
    if (fitting.empty()) continue;
    Merge(fitting, groups);
    return true;
  }
  return false;
}

}  // namespace

std::vector<std::vector<std::size_t>> PlanMerges(std::span<const MergePart> parts) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    groups.push_back({.parts = {i}, .rows = parts[i].rows, .bytes = parts[i].bytes});
  }
  const auto all =
      std::accumulate(parts.begin(), parts.end(), std::int64_t{0},
                      [](std::int64_t bytes, const MergePart& part) { return bytes + part.bytes; });
  std::int64_t budget = std::max(kMaxMergeBytes, all / kMaxMergePart);
  while (MergeOneTier(&groups, &budget)) {
  }
  std::vector<std::vector<std::size_t>> merged;
  for (Group& group : groups) {
    if (group.parts.size() < 2) continue;
    std::sort(group.parts.begin(), group.parts.end());
    merged.push_back(std::move(group.parts));
  }
  return merged;
}

}  // namespace siftsearch::local
