#include "index/byte_codes.h"

#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/impl/FaissAssert.h>

#include <algorithm>
#include <array>
#include <typeinfo>
#include <utility>
#include <vector>

#include "index/list_search.h"
#include "siftsearch/types.h"

namespace siftsearch::index {
namespace {

constexpr auto kBytes = faiss::ScalarQuantizer::QT_8bit_direct;

void ToBytes(const float* values, std::size_t count, std::uint8_t* bytes) {
  std::transform(values, values + count, bytes,
                 [](float value) { return static_cast<std::uint8_t>(value); });
}

/// Distances for the walks through a graph.
class GraphDistance : public faiss::FlatCodesDistanceComputer {
 public:
  GraphDistance(const std::uint8_t* rows, kernel::Distance* distance)
      : FlatCodesDistanceComputer(rows, kDescriptorBytes), distance_(distance) {}

  void set_query(const float* x) override { ToBytes(x, kDescriptorBytes, query_.data()); }
  float distance_to_code(const std::uint8_t* row) override { return Between(query_.data(), row); }
  float symmetric_dis(faiss::Index::idx_t i, faiss::Index::idx_t j) override {
    return Between(codes + i * kDescriptorBytes, codes + j * kDescriptorBytes);
  }

 private:
  float Between(const std::uint8_t* a, const std::uint8_t* b) const {
    return static_cast<float>(distance_(a, b, kDescriptorBytes));
  }

  kernel::Distance* const distance_;
  std::array<std::uint8_t, kDescriptorBytes> query_ = {};
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

/// Inverted lists of bytes.
class ByteLists : public faiss::IndexIVFScalarQuantizer {
 public:
  /// Takes what `lists` owns.
  ByteLists(faiss::IndexIVF& lists, kernel::Variant variant)
      : IndexIVFScalarQuantizer(lists.quantizer, lists.d, lists.nlist, kBytes, faiss::METRIC_L2,
                                /*encode_residual=*/false),
        variant_(variant) {
    own_fields = std::exchange(lists.own_fields, false);
    quantizer_trains_alone = lists.quantizer_trains_alone;
    cp = lists.cp;
    is_trained = lists.is_trained;
    ntotal = lists.ntotal;
    if (lists.code_size == code_size) {
      replace_invlists(lists.invlists, std::exchange(lists.own_invlists, false));
    }
  }

  /// Each thread of a search calls it for a part of the queries. Labels are ids: pairs of list and
  /// place are never asked for.
  void search_preassigned(idx_t n, const float* x, idx_t k, const idx_t* assign, const float*,
                          float* distances, idx_t* labels, bool store_pairs,
                          const faiss::IVFSearchParameters* params,
                          faiss::IndexIVFStats*) const override {
    FAISS_THROW_IF_NOT_MSG(!store_pairs, "pairs of list and place are not known");
    std::vector<std::uint8_t> queries(static_cast<std::size_t>(n) * kDescriptorBytes);
    ToBytes(x, queries.size(), queries.data());
    SearchLists(*invlists, variant_, queries, assign, params ? params->nprobe : nprobe,
                static_cast<std::size_t>(k), distances, labels);
  }

 private:
  const kernel::Variant variant_;
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
    if (plain) return std::make_unique<ByteLists>(*flat, variant);
  }
  if (auto* read = dynamic_cast<faiss::IndexIVFScalarQuantizer*>(index.get())) {
    const bool bytes = read->sq.qtype == kBytes && !read->by_residual;
    if (bytes) return std::make_unique<ByteLists>(*read, variant);
  }
  return index;
}

}  // namespace siftsearch::index
