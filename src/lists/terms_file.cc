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
  entries_ = bytes.subspan(entries_at);
  LoadBlocks(bytes.subspan(blocks_at, entries_at - blocks_at));
  return LoadContents(bytes.subspan(kTermsHeaderBytes, blocks_at - kTermsHeaderBytes));
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

void TermsFile::LoadBlocks(std::span<const std::uint8_t> table) {
  for (; !table.empty(); table = table.subspan(kBlockEntryBytes)) {
    checksums_.push_back(LoadU64(&table[0]));
    first_terms_.push_back(LoadU32(&table[8]));
  }
  checked_ = std::vector<std::atomic<bool>>(blocks());
  const int bucket_bits = std::bit_width(rows_ / kBucketRows | 1);
  bucket_shift_ = std::numeric_limits<Term>::digits - bucket_bits;
  starts_ = std::vector<std::atomic<std::uint32_t>>((std::size_t{1} << bucket_bits) + 1);
  // Up to the first term's bucket, all begin with the file.
  const std::size_t known = blocks() > 0 ? BucketOf(first_terms_[0]) + 1 : starts_.size();
  for (std::size_t i = known; i < starts_.size(); ++i) {
    starts_[i].store(kUnknown, std::memory_order_relaxed);
  }
}

std::size_t TermsFile::RowsOf(std::size_t block) const {
  return std::min<std::size_t>(kBlockRows, rows_ - block * kBlockRows);
}

const std::uint8_t* TermsFile::Block(std::size_t block) const {
  return entries_.data() + block * kBlockRows * kEntryBytes;
}

bool TermsFile::IsChecked(std::size_t block) const {
  return checked_[block].load(std::memory_order_acquire);
}

Status TermsFile::Check(std::size_t block) const {
  if (IsChecked(block)) return {};
  const std::uint8_t* begin = Block(block);
  const std::size_t count = RowsOf(block);
  if (Checksum({begin, count * kEntryBytes}) != checksums_[block]) {
    return Damaged(fmt::format("the checksum of its block {} is wrong", block));
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (LoadU32(begin + 4 * (count + i)) >= rows_) {
      return Damaged(fmt::format("its block {} names a row that it doesn't have", block));
    }
  }
  NoteStarts(block);
  checked_[block].store(true, std::memory_order_release);
  return {};
}

/// Threads that do it at once write the same.
void TermsFile::NoteStarts(std::size_t block) const {
  const std::uint8_t* terms = Block(block);
  const std::size_t count = RowsOf(block);
  const std::size_t first = block * kBlockRows;
  std::size_t next = BucketOf(first_terms_[block]) + 1;
  const auto note = [&](std::size_t end, std::size_t start) {
    for (; next < end; ++next) {
      starts_[next].store(static_cast<std::uint32_t>(start), std::memory_order_relaxed);
    }
  };
  for (std::size_t i = 0; i < count; ++i) note(BucketOf(LoadU32(terms + 4 * i)) + 1, first + i);
  const bool is_last = block + 1 == blocks();
  note(is_last ? starts_.size() : BucketOf(first_terms_[block + 1]) + 1, first + count);
}

Status TermsFile::StartOf(std::size_t bucket, std::uint32_t* start) const {
  *start = starts_[bucket].load(std::memory_order_relaxed);
  if (*start != kUnknown) return {};
  // It begins in the last block that begins before it, or right behind.
  const std::size_t blocks_before = CountBefore(
      blocks(), [&](std::size_t block) { return BucketOf(first_terms_[block]) < bucket; });
  SIFTSEARCH_RETURN_IF_ERROR(Check(blocks_before - 1));
  *start = starts_[bucket].load(std::memory_order_relaxed);
  return *start != kUnknown ? Status() : Damaged("its terms are out of order");
}

Status TermsFile::Find(Term term, Term mask, int differing, kernel::SelectNear* select,
                       std::vector<std::uint32_t>* rows) const {
  const kernel::NearTerm near = {
      .term = term, .mask = mask, .signs = ~TermMask(0), .differing = differing};
  std::uint32_t from = 0, end = 0;
  SIFTSEARCH_RETURN_IF_ERROR(StartOf(BucketOf(term & mask), &from));
  SIFTSEARCH_RETURN_IF_ERROR(StartOf(BucketOf(term | ~mask) + 1, &end));
  // Not cleared, as a vector's would be.
  std::uint32_t found[kBlockRows + kernel::kSelectNearSpare];
  while (from < end) {
    const std::size_t block = from / kBlockRows;
    if (!IsChecked(block)) SIFTSEARCH_RETURN_IF_ERROR(Check(block));
    const std::size_t in_block = from % kBlockRows;
    const std::size_t count = RowsOf(block);
    const std::size_t some = std::min<std::size_t>(count - in_block, end - from);
    const std::uint8_t* terms = Block(block) + 4 * in_block;
    const std::size_t kept = select(terms, terms + 4 * count, some, near, found);
    rows->insert(rows->end(), found, found + kept);
    from += static_cast<std::uint32_t>(some);
  }
  return {};
}

Result<std::vector<Term>> TermsFile::ByRow() const {
  std::vector<Term> terms(rows_);
  for (std::size_t block = 0; block < blocks(); ++block) {
    SIFTSEARCH_RETURN_IF_ERROR(Check(block));
    const std::uint8_t* begin = Block(block);
    const std::size_t count = RowsOf(block);
    for (std::size_t i = 0; i < count; ++i) {
      terms[LoadU32(begin + 4 * (count + i))] = LoadU32(begin + 4 * i);
    }
  }
  return terms;
}

Status TermsFile::Verify() const {
  for (std::size_t block = 0; block < blocks(); ++block) {
    SIFTSEARCH_RETURN_IF_ERROR(Check(block));
  }
  return {};
}

}  // namespace siftsearch::lists
