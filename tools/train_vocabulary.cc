// Makes data/vocabulary.bin: words and directions that descriptors are looked up by
// (schema/vocabulary.md), from the pictures below folders.

#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <opencv2/core.hpp>
#include <random>
#include <string>
#include <vector>

#include "base/ordered_pipeline.h"
#include "base/parallel.h"
#include "features/extractor.h"
#include "image/decode.h"
#include "lists/vocabulary.h"

namespace siftsearch {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

struct Options {
  std::vector<std::string> folders;
  std::string out;
  std::size_t sample = 600'000;  ///< Descriptors.
  int rounds = 20;               ///< Of k-means.
  unsigned seed = 1;
};

std::vector<std::string> PicturesBelow(const std::vector<std::string>& folders) {
  std::vector<std::string> paths;
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (image::HasImageExtension(entry.path().string())) paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<std::uint8_t> DescriptorsOf(const features::FeatureExtractor& extractor,
                                        const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  const auto picture = image::DecodeGrey(bytes, {}, extractor.settings().max_side);
  if (!picture.ok()) return {};
  auto features = extractor.Extract(*picture);
  return features.ok() ? std::move(features->descriptors) : std::vector<std::uint8_t>();
}

/// As many descriptors of each picture as make up the sample, drawn with a seed.
std::vector<std::uint8_t> Sample(const Options& options) {
  const std::vector<std::string> paths = PicturesBelow(options.folders);
  if (paths.empty()) throw std::runtime_error("there is no picture below these folders");
  const auto extractor = features::MakeExtractor({}).value();
  std::vector<std::vector<std::uint8_t>> all(paths.size());
  ParallelFor(paths.size(), AvailableThreads(),
              [&](std::size_t i) { all[i] = DescriptorsOf(*extractor, paths[i]); });
  std::vector<std::pair<std::uint32_t, std::uint32_t>> rows;  // Picture and row.
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t row = 0; row < all[i].size() / kDescriptorBytes; ++row) {
      rows.emplace_back(i, row);
    }
  }
  std::mt19937 random(options.seed);
  std::shuffle(rows.begin(), rows.end(), random);
  rows.resize(std::min(rows.size(), options.sample));
  std::fprintf(stderr, "%zu descriptors of %zu pictures\n", rows.size(), paths.size());
  std::vector<std::uint8_t> sample;
  for (const auto& [picture, row] : rows) {
    const auto begin = all[picture].begin() + std::ptrdiff_t{row} * kDescriptorBytes;
    sample.insert(sample.end(), begin, begin + kDescriptorBytes);
  }
  return sample;
}

std::vector<std::uint8_t> Centroids(const std::vector<std::uint8_t>& sample,
                                    const Options& options) {
  faiss::ClusteringParameters parameters;
  parameters.niter = options.rounds;
  parameters.verbose = true;
  parameters.seed = static_cast<int>(options.seed);
  parameters.max_points_per_centroid = 1'000'000;
  faiss::Clustering clustering(kDescriptorBytes, lists::kWords, parameters);
  faiss::IndexFlatL2 index(kDescriptorBytes);
  const std::vector<float> floats(sample.begin(), sample.end());
  clustering.train(static_cast<faiss::Index::idx_t>(sample.size() / kDescriptorBytes),
                   floats.data(), index);
  std::vector<std::uint8_t> bytes;
  for (const float value : clustering.centroids) {
    bytes.push_back(static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L)));
  }
  return bytes;
}

/// What is left of the descriptors of a sample without the centroids of their words.
cv::Mat Residuals(const std::vector<std::uint8_t>& sample,
                  const std::vector<std::uint8_t>& centroids,
                  const std::vector<lists::Term>& terms) {
  cv::Mat residuals(static_cast<int>(terms.size()), kDescriptorBytes, CV_32F);
  for (int row = 0; row < residuals.rows; ++row) {
    const auto at = static_cast<std::size_t>(row);
    const std::uint8_t* descriptor = &sample[at * kDescriptorBytes];
    const std::uint8_t* centroid = &centroids[std::size_t{terms[at].word} * kDescriptorBytes];
    for (int i = 0; i < kDescriptorBytes; ++i) {
      residuals.at<float>(row, i) = static_cast<float>(descriptor[i] - centroid[i]);
    }
  }
  return residuals;
}

/// A rotation drawn with a seed.
cv::Mat Rotation(int size, unsigned seed) {
  cv::Mat drawn(size, size, CV_32F);
  cv::RNG random(seed);
  random.fill(drawn, cv::RNG::NORMAL, 0, 1);
  return cv::SVD(drawn).u;
}

/// The directions in which the residuals differ most (principal components), turned at random among
/// themselves and rounded to bytes.
lists::Vocabulary::Projections Directions(const cv::Mat& residuals, unsigned seed) {
  const cv::PCA components(residuals, cv::noArray(), cv::PCA::DATA_AS_ROW, lists::kSigns);
  const cv::Mat turned = Rotation(lists::kSigns, seed) * components.eigenvectors;
  // One scale for all, so that distances from medians can be compared.
  const double scale = 127 / cv::norm(turned, cv::NORM_INF);
  lists::Vocabulary::Projections rounded;
  for (int sign = 0; sign < lists::kSigns; ++sign) {
    for (int i = 0; i < kDescriptorBytes; ++i) {
      rounded[static_cast<std::size_t>(sign)][static_cast<std::size_t>(i)] =
          static_cast<std::int8_t>(std::lround(scale * turned.at<float>(sign, i)));
    }
  }
  return rounded;
}

/// Of each word's descriptors; of a word without any, its centroid's projections.
std::vector<std::int32_t> Medians(const std::vector<std::uint8_t>& sample,
                                  const std::vector<std::uint8_t>& centroids,
                                  const std::vector<lists::Term>& terms,
                                  const lists::Vocabulary& unsigned_words) {
  std::vector<std::vector<std::size_t>> members(lists::kWords);
  for (std::size_t i = 0; i < terms.size(); ++i) members[terms[i].word].push_back(i);
  std::vector<std::int32_t> medians;
  for (std::size_t word = 0; word < members.size(); ++word) {
    std::vector<lists::Vocabulary::Projected> projected;
    for (const std::size_t i : members[word]) {
      projected.push_back(unsigned_words.Project(&sample[i * std::size_t{kDescriptorBytes}]));
    }
    if (projected.empty()) {
      projected.push_back(unsigned_words.Project(&centroids[word * std::size_t{kDescriptorBytes}]));
    }
    for (int sign = 0; sign < lists::kSigns; ++sign) {
      const auto middle = projected.begin() + static_cast<std::ptrdiff_t>(projected.size() / 2);
      std::nth_element(projected.begin(), middle, projected.end(),
                       [&](const auto& a, const auto& b) { return a[sign] < b[sign]; });
      medians.push_back((*middle)[sign]);
    }
  }
  return medians;
}

Options Parse(int argc, char** argv) {
  Options options;
  po::options_description all("train_vocabulary --out FILE FOLDER...");
  all.add_options()("out", po::value(&options.out)->required(), "where the vocabulary goes")(
      "sample", po::value(&options.sample)->default_value(options.sample), "descriptors")(
      "rounds", po::value(&options.rounds)->default_value(options.rounds), "of k-means")(
      "seed", po::value(&options.seed)->default_value(options.seed), "of all drawing")(
      "folder", po::value(&options.folders)->required(), "with pictures");
  po::positional_options_description folders;
  folders.add("folder", -1);
  po::variables_map map;
  po::store(po::command_line_parser(argc, argv).options(all).positional(folders).run(), map);
  po::notify(map);
  return options;
}

void Run(const Options& options) {
  const std::vector<std::uint8_t> sample = Sample(options);
  const std::vector<std::uint8_t> centroids = Centroids(sample, options);
  const lists::GroupedWords words = lists::GroupWords(centroids);
  const std::vector<std::int32_t> no_medians(std::size_t{lists::kWords} * lists::kSigns);
  const auto terms = lists::Vocabulary(words, {}, no_medians)
                         .Terms(sample, kernel::SupportedVariants().front(), AvailableThreads());
  const auto directions = Directions(Residuals(sample, centroids, terms), options.seed);
  const lists::Vocabulary vocabulary(
      words, directions,
      Medians(sample, centroids, terms, lists::Vocabulary(words, directions, no_medians)));
  const std::vector<std::uint8_t> bytes = vocabulary.Encode();
  std::ofstream out(options.out, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw std::runtime_error(options.out + " can't be written");
}

}  // namespace
}  // namespace siftsearch

int main(int argc, char** argv) try {
  siftsearch::Run(siftsearch::Parse(argc, argv));
} catch (const std::exception& error) {
  std::fprintf(stderr, "train_vocabulary: %s\n", error.what());
  return 2;
}
