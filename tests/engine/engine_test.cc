#include "siftsearch/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "engine/picture_file.h"
#include "features/forms.h"
#include "image/decode.h"
#include "report/json.h"
#include "verify/verify.h"

namespace siftsearch {
namespace {

QueryInput InputFor(const std::string& path) {
  QueryInput input;
  input.name = path;
  return input;
}

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kData = SIFTSEARCH_DATA_DIR;

image::RgbImage Decoded(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  return image::DecodeRgb(bytes, {}).value();
}

image::RgbImage InForm(const image::RgbImage& picture, features::Form form) {
  image::RgbImage changed = picture;
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      const int from = form.mirrored ? picture.width - 1 - x : x;
      for (int c = 0; c < 3; ++c) {
        const std::uint8_t value = picture.pixels[(y * picture.width + from) * 3 + c];
        changed.pixels[(y * picture.width + x) * 3 + c] = form.inverted ? 255 - value : value;
      }
    }
  }
  return changed;
}

/// A grey canvas with the pictures pasted at the places given, as a PNG file's bytes.
std::vector<std::uint8_t> Canvas(
    int width, int height,
    const std::vector<std::pair<image::RgbImage, std::pair<int, int>>>& pasted) {
  image::RgbImage canvas{width, height, {}};
  canvas.pixels.assign(static_cast<std::size_t>(width) * height * 3, 128);
  for (const auto& [picture, place] : pasted) {
    for (int y = 0; y < picture.height; ++y) {
      std::copy_n(
          &picture.pixels[static_cast<std::size_t>(y) * picture.width * 3], picture.width * 3,
          &canvas.pixels[(static_cast<std::size_t>(y + place.second) * width + place.first) * 3]);
    }
  }
  return image::Encode(canvas, "png", 0).value();
}

image::RgbImage Block(const image::RgbImage& picture, int x, int y, int width, int height) {
  image::RgbImage block{width, height, {}};
  for (int row = y; row < y + height; ++row) {
    const auto* from = &picture.pixels[(static_cast<std::size_t>(row) * picture.width + x) * 3];
    block.pixels.insert(block.pixels.end(), from, from + width * 3);
  }
  return block;
}

/// A picture above a dark band with two lines of the same white letters (strokes, always the same),
/// as a PNG file's bytes.
std::vector<std::uint8_t> Captioned(const image::RgbImage& picture) {
  image::RgbImage band{picture.width, 60, {}};
  band.pixels.assign(static_cast<std::size_t>(band.width) * band.height * 3, 20);
  const auto stroke = [&](int x, int y, int width, int height) {
    for (int row = y; row < y + height; ++row) {
      std::fill_n(&band.pixels[(static_cast<std::size_t>(row) * band.width + x) * 3], width * 3,
                  std::uint8_t{255});
    }
  };
  std::mt19937 random(3);
  for (const int y : {6, 34}) {
    for (int x = 8; x + 16 < band.width; x += 16) {
      stroke(x, y, 2, 18);
      for (int bar = 0; bar < 2; ++bar) stroke(x, y + static_cast<int>(random() % 17), 10, 2);
      stroke(x + static_cast<int>(random() % 10), y + 6, 2, 12);
    }
  }
  return Canvas(picture.width, picture.height + band.height,
                {{picture, {0, 0}}, {band, {0, picture.height}}});
}

std::set<std::string> CopiesIn(const QueryResult& result) {
  std::set<std::string> paths;
  for (const Match& match : result.matches) {
    if (match.copy) paths.insert(match.image.path);
  }
  return paths;
}

double Overlap(const Box& a, const Box& b) {
  const double width = std::min(a.x + a.width, b.x + b.width) - std::max(a.x, b.x);
  const double height = std::min(a.y + a.height, b.y + b.height) - std::max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  return width * height / (a.width * a.height + b.width * b.height - width * height);
}

std::function<Status(const ReportPair&)> KeepIn(std::vector<ReportPair>& pairs) {
  return [&pairs](const ReportPair& pair) {
    pairs.push_back(pair);
    return Status();
  };
}

class EngineTest : public testing::Test {
 protected:
  EngineTest() {
    folder_ =
        fs::path(testing::TempDir()) /
        ("engine-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) +
         "-" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~EngineTest() override { fs::remove_all(folder_); }

  std::unique_ptr<Engine> Open(EngineOptions options = {}) {
    options.create = true;
    auto engine = Engine::Open((folder_ / "db").string(), options);
    EXPECT_TRUE(engine.ok()) << engine.status().message();
    return std::move(engine).value();
  }

  static std::function<std::optional<AddInput>()> Inputs(std::vector<std::string> paths) {
    return [paths = std::move(paths), i = std::size_t{0}]() mutable -> std::optional<AddInput> {
      if (i == paths.size()) return std::nullopt;
      AddInput input;
      input.path = paths[i++];
      return input;
    };
  }

  static std::vector<std::string> Pictures() {
    std::vector<std::string> paths;
    for (const auto& entry : fs::directory_iterator(kData / "pictures"))
      paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  AddSummary Add(Engine& engine, const std::vector<std::string>& paths, AddOptions options = {}) {
    outcomes_.clear();
    const auto summary = engine.Add(
        Inputs(paths), options, [&](const AddOutcome& outcome) { outcomes_.push_back(outcome); });
    EXPECT_TRUE(summary.ok()) << summary.status().message();
    EXPECT_EQ(summary->given, summary->added + summary->replaced + summary->unchanged +
                                  summary->ignored + summary->failed);
    return *summary;
  }

  std::string Write(const std::string& name, const std::vector<std::uint8_t>& bytes) const {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return path;
  }

  fs::path folder_;
  std::vector<AddOutcome> outcomes_;
};

TEST_F(EngineTest, EveryPictureFindsItselfFirstFromTheFirstImageOn) {
  auto engine = Open();
  std::vector<std::string> stored;
  for (const std::string& path : Pictures()) {
    ASSERT_EQ(Add(*engine, {path}).added, 1);
    stored.push_back(path);
    if (stored.size() > 3 && stored.size() < Pictures().size()) continue;
    for (const std::string& query : stored) {
      const auto result = engine->Query(InputFor(query), {});
      ASSERT_TRUE(result.ok());
      ASSERT_FALSE(result->matches.empty());
      const Match& best = result->matches.front();
      EXPECT_EQ(best.image.path, query);
      EXPECT_TRUE(best.copy) << query << " among " << stored.size();
      EXPECT_EQ(best.relation, "same file");
      EXPECT_GT(best.query_overlap_percent, 98);
    }
  }
}

TEST_F(EngineTest, CopiesFindTheirOriginals) {
  auto engine = Open();
  Add(*engine, Pictures());
  int copies = 0;
  for (const auto& entry : fs::directory_iterator(kData / "copies")) {
    const std::string original = entry.path().stem().string();
    const auto result = engine->Query(InputFor(entry.path()), {});
    ASSERT_TRUE(result.ok());
    ASSERT_FALSE(result->matches.empty()) << entry.path();
    const Match& best = result->matches.front();
    // A copy is named after its original: scene-1-crop.png.
    EXPECT_TRUE(original.starts_with(fs::path(best.image.path).stem().string()))
        << entry.path() << " found " << best.image.path;
    EXPECT_TRUE(best.copy) << entry.path();
    for (std::size_t i = 1; i < result->matches.size(); ++i) {
      EXPECT_FALSE(result->matches[i].copy) << entry.path() << " " << result->matches[i].image.path;
    }
    ++copies;
  }
  EXPECT_GE(copies, 3);
}

TEST_F(EngineTest, MirroredAndInvertedCopiesFindTheirOriginals) {
  auto engine = Open();
  Add(*engine, Pictures());
  const std::string original = Pictures()[3];
  const image::RgbImage picture = Decoded(original);
  for (const features::Form form : features::AllForms()) {
    QueryInput input;
    input.name = "changed";
    input.bytes = image::Encode(InForm(picture, form), "png", 0).value();
    const auto result = engine->Query(input, {});
    ASSERT_TRUE(result.ok());
    const Match& best = result->matches.front();
    EXPECT_EQ(best.image.path, original);
    EXPECT_TRUE(best.copy);
    EXPECT_EQ(best.mirrored, form.mirrored);
    EXPECT_EQ(best.inverted, form.inverted);
    EXPECT_EQ(best.relation, std::string("same picture") + (form.mirrored ? ", mirrored" : "") +
                                 (form.inverted ? ", inverted" : ""));
    // A pixel of the query, and where it comes from.
    const Point from = verify::Apply(best.image_from_query, {10, 20});
    EXPECT_NEAR(from.x, form.mirrored ? picture.width - 11 : 10, 0.5);
    EXPECT_NEAR(from.y, 20, 0.5);
    for (const auto& [query, image] : best.inlier_points) {
      const Point mapped = verify::Apply(best.image_from_query, query);
      EXPECT_LT(std::hypot(mapped.x - image.x, mapped.y - image.y), 5);
    }
  }
}

TEST_F(EngineTest, AQueriedFileKeepsAMultipleOfWhatAStoredImageKeeps) {
  EngineOptions options;
  options.settings.emplace().max_features = 100;
  auto engine = Open(options);
  Add(*engine, Pictures());
  EXPECT_EQ(engine->Query(InputFor(Pictures()[0]), {})->descriptors, 200);
  for (const auto& [multiple, descriptors] : {std::pair{1.0, 100}, {0.5, 50}, {3.0, 300}}) {
    const auto result = engine->Query(InputFor(Pictures()[0]), {.query_features = multiple});
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->descriptors, descriptors);
    EXPECT_EQ(result->matches.front().image.path, Pictures()[0]);
  }
  for (const double multiple : {0.0, -1.0, 101.0, std::nan("")}) {
    EXPECT_EQ(engine->Query(InputFor(Pictures()[0]), {.query_features = multiple}).status().code(),
              StatusCode::kInvalidArgument);
  }
}

TEST_F(EngineTest, ACollageNamesEveryOriginalInItsPlace) {
  const auto engine = Open();
  const auto pictures = Pictures();
  Add(*engine, pictures);
  const auto left = Decoded(pictures[0]), right = Decoded(pictures[1]);
  QueryInput input = InputFor("collage");
  input.bytes = Canvas(left.width + right.width, std::max(left.height, right.height),
                       {{left, {0, 0}}, {right, {left.width, 0}}});
  const auto result = engine->Query(input, {});
  ASSERT_TRUE(result.ok()) << result.status().message();
  std::map<std::string, Box> boxes;
  for (const Match& match : result->matches) {
    if (match.copy) boxes[match.image.path] = match.query_box;
  }
  ASSERT_EQ(boxes.size(), 2u);
  EXPECT_GT(Overlap(boxes[pictures[0]], {-0.5, -0.5, 1.0 * left.width, 1.0 * left.height}), 0.9);
  EXPECT_GT(
      Overlap(boxes[pictures[1]], {left.width - 0.5, -0.5, 1.0 * right.width, 1.0 * right.height}),
      0.9);
}

image::RgbImage Faint(image::RgbImage picture, int times) {
  for (std::uint8_t& value : picture.pixels) value = static_cast<std::uint8_t>(110 + value / times);
  return picture;
}

TEST_F(EngineTest, APictureTooFaintForItsPreviewFindsItsCopy) {
  const auto engine = Open();
  const auto faint = Faint(Decoded(Pictures()[0]), 16);
  auto all = Pictures();
  all.push_back(Write("faint.png", image::Encode(faint, "png", 0).value()));
  Add(*engine, all);
  QueryInput input = InputFor("part");
  input.bytes =
      image::Encode(Block(faint, 20, 10, faint.width - 20, faint.height - 10), "png", 0).value();
  const auto result = engine->Query(input, {});
  ASSERT_TRUE(result.ok()) << result.status().message();
  ASSERT_FALSE(result->matches.empty());
  EXPECT_EQ(result->matches.front().image.path, all.back());
  EXPECT_EQ(result->matches.front().evidence.pixel_correlation, 0);
  EXPECT_TRUE(result->matches.front().copy);
}

TEST_F(EngineTest, WithAsManyDescriptorsAsStoredAQueryHasTheStoredOnes) {
  const auto engine = Open();
  Add(*engine, {Pictures()[0]});
  const auto same = engine->Query(InputFor(Pictures()[0]), {.query_features = 1});
  ASSERT_TRUE(same.ok()) << same.status().message();
  const int stored = same->matches.at(0).image.descriptors;
  EXPECT_EQ(same->descriptors, stored);
  EXPECT_GT(engine->Query(InputFor(Pictures()[0]), {})->descriptors, stored);
}

TEST_F(EngineTest, AFaintPictureBesideAClearOneIsFound) {
  const auto engine = Open();
  const auto pictures = Pictures();
  Add(*engine, pictures);
  const auto clear = Decoded(pictures[0]);
  const auto faint = Faint(Decoded(pictures[1]), 10);
  QueryInput input = InputFor("faint");
  input.bytes = Canvas(clear.width + faint.width, std::max(clear.height, faint.height),
                       {{clear, {0, 0}}, {faint, {clear.width, 0}}});
  const auto result = engine->Query(input, {});
  ASSERT_TRUE(result.ok()) << result.status().message();
  const auto copies = CopiesIn(*result);
  EXPECT_THAT(copies, ElementsAre(pictures[0], pictures[1]));
}

TEST_F(EngineTest, APictureThatIsThereTwiceHasTwoPlaces) {
  const auto engine = Open();
  const auto pictures = Pictures();
  Add(*engine, pictures);
  const auto picture = Decoded(pictures[2]);
  QueryInput input = InputFor("twice");
  input.bytes =
      Canvas(2 * picture.width, picture.height, {{picture, {0, 0}}, {picture, {picture.width, 0}}});
  const auto result = engine->Query(input, {});
  ASSERT_TRUE(result.ok()) << result.status().message();
  std::vector<Box> boxes;
  for (const Match& match : result->matches) {
    if (!match.copy) continue;
    EXPECT_EQ(match.image.path, pictures[2]);
    boxes.push_back(match.query_box);
  }
  ASSERT_EQ(boxes.size(), 2u);
  EXPECT_LT(Overlap(boxes[0], boxes[1]), 0.1);
}

TEST_F(EngineTest, AQueryThatIsInAnImageTwiceHasTwoPlacesThere) {
  const auto engine = Open();
  const auto picture = Decoded(Pictures()[2]);
  const std::string twice =
      Write("twice.png", Canvas(2 * picture.width, picture.height,
                                {{picture, {0, 0}}, {picture, {picture.width, 0}}}));
  Add(*engine, {twice});
  for (const bool stored : {true, false}) {
    const auto result = stored ? engine->Query(InputFor(Pictures()[2]), {})
                               : Compare(InputFor(Pictures()[2]), InputFor(twice), {});
    ASSERT_TRUE(result.ok()) << result.status().message();
    std::vector<Box> boxes;
    for (const Match& match : result->matches) {
      if (match.copy) boxes.push_back(match.image_box);
    }
    ASSERT_EQ(boxes.size(), 2u);
    EXPECT_LT(Overlap(boxes[0], boxes[1]), 0.1);
  }
}

TEST_F(EngineTest, WhatRepeatsInAnImageIsNoFurtherPlaceOfTheQuery) {
  const auto engine = Open();
  const auto picture = Decoded(Pictures()[0]);
  // A block of the picture stands in it a second time.
  auto repeated = picture;
  const auto block = Block(picture, 20, 20, 150, 100);
  for (int y = 0; y < block.height; ++y) {
    std::copy_n(
        &block.pixels[static_cast<std::size_t>(y) * block.width * 3], block.width * 3,
        &repeated.pixels[(static_cast<std::size_t>(picture.height - 110 + y) * picture.width +
                          picture.width - 160) *
                         3]);
  }
  Add(*engine, {Write("repeated.png", image::Encode(repeated, "png", 0).value())});
  const auto result = engine->Query(InputFor(folder_ / "repeated.png"), {});
  ASSERT_TRUE(result.ok()) << result.status().message();
  int copies = 0;
  for (const Match& match : result->matches) copies += match.copy;
  EXPECT_EQ(copies, 1);
}

TEST_F(EngineTest, WhatSureCopiesHaveIsNotCommonForThat) {
  const auto engine = Open();
  const auto pictures = Pictures();
  const auto picture = Decoded(pictures[5]);
  std::vector<std::string> paths = pictures;
  paths.erase(paths.begin() + 5);
  const auto store = [&](const std::string& name, const image::RgbImage& changed, int quality) {
    paths.push_back(Write(name, image::Encode(changed, "jpeg", quality).value()));
  };
  for (int quality = 40; quality <= 95; quality += 5) {
    store(std::to_string(quality) + ".jpg", picture, quality);
  }
  image::RgbImage covered = picture;
  for (int y = 0; y < covered.height; ++y) {
    std::fill_n(&covered.pixels[(static_cast<std::size_t>(y) * covered.width) * 3],
                covered.width / 2 * 3, std::uint8_t{120});
  }
  store("covered.jpg", covered, 90);
  Add(*engine, paths);
  QueryOptions options;
  options.top = 20;
  const auto result = engine->Query(InputFor(pictures[5]), options);
  ASSERT_TRUE(result.ok()) << result.status().message();
  const auto copies = CopiesIn(*result);
  EXPECT_EQ(copies.size(), 13u);
  EXPECT_TRUE(copies.contains(paths.back()));
}

TEST_F(EngineTest, AWornCopyIsOneOfAPictureThatIsStoredManyTimes) {
  const auto engine = Open();
  const auto pictures = Pictures();
  const auto picture = Decoded(pictures[5]);
  std::vector<std::string> paths = pictures;
  paths.erase(paths.begin() + 5);
  const std::size_t strangers = paths.size();
  for (int i = 0; i < 36; ++i) {  // More than are looked at closer at once.
    const std::string name = "saved" + std::to_string(i) + ".jpg";
    paths.push_back(Write(name, image::Encode(picture, "jpeg", 40 + i).value()));
  }
  Add(*engine, paths);
  QueryInput worn = InputFor("worn");
  worn.bytes = image::Encode(picture, "jpeg", 4).value();
  QueryOptions options;
  options.top = options.max_candidates = 50;
  const auto result = engine->Query(worn, options);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(CopiesIn(*result), std::set<std::string>(paths.begin() + strangers, paths.end()));
}

TEST_F(EngineTest, ComparingFindsOnePictureInAnother) {
  const auto pictures = Pictures();
  const auto picture = Decoded(pictures[3]), other = Decoded(pictures[4]);
  QueryInput block = InputFor("block");
  block.bytes = image::Encode(Block(picture, 100, 60, 240, 180), "jpeg", 80).value();
  const auto found = Compare(block, InputFor(pictures[3]), {});
  ASSERT_TRUE(found.ok()) << found.status().message();
  ASSERT_FALSE(found->matches.empty());
  EXPECT_TRUE(found->matches.front().copy);
  EXPECT_EQ(found->matches.front().image.path, pictures[3]);
  const Box box = found->matches.front().image_box;
  EXPECT_GT(Overlap(box, {99.5, 59.5, 240, 180}), 0.8)
      << box.x << " " << box.y << " " << box.width << " " << box.height;
  const auto none = Compare(InputFor(pictures[4]), InputFor(pictures[3]), {});
  ASSERT_TRUE(none.ok());
  for (const Match& match : none->matches) EXPECT_FALSE(match.copy);
  const auto missing = Compare(InputFor("/no/such.jpg"), InputFor(pictures[3]), {});
  EXPECT_THAT(missing.status().message(), HasSubstr("/no/such.jpg"));
}

TEST_F(EngineTest, TheEvidenceOfACopySaysWhatAgrees) {
  const auto pictures = Pictures();
  const auto picture = Decoded(pictures[3]);
  QueryInput block = InputFor("block");
  block.bytes = image::Encode(Block(picture, 100, 60, 240, 180), "jpeg", 80).value();
  const auto found = Compare(block, InputFor(pictures[3]), {});
  ASSERT_TRUE(found.ok()) << found.status().message();
  ASSERT_FALSE(found->matches.empty());
  const Match& match = found->matches.front();
  const Evidence& evidence = match.evidence;
  for (const EvidenceTerm& term : kEvidenceTerms) {
    EXPECT_GE(evidence.*term.value, term.least) << term.name;
    EXPECT_LE(evidence.*term.value, term.most) << term.name;
  }
  EXPECT_EQ(evidence.inliers, match.inliers);
  EXPECT_NEAR(evidence.larger_share, match.query_overlap_percent / 100, 1e-9);
  EXPECT_NEAR(evidence.smaller_share, match.image_overlap_percent / 100, 1e-9);
  EXPECT_GT(evidence.hull_share, 0.5);
  EXPECT_GT(evidence.pixels_at_points, 0.7);
  EXPECT_GT(evidence.pixels_in_hull, 0.7);
  EXPECT_GT(evidence.textured, 0.3);
  EXPECT_GT(evidence.descriptor_distance, 0);
  EXPECT_LT(evidence.residual, 1);
}

TEST_F(EngineTest, ACaptionUnderDifferentPicturesIsAnOverlay) {
  const auto pictures = Pictures();
  QueryInput strips[2] = {InputFor("one"), InputFor("other")};
  for (int i = 0; i < 2; ++i) {
    strips[i].bytes = Captioned(Block(Decoded(pictures[3 + i]), 20, 60, 280, 70));
  }
  const auto strangers = Compare(strips[0], strips[1], {});
  ASSERT_TRUE(strangers.ok()) << strangers.status().message();
  ASSERT_FALSE(strangers->matches.empty());
  EXPECT_GT(strangers->matches.front().evidence.own_background, 0.5);
  for (const Match& match : strangers->matches) EXPECT_FALSE(match.copy);
  EXPECT_EQ(strangers->matches.front().kind, MatchKind::kSharedOverlay);
  const auto copies = Compare(strips[0], InputFor(pictures[3]), {});
  ASSERT_TRUE(copies.ok()) << copies.status().message();
  ASSERT_FALSE(copies->matches.empty());
  EXPECT_TRUE(copies->matches.front().copy);
}

TEST_F(EngineTest, OneFormWithDifferentPicturesIsAnOverlay) {
  const auto pictures = Pictures();
  // Four lines of letters above and below: more than half of the page.
  const auto band = Decoded(Write("band.png", Captioned(image::RgbImage{400, 0, {}})));
  std::vector<std::string> pages;
  for (std::size_t i = 0; i < 2 * pictures.size(); ++i) {
    const int top = i % 2 == 0 ? 10 : 120;
    const auto picture = Block(Decoded(pictures[i / 2]), 10, top, 200, 100);
    pages.push_back(Write("page" + std::to_string(i) + ".png", Canvas(400, 360,
                                                                      {{band, {0, 0}},
                                                                       {band, {0, 60}},
                                                                       {picture, {100, 120}},
                                                                       {band, {0, 240}},
                                                                       {band, {0, 300}}})));
  }
  std::vector<std::string> saved_again;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    saved_again.push_back(Write("again" + std::to_string(i) + ".jpg",
                                image::Encode(Decoded(pages[i]), "jpeg", 80).value()));
  }
  const auto engine = Open();
  const auto expect_overlays = [&](const std::vector<std::size_t>& queries) {
    for (const std::size_t i : queries) {
      const auto result = engine->Query(InputFor(pages[i]), {});
      ASSERT_TRUE(result.ok()) << result.status().message();
      ASSERT_GT(result->matches.size(), 1u);
      for (const Match& match : result->matches) {
        const std::string& path = match.image.path;
        EXPECT_EQ(match.copy, path == pages[i] || path == saved_again[i]) << match.score;
        if (match.copy || match.score < 0.1) continue;
        EXPECT_EQ(match.kind, MatchKind::kSharedOverlay);
      }
    }
  };
  Add(*engine, pages);
  expect_overlays({0, 5, 9});
  // That a page is stored twice makes what it shares with the others no rarer.
  Add(*engine, saved_again);
  expect_overlays({5});
}

TEST_F(EngineTest, ComparingAPictureWithItselfFindsWhatWasCopiedInside) {
  for (const std::string& path : Pictures()) {
    const auto picture = Decoded(path);
    QueryInput plain = InputFor("plain");
    plain.bytes = Canvas(picture.width, picture.height, {{picture, {0, 0}}});
    const auto nothing = Compare(plain, plain, {});
    ASSERT_TRUE(nothing.ok());
    for (const Match& match : nothing->matches) {
      EXPECT_FALSE(match.copy) << path << " " << match.score << " " << match.inliers << " nfa "
                               << match.evidence.log10_false_alarms << " inside "
                               << match.evidence.pixels_inside;
    }
    const int width = picture.width / 4, height = picture.height / 4;
    const int x = picture.width - width - 10, y = picture.height - height - 8;
    QueryInput moved = InputFor("moved");
    moved.bytes = Canvas(picture.width, picture.height,
                         {{picture, {0, 0}}, {Block(picture, 30, 40, width, height), {x, y}}});
    const auto found = Compare(moved, moved, {});
    ASSERT_TRUE(found.ok());
    ASSERT_FALSE(found->matches.empty()) << path;
    const Match& match = found->matches.front();
    EXPECT_TRUE(match.copy) << path << " " << match.score << " " << match.inliers << " nfa "
                            << match.evidence.log10_false_alarms << " inside "
                            << match.evidence.pixels_inside << " coherent "
                            << match.evidence.pixels_coherent;
    const Box& box = match.query_box;
    const Point from{box.x + box.width / 2, box.y + box.height / 2};
    const Point to = verify::Apply(match.image_from_query, from);
    EXPECT_NEAR(std::abs(to.x - from.x), x - 30, 3) << path;
    EXPECT_NEAR(std::abs(to.y - from.y), y - 40, 3) << path;
  }
}

TEST_F(EngineTest, OutcomesComeInTheOrderGivenAndAddUp) {
  auto engine = Open();
  std::vector<std::string> paths = Pictures();
  paths.insert(paths.begin() + 1, (kData / "bad" / "text.jpg").string());
  paths.push_back((folder_ / "missing.png").string());
  paths.push_back(paths.front());
  const AddSummary summary = Add(*engine, paths);
  ASSERT_EQ(outcomes_.size(), paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) EXPECT_EQ(outcomes_[i].path, paths[i]);
  EXPECT_EQ(outcomes_[1].action, AddAction::kFailed);
  EXPECT_THAT(outcomes_[1].reason, HasSubstr("text"));
  EXPECT_EQ(outcomes_[paths.size() - 2].action, AddAction::kFailed);
  EXPECT_EQ(outcomes_.back().action, AddAction::kUnchanged);
  EXPECT_EQ(summary.failed, 2);
  EXPECT_EQ(summary.unchanged, 1);
}

TEST_F(EngineTest, ReportListsEachPairOnceWithGroups) {
  auto engine = Open();
  const std::string a = Pictures()[0];
  const std::string same = (folder_ / ("same" + fs::path(a).extension().string())).string();
  fs::copy_file(a, same);
  std::vector<std::string> paths = Pictures();
  paths.push_back(same);
  Add(*engine, paths);
  std::vector<ReportPair> pairs;
  const auto report = engine->ReportAll({}, KeepIn(pairs));
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->images, static_cast<std::int64_t>(paths.size()));
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].query.path, std::max(a, same));
  EXPECT_EQ(pairs[0].match.image.path, std::min(a, same));
  EXPECT_EQ(pairs[0].match.relation, "identical file");
  EXPECT_EQ(pairs[0].group, 1);
}

TEST_F(EngineTest, ReportOfFilesFindsTheirOriginalsAndNamesWhatCannotBeRead) {
  auto engine = Open();
  Add(*engine, Pictures());
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(kData / "copies")) paths.push_back(entry.path());
  const std::size_t copies = paths.size();
  paths.push_back((kData / "bad" / "empty.jpg").string());
  std::vector<AddOutcome> failed;
  ReportOptions options;
  options.batch_bytes = 1;  // A pass for every picture: the same result.
  std::vector<ReportPair> pairs;
  const auto report = engine->ReportFiles(
      Inputs(paths), options, [&](const AddOutcome& outcome) { failed.push_back(outcome); },
      KeepIn(pairs));
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->images, static_cast<std::int64_t>(copies));
  EXPECT_EQ(pairs.size(), copies);
  EXPECT_EQ(report->pairs, static_cast<std::int64_t>(copies));
  EXPECT_EQ(report->failed, 1);
  ASSERT_EQ(failed.size(), 1u);
}

TEST_F(EngineTest, StopCommitsWhatIsDone) {
  EngineOptions one_thread;
  one_thread.threads = 1;
  auto engine = Open(one_thread);
  AddOptions options;
  options.stop = [this] { return fs::exists(folder_ / "stop"); };
  std::vector<std::string> paths = Pictures();
  auto next = Inputs(paths);
  int given = 0;
  const auto summary = engine->Add(
      [&] {
        if (++given == 3) std::ofstream(folder_ / "stop");
        return next();
      },
      options, [&](const AddOutcome& outcome) { outcomes_.push_back(outcome); });
  ASSERT_TRUE(summary.ok());
  EXPECT_TRUE(summary->stopped);
  EXPECT_EQ(summary->given + summary->not_reached, 3);
  for (const AddOutcome& outcome : outcomes_) {
    EXPECT_TRUE(engine->backend().Pin().value()->FindPath(outcome.path)->has_value());
  }
}

TEST_F(EngineTest, AnInputThatCannotBeReadAgainFailsAlone) {
  EngineOptions two_threads;
  two_threads.threads = 2;
  auto engine = Open(two_threads);
  image::RgbImage blank{60, 40, {}};
  blank.pixels.assign(60 * 40 * 3, 200);
  const auto bytes = image::Encode(blank, "png", 0).value();
  const std::string path = Write("a.png", bytes);
  Add(*engine, {path});
  // The only image of the blank content is replaced after a second one with it was read, and before
  // that is stored: the first waits until the other thread has come to the third.
  std::atomic<bool> third = false;
  std::atomic<int> reads = 0;
  const auto file = [](int i) { return engine::ReadPictureFile(Pictures()[i], {})->bytes; };
  std::vector<AddInput> inputs = {{.path = path}, {.path = "second"}, {.path = "third"}};
  inputs[0].read = [&]() -> Result<std::vector<std::uint8_t>> {
    while (!third) std::this_thread::yield();
    return file(0);
  };
  inputs[1].read = [&]() -> Result<std::vector<std::uint8_t>> {
    if (++reads == 1) return bytes;
    return Status(StatusCode::kIoError, "the server is gone");
  };
  inputs[2].read = [&]() -> Result<std::vector<std::uint8_t>> {
    third = true;
    return file(1);
  };
  AddOptions options;
  options.commit_bytes = 0;
  std::size_t next = 0;
  std::map<std::string, AddOutcome> outcomes;
  const auto summary = engine->Add(
      [&] { return next < inputs.size() ? std::optional(inputs[next++]) : std::nullopt; }, options,
      [&](const AddOutcome& outcome) { outcomes[outcome.path] = outcome; });
  ASSERT_TRUE(summary.ok()) << summary.status().message();
  EXPECT_EQ(outcomes[path].action, AddAction::kReplaced);
  EXPECT_EQ(outcomes["second"].action, AddAction::kFailed);
  EXPECT_THAT(outcomes["second"].reason, HasSubstr("the server is gone"));
  EXPECT_EQ(outcomes["third"].action, AddAction::kAdded);
  EXPECT_EQ(reads, 2);
}

TEST_F(EngineTest, PictureFileRefusesWhatIsNoFile) {
  EXPECT_THAT(engine::ReadPictureFile(folder_.string(), {}).status().message(),
              HasSubstr("folder"));
  EXPECT_THAT(engine::ReadPictureFile("/dev/null", {}).status().message(), HasSubstr("device"));
  const std::string big = (folder_ / "big").string();
  std::ofstream(big) << std::string(100, 'x');
  EXPECT_EQ(engine::ReadPictureFile(big, {.max_file_bytes = 99}).status().code(),
            StatusCode::kLimitExceeded);
  EXPECT_EQ(engine::ReadPictureFile(big, {.max_file_bytes = 100})->bytes.size(), 100u);
}

TEST_F(EngineTest, EveryFileOfThePicturesThatAreStoredMoreOftenThanNeighboursAreLookedAt) {
  EngineOptions few;
  few.settings.emplace().max_features = 300;
  auto engine = Open(few);
  const image::RgbImage picture = Decoded(Pictures()[0]);
  auto bytes = image::Encode(picture, "png", 0).value();
  std::vector<std::string> paths;
  for (int i = 0; i < 14; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(i));  // Behind the end: other bytes, equal pixels.
    paths.push_back(Write("same" + std::to_string(i) + ".png", bytes));
  }
  paths.push_back(Write("jpeg.jpg", image::Encode(picture, "jpeg", 20).value()));
  Add(*engine, paths);
  const auto result = engine->Query(InputFor(paths[0]), {.top = 50});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(CopiesIn(*result), std::set<std::string>(paths.begin(), paths.end()));
  std::vector<ReportPair> pairs;
  ASSERT_TRUE(engine->ReportAll({}, KeepIn(pairs)).ok());
  EXPECT_EQ(pairs.size(), paths.size() * (paths.size() - 1) / 2);
}

TEST_F(EngineTest, AStoppedReportGoesOnWhereItEnded) {
  auto engine = Open();
  std::vector<std::string> paths = Pictures();
  for (const auto& entry : fs::directory_iterator(kData / "copies")) paths.push_back(entry.path());
  Add(*engine, paths);
  ReportOptions options;
  options.batch_bytes = 1;
  std::vector<ReportPair> all;
  ASSERT_TRUE(engine->ReportAll(options, KeepIn(all)).ok());
  options.journal = folder_ / "journal";
  std::int64_t searched = 0;
  options.progress = [&](std::int64_t, std::int64_t, std::int64_t) { ++searched; };
  options.stop = [&] { return searched >= 3; };
  std::vector<ReportPair> part;
  const auto stopped = engine->ReportAll(options, KeepIn(part));
  ASSERT_TRUE(stopped.ok());
  EXPECT_TRUE(stopped->stopped);
  EXPECT_EQ(searched, 3);
  options.stop = nullptr;
  options.resume = true;
  searched = 0;
  std::vector<ReportPair> rest;
  const auto report = engine->ReportAll(options, KeepIn(rest));
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(searched, static_cast<std::int64_t>(paths.size()) - 3);
  ASSERT_EQ(rest.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(report::PairJson(rest[i]), report::PairJson(all[i]));
  }
  EXPECT_FALSE(fs::exists(options.journal));
}

TEST_F(EngineTest, AStoppedReportOfFilesListsEqualFilesOnce) {
  auto engine = Open();
  const auto copies_of = [&](const std::string& path, const std::string& folder) {
    std::vector<std::string> paths;
    fs::create_directories(folder_ / folder);
    for (int i = 0; i < 4; ++i) {
      paths.push_back((folder_ / folder / (std::to_string(i) + ".jpg")).string());
      fs::copy_file(path, paths.back());
    }
    return paths;
  };
  Add(*engine, copies_of(Pictures()[0], "stored"));
  const auto paths = copies_of(Pictures()[0], "asked");
  ReportOptions options;
  options.batch_bytes = 1;
  const auto report = [&](std::vector<ReportPair>& pairs) {
    const auto done = engine->ReportFiles(Inputs(paths), options, {}, KeepIn(pairs));
    EXPECT_TRUE(done.ok()) << done.status().message();
    EXPECT_EQ(done->copies, static_cast<std::int64_t>(pairs.size() < 7 ? 2 : 4));
  };
  std::vector<ReportPair> all, part, rest;
  report(all);
  ASSERT_EQ(all.size(), 4 + 3u);
  options.journal = folder_ / "journal";
  std::int64_t searched = 0;
  options.progress = [&](std::int64_t, std::int64_t, std::int64_t) { ++searched; };
  options.stop = [&] { return searched >= 2; };
  report(part);
  ASSERT_EQ(part.size(), 2 + 3u);
  options.stop = nullptr;
  options.resume = true;
  report(rest);
  ASSERT_EQ(rest.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(report::PairJson(rest[i]), report::PairJson(all[i]));
  }
}

TEST_F(EngineTest, AJournalOfAnotherReportIsRefused) {
  auto engine = Open();
  Add(*engine, Pictures());
  ReportOptions options;
  options.journal = folder_ / "journal";
  options.stop = [] { return true; };
  std::vector<ReportPair> pairs;
  ASSERT_TRUE(engine->ReportAll(options, KeepIn(pairs)).ok());
  options.resume = true;
  options.neighbours = 7;
  const auto other = engine->ReportAll(options, KeepIn(pairs));
  EXPECT_THAT(other.status().message(), HasSubstr("is of another report"));
  std::ofstream(options.journal) << "no journal at all, but long enough to be taken for one";
  for (const bool resume : {false, true}) {
    options.resume = resume;
    EXPECT_EQ(engine->ReportAll(options, KeepIn(pairs)).status().code(),
              StatusCode::kInvalidArgument);
    EXPECT_EQ(fs::file_size(options.journal), 54u);
  }
}

TEST_F(EngineTest, AReportThatCannotBeFinishedKeepsItsJournal) {
  auto engine = Open();
  std::vector<std::string> paths = Pictures();
  for (const auto& entry : fs::directory_iterator(kData / "copies")) paths.push_back(entry.path());
  Add(*engine, paths);
  ReportOptions options;
  options.journal = folder_ / "journal";
  std::int64_t searched = 0;
  options.progress = [&](std::int64_t, std::int64_t, std::int64_t) { ++searched; };
  const Status full(StatusCode::kOutOfSpace, "full");
  std::vector<ReportPair> pairs;
  const auto refuse = [&](const ReportPair&) { return full; };
  EXPECT_EQ(engine->ReportAll(options, refuse).status().message(), "full");
  EXPECT_TRUE(fs::exists(options.journal));
  EXPECT_EQ(searched, static_cast<std::int64_t>(paths.size()));
  options.resume = true;
  std::int64_t finished_pairs = 0;
  options.finish = [&](const Report& report) {
    EXPECT_TRUE(fs::exists(options.journal));
    finished_pairs = report.pairs;
    return full;
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(engine->ReportAll(options, KeepIn(pairs)).status().message(), "full");
    EXPECT_EQ(finished_pairs, static_cast<std::int64_t>(pairs.size()));
    EXPECT_TRUE(fs::exists(options.journal));
    pairs.clear();
  }
  options.finish = nullptr;
  ASSERT_TRUE(engine->ReportAll(options, KeepIn(pairs)).ok());
  EXPECT_EQ(finished_pairs, static_cast<std::int64_t>(pairs.size()));
  EXPECT_EQ(searched, static_cast<std::int64_t>(paths.size())) << "nothing is searched again";
  EXPECT_FALSE(fs::exists(options.journal));
}

TEST_F(EngineTest, OnlyAReportWithANamedJournalIsResumed) {
  auto engine = Open();
  Add(*engine, Pictures());
  ReportOptions options;
  options.resume = true;
  std::vector<ReportPair> pairs;
  EXPECT_EQ(engine->ReportAll(options, KeepIn(pairs)).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(EngineTest, VerdictsDecideAndFollowTheContent) {
  auto engine = Open();
  std::vector<std::string> paths = Pictures();
  const std::string copy = (kData / "copies" / "scene1-crop.jpg").string();
  paths.push_back(copy);
  Add(*engine, paths);
  const auto record = [&](const std::string& path) {
    return engine->backend().Pin().value()->FindPath(path).value().value();
  };
  VerdictRecord verdict;
  const ContentHash one = record(copy).hash, other = record(Pictures()[0]).hash;
  verdict.a = std::min(one, other);
  verdict.b = std::max(one, other);
  verdict.verdict = Verdict::kNotACopy;
  verdict.decided_s = 1;
  std::vector<ReportPair> pairs;
  ASSERT_TRUE(engine->ReportAll({}, KeepIn(pairs)).ok());
  ASSERT_EQ(pairs.size(), 1u);
  ASSERT_TRUE(engine->backend().PutVerdicts({&verdict, 1}).ok());
  pairs.clear();
  ASSERT_TRUE(engine->ReportAll({}, KeepIn(pairs)).ok());
  EXPECT_TRUE(pairs.empty());
  // Moved: the same bytes under another path.
  const std::string moved = (folder_ / "moved.jpg").string();
  fs::copy_file(copy, moved);
  Add(*engine, {moved});
  ASSERT_EQ(engine->backend().Remove(std::vector{record(copy).id}).value(), 1);
  ASSERT_TRUE(engine->ReportAll({}, KeepIn(pairs)).ok());
  EXPECT_TRUE(pairs.empty());
  ASSERT_EQ(engine->backend().ForgetVerdicts({&verdict, 1}).value(), 1);
  ASSERT_TRUE(engine->ReportAll({}, KeepIn(pairs)).ok());
  EXPECT_EQ(pairs.size(), 1u);
}

}  // namespace
}  // namespace siftsearch
