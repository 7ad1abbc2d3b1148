#include "index/approximate_index.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "index/factory_key.h"
#include "index/index_cache.h"
#include "index_test_util.h"
#include "kernel/topk.h"
#include "siftsearch/types.h"

namespace siftsearch::index {
namespace {

constexpr std::size_t kRows = 20'000;
constexpr std::size_t kQueries = 200;
constexpr std::size_t kRowsEach = 500;  // Of a content.
constexpr int kNeighbours = 10;

/// Rows around 400 centres, as descriptors have clusters.
std::vector<std::uint8_t> ClusteredRows(std::size_t rows, unsigned seed) {
  const auto centres = RandomBytes(400 * kDescriptorBytes, 7);
  std::mt19937 random(seed);
  std::normal_distribution<float> noise(0, 12);
  std::vector<std::uint8_t> bytes;
  bytes.reserve(rows * kDescriptorBytes);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::uint8_t* centre = centres.data() + random() % 400 * kDescriptorBytes;
    for (int i = 0; i < kDescriptorBytes; ++i) {
      bytes.push_back(static_cast<std::uint8_t>(
          std::clamp(static_cast<float>(centre[i]) + noise(random), 0.0f, 255.0f)));
    }
  }
  return bytes;
}

std::vector<ContentRows> Contents(const std::vector<std::uint8_t>& rows) {
  std::vector<ContentRows> contents;
  for (std::size_t begin = 0; begin < rows.size() / kDescriptorBytes; begin += kRowsEach) {
    contents.push_back({.content = static_cast<std::int64_t>(contents.size()) + 1,
                        .rows = rows.data() + begin * kDescriptorBytes,
                        .count = kRowsEach});
  }
  return contents;
}

FactoryKey Key(const std::string& text) {
  auto key = FactoryKey::Parse(text);
  EXPECT_TRUE(key.ok()) << key.status().message();
  return std::move(key).value();
}

kernel::Variant Variant() { return kernel::SupportedVariants().front(); }

const std::vector<std::uint8_t>& Rows() {
  static const auto rows = ClusteredRows(kRows, 1);
  return rows;
}

const std::vector<std::uint8_t>& Queries() {
  static const auto queries = ClusteredRows(kQueries, 2);
  return queries;
}

std::unique_ptr<ApproximateIndex> Build(const FactoryKey& key) {
  auto built = ApproximateIndex::Build(key, Contents(Rows()), Variant(), 2);
  EXPECT_TRUE(built.ok()) << built.status().message();
  return built.ok() ? std::move(built).value() : nullptr;
}

std::vector<ApproximateIndex::Candidate> Search(const ApproximateIndex& index, int count,
                                                const Approximation& effort = {}) {
  std::vector<ApproximateIndex::Candidate> found;
  const Status status = index.Search(Queries(), count, effort, 2, &found);
  EXPECT_TRUE(status.ok()) << status.message();
  return found;
}

/// Part of the exact neighbours that are among four times as many candidates.
double Recall(const ApproximateIndex& index, const Approximation& effort = {}) {
  constexpr std::size_t kWidth = 4 * kNeighbours;
  const kernel::RowSpan span{.rows = Rows().data(), .count = kRows, .first_row = 0};
  std::vector<kernel::Neighbour> exact;
  EXPECT_TRUE(
      kernel::TopK({&span, 1}, kDescriptorBytes, Queries(), {.k = kNeighbours}, &exact).ok());
  const auto found = Search(index, kWidth, effort);
  std::size_t hits = 0;
  for (std::size_t query = 0; query < kQueries; ++query) {
    std::set<std::int64_t> rows;
    for (std::size_t i = 0; i < kWidth; ++i) rows.insert(found[query * kWidth + i].row);
    for (int i = 0; i < kNeighbours; ++i) hits += rows.count(exact[query * kNeighbours + i].row);
  }
  return static_cast<double>(hits) / (kQueries * kNeighbours);
}

struct Expected {
  std::string key;
  double recall = 0;
};

class DocumentedKeyTest : public ::testing::TestWithParam<Expected> {};

TEST_P(DocumentedKeyTest, FindsMostExactNeighbours) {
  const auto index = Build(Key(GetParam().key));
  ASSERT_NE(index, nullptr);
  EXPECT_EQ(index->rows(), static_cast<std::int64_t>(kRows));
  EXPECT_GE(Recall(*index), GetParam().recall);
}

TEST_P(DocumentedKeyTest, IsTheSameWrittenAndReadAgain) {
  const FactoryKey key = Key(GetParam().key);
  const auto index = Build(key);
  ASSERT_NE(index, nullptr);
  auto bytes = index->Write();
  ASSERT_TRUE(bytes.ok());
  const auto read =
      ApproximateIndex::Read(key, index->contents(), index->trained_rows(), *bytes, Variant());
  ASSERT_TRUE(read.ok()) << read.status().message();
  const auto before = Search(*index, 10);
  const auto after = Search(**read, 10);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].row, after[i].row) << i;
}

INSTANTIATE_TEST_SUITE_P(Keys, DocumentedKeyTest,
                         ::testing::Values(Expected{"IDMap,HNSW48", 0.95},
                                           Expected{"IVF64,Flat", 0.9}, Expected{"IVF64,SQ8", 0.9},
                                           Expected{"IVF64,PQ16", 0.5}),
                         [](const auto& info) {
                           std::string name = info.param.key;
                           std::replace(name.begin(), name.end(), ',', '_');
                           return name;
                         });

TEST(ApproximateIndexTest, WholeDescriptorsHaveExactDistancesByEveryVariant) {
  // Some rows only, since each variant builds an index of its own.
  const std::vector<std::uint8_t> rows(Rows().begin(),
                                       Rows().begin() + kRows / 4 * kDescriptorBytes);
  for (const std::string text : {"IDMap,HNSW48", "IVF64,Flat"}) {
    const FactoryKey key = Key(text);
    for (const kernel::Variant variant : kernel::SupportedVariants()) {
      const auto built = ApproximateIndex::Build(key, Contents(rows), variant, 2);
      ASSERT_TRUE(built.ok()) << built.status().message();
      const auto read = ApproximateIndex::Read(key, (*built)->contents(), (*built)->trained_rows(),
                                               *(*built)->Write(), variant);
      ASSERT_TRUE(read.ok()) << read.status().message();
      for (const ApproximateIndex* index : {built->get(), read->get()}) {
        const auto found = Search(*index, kNeighbours);
        for (std::size_t i = 0; i < found.size(); ++i) {
          ASSERT_GE(found[i].row, 0);
          EXPECT_EQ(found[i].distance,
                    kernel::DistanceOf(kernel::Variant::kPortable)(
                        &Queries()[i / kNeighbours * kDescriptorBytes],
                        &Rows()[found[i].row * kDescriptorBytes], kDescriptorBytes));
        }
      }
    }
  }
}

/// What it takes to keep 20,000 descriptors of 128 bytes, their links or ids, and the centroids.
TEST(ApproximateIndexTest, WholeDescriptorsAreKeptAsBytes) {
  for (const auto& [text, bytes] : {std::pair{"IDMap,HNSW48", 540}, std::pair{"IVF64,Flat", 140}}) {
    const auto written = Build(Key(text))->Write();
    ASSERT_TRUE(written.ok());
    EXPECT_LE(written->size(), kRows * bytes) << text;
  }
}

TEST(ApproximateIndexTest, AllListsFindEverything) {
  const auto index = Build(Key("IVF64,Flat"));
  ASSERT_NE(index, nullptr);
  EXPECT_EQ(Recall(*index, {.nprobe = 64}), 1);
}

TEST(ApproximateIndexTest, TrainsTheSameAgain) {
  const FactoryKey key = Key("IVF64,SQ8");
  const auto one = Search(*Build(key), 10);
  const auto two = Search(*Build(key), 10);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].row, two[i].row) << i;
}

TEST(ApproximateIndexTest, TooFewRowsAreRefused) {
  const auto built = ApproximateIndex::Build(Key("IVF1024,Flat"), Contents(Rows()), Variant(), 1);
  ASSERT_FALSE(built.ok());
  EXPECT_EQ(built.status().code(), StatusCode::kInvalidArgument);
}

TEST(FactoryKeyTest, WrongOnesAreRefusedWithTheCause) {
  for (const auto& [key, cause] :
       std::vector<std::pair<std::string, std::string>>{{"", "1 to 100"},
                                                        {"IVF256, Flat", "without spaces"},
                                                        {"Foo", "Foo"},
                                                        {"IVF0,Flat", "1 to 65536"},
                                                        {"IVF99999999999,Flat", "1 to 65536"},
                                                        {"IVF1M,Flat", "1 to 65536"},
                                                        {"IVF64,PQ7", "divide 128"},
                                                        {"IVF64,PQ0", "divide 128"},
                                                        {"IVF64,PQ16x30", "12 bits"},
                                                        {"HNSW1", "2 to 512"},
                                                        {"IDMap,HNSW100000", "2 to 512"}}) {
    const auto parsed = FactoryKey::Parse(key);
    ASSERT_FALSE(parsed.ok()) << key;
    EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument) << key;
    EXPECT_NE(parsed.status().message().find(cause), std::string::npos)
        << key << ": " << parsed.status().message();
    EXPECT_EQ(parsed.status().message().find("faiss::"), std::string::npos)
        << parsed.status().message();
  }
}

TEST(FactoryKeyTest, KnowsWhatAnIndexNeeds) {
  EXPECT_TRUE(Key("IDMap,Flat").exact());
  EXPECT_TRUE(Key("IDMap,HNSW48").graph());
  EXPECT_FALSE(Key("IDMap,HNSW48").trained());
  EXPECT_EQ(Key("IVF256,Flat").lists(), 256);
  EXPECT_EQ(Key("IVF256,Flat").min_rows(), 256 * 39);
  EXPECT_EQ(Key("IVF4,PQ16").min_rows(), 256 * 39);
}

class IndexCacheTest : public ::testing::Test {
 protected:
  IndexCacheTest() : file_(::testing::TempDir() + "/index.cache." + std::to_string(getpid())) {}
  ~IndexCacheTest() override { std::filesystem::remove(file_); }

  void SetUp() override { ASSERT_TRUE(WriteCache(DiskEnv(), file_, key_, *Build(key_)).ok()); }

  std::string Read() const {
    std::ifstream in(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Write(const std::string& bytes) const {
    std::ofstream(file_, std::ios::binary | std::ios::trunc) << bytes;
  }
  StatusCode Code() const { return ReadCache(DiskEnv(), file_, key_, Variant()).status().code(); }

  const FactoryKey key_ = Key("IVF16,SQ8");
  const std::string file_;
};

TEST_F(IndexCacheTest, IsReadAgain) {
  const auto read = ReadCache(DiskEnv(), file_, key_, Variant());
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ((*read)->rows(), static_cast<std::int64_t>(kRows));
  EXPECT_EQ((*read)->contents().size(), kRows / kRowsEach);
}

TEST_F(IndexCacheTest, EveryKindOfDamageIsFound) {
  const std::string whole = Read();
  // The header, the key, the contents, the payload.
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{20}, std::size_t{26}, std::size_t{50}, std::size_t{66},
        std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    Write(damaged);
    EXPECT_EQ(Code(), StatusCode::kCorrupt) << at;
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{63}, std::size_t{200}, whole.size() - 1}) {
    Write(whole.substr(0, size));
    EXPECT_EQ(Code(), StatusCode::kCorrupt) << size;
  }
}

TEST_F(IndexCacheTest, AnotherKeysIsNotTaken) {
  EXPECT_EQ(ReadCache(DiskEnv(), file_, Key("IVF16,Flat"), Variant()).status().code(),
            StatusCode::kIncompatible);
  std::filesystem::remove(file_);
  EXPECT_EQ(Code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace siftsearch::index
