#include "index/approximate_index.h"

#include <faiss/Index.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/io.h>
#include <faiss/index_io.h>
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <new>
#include <random>
#include <utility>

#include "base/hash.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "index/byte_codes.h"
#include "siftsearch/types.h"

extern "C" void openblas_set_num_threads(int);

namespace siftsearch::index {
namespace {

/// Rows that are floats at one time.
constexpr std::size_t kPiece = 65'536;
/// Rows to train with: for each list, and at least. More make k-means longer, not better.
constexpr std::int64_t kSamplePerList = 64;
constexpr std::int64_t kMinSample = 65'536;
constexpr unsigned kSampleSeed = 1234;

/// Runs Faiss on `threads` threads and turns what it throws into a Status. The only place that sets
/// their number: OpenMP's, with OpenBLAS on one, since Faiss calls it from inside parallel regions.
template <typename Work>
Status RunFaiss(const char* what, int threads, const Work& work) {
  omp_set_num_threads(std::max(1, threads));
  openblas_set_num_threads(1);
  try {
    work();
  } catch (const std::bad_alloc&) {
    return {StatusCode::kOutOfMemory, fmt::format("not enough memory to {}", what)};
  } catch (const std::exception& error) {
    // What its threads throw Faiss throws again as text.
    const std::string cause = FaissCause(error.what());
    if (cause.find("bad_alloc") != std::string::npos) {
      return {StatusCode::kOutOfMemory, fmt::format("not enough memory to {}", what)};
    }
    return {StatusCode::kInternal, fmt::format("can't {}: {}", what, cause)};
  }
  return {};
}

std::int64_t CountRows(std::span<const ContentRows> contents) {
  std::int64_t rows = 0;
  for (const ContentRows& content : contents) rows += static_cast<std::int64_t>(content.count);
  return rows;
}

/// Each row is taken with the probability that gives `wanted` on the rest (Knuth's algorithm S), so
/// one pass in order over mapped files is enough.
std::vector<float> Sample(std::span<const ContentRows> contents, std::int64_t total,
                          std::int64_t wanted) {
  std::mt19937_64 random(kSampleSeed);
  std::vector<float> sample;
  sample.reserve(static_cast<std::size_t>(wanted) * kDescriptorBytes);
  std::int64_t left = total;
  for (const ContentRows& content : contents) {
    for (std::size_t row = 0; row < content.count; ++row, --left) {
      if (static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(left)) >= wanted)
        continue;
      const std::uint8_t* bytes = content.rows + row * kDescriptorBytes;
      sample.insert(sample.end(), bytes, bytes + kDescriptorBytes);
      --wanted;
    }
  }
  return sample;
}

void AddAll(std::span<const ContentRows> contents, faiss::Index& index) {
  std::vector<float> values;
  const auto flush = [&] {
    index.add(static_cast<faiss::Index::idx_t>(values.size() / kDescriptorBytes), values.data());
    values.clear();
  };
  for (const ContentRows& content : contents) {
    values.insert(values.end(), content.rows, content.rows + content.count * kDescriptorBytes);
    if (values.size() >= kPiece * kDescriptorBytes) flush();
  }
  if (!values.empty()) flush();
}

}  // namespace

ApproximateIndex::~ApproximateIndex() = default;

Result<std::unique_ptr<ApproximateIndex>> ApproximateIndex::Build(
    const FactoryKey& key, std::span<const ContentRows> contents, kernel::Variant variant,
    int threads) {
  const std::int64_t rows = CountRows(contents);
  if (rows < key.min_rows()) {
    return Status(StatusCode::kInvalidArgument, fmt::format("the index {} needs {} rows, not {}",
                                                            key.text(), key.min_rows(), rows));
  }
  std::unique_ptr<ApproximateIndex> built(new ApproximateIndex);
  built->trained_rows_ = rows;
  SIFTSEARCH_RETURN_IF_ERROR(RunFaiss("train the index", threads, [&] {
    built->index_ = key.Make(variant);
    if (built->index_->is_trained) return;
    const std::int64_t wanted = std::max(kMinSample, key.lists() * kSamplePerList);
    const std::vector<float> sample = Sample(contents, rows, std::min(wanted, rows));
    built->index_->train(static_cast<faiss::Index::idx_t>(sample.size() / kDescriptorBytes),
                         sample.data());
  }));
  SIFTSEARCH_RETURN_IF_ERROR(built->Add(contents, threads));
  return built;
}

Result<std::unique_ptr<ApproximateIndex>> ApproximateIndex::Read(
    const FactoryKey& key, std::vector<IndexedContent> contents, std::int64_t trained_rows,
    std::vector<std::uint8_t> bytes, kernel::Variant variant) {
  std::unique_ptr<ApproximateIndex> read(new ApproximateIndex);
  faiss::VectorIOReader reader;
  reader.data = std::move(bytes);
  try {
    std::unique_ptr<faiss::Index> stored(faiss::read_index(&reader));
    read->index_ = WithByteCodes(std::move(stored), variant);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "not enough memory for the index");
  } catch (const std::exception& error) {
    return Status(StatusCode::kCorrupt, FaissCause(error.what()));
  }
  for (const IndexedContent& content : contents) read->rows_ += content.rows;
  const faiss::Index& index = *read->index_;
  if (index.d != kDescriptorBytes || index.metric_type != faiss::METRIC_L2 || !index.is_trained ||
      index.ntotal != read->rows_) {
    return Status(StatusCode::kCorrupt,
                  fmt::format("it is no index {} over {} rows", key.text(), read->rows_));
  }
  read->contents_ = std::move(contents);
  read->trained_rows_ = trained_rows;
  return read;
}

Status ApproximateIndex::Add(std::span<const ContentRows> contents, int threads) {
  SIFTSEARCH_RETURN_IF_ERROR(
      RunFaiss("add to the index", threads, [&] { AddAll(contents, *index_); }));
  const std::size_t before = contents_.size();
  contents_.resize(before + contents.size());
  ParallelFor(contents.size(), threads, [&](std::size_t i) {
    const ContentRows& content = contents[i];
    contents_[before + i] = {
        .content = content.content,
        .rows = static_cast<std::int64_t>(content.count),
        .checksum = Checksum({content.rows, content.count * kDescriptorBytes})};
  });
  rows_ += CountRows(contents);
  return {};
}

Result<std::vector<std::uint8_t>> ApproximateIndex::Write() const {
  faiss::VectorIOWriter writer;
  SIFTSEARCH_RETURN_IF_ERROR(
      RunFaiss("write the index", 1, [&] { faiss::write_index(index_.get(), &writer); }));
  return std::move(writer.data);
}

Status ApproximateIndex::Search(std::span<const std::uint8_t> queries, int count,
                                const Approximation& effort, int threads,
                                std::vector<Candidate>* found) const {
  const std::size_t n = queries.size() / kDescriptorBytes;
  const std::vector<float> values(queries.begin(), queries.end());
  const std::size_t width = static_cast<std::size_t>(count);
  std::vector<float> distances(n * width);
  std::vector<faiss::Index::idx_t> labels(n * width, -1);
  {
    const std::lock_guard lock(mutex_);
    SIFTSEARCH_RETURN_IF_ERROR(RunFaiss("search the index", threads, [&] {
      SetEffort(*index_, effort.nprobe, effort.ef_search);
      index_->search(static_cast<faiss::Index::idx_t>(n), values.data(), count, distances.data(),
                     labels.data());
    }));
  }
  found->resize(n * width);
  for (std::size_t i = 0; i < n * width; ++i) {
    // A label is used to address rows, so none is believed.
    const bool known = labels[i] >= 0 && labels[i] < rows_;
    (*found)[i] = {.row = known ? labels[i] : -1, .distance = distances[i]};
  }
  return {};
}

}  // namespace siftsearch::index
