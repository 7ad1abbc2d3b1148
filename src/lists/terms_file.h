#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "env/file_env.h"
#include "kernel/topk.h"
#include "lists/vocabulary.h"
#include "siftsearch/status.h"

namespace siftsearch::lists {

/// A content whose rows a file of terms covers.
struct TermedContent {
  std::int64_t content = 0;
  std::uint32_t rows = 0;
  std::uint64_t checksum = 0;  ///< Of its descriptors.
};

/// What a file of terms belongs to.
struct TermsOwner {
  std::uint64_t vocabulary = 0;  ///< Digest of the vocabulary.
  std::uint64_t segment = 0;     ///< Digest of the segment.
};

/// The bytes of a file of terms (schema/terms.md): `terms[row]` of each row of `contents`, one
/// content after the other.
std::vector<std::uint8_t> EncodeTerms(const TermsOwner& owner,
                                      std::span<const TermedContent> contents,
                                      std::span<const Term> terms);

/// Rows by term, looked up. Immutable, safe from several threads. A block of it is compared with
/// its checksum when it is first touched. Errors name the file.
class TermsFile {
 public:
  /// Checks the header and the tables. kNotFound: no file; kIncompatible: of another format or
  /// vocabulary; kCorrupt: damaged, cut short, or no such file.
  static Result<std::shared_ptr<const TermsFile>> Open(FileEnv& env, const std::string& path,
                                                       std::uint64_t vocabulary);
  /// The same of bytes that EncodeTerms gave, in memory.
  static Result<std::shared_ptr<const TermsFile>> Of(std::string name,
                                                     std::vector<std::uint8_t> bytes,
                                                     std::uint64_t vocabulary);

  /// Digest of the segment that it belongs to.
  std::uint64_t segment() const { return segment_; }
  const std::vector<TermedContent>& contents() const { return contents_; }
  std::uint64_t rows() const { return rows_; }

  /// Appends the rows whose terms are `term` under `mask`, a TermMask, and differ from it in at
  /// most `differing` signs in all: the same ones, in the same order, whichever variant `select` is
  /// of. kCorrupt.
  Status Find(Term term, Term mask, int differing, kernel::SelectNear* select,
              std::vector<std::uint32_t>* rows) const;

  /// The term of each row. kCorrupt.
  Result<std::vector<Term>> ByRow() const;

  /// Compares every block with its checksum. kCorrupt.
  Status Verify() const;

 private:
  TermsFile(std::string path, std::shared_ptr<const MappedFile> file);
  Status Load(std::uint64_t vocabulary);
  Status LoadContents(std::span<const std::uint8_t> table);
  void LoadBlocks(std::span<const std::uint8_t> table);
  Status Damaged(const std::string& cause) const;

  std::size_t blocks() const { return (rows_ + kBlockRows - 1) / kBlockRows; }
  std::size_t RowsOf(std::size_t block) const;
  /// Terms, then rows.
  const std::uint8_t* Block(std::size_t block) const;
  /// kCorrupt: its checksum is wrong.
  Status Check(std::size_t block) const;
  bool IsChecked(std::size_t block) const;

  /// Terms are in a bucket together if they agree in their upper bits.
  std::size_t BucketOf(Term term) const { return term >> bucket_shift_; }
  /// Notes where the buckets begin of which a checked block tells it.
  void NoteStarts(std::size_t block) const;
  /// Makes `start` the first entry of a bucket, or of a later one if it is empty.
  Status StartOf(std::size_t bucket, std::uint32_t* start) const;

  static constexpr std::size_t kBlockRows = 1024;
  /// A bucket has half as many rows, or up to so many: the fewer, the fewer are looked at in vain,
  /// and the more memory the starts take.
  static constexpr std::uint64_t kBucketRows = 16;
  static constexpr std::uint32_t kUnknown = ~std::uint32_t{0};
  friend std::vector<std::uint8_t> EncodeTerms(const TermsOwner& owner,
                                               std::span<const TermedContent> contents,
                                               std::span<const Term> terms);

  const std::string path_;
  const std::shared_ptr<const MappedFile> file_;
  std::uint64_t segment_ = 0;
  std::uint64_t rows_ = 0;
  std::vector<TermedContent> contents_;
  std::span<const std::uint8_t> entries_;
  std::vector<std::uint64_t> checksums_;  ///< Of the blocks.
  std::vector<Term> first_terms_;         ///< Of the blocks.
  mutable std::vector<std::atomic<bool>> checked_;
  int bucket_shift_ = 0;
  /// Of each bucket and of the end; kUnknown until the block that tells it has been checked.
  mutable std::vector<std::atomic<std::uint32_t>> starts_;
};

}  // namespace siftsearch::lists
