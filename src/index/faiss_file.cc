#include "index/faiss_file.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIDMap.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/io.h>
#include <faiss/index_io.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <new>
#include <system_error>
#include <vector>

#include "base/status_macros.h"
#include "env/aside_file.h"

namespace siftsearch::index {
namespace {

/// Lets Faiss write to a WritableFile. Faiss turns a short count into an exception of its own;
/// `status` keeps the cause.
class StatusWriter : public faiss::IOWriter {
 public:
  explicit StatusWriter(WritableFile& file) : file_(file) {}

  std::size_t operator()(const void* from, std::size_t size, std::size_t items) override {
    if (!status_.ok()) return 0;
    status_ = file_.Append({static_cast<const std::uint8_t*>(from), size * items});
    return status_.ok() ? items : 0;
  }

  const Status& status() const { return status_; }

 private:
  WritableFile& file_;
  Status status_;
};

std::size_t CountRows(std::span<const kernel::RowSpan> rows) {
  std::size_t total = 0;
  for (const kernel::RowSpan& span : rows) total += span.count;
  return total;
}

/// Adds the rows in pieces, so that they exist as floats only once.
void AddRows(int dim, std::span<const kernel::RowSpan> rows, std::span<const IdRange> ids,
             faiss::IndexIDMap& map) {
  constexpr std::size_t kPiece = 4096;
  std::vector<float> values;
  std::vector<faiss::Index::idx_t> labels;
  for (const kernel::RowSpan& span : rows) {
    for (std::size_t begin = 0; begin < span.count; begin += kPiece) {
      const std::size_t count = std::min(kPiece, span.count - begin);
      values.assign(span.rows + begin * dim, span.rows + (begin + count) * dim);
      labels.clear();
      for (std::size_t r = begin; r < begin + count; ++r) {
        labels.push_back(FindId(ids, span.first_row + static_cast<std::int64_t>(r)));
      }
      map.add_with_ids(static_cast<faiss::Index::idx_t>(count), values.data(), labels.data());
    }
  }
}

Status WriteIndex(int dim, std::span<const kernel::RowSpan> rows, std::span<const IdRange> ids,
                  const std::string& file, WritableFile& out) {
  StatusWriter writer(out);
  const std::size_t total = CountRows(rows);
  try {
    faiss::IndexFlatL2 flat(dim);
    faiss::IndexIDMap map(&flat);
    flat.codes.reserve(total * flat.code_size);
    map.id_map.reserve(total);
    AddRows(dim, rows, ids, map);
    faiss::write_index(&map, &writer);
  } catch (const std::bad_alloc&) {
    return {StatusCode::kOutOfMemory,
            fmt::format("{}: not enough memory for {} descriptors as floats", file, total)};
  } catch (const faiss::FaissException& error) {
    if (!writer.status().ok()) return writer.status();
    return {StatusCode::kIoError, fmt::format("{}: can't be written: {}", file, error.what())};
  }
  return {};
}

}  // namespace

Status WriteFaissFlat(int dim, std::span<const kernel::RowSpan> rows, std::span<const IdRange> ids,
                      const std::string& file, FileEnv& env) {
  std::error_code ignored;
  const auto type = std::filesystem::status(file, ignored).type();
  if (std::filesystem::exists(std::filesystem::file_status(type)) &&
      type != std::filesystem::file_type::regular) {
    return {StatusCode::kInvalidArgument,
            fmt::format("{}: is not a regular file, so it can't be replaced", file)};
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto aside, AsideFile::Open(env, file));
  SIFTSEARCH_RETURN_IF_ERROR(WriteIndex(dim, rows, ids, file, aside->out()));
  return aside->Publish();
}

}  // namespace siftsearch::index
