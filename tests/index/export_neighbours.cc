// Writes an exported index, queries, and our own answer to them, for export_neighbours_test.py.
#include <fstream>
#include <iostream>
#include <string>

#include "index_test_util.h"
#include "support/byte_flat_index.h"

namespace siftsearch::index {
namespace {

constexpr int kDim = 128;
constexpr int kRows = 3000;
constexpr int kQueries = 100;
constexpr int kNeighbours = 10;

template <typename T>
bool Write(const std::string& file, const std::vector<T>& values) {
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(T)));
  return static_cast<bool>(out.flush());
}

int Run(const std::string& folder) {
  const auto rows = RandomBytes(kRows * kDim, 1);
  const auto queries = ToFloats(RandomBytes(kQueries * kDim, 2));
  const auto ids = GrowingImages(kRows);
  const kernel::RowSpan span{rows.data(), kRows, 0};
  const ByteFlatIndex ours(kDim, {span}, ids, kernel::SupportedVariants().front(), 2);
  std::vector<float> distances(kQueries * kNeighbours);
  std::vector<faiss::Index::idx_t> labels(kQueries * kNeighbours);
  ours.search(kQueries, queries.data(), kNeighbours, distances.data(), labels.data());
  const Status exported = WriteFaissFlat(kDim, {&span, 1}, ids, folder + "/index.faiss");
  if (!exported.ok()) std::cerr << exported.message() << '\n';
  return exported.ok() && Write(folder + "/queries", queries) &&
                 Write(folder + "/distances", distances) && Write(folder + "/labels", labels)
             ? 0
             : 1;
}

}  // namespace
}  // namespace siftsearch::index

int main(int, char** argv) { return siftsearch::index::Run(argv[1]); }
