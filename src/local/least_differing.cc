#include "local/least_differing.h"

#include <algorithm>
#include <array>

namespace siftsearch::local {
namespace {

constexpr std::size_t kFarthest = 128;
constexpr int kDifferingShift = 56;
constexpr std::uint64_t kPlaceBits = (std::uint64_t{1} << kDifferingShift) - 1;

}  // namespace

void LeastDiffering::Add(std::span<const kernel::NearSignature> found, std::size_t file,
                         std::uint32_t first) {
  for (const kernel::NearSignature near : found) {
    const std::uint64_t differing = near >> 32, entry = first + (near & 0xffffffff);
    entries_.push_back(differing << kDifferingShift | std::uint64_t{file} << 32 | entry);
  }
  if (entries_.size() > room_) Tighten();
}

std::span<const std::uint64_t> LeastDiffering::TakePlaces() {
  if (entries_.size() > wanted_) Tighten();
  for (std::uint64_t& entry : entries_) entry &= kPlaceBits;
  std::sort(entries_.begin(), entries_.end());
  return entries_;
}

void LeastDiffering::Tighten() {
  std::array<std::size_t, kFarthest + 1> counts = {};
  for (const std::uint64_t entry : entries_) ++counts[entry >> kDifferingShift];
  std::size_t kept = 0;
  for (limit_ = 0; (kept += counts[static_cast<std::size_t>(limit_)]) < wanted_;) ++limit_;
  std::erase_if(entries_, [&](std::uint64_t entry) {
    return entry >> kDifferingShift > static_cast<std::uint64_t>(limit_);
  });
  room_ = kept + wanted_;
}

}  // namespace siftsearch::local
