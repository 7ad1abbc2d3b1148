#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "siftsearch/search_backend.h"
#include "siftsearch/types.h"

namespace siftsearch::local {

/// Random features, the same for the same seed; different seeds have nothing in common.
inline std::shared_ptr<const FeatureSet> MakeFeatures(int seed, int descriptors = 12) {
  auto features = std::make_shared<FeatureSet>();
  features->width = 200 + seed % 50;
  features->height = 100;
  std::mt19937 random(static_cast<unsigned>(seed));
  for (int i = 0; i < descriptors; ++i) {
    features->keypoints.push_back({.x = static_cast<float>(i),
                                   .y = static_cast<float>(seed % 90),
                                   .scale = 4,
                                   .angle = static_cast<float>(i % 360)});
    for (int j = 0; j < kDescriptorBytes; ++j) {
      features->descriptors.push_back(static_cast<std::uint8_t>(random() % 128));
    }
  }
  return features;
}

inline ContentHash MakeHash(int seed) {
  ContentHash hash{};
  for (int i = 0; i < 4; ++i) hash[static_cast<std::size_t>(i)] = (seed >> (8 * i)) & 0xff;
  hash[31] = 1;
  return hash;
}

/// A file whose content is that of the seed.
inline PutItem MakeItem(const std::string& path, int seed, int descriptors = 12) {
  PutItem item;
  item.path = path;
  item.file_bytes = 1000 + seed;
  item.modified_ns = 5;
  item.hash = MakeHash(seed);
  item.features = MakeFeatures(seed, descriptors);
  return item;
}

inline PutOutcome PutOne(SearchBackend& backend, const PutItem& item) {
  const auto outcomes = backend.Put({&item, 1});
  EXPECT_TRUE(outcomes.ok()) << outcomes.status().message();
  return outcomes.ok() ? outcomes->front() : PutOutcome{};
}

/// What a test reads through: the newest commit.
inline std::shared_ptr<const BackendSnapshot> Pinned(SearchBackend& backend) {
  auto snapshot = backend.Pin();
  if (!snapshot.ok()) throw std::runtime_error(snapshot.status().message());
  return std::move(snapshot).value();
}

inline Result<FeatureSet> FeaturesOf(SearchBackend& backend, std::int64_t content) {
  auto features = Pinned(backend)->Features({&content, 1});
  if (!features.ok()) return features.status();
  return std::move(features->at(0));
}

inline std::vector<ImageRecord> ImagesOf(SearchBackend& backend, std::int64_t content) {
  const auto images = Pinned(backend)->Describe({&content, 1});
  EXPECT_TRUE(images.ok()) << images.status().message();
  return images.ok() ? images->at(0) : std::vector<ImageRecord>();
}

/// Best content of a search for a seed's features; 0 when nothing has votes.
inline std::int64_t BestContent(SearchBackend& backend, int seed, std::int64_t exclude = 0,
                                int descriptors = 12) {
  const auto features = MakeFeatures(seed, descriptors);
  const SearchQuery query{.features = features.get(), .exclude_content = exclude};
  const auto results = Pinned(backend)->Search({&query, 1}, {.neighbours = 3});
  EXPECT_TRUE(results.ok()) << results.status().message();
  return results.ok() && !results->front().candidates.empty()
             ? results->front().candidates.front().content
             : 0;
}

/// Path → hash of all images: what a database says it holds.
inline std::map<std::string, ContentHash> StateOf(SearchBackend& backend) {
  std::map<std::string, ContentHash> state;
  const Status status = Pinned(backend)->List([&](const ImageRecord& image) {
    state[image.path] = image.hash;
    return true;
  });
  EXPECT_TRUE(status.ok()) << status.message();
  return state;
}

inline void ExpectSound(SearchBackend& backend) {
  const auto problems = backend.Check();
  ASSERT_TRUE(problems.ok()) << problems.status().message();
  for (const CheckProblem& problem : *problems) {
    ADD_FAILURE() << problem.file << ": " << problem.problem;
  }
}

/// A folder of its own for a test, removed with it.
class TestFolder {
 public:
  TestFolder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string(test->test_suite_name()) + "." + test->name();
    for (char& c : name) c = c == '/' ? '_' : c;
    root_ = std::filesystem::path(::testing::TempDir()) /
            ("siftsearch_" + std::to_string(getpid()) + "_" + name);
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  ~TestFolder() { std::filesystem::remove_all(root_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string path(const std::string& name) const { return root_ / name; }

 private:
  std::filesystem::path root_;
};

}  // namespace siftsearch::local
