#include "lists/terms_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
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
constexpr std::uint32_t kTermsVersion = 1;
constexpr std::size_t kTermsHeaderBytes = 64;
constexpr std::size_t kContentBytes = 24;
constexpr std::size_t kBlockEntryBytes = 16;
constexpr std::size_t kEntryBytes = 8;  // A term and a row.

/// Bytes that are nobody's file.
class OwnedBytes : public MappedFile {
 public:
  explicit OwnedBytes(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
  std::span<const std::uint8_t> bytes() const override { return bytes_; }

 private:
  const std::vector<std::uint8_t> bytes_;
};

/// How many of the first numbers below `count` lie before what is sought.
template <typename IsBefore>
std::size_t CountBefore(std::size_t count, const IsBefore& is_before) {
  std::size_t low = 0, high = count;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (is_before(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// A term above its row, so that numbers ascend as the entries of a file do.
std::vector<std::uint64_t> Sorted(std::span<const Term> terms) {
  std::vector<std::uint64_t> entries(terms.size());
  for (std::size_t row = 0; row < terms.size(); ++row) {
    entries[row] = std::uint64_t{terms[row]} << 32 | row;
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// Ones in numbers of half as many bits as a term has signs.
constexpr auto kOnes = [] {
  std::array<std::uint8_t, 1 << kSigns / 2> ones{};
  for (unsigned i = 0; i < ones.size(); ++i) ones[i] = static_cast<std::uint8_t>(std::popcount(i));
  return ones;
}();

/// Without the instruction, which not every processor has.
int CountSigns(Term different) {
  return kOnes[different % kOnes.size()] + kOnes[different / kOnes.size() % kOnes.size()];
}

}  // namespace

std::vector<std::uint8_t> EncodeTerms(const TermsOwner& owner,
                                      std::span<const TermedContent> contents,
                                      std::span<const Term> terms) {
  const std::vector<std::uint64_t> entries = Sorted(terms);
  const std::size_t blocks = (terms.size() + TermsFile::kBlockRows - 1) / TermsFile::kBlockRows;
  const std::size_t blocks_at = kTermsHeaderBytes + contents.size() * kContentBytes;
  const std::size_t entries_at = blocks_at + blocks * kBlockEntryBytes;
  std::vector<std::uint8_t> bytes(entries_at + terms.size() * kEntryBytes);
  std::uint8_t* to = bytes.data() + kTermsHeaderBytes;
  for (const TermedContent& content : contents) {
    StoreU64(static_cast<std::uint64_t>(content.content), to);
    StoreU64(content.rows, to + 8);
    StoreU64(content.checksum, to + 16);
    to += kContentBytes;
  }
  std::uint8_t* block_entry = bytes.data() + blocks_at;
  std::uint8_t* block = bytes.data() + entries_at;
  for (std::size_t first = 0; first < entries.size(); first += TermsFile::kBlockRows) {
    const std::size_t count = std::min(TermsFile::kBlockRows, entries.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      StoreU32(static_cast<std::uint32_t>(entries[first + i] >> 32), block + 4 * i);
      StoreU32(static_cast<std::uint32_t>(entries[first + i]), block + 4 * (count + i));
    }
    StoreU64(Checksum({block, count * kEntryBytes}), block_entry);
    StoreU64(entries[first] >> 32, block_entry + 8);
    block_entry += kBlockEntryBytes;
    block += count * kEntryBytes;
  }
  std::copy(kTermsMagic.begin(), kTermsMagic.end(), bytes.begin());
  StoreU32(kTermsVersion, &bytes[8]);
  StoreU32(TermsFile::kBlockRows, &bytes[12]);
  StoreU64(owner.vocabulary, &bytes[16]);
  StoreU64(owner.segment, &bytes[24]);
  StoreU64(terms.size(), &bytes[32]);
  StoreU64(contents.size(), &bytes[40]);
  StoreU64(Checksum(std::span(bytes).subspan(kTermsHeaderBytes, entries_at - kTermsHeaderBytes)),
           &bytes[48]);
  StoreU64(Checksum(std::span(bytes).first(kTermsHeaderBytes - 8)), &bytes[56]);
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
  const std::uint64_t contents = LoadU64(&bytes[40]);
  // Too small to overflow below, and rows are numbered in 32 bits.
  if (rows_ > std::min<std::uint64_t>(bytes.size() / kEntryBytes,
                                      std::numeric_limits<std::uint32_t>::max()) ||
      contents > bytes.size() / kContentBytes) {
    return Damaged("its length is not the one it was written with");
  }
  const std::size_t blocks_at = kTermsHeaderBytes + contents * kContentBytes;
  const std::size_t entries_at = blocks_at + blocks() * kBlockEntryBytes;
  if (entries_at + rows_ * kEntryBytes != bytes.size()) {
    return Damaged("its length is not the one it was written with");
  }
  if (Checksum(bytes.subspan(kTermsHeaderBytes, entries_at - kTermsHeaderBytes)) !=
      LoadU64(&bytes[48])) {
    return Damaged("the checksum of its tables is wrong");
  }
  table_ = bytes.subspan(blocks_at, blocks() * kBlockEntryBytes);
  entries_ = bytes.subspan(entries_at);
  checked_ = std::vector<std::atomic<bool>>(blocks());
  std::uint64_t covered = 0;
  contents_.reserve(contents);
  for (std::size_t at = kTermsHeaderBytes; at < blocks_at; at += kContentBytes) {
    const std::uint64_t rows = LoadU64(&bytes[at + 8]);
    if (rows > rows_ - covered) return Damaged("its contents do not have its rows");
    covered += rows;
    contents_.push_back({.content = static_cast<std::int64_t>(LoadU64(&bytes[at])),
                         .rows = static_cast<std::uint32_t>(rows),
                         .checksum = LoadU64(&bytes[at + 16])});
  }
  return covered == rows_ ? Status() : Damaged("its contents do not have its rows");
}

std::size_t TermsFile::RowsOf(std::size_t block) const {
  return std::min<std::size_t>(kBlockRows, rows_ - block * kBlockRows);
}

Term TermsFile::FirstTerm(std::size_t block) const {
  return LoadU32(&table_[block * kBlockEntryBytes + 8]);
}

Result<const std::uint8_t*> TermsFile::Block(std::size_t block) const {
  const std::uint8_t* begin = entries_.data() + block * kBlockRows * kEntryBytes;
  if (checked_[block].load(std::memory_order_relaxed)) return begin;
  const std::size_t count = RowsOf(block);
  if (Checksum({begin, count * kEntryBytes}) != LoadU64(&table_[block * kBlockEntryBytes])) {
    return Damaged(fmt::format("the checksum of its block {} is wrong", block));
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (LoadU32(begin + 4 * (count + i)) >= rows_) {
      return Damaged(fmt::format("its block {} names a row that it doesn't have", block));
    }
  }
  checked_[block].store(true, std::memory_order_relaxed);
  return begin;
}

Status TermsFile::Find(Term term, Term mask, int differing,
                       std::vector<std::uint32_t>* rows) const {
  const Term first = term & mask, last = term | ~mask;
  // The last block that begins below the first term may end with it.
  const std::size_t before =
      CountBefore(blocks(), [&](std::size_t i) { return FirstTerm(i) < first; });
  for (std::size_t block = before > 0 ? before - 1 : 0;
       block < blocks() && FirstTerm(block) <= last; ++block) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::uint8_t* const begin, Block(block));
    const std::size_t count = RowsOf(block);
    const auto term_at = [&](std::size_t i) { return LoadU32(begin + 4 * i); };
    const std::size_t from = CountBefore(count, [&](std::size_t i) { return term_at(i) < first; });
    const std::size_t end = CountBefore(count, [&](std::size_t i) { return term_at(i) <= last; });
    const std::size_t kept = rows->size();
    rows->resize(kept + end - from);
    std::uint32_t* to = rows->data() + kept;
    for (std::size_t i = from; i < end; ++i) {
      *to = LoadU32(begin + 4 * (count + i));
      to += CountSigns(term_at(i) ^ term) <= differing;
    }
    rows->resize(static_cast<std::size_t>(to - rows->data()));
  }
  return {};
}

Result<std::vector<Term>> TermsFile::ByRow() const {
  std::vector<Term> terms(rows_);
  for (std::size_t block = 0; block < blocks(); ++block) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::uint8_t* const begin, Block(block));
    const std::size_t count = RowsOf(block);
    for (std::size_t i = 0; i < count; ++i) {
      terms[LoadU32(begin + 4 * (count + i))] = LoadU32(begin + 4 * i);
    }
  }
  return terms;
}

Status TermsFile::Verify() const {
  for (std::size_t block = 0; block < blocks(); ++block) {
    SIFTSEARCH_RETURN_IF_ERROR(Block(block).status());
  }
  return {};
}

}  // namespace siftsearch::lists
