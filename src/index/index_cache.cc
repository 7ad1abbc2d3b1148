#include "index/index_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/hash.h"
#include "base/status_macros.h"
#include "segment/segment_format.h"

namespace siftsearch::index {
namespace {

using segment::LoadU32;
using segment::LoadU64;
using segment::StoreU32;
using segment::StoreU64;

constexpr std::array<std::uint8_t, 8> kMagic = {'S', 'I', 'F', 'T', 'I', 'D', 'X', '\n'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kFixedBytes = 64;
constexpr std::size_t kEntryBytes = 24;

Status Damaged(const std::string& file, const std::string& cause) {
  return {StatusCode::kCorrupt, fmt::format("{} is damaged: {}", file, cause)};
}

/// A cache file in memory: the fixed part, the key, the entries of the contents, the payload.
class CacheFile {
 public:
  static Result<CacheFile> Open(FileEnv& env, const std::string& file, const FactoryKey& key) {
    CacheFile cache;
    SIFTSEARCH_ASSIGN_OR_RETURN(cache.map_, env.Map(file));
    SIFTSEARCH_RETURN_IF_ERROR(cache.Check(file, key));
    return cache;
  }

  CacheHeader Header() const {
    CacheHeader header{.trained_rows = static_cast<std::int64_t>(LoadU64(at(24))),
                       .payload_checksum = LoadU64(at(48)),
                       .contents = {}};
    header.contents.resize(contents_);
    const std::uint8_t* entry = at(kFixedBytes + key_bytes_);
    for (IndexedContent& content : header.contents) {
      content = {.content = static_cast<std::int64_t>(LoadU64(entry)),
                 .rows = static_cast<std::int64_t>(LoadU64(entry + 8)),
                 .checksum = LoadU64(entry + 16)};
      entry += kEntryBytes;
    }
    return header;
  }

  std::span<const std::uint8_t> payload() const { return map_->bytes().subspan(head_bytes()); }

 private:
  const std::uint8_t* at(std::size_t offset) const { return map_->bytes().data() + offset; }
  std::size_t head_bytes() const { return kFixedBytes + key_bytes_ + contents_ * kEntryBytes; }

  Status Check(const std::string& file, const FactoryKey& key) {
    const std::size_t size = map_->bytes().size();
    if (size < kFixedBytes || !std::equal(kMagic.begin(), kMagic.end(), at(0))) {
      return Damaged(file, "it does not begin as an index of siftsearch");
    }
    if (LoadU32(at(8)) != kVersion) {
      return {StatusCode::kIncompatible, fmt::format("{} has the format {}", file, LoadU32(at(8)))};
    }
    key_bytes_ = LoadU32(at(12));
    contents_ = LoadU64(at(16));
    if (contents_ > size / kEntryBytes || head_bytes() > size ||
        LoadU64(at(40)) != size - head_bytes()) {
      return Damaged(file, "its length is not the one it was written with");
    }
    // The field of the checksum itself is the last of the fixed part.
    const std::array<std::uint64_t, 2> sums = {
        Checksum({at(0), kFixedBytes - 8}),
        Checksum({at(kFixedBytes), head_bytes() - kFixedBytes})};
    if (LoadU64(at(56)) != sums[0] || LoadU64(at(32)) != sums[1]) {
      return Damaged(file, "the checksum of its header is wrong");
    }
    const std::string stored(reinterpret_cast<const char*>(at(kFixedBytes)), key_bytes_);
    if (stored == key.text()) return {};
    return {StatusCode::kIncompatible,
            fmt::format("{} is an index {}, not {}", file, stored, key.text())};
  }

  std::shared_ptr<const MappedFile> map_;
  std::size_t key_bytes_ = 0;
  std::size_t contents_ = 0;
};

/// Everything before the payload.
std::vector<std::uint8_t> EncodeHead(const FactoryKey& key, const ApproximateIndex& index,
                                     std::span<const std::uint8_t> payload) {
  const std::size_t entries = kFixedBytes + key.text().size();
  std::vector<std::uint8_t> head(entries + index.contents().size() * kEntryBytes);
  std::copy(key.text().begin(), key.text().end(), head.begin() + kFixedBytes);
  std::uint8_t* entry = head.data() + entries;
  for (const IndexedContent& content : index.contents()) {
    StoreU64(static_cast<std::uint64_t>(content.content), entry);
    StoreU64(static_cast<std::uint64_t>(content.rows), entry + 8);
    StoreU64(content.checksum, entry + 16);
    entry += kEntryBytes;
  }
  std::copy(kMagic.begin(), kMagic.end(), head.begin());
  StoreU32(kVersion, &head[8]);
  StoreU32(static_cast<std::uint32_t>(key.text().size()), &head[12]);
  StoreU64(index.contents().size(), &head[16]);
  StoreU64(static_cast<std::uint64_t>(index.trained_rows()), &head[24]);
  StoreU64(Checksum(std::span(head).subspan(kFixedBytes)), &head[32]);
  StoreU64(payload.size(), &head[40]);
  StoreU64(Checksum(payload), &head[48]);
  StoreU64(Checksum(std::span(head).first(kFixedBytes - 8)), &head[56]);
  return head;
}

}  // namespace

Result<CacheHeader> ReadCacheHeader(FileEnv& env, const std::string& file, const FactoryKey& key) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const CacheFile cache, CacheFile::Open(env, file, key));
  return cache.Header();
}

Result<std::unique_ptr<ApproximateIndex>> ReadCache(FileEnv& env, const std::string& file,
                                                    const FactoryKey& key,
                                                    kernel::Variant variant) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const CacheFile cache, CacheFile::Open(env, file, key));
  CacheHeader header = cache.Header();
  const std::span<const std::uint8_t> payload = cache.payload();
  // Copied first: what was checked must be what is read, whatever happens to the file.
  std::vector<std::uint8_t> bytes(payload.begin(), payload.end());
  if (Checksum(bytes) != header.payload_checksum) {
    return Damaged(file, "the checksum of its index is wrong");
  }
  auto index = ApproximateIndex::Read(key, std::move(header.contents), header.trained_rows,
                                      std::move(bytes), variant);
  if (index.ok()) return index;
  return Status(index.status().code(), file + ": " + index.status().message());
}

Status WriteCache(FileEnv& env, const std::string& file, const FactoryKey& key,
                  const ApproximateIndex& index) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> payload, index.Write());
  const std::string partial = file + ".tmp";
  const auto write = [&]() -> Status {
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> out, env.Create(partial));
    SIFTSEARCH_RETURN_IF_ERROR(out->Append(EncodeHead(key, index, payload)));
    SIFTSEARCH_RETURN_IF_ERROR(out->Append(payload));
    // Not synced: a power cut costs the cache, which its checksums show.
    SIFTSEARCH_RETURN_IF_ERROR(out->Close());
    return env.Rename(partial, file);
  };
  const Status status = write();
  if (!status.ok()) (void)env.Remove(partial);
  return status;
}

}  // namespace siftsearch::index
