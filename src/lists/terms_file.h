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

/// Rows by word, with their signs. Immutable, safe from several threads. A block of it is compared
/// with its checksum when it is first touched. Errors name the file.
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

  /// The rows of one word: `first` is the number of the first one's entry.
  struct Entries {
    std::span<const std::uint8_t> signatures;  ///< The signs of each, 8 bytes, little-endian.
    std::uint32_t first = 0;
  };
  /// kCorrupt.
  Status OfWord(std::uint32_t word, Entries* entries) const;
  /// Asks for the memory that ToRows reads of an entry (below rows()).
  void PrefetchRow(std::uint32_t entry) const { __builtin_prefetch(row_numbers_.at(entry)); }
  /// Replaces numbers of entries (below rows()) by the numbers of their rows. kCorrupt.
  Status ToRows(std::span<std::uint32_t> entries) const;

  /// The term of each row. kCorrupt.
  Result<std::vector<Term>> ByRow() const;

  /// Compares every block with its checksum. kCorrupt.
  Status Verify() const;

 private:
  TermsFile(std::string path, std::shared_ptr<const MappedFile> file);
  Status Load(std::uint64_t vocabulary);
  Status LoadContents(std::span<const std::uint8_t> table);
  Status LoadWords(std::span<const std::uint8_t> table);
  void LoadColumns(std::span<const std::uint8_t> table, std::span<const std::uint8_t> entries);
  Status Damaged(const std::string& cause) const;

  static constexpr std::size_t kBlockRows = 1024;
  friend std::vector<std::uint8_t> EncodeTerms(const TermsOwner& owner,
                                               std::span<const TermedContent> contents,
                                               std::span<const Term> terms);
  /// A column of the entries, in blocks of kBlockRows, each of which is compared with its checksum
  /// when it is first touched.
  class Column {
   public:
    void Load(std::span<const std::uint8_t> bytes, std::size_t entry_bytes,
              std::vector<std::uint64_t> checksums);
    const std::uint8_t* at(std::size_t entry) const { return bytes_.data() + entry * entry_bytes_; }
    /// The first damaged block of those that hold the entries from `begin` to `end`; −1: none.
    std::int64_t Check(std::size_t begin, std::size_t end) const;

   private:
    std::span<const std::uint8_t> bytes_;
    std::size_t entry_bytes_ = 0;
    std::vector<std::uint64_t> checksums_;
    mutable std::vector<std::atomic<bool>> checked_;
  };
  Status Check(const Column& column, std::size_t begin, std::size_t end) const;

  const std::string path_;
  const std::shared_ptr<const MappedFile> file_;
  std::uint64_t segment_ = 0;
  std::uint64_t rows_ = 0;
  std::vector<TermedContent> contents_;
  std::vector<std::uint32_t> starts_;  ///< The first entry of each word, and the end.
  Column signatures_, row_numbers_;
};

}  // namespace siftsearch::lists
