#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "siftsearch/engine.h"

namespace siftsearch {

/// Blocks of noise as a PGM file, the same for the same seed: has some hundred keypoints, none in
/// common with another seed's.
inline std::vector<std::uint8_t> NoisePicture(unsigned seed) {
  constexpr int kSide = 96;
  constexpr int kBlock = 4;
  const std::string head = "P5 96 96 255\n";
  std::vector<std::uint8_t> bytes(head.begin(), head.end());
  std::mt19937 random(seed);
  std::vector<int> cells(kSide * kSide / (kBlock * kBlock));
  for (int& cell : cells) cell = static_cast<int>(random() % 256);
  for (int i = 0; i < kSide * kSide; ++i) {
    const int cell = (i / kSide / kBlock) * (kSide / kBlock) + i % kSide / kBlock;
    bytes.push_back(static_cast<std::uint8_t>(cells[static_cast<std::size_t>(cell)]));
  }
  return bytes;
}

inline std::string NoiseName(unsigned seed) { return "noise " + std::to_string(seed); }

/// Adds the pictures of the seeds from `first` on, in one commit.
inline Result<AddSummary> AddNoise(Engine& engine, unsigned first, unsigned count) {
  unsigned given = 0;
  const auto next = [&]() -> std::optional<AddInput> {
    if (given == count) return std::nullopt;
    const unsigned seed = first + given++;
    AddInput input;
    input.path = NoiseName(seed);
    input.read = [seed] { return Result(NoisePicture(seed)); };
    return input;
  };
  return engine.Add(next, {}, [](const AddOutcome&) {});
}

inline QueryInput NoiseQuery(unsigned seed) {
  QueryInput input;
  input.name = "query";
  input.bytes = NoisePicture(seed);
  return input;
}

}  // namespace siftsearch
