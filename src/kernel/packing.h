#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernel/scan.h"
#include "kernel/topk.h"

namespace siftsearch::kernel {

/// Queries of one pass in the layout of a variant (scan.h).
class Packing {
 public:
  /// `queries`: n × dim bytes; borrowed.
  Packing(Variant variant, std::span<const std::uint8_t> queries, std::size_t dim);
  Packing(const Packing&) = delete;
  Packing& operator=(const Packing&) = delete;

  const PackedQueries& view() const { return view_; }

 private:
  void AddCoarse(std::span<const std::uint8_t> queries, std::size_t dim);

  const std::vector<std::int32_t> norms_;
  std::vector<std::int16_t> words_;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::int8_t> coarse_;
  std::vector<float> steps_;
  std::vector<float> rests_;
  PackedQueries view_;
};

}  // namespace siftsearch::kernel
