#include "index/factory_key.h"

#include <faiss/IVFlib.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexPQ.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/io.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <regex>
#include <utility>

#include "base/status_macros.h"
#include "index/byte_codes.h"
#include "siftsearch/types.h"

namespace siftsearch::index {
namespace {

constexpr std::size_t kMaxKeyBytes = 100;
/// 65,536 lists want 2.5 million descriptors to be trained; more lists take hours.
constexpr std::int64_t kMaxLists = 65'536;
constexpr int kMinLinks = 2;
constexpr int kMaxLinks = 512;
/// A codebook of b bits takes memory for 2^b centroids before anything is stored.
constexpr int kMaxCodeBits = 12;
/// Points that k-means wants for each centroid; Faiss warns below that.
constexpr std::int64_t kPointsPerCentroid = 39;
/// What other indexes that train get at least.
constexpr std::int64_t kOtherTraining = 1000;

constexpr int kEfConstruction = 128;
constexpr int kEfSearch = 256;

Status Refused(const std::string& key, const std::string& cause) {
  return {StatusCode::kInvalidArgument, fmt::format("the index \"{}\" can't be: {}", key, cause)};
}

/// The number that a pattern's first group has in the key; `otherwise` where it doesn't occur.
std::int64_t NumberIn(const std::string& key, const char* pattern, std::int64_t otherwise) {
  std::smatch match;
  if (!std::regex_search(key, match, std::regex(pattern)) || !match[1].matched) return otherwise;
  // Longer numbers are out of every range.
  return match[1].length() > 9 ? INT64_MAX : std::stoll(match[1].str());
}

/// What would take memory or time out of all proportion before Faiss could refuse it.
Status CheckSizes(const std::string& key) {
  std::int64_t lists = NumberIn(key, "IVF([0-9]+)", 1);
  if (std::regex_search(key, std::regex("IVF[0-9]+[kM]")))
    lists = std::min(lists, kMaxLists) * 1024;
  if (lists < 1 || lists > kMaxLists || std::regex_search(key, std::regex("IVF[0-9]+M"))) {
    return Refused(key, fmt::format("the number of lists after IVF is from 1 to {}", kMaxLists));
  }
  const std::int64_t links = NumberIn(key, "HNSW([0-9]+)", kMinLinks);
  if (links < kMinLinks || links > kMaxLinks) {
    return Refused(
        key, fmt::format("the number of links after HNSW is from {} to {}", kMinLinks, kMaxLinks));
  }
  if (NumberIn(key, "[0-9]x([0-9]+)", 1) > kMaxCodeBits) {
    return Refused(key, fmt::format("a code has up to {} bits", kMaxCodeBits));
  }
  const std::int64_t parts = NumberIn(key, "PQ([0-9]+)", 1);
  if (parts < 1 || kDescriptorBytes % parts != 0) {
    return Refused(key, fmt::format("the number after PQ must divide {}", kDescriptorBytes));
  }
  return {};
}

/// The index that does the search, inside those that prepare vectors or refine results.
faiss::Index* Core(faiss::Index* index) {
  while (true) {
    if (auto* transform = dynamic_cast<faiss::IndexPreTransform*>(index)) {
      index = transform->index;
    } else if (auto* refine = dynamic_cast<faiss::IndexRefine*>(index)) {
      index = refine->base_index;
    } else {
      return index;
    }
  }
}

}  // namespace

std::string FaissCause(const char* what) {
  const std::string text = what;
  for (const char* mark : {"failed: ", "Error: "}) {
    const std::size_t at = text.rfind(mark);
    if (at != std::string::npos) return text.substr(at + std::string(mark).size());
  }
  const std::size_t place = text.find("cpp:");
  const std::size_t colon = place == std::string::npos ? place : text.find(": ", place);
  return colon == std::string::npos ? text : text.substr(colon + 2);
}

void SetEffort(faiss::Index& index, int nprobe, int ef_search) {
  faiss::Index* core = Core(&index);
  if (auto* ivf = dynamic_cast<faiss::IndexIVF*>(core)) {
    // The square root keeps the work for lists and for their centroids in balance.
    const auto usual = static_cast<std::size_t>(std::ceil(std::sqrt(ivf->nlist)));
    ivf->nprobe = std::min(nprobe > 0 ? static_cast<std::size_t>(nprobe) : usual, ivf->nlist);
  }
  if (auto* hnsw = dynamic_cast<faiss::IndexHNSW*>(core)) {
    hnsw->hnsw.efSearch = ef_search > 0 ? ef_search : kEfSearch;
  }
}

std::unique_ptr<faiss::Index> FactoryKey::Make(kernel::Variant variant) const {
  if (!faiss()) return nullptr;
  // Rows are numbered from 0 in the order of adding, so a map of ids would map each to itself.
  const std::string inner = text_.starts_with("IDMap,") ? text_.substr(6) : text_;
  std::unique_ptr<faiss::Index> index(
      faiss::index_factory(kDescriptorBytes, inner.c_str(), faiss::METRIC_L2));
  faiss::Index* core = Core(index.get());
  if (auto* hnsw = dynamic_cast<faiss::IndexHNSW*>(core)) {
    hnsw->hnsw.efConstruction = kEfConstruction;
  }
  // Ordering the centroids for a Hamming filter that we don't search with takes longer than
  // k-means.
  if (auto* pq = dynamic_cast<faiss::IndexPQ*>(core)) pq->do_polysemous_training = false;
  if (auto* pq = dynamic_cast<faiss::IndexIVFPQ*>(core)) pq->do_polysemous_training = false;
  index = WithByteCodes(std::move(index), variant);
  SetEffort(*index, 0, 0);
  return index;
}

Status FactoryKey::Inspect() {
  const std::unique_ptr<faiss::Index> index = Make(kernel::Variant::kPortable);
  if (index->d != kDescriptorBytes) {
    return Refused(text_, fmt::format("it is not for vectors of {} bytes", kDescriptorBytes));
  }
  if (index->metric_type != faiss::METRIC_L2) return Refused(text_, "its metric is not L2");
  faiss::Index* core = Core(index.get());
  if (const auto* ivf = dynamic_cast<faiss::IndexIVF*>(core)) {
    lists_ = static_cast<std::int64_t>(ivf->nlist);
  }
  graph_ = dynamic_cast<faiss::IndexHNSW*>(core) != nullptr;
  if (!index->is_trained) {
    min_rows_ = lists_ > 0 ? lists_ * kPointsPerCentroid : kOtherTraining;
    if (text_.find("PQ") != std::string::npos) {
      const std::int64_t centroids = std::int64_t{1} << NumberIn(text_, "PQ[0-9]+x([0-9]+)", 8);
      min_rows_ = std::max(min_rows_, centroids * kPointsPerCentroid);
    }
    min_rows_ = std::max<std::int64_t>(min_rows_, 2);
  }
  faiss::VectorIOWriter writer;  // Some kinds of index Faiss can make but not write.
  faiss::write_index(index.get(), &writer);
  return {};
}

Result<FactoryKey> FactoryKey::Parse(const std::string& text) {
  FactoryKey key;
  key.text_ = text;
  key.exact_ = text == "IDMap,Flat" || text == "Flat";
  key.terms_ = text == "Terms";
  key.automatic_ = text == "auto";
  if (!key.faiss()) return key;
  const bool clean =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (text.empty() || text.size() > kMaxKeyBytes || !clean) {
    return Refused(clean ? text : "", fmt::format("a key has 1 to {} printable characters without "
                                                  "spaces, such as IDMap,HNSW48 or IVF256,Flat",
                                                  kMaxKeyBytes));
  }
  SIFTSEARCH_RETURN_IF_ERROR(CheckSizes(text));
  try {
    SIFTSEARCH_RETURN_IF_ERROR(key.Inspect());
  } catch (const faiss::FaissException& error) {
    return Refused(text, FaissCause(error.what()));
  } catch (const std::exception& error) {
    return Refused(text, error.what());
  }
  return key;
}

}  // namespace siftsearch::index
