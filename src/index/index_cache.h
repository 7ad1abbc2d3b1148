#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "env/file_env.h"
#include "index/approximate_index.h"
#include "index/factory_key.h"
#include "siftsearch/status.h"

namespace siftsearch::index {

/// What the file of an index (schema/index.md) says before the index itself.
struct CacheHeader {
  std::int64_t trained_rows = 0;
  std::uint64_t payload_checksum = 0;  ///< Tells one index from another.
  std::vector<IndexedContent> contents;
};

/// Reads the header alone. kNotFound: no file; kIncompatible: of another key or format; kCorrupt:
/// damaged, cut short, or no such file. Errors name the file.
Result<CacheHeader> ReadCacheHeader(FileEnv& env, const std::string& file, const FactoryKey& key);

/// Reads the index, once its checksum is right. Errors as of ReadCacheHeader, or kOutOfMemory.
Result<std::unique_ptr<ApproximateIndex>> ReadCache(FileEnv& env, const std::string& file,
                                                    const FactoryKey& key, kernel::Variant variant);

/// Writes FILE.tmp and renames it. The caller sees to it that no other writer does the same.
Status WriteCache(FileEnv& env, const std::string& file, const FactoryKey& key,
                  const ApproximateIndex& index);

}  // namespace siftsearch::index
