#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "env/file_env.h"
#include "segment/segment_reader.h"
#include "segment/segment_writer.h"
#include "siftsearch/types.h"

namespace siftsearch {

inline constexpr std::uint64_t kDigest = 0x0123456789abcdef;
inline constexpr std::array<std::uint64_t, 1> kDigests = {kDigest};

/// Features with random descriptors and keypoints inside the picture.
inline FeatureSet RandomFeatures(std::uint32_t seed, std::size_t rows, int width = 640,
                                 int height = 480) {
  std::mt19937 random(seed);
  const auto uniform = [&](double to) {
    return static_cast<float>(std::uniform_real_distribution<double>(0, to)(random));
  };
  FeatureSet features{.width = width, .height = height, .keypoints = {}, .descriptors = {}};
  for (std::size_t row = 0; row < rows; ++row) {
    features.keypoints.push_back(
        {uniform(width - 1), uniform(height - 1), 1.5f + uniform(width / 8.0), uniform(359.99)});
  }
  features.descriptors.resize(rows * kDescriptorBytes);
  for (auto& byte : features.descriptors) byte = static_cast<std::uint8_t>(random());
  return features;
}

/// Writes a whole segment; the first error ends it.
inline Result<SegmentSummary> WriteSegment(FileEnv& env, const std::string& path,
                                           const std::map<std::int64_t, FeatureSet>& contents) {
  auto writer = SegmentWriter::Create(env, path, kDigest);
  if (!writer.ok()) return writer.status();
  for (const auto& [content, features] : contents) {
    if (Status status = (*writer)->Add(content, features); !status.ok()) return status;
  }
  return (*writer)->Finish();
}

/// Opens and verifies.
inline Status CheckSegment(FileEnv& env, const std::string& path) {
  auto reader = SegmentReader::Open(env, path, kDigests);
  return reader.ok() ? (*reader)->Verify(1) : reader.status();
}

inline std::vector<std::uint8_t> ReadAll(FileEnv& env, const std::string& path) {
  auto file = env.Map(path);
  EXPECT_TRUE(file.ok()) << file.status().message();
  if (!file.ok()) return {};
  return {(*file)->bytes().begin(), (*file)->bytes().end()};
}

inline void WriteAll(FileEnv& env, const std::string& path, std::span<const std::uint8_t> bytes) {
  auto file = env.Create(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_TRUE((*file)->Append(bytes).ok());
  ASSERT_TRUE((*file)->Close().ok());
}

}  // namespace siftsearch
