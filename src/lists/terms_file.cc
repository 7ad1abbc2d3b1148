#include "lists/terms_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

#include "base/hash.h"
#include "base/status_macros.h"
#include "segment/segment_format.h"

namespace siftsearch::lists {
namespace {

using segment::LoadU32;
using segment::LoadU64;
using segment::StoreU32;
using segment::StoreU64;

constexpr std::array<std::uint8_t, 8> kTermsMagic = {'S', 'I', 'F', 'T', 'T', 'R', 'M', '\n'};
constexpr std::uint32_t kTermsVersion = 2;
constexpr std::size_t kTermsHeaderBytes = 72;
constexpr std::size_t kContentBytes = 24;
constexpr std::size_t kWordBytes = 8;
constexpr std::size_t kBlockBytes = 16;
constexpr std::size_t kSignatureBytes = 8;
constexpr std::size_t kRowBytes = 4;
constexpr std::size_t kEntryBytes = kSignatureBytes + kRowBytes;

/// Bytes that are nobody's file.
class OwnedBytes : public MappedFile {
 public:
  explicit OwnedBytes(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
  std::span<const std::uint8_t> bytes() const override { return bytes_; }

 private:
  const std::vector<std::uint8_t> bytes_;
};

/// The rows word by word, ascending in each.
struct Sorted {
  std::vector<std::uint32_t> rows;
  std::vector<std::uint32_t> starts;  ///< Of each word, and the end.
};

Sorted SortedByWord(std::span<const Term> terms) {
  Sorted sorted{std::vector<std::uint32_t>(terms.size()), std::vector<std::uint32_t>(kWords + 1)};
  for (const Term& term : terms) ++sorted.starts[term.word + 1];
  std::partial_sum(sorted.starts.begin(), sorted.starts.end(), sorted.starts.begin());
  std::vector<std::uint32_t> next(sorted.starts.begin(), sorted.starts.end() - 1);
  for (std::size_t row = 0; row < terms.size(); ++row) {
    sorted.rows[next[terms[row].word]++] = static_cast<std::uint32_t>(row);
  }
  return sorted;
}

std::size_t BlocksOf(std::uint64_t rows, std::size_t block_rows) {
  return (rows + block_rows - 1) / block_rows;
}

std::uint8_t* Put(std::uint64_t number, std::uint8_t* to) {
  StoreU64(number, to);
  return to + 8;
}

std::uint8_t* Put(std::uint32_t number, std::uint8_t* to) {
  StoreU32(number, to);
  return to + 4;
}

}  // namespace

std::vector<std::uint8_t> EncodeTerms(const TermsOwner& owner,
                                      std::span<const TermedContent> contents,
                                      std::span<const Term> terms) {
  const Sorted sorted = SortedByWord(terms);
  std::uint64_t words = 0;
  for (int word = 0; word < kWords; ++word) words += sorted.starts[word] != sorted.starts[word + 1];
  const std::size_t rows = terms.size(), blocks = BlocksOf(rows, TermsFile::kBlockRows);
  const std::size_t blocks_at =
      kTermsHeaderBytes + contents.size() * kContentBytes + words * kWordBytes;
  const std::size_t signatures_at = blocks_at + blocks * kBlockBytes;
  const std::size_t rows_at = signatures_at + rows * kSignatureBytes;
  std::vector<std::uint8_t> bytes(rows_at + rows * kRowBytes);
  std::uint8_t* to = bytes.data() + kTermsHeaderBytes;
  for (const TermedContent& content : contents) {
    to = Put(static_cast<std::uint64_t>(content.content), to);
    to = Put(std::uint64_t{content.rows}, to);
    to = Put(content.checksum, to);
  }
  for (std::uint32_t word = 0; word < kWords; ++word) {
    const std::uint32_t count = sorted.starts[word + 1] - sorted.starts[word];
    if (count > 0) to = Put(count, Put(word, to));
  }
  to = bytes.data() + signatures_at;
  for (const std::uint32_t row : sorted.rows) to = Put(terms[row].signs, to);
  for (const std::uint32_t row : sorted.rows) to = Put(row, to);
  to = bytes.data() + blocks_at;
  const std::span all(bytes);
  for (std::size_t first = 0; first < rows; first += TermsFile::kBlockRows) {
    const std::size_t count = std::min(TermsFile::kBlockRows, rows - first);
    to =
        Put(Checksum(all.subspan(signatures_at + first * kSignatureBytes, count * kSignatureBytes)),
            to);
    to = Put(Checksum(all.subspan(rows_at + first * kRowBytes, count * kRowBytes)), to);
  }
  to = std::copy(kTermsMagic.begin(), kTermsMagic.end(), bytes.data());
  to = Put(static_cast<std::uint32_t>(TermsFile::kBlockRows), Put(kTermsVersion, to));
  to = Put(owner.segment, Put(owner.vocabulary, to));
  to = Put(words, Put(std::uint64_t{contents.size()}, Put(std::uint64_t{rows}, to)));
  to = Put(Checksum(all.subspan(kTermsHeaderBytes, signatures_at - kTermsHeaderBytes)), to);
  Put(Checksum(all.first(kTermsHeaderBytes - 8)), to);
  return bytes;
}

TermsFile::TermsFile(std::string path, std::shared_ptr<const MappedFile> file)
    : path_(std::move(path)), file_(std::move(file)) {}

Result<std::shared_ptr<const TermsFile>> TermsFile::Open(FileEnv& env, const std::string& path,
                                                         std::uint64_t vocabulary) {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto map, env.Map(path));
  std::shared_ptr<TermsFile> file(new TermsFile(path, std::move(map)));
  SIFTSEARCH_RETURN_IF_ERROR(file->Load(vocabulary));
  return std::shared_ptr<const TermsFile>(std::move(file));
}

Result<std::shared_ptr<const TermsFile>> TermsFile::Of(std::string name,
                                                       std::vector<std::uint8_t> bytes,
                                                       std::uint64_t vocabulary) {
  std::shared_ptr<TermsFile> file(
      new TermsFile(std::move(name), std::make_shared<const OwnedBytes>(std::move(bytes))));
  SIFTSEARCH_RETURN_IF_ERROR(file->Load(vocabulary));
  return std::shared_ptr<const TermsFile>(std::move(file));
}

Status TermsFile::Damaged(const std::string& cause) const {
  return {StatusCode::kCorrupt, fmt::format("{} is damaged: {}", path_, cause)};
}

Status TermsFile::Load(std::uint64_t vocabulary) {
  const auto bytes = file_->bytes();
  if (bytes.size() < kTermsHeaderBytes ||
      !std::equal(kTermsMagic.begin(), kTermsMagic.end(), bytes.begin())) {
    return Damaged("it does not begin as a file of terms");
  }
  if (Checksum(bytes.first(kTermsHeaderBytes - 8)) != LoadU64(&bytes[kTermsHeaderBytes - 8])) {
    return Damaged("the checksum of its header is wrong");
  }
  if (LoadU32(&bytes[8]) != kTermsVersion || LoadU32(&bytes[12]) != kBlockRows ||
      LoadU64(&bytes[16]) != vocabulary) {
    return {StatusCode::kIncompatible, path_ + " has another format or vocabulary"};
  }
  segment_ = LoadU64(&bytes[24]);
  rows_ = LoadU64(&bytes[32]);
  const std::uint64_t contents = LoadU64(&bytes[40]), words = LoadU64(&bytes[48]);
  // Too small to overflow below, and rows are numbered in 32 bits.
  if (rows_ > std::min<std::uint64_t>(bytes.size() / kEntryBytes,
                                      std::numeric_limits<std::uint32_t>::max()) ||
      contents > bytes.size() / kContentBytes || words > kWords) {
    return Damaged("its length is not the one it was written with");
  }
  const std::size_t words_at = kTermsHeaderBytes + contents * kContentBytes;
  const std::size_t blocks_at = words_at + words * kWordBytes;
  const std::size_t entries_at = blocks_at + BlocksOf(rows_, kBlockRows) * kBlockBytes;
  if (entries_at + rows_ * kEntryBytes != bytes.size()) {
    return Damaged("its length is not the one it was written with");
  }
  if (Checksum(bytes.subspan(kTermsHeaderBytes, entries_at - kTermsHeaderBytes)) !=
      LoadU64(&bytes[56])) {
    return Damaged("the checksum of its tables is wrong");
  }
  LoadColumns(bytes.subspan(blocks_at, entries_at - blocks_at), bytes.subspan(entries_at));
  SIFTSEARCH_RETURN_IF_ERROR(LoadWords(bytes.subspan(words_at, blocks_at - words_at)));
  return LoadContents(bytes.subspan(kTermsHeaderBytes, words_at - kTermsHeaderBytes));
}

void TermsFile::LoadColumns(std::span<const std::uint8_t> table,
                            std::span<const std::uint8_t> entries) {
  std::vector<std::uint64_t> of_signatures, of_rows;
  for (; !table.empty(); table = table.subspan(kBlockBytes)) {
    of_signatures.push_back(LoadU64(&table[0]));
    of_rows.push_back(LoadU64(&table[8]));
  }
  signatures_.Load(entries.first(rows_ * kSignatureBytes), kSignatureBytes,
                   std::move(of_signatures));
  row_numbers_.Load(entries.subspan(rows_ * kSignatureBytes), kRowBytes, std::move(of_rows));
}

Status TermsFile::LoadWords(std::span<const std::uint8_t> table) {
  starts_.assign(kWords + 1, 0);
  std::uint64_t covered = 0;
  std::uint32_t next = 0;
  for (; !table.empty(); table = table.subspan(kWordBytes)) {
    const std::uint32_t word = LoadU32(&table[0]), rows = LoadU32(&table[4]);
    if (word < next || word >= kWords || rows > rows_ - covered) {
      return Damaged("its words do not have its rows");
    }
    covered += rows;
    starts_[word + 1] = rows;
    next = word + 1;
  }
  std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
  return covered == rows_ ? Status() : Damaged("its words do not have its rows");
}

Status TermsFile::LoadContents(std::span<const std::uint8_t> table) {
  std::uint64_t covered = 0;
  contents_.reserve(table.size() / kContentBytes);
  for (; !table.empty(); table = table.subspan(kContentBytes)) {
    const std::uint64_t rows = LoadU64(&table[8]);
    if (rows > rows_ - covered) return Damaged("its contents do not have its rows");
    covered += rows;
    contents_.push_back({.content = static_cast<std::int64_t>(LoadU64(&table[0])),
                         .rows = static_cast<std::uint32_t>(rows),
                         .checksum = LoadU64(&table[16])});
  }
  return covered == rows_ ? Status() : Damaged("its contents do not have its rows");
}

void TermsFile::Column::Load(std::span<const std::uint8_t> bytes, std::size_t entry_bytes,
                             std::vector<std::uint64_t> checksums) {
  bytes_ = bytes;
  entry_bytes_ = entry_bytes;
  checked_ = std::vector<std::atomic<bool>>(checksums.size());
  checksums_ = std::move(checksums);
}

std::int64_t TermsFile::Column::Check(std::size_t begin, std::size_t end) const {
  const std::size_t block_bytes = kBlockRows * entry_bytes_;
  for (std::size_t block = begin / kBlockRows; block * kBlockRows < end; ++block) {
    if (checked_[block].load(std::memory_order_acquire)) continue;
    const std::size_t from = block * block_bytes;
    const std::size_t size = std::min(block_bytes, bytes_.size() - from);
    if (Checksum(bytes_.subspan(from, size)) != checksums_[block]) {
      return static_cast<std::int64_t>(block);
    }
    checked_[block].store(true, std::memory_order_release);
  }
  return -1;
}

Status TermsFile::Check(const Column& column, std::size_t begin, std::size_t end) const {
  const std::int64_t damaged = column.Check(begin, end);
  if (damaged < 0) return {};
  return Damaged(fmt::format("the checksum of its block {} is wrong", damaged));
}

Status TermsFile::OfWord(std::uint32_t word, Entries* entries) const {
  const std::uint32_t begin = starts_[word], end = starts_[word + 1];
  *entries = {};
  if (begin == end) return {};
  SIFTSEARCH_RETURN_IF_ERROR(Check(signatures_, begin, end));
  *entries = {.signatures = {signatures_.at(begin), (end - begin) * kSignatureBytes},
              .first = begin};
  return {};
}

Status TermsFile::ToRows(std::span<std::uint32_t> entries) const {
  for (std::uint32_t& entry : entries) {
    SIFTSEARCH_RETURN_IF_ERROR(Check(row_numbers_, entry, entry + std::size_t{1}));
    const std::uint32_t row = LoadU32(row_numbers_.at(entry));
    if (row >= rows_) {
      return Damaged(fmt::format("its entry {} names a row that it doesn't have", entry));
    }
    entry = row;
  }
  return {};
}

Result<std::vector<Term>> TermsFile::ByRow() const {
  SIFTSEARCH_RETURN_IF_ERROR(Verify());
  std::vector<std::uint32_t> rows(rows_);
  std::iota(rows.begin(), rows.end(), 0);
  SIFTSEARCH_RETURN_IF_ERROR(ToRows(rows));
  std::vector<Term> terms(rows_);
  for (std::uint32_t word = 0; word < kWords; ++word) {
    for (std::uint32_t entry = starts_[word]; entry < starts_[word + 1]; ++entry) {
      terms[rows[entry]] = {word, LoadU64(signatures_.at(entry))};
    }
  }
  return terms;
}

Status TermsFile::Verify() const {
  SIFTSEARCH_RETURN_IF_ERROR(Check(signatures_, 0, rows_));
  return Check(row_numbers_, 0, rows_);
}

}  // namespace siftsearch::lists
