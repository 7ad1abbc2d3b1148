#include "index/byte_codes.h"

#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/utils/Heap.h>

#include <algorithm>
#include <array>
#include <typeinfo>
#include <utility>

#include "siftsearch/types.h"

namespace siftsearch::index {
namespace {

constexpr auto kBytes = faiss::ScalarQuantizer::QT_8bit_direct;

/// A query's bytes and how they are compared.
class ByteQuery {
 public:
  explicit ByteQuery(kernel::Distance* distance) : distance_(distance) {}

  void Set(const float* values) {
    std::transform(values, values + kDescriptorBytes, bytes_.begin(),
                   [](float value) { return static_cast<std::uint8_t>(value); });
  }
  float DistanceTo(const std::uint8_t* row) const { return Between(bytes_.data(), row); }
  float Between(const std::uint8_t* a, const std::uint8_t* b) const {
    return static_cast<float>(distance_(a, b, kDescriptorBytes));
  }

 private:
  kernel::Distance* const distance_;
  std::array<std::uint8_t, kDescriptorBytes> bytes_ = {};
};

/// Distances for the walks through a graph.
class GraphDistance : public faiss::FlatCodesDistanceComputer {
 public:
  GraphDistance(const std::uint8_t* rows, kernel::Distance* distance)
      : FlatCodesDistanceComputer(rows, kDescriptorBytes), query_(distance) {}

  void set_query(const float* x) override { query_.Set(x); }
  float distance_to_code(const std::uint8_t* row) override { return query_.DistanceTo(row); }
  float symmetric_dis(faiss::Index::idx_t i, faiss::Index::idx_t j) override {
    return query_.Between(codes + i * kDescriptorBytes, codes + j * kDescriptorBytes);
  }

 private:
  ByteQuery query_;
};

/// The rows of a graph.
class GraphRows : public faiss::IndexScalarQuantizer {
 public:
  explicit GraphRows(kernel::Distance* distance)
      : IndexScalarQuantizer(kDescriptorBytes, kBytes), distance_(distance) {}

  faiss::FlatCodesDistanceComputer* get_FlatCodesDistanceComputer() const override {
    return new GraphDistance(codes.data(), distance_);  // Faiss deletes it.
  }

 private:
  kernel::Distance* const distance_;
};

/// Scans lists for one query.
class ListScanner : public faiss::InvertedListScanner {
 public:
  ListScanner(bool pairs, kernel::Distance* distance)
      : InvertedListScanner(pairs), query_(distance) {
    code_size = kDescriptorBytes;
  }

  void set_query(const float* x) override { query_.Set(x); }
  void set_list(idx_t list, float) override { list_no = list; }
  float distance_to_code(const std::uint8_t* row) const override { return query_.DistanceTo(row); }

 private:
  ByteQuery query_;
};

class ByteLists : public faiss::IndexIVFScalarQuantizer {
 public:
  /// Takes what `lists` owns.
  ByteLists(faiss::IndexIVF& lists, kernel::Distance* distance)
      : IndexIVFScalarQuantizer(lists.quantizer, lists.d, lists.nlist, kBytes, faiss::METRIC_L2,
                                /*encode_residual=*/false),
        distance_(distance) {
    own_fields = std::exchange(lists.own_fields, false);
    quantizer_trains_alone = lists.quantizer_trains_alone;
    cp = lists.cp;
    is_trained = lists.is_trained;
    ntotal = lists.ntotal;
    if (lists.code_size == code_size) {
      replace_invlists(lists.invlists, std::exchange(lists.own_invlists, false));
    }
  }

  faiss::InvertedListScanner* get_InvertedListScanner(
      bool pairs, const faiss::IDSelector* /*none is ever asked for*/) const override {
    return new ListScanner(pairs, distance_);  // Faiss deletes it.
  }

 private:
  kernel::Distance* const distance_;
};

std::unique_ptr<faiss::Index> ByteGraph(faiss::IndexHNSW& graph, kernel::Distance* distance) {
  auto rows = std::make_unique<GraphRows>(distance);
  if (auto* read = dynamic_cast<faiss::IndexScalarQuantizer*>(graph.storage)) {
    rows->codes = std::move(read->codes);
    rows->ntotal = read->ntotal;
  }
  auto made = std::make_unique<faiss::IndexHNSWSQ>();
  made->d = graph.d;
  made->ntotal = graph.ntotal;
  made->hnsw = std::move(graph.hnsw);
  made->storage = rows.release();
  made->own_fields = true;
  made->is_trained = true;
  return made;
}

bool HasByteRows(const faiss::IndexHNSW& graph) {
  const auto* rows = dynamic_cast<const faiss::IndexScalarQuantizer*>(graph.storage);
  return rows != nullptr && rows->sq.qtype == kBytes;
}

}  // namespace

std::unique_ptr<faiss::Index> WithByteCodes(std::unique_ptr<faiss::Index> index,
                                            kernel::Variant variant) {
  kernel::Distance* const distance = kernel::DistanceOf(variant);
  if (index->d != kDescriptorBytes || index->metric_type != faiss::METRIC_L2) return index;
  if (auto* graph = dynamic_cast<faiss::IndexHNSW*>(index.get())) {
    const bool empty_flat =
        dynamic_cast<faiss::IndexHNSWFlat*>(graph) != nullptr && graph->ntotal == 0;
    if (empty_flat || HasByteRows(*graph)) return ByteGraph(*graph, distance);
  }
  if (auto* flat = dynamic_cast<faiss::IndexIVFFlat*>(index.get())) {
    const bool plain = typeid(*flat) == typeid(faiss::IndexIVFFlat) && flat->ntotal == 0;
    if (plain) return std::make_unique<ByteLists>(*flat, distance);
  }
  if (auto* read = dynamic_cast<faiss::IndexIVFScalarQuantizer*>(index.get())) {
    const bool bytes = read->sq.qtype == kBytes && !read->by_residual;
    if (bytes) return std::make_unique<ByteLists>(*read, distance);
  }
  return index;
}

}  // namespace siftsearch::index
