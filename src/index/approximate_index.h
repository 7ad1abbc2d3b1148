#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "index/factory_key.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"

namespace siftsearch::index {

/// The descriptors of one content: count × kDescriptorBytes bytes, borrowed.
struct ContentRows {
  std::int64_t content = 0;
  const std::uint8_t* rows = nullptr;
  std::size_t count = 0;
};

/// A content whose rows an index holds.
struct IndexedContent {
  std::int64_t content = 0;
  std::int64_t rows = 0;
  std::uint64_t checksum = 0;  ///< Of its descriptors.
};

/// A Faiss index over the rows of contents, numbered from 0 in the order of `contents`. Searches
/// may be made from several threads, one runs at a time (on all the threads it is given).
class ApproximateIndex {
 public:
  /// Trains an index on a sample of the rows and adds them all. The sample is the same for the same
  /// rows; `variant` (which this machine must have) does not change what is found.
  /// kInvalidArgument: fewer rows than the key needs; kOutOfMemory; kInternal: Faiss failed.
  static Result<std::unique_ptr<ApproximateIndex>> Build(const FactoryKey& key,
                                                         std::span<const ContentRows> contents,
                                                         kernel::Variant variant, int threads);
  /// An index that Faiss wrote. kCorrupt: it can't be read, or does not hold these contents.
  static Result<std::unique_ptr<ApproximateIndex>> Read(const FactoryKey& key,
                                                        std::vector<IndexedContent> contents,
                                                        std::int64_t trained_rows,
                                                        std::vector<std::uint8_t> bytes,
                                                        kernel::Variant variant);
  ~ApproximateIndex();

  /// Adds rows without training. Not while others search; after an error the index is unusable.
  Status Add(std::span<const ContentRows> contents, int threads);

  /// What `Read` reads.
  Result<std::vector<std::uint8_t>> Write() const;

  const std::vector<IndexedContent>& contents() const { return contents_; }
  std::int64_t rows() const { return rows_; }
  /// Rows that there were when the index was trained.
  std::int64_t trained_rows() const { return trained_rows_; }

  struct Candidate {
    std::int64_t row = -1;  ///< -1 where the index gave no more.
    float distance = 0;     ///< As the index has it; squared L2 between bytes is exact for no code.
  };
  /// `count` candidates for each query (n × kDescriptorBytes bytes), best first.
  Status Search(std::span<const std::uint8_t> queries, int count, const Approximation& effort,
                int threads, std::vector<Candidate>* found) const;

 private:
  ApproximateIndex() = default;

  std::vector<IndexedContent> contents_;
  std::int64_t rows_ = 0;
  std::int64_t trained_rows_ = 0;
  mutable std::mutex
      mutex_;  ///< Guards the parameters of a search, which Faiss keeps in the index.
  std::unique_ptr<faiss::Index> index_;
};

}  // namespace siftsearch::index
