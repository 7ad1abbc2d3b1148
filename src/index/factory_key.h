#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernel/topk.h"
#include "siftsearch/status.h"

namespace faiss {
struct Index;
}

namespace siftsearch::index {

/// How a database is searched (schema/index.md): "auto", "Terms", or a Faiss factory key for
/// squared L2 between descriptors. Immutable.
class FactoryKey {
 public:
  /// kInvalidArgument, with what is wrong with it, for what Faiss can't make, train or store.
  static Result<FactoryKey> Parse(const std::string& text);

  const std::string& text() const { return text_; }
  /// Searched by our own kernel over the stored bytes: nothing is built.
  bool exact() const { return exact_; }
  /// "auto": the number of rows decides between the exact search and terms.
  bool automatic() const { return automatic_; }
  /// "Terms": rows are looked up by our own files of terms, and Faiss has no part in it.
  bool terms() const { return terms_; }
  /// Built by Faiss and kept as a cache.
  bool faiss() const { return !automatic_ && !exact_ && !terms_; }
  /// Inverted lists, of which a search visits `nprobe`; 0: none.
  std::int64_t lists() const { return lists_; }
  /// A graph, in which a search keeps `efSearch` candidates.
  bool graph() const { return graph_; }
  bool trained() const { return min_rows_ > 1; }
  /// Fewer rows than this can't train the index.
  std::int64_t min_rows() const { return min_rows_; }

  /// An empty index with this project's parameters, none for a key that is not Faiss's; `variant`
  /// computes its distances where it keeps whole descriptors. Throws what Faiss does.
  std::unique_ptr<faiss::Index> Make(kernel::Variant variant) const;

 private:
  FactoryKey() = default;
  Status Inspect();

  std::string text_;
  bool automatic_ = false;
  bool exact_ = false;
  bool terms_ = false;
  std::int64_t lists_ = 0;
  bool graph_ = false;
  std::int64_t min_rows_ = 1;
};

/// Faiss's sentence without the place in its source.
std::string FaissCause(const char* what);

/// Sets how thorough searches of an index are, as far as it has these parameters.
void SetEffort(faiss::Index& index, int nprobe, int ef_search);

}  // namespace siftsearch::index
