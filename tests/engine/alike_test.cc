#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <numbers>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "noise_picture.h"
#include "siftsearch/engine.h"

namespace siftsearch {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// Grey pixels, row by row.
struct Soft {
  int width = 0;
  int height = 0;
  std::vector<double> pixels;

  double At(int x, int y) const { return pixels[static_cast<std::size_t>(y) * width + x]; }
};

/// A soft picture, without anything that SIFT would describe.
Soft MakeSoft(unsigned seed, int width = 200, int height = 150) {
  std::mt19937 random(seed);
  std::normal_distribution<double> amplitude(0, 60);
  Soft soft{width, height, std::vector<double>(static_cast<std::size_t>(width) * height, 128)};
  for (int i = 0; i < 17; ++i) {
    for (int j = 0; j < 17; ++j) {
      const double a = amplitude(random) / (1 + i * i + j * j);
      for (int k = 0; k < width * height; ++k) {
        soft.pixels[k] += a * std::cos(std::numbers::pi * j * (k % width + 0.5) / width) *
                          std::cos(std::numbers::pi * i * (k / width + 0.5) / height);
      }
    }
  }
  return soft;
}

/// Turned by 90 degrees clockwise.
Soft Rotated(const Soft& soft) {
  Soft turned{soft.height, soft.width, std::vector<double>(soft.pixels.size())};
  for (int y = 0; y < turned.height; ++y) {
    for (int x = 0; x < turned.width; ++x) {
      turned.pixels[static_cast<std::size_t>(y) * turned.width + x] =
          soft.At(y, soft.height - 1 - x);
    }
  }
  return turned;
}

/// As a file, with some noise.
std::vector<std::uint8_t> Pgm(const Soft& soft, unsigned seed) {
  const std::string head =
      "P5 " + std::to_string(soft.width) + " " + std::to_string(soft.height) + " 255\n";
  std::vector<std::uint8_t> bytes(head.begin(), head.end());
  std::mt19937 random(seed);
  std::normal_distribution<double> noise(0, 0.4);
  for (const double value : soft.pixels) {
    bytes.push_back(static_cast<std::uint8_t>(std::clamp(value + noise(random), 0.0, 255.0)));
  }
  return bytes;
}

class AlikeTest : public testing::Test {
 protected:
  AlikeTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) /
              ("alike-" + std::string(test->name()) + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    engine_ = Engine::Open((folder_ / "db").string(), {.create = true}).value();
  }
  ~AlikeTest() override { fs::remove_all(folder_); }

  void Add(const std::string& name, std::vector<std::uint8_t> bytes) {
    bool given = false;
    const auto added = engine_->Add(
        [&]() -> std::optional<AddInput> {
          if (std::exchange(given, true)) return std::nullopt;
          AddInput input;
          input.path = name;
          input.read = [&]() -> Result<std::vector<std::uint8_t>> { return bytes; };
          return input;
        },
        {}, [](const AddOutcome&) {});
    ASSERT_TRUE(added.ok()) << added.status().message();
    ASSERT_EQ(added->added, 1);
  }

  std::vector<Match> Copies(std::vector<std::uint8_t> bytes) {
    QueryInput input;
    input.name = "query";
    input.bytes = std::move(bytes);
    const auto result = engine_->Query(std::move(input), {});
    EXPECT_TRUE(result.ok()) << result.status().message();
    std::vector<Match> copies = result->matches;
    std::erase_if(copies, [](const Match& match) { return !match.copy; });
    return copies;
  }

  fs::path folder_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(AlikeTest, APictureWithoutDescriptorsFindsItsCopies) {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    Add("soft " + std::to_string(seed), Pgm(MakeSoft(seed), seed));
  }
  ASSERT_TRUE(AddNoise(*engine_, 1, 3).ok());
  for (unsigned seed = 1; seed <= 6; ++seed) {
    const auto small = Copies(Pgm(MakeSoft(seed, 100, 75), 77));
    ASSERT_EQ(small.size(), 1u) << seed;
    EXPECT_EQ(small[0].image.path, "soft " + std::to_string(seed));
    EXPECT_THAT(small[0].relation, HasSubstr("same picture"));
    EXPECT_THAT(small[0].relation, HasSubstr("scaled to 50 %"));
    EXPECT_NEAR(small[0].image_overlap_percent, 100, 1);
    const auto turned = Copies(Pgm(Rotated(MakeSoft(seed)), 78));
    ASSERT_EQ(turned.size(), 1u) << seed;
    EXPECT_EQ(turned[0].image.path, "soft " + std::to_string(seed));
    EXPECT_THAT(turned[0].relation, HasSubstr("rotated 90°"));
    EXPECT_FALSE(turned[0].mirrored);
    // The query's top right is the image's top left.
    const Transform& t = turned[0].image_from_query;
    EXPECT_NEAR(t[0] * 149 + t[2], 0, 2);
    EXPECT_NEAR(t[3] * 149 + t[5], 0, 2);
  }
  EXPECT_TRUE(Copies(Pgm(MakeSoft(7), 7)).empty());
}

TEST_F(AlikeTest, AReportListsThemOnce) {
  Add("a", Pgm(MakeSoft(1), 1));
  Add("b", Pgm(MakeSoft(1, 160, 120), 2));
  Add("c", Pgm(MakeSoft(2), 3));
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto report = engine_->ReportAll({}, [&](const ReportPair& pair) {
    pairs.emplace_back(std::minmax(pair.query.path, pair.match.image.path));
    return Status();
  });
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_THAT(pairs, testing::ElementsAre(std::pair<std::string, std::string>("a", "b")));
}

TEST_F(AlikeTest, ABlankPictureIsLikeNoOther) {
  const Soft blank{200, 150, std::vector<double>(200 * 150, 200)};
  Add("blank", Pgm(blank, 1));
  EXPECT_TRUE(Copies(Pgm(blank, 2)).empty());
}

}  // namespace
}  // namespace siftsearch
