#include "local/terms_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "base/status_macros.h"
#include "local/numbered_name.h"
#include "siftsearch/types.h"

namespace siftsearch::local {
namespace {

constexpr std::string_view kEnding = ".terms";

const lists::Vocabulary& Words() { return lists::Vocabulary::Shipped(); }

/// The terms of a segment's rows while they are gathered.
class Gathering {
 public:
  explicit Gathering(const SegmentReader& reader) : reader_(reader), terms_(reader.rows()) {
    for (const SegmentContent& entry : reader.contents()) {
      contents_.push_back({.content = entry.content,
                           .rows = entry.rows,
                           .checksum = Checksum(reader.Descriptors(entry))});
      if (entry.rows > 0) lacking_[entry.content] = contents_.size() - 1;
    }
  }

  bool complete() const { return lacking_.empty(); }

  /// Takes over what another segment's file has of the same contents.
  void TakeFrom(const lists::TermsFile& file) {
    const auto& theirs = file.contents();
    if (std::none_of(theirs.begin(), theirs.end(),
                     [&](const auto& content) { return lacking_.contains(content.content); })) {
      return;
    }
    const auto terms = file.ByRow();
    if (!terms.ok()) return;  // Damaged: what it has is computed.
    auto from = terms->begin();
    for (const lists::TermedContent& content : theirs) {
      const auto lacking = lacking_.find(content.content);
      if (lacking != lacking_.end() && contents_[lacking->second].rows == content.rows &&
          contents_[lacking->second].checksum == content.checksum) {
        const SegmentContent& entry = reader_.contents()[lacking->second];
        std::copy_n(from, content.rows,
                    terms_.begin() + static_cast<std::ptrdiff_t>(entry.first_row));
        lacking_.erase(lacking);
      }
      from += content.rows;
    }
  }

  /// Computes what is lacking still.
  void Compute(kernel::Variant variant, int threads) {
    for (const SegmentContent& entry : reader_.contents()) {
      if (!lacking_.contains(entry.content)) continue;
      const auto terms = Words().Terms(reader_.Descriptors(entry), variant, threads);
      std::copy(terms.begin(), terms.end(),
                terms_.begin() + static_cast<std::ptrdiff_t>(entry.first_row));
    }
    lacking_.clear();
  }

  std::vector<std::uint8_t> Encode() const {
    return lists::EncodeTerms({.vocabulary = Words().digest(), .segment = reader_.digest()},
                              contents_, terms_);
  }

 private:
  const SegmentReader& reader_;
  std::vector<lists::Term> terms_;
  std::vector<lists::TermedContent> contents_;
  std::unordered_map<std::int64_t, std::size_t> lacking_;  ///< Content to its index.
};

}  // namespace

TermsKeeper::TermsKeeper(FileEnv& env, const std::string& folder, kernel::Variant variant)
    : env_(env), database_(folder), folder_(folder + "/terms"), variant_(variant) {}

std::string TermsPath(const std::string& database, std::int64_t segment) {
  return fmt::format("{}/terms/{:08}{}", database, segment, kEnding);
}

std::int64_t TermsKeeper::bytes() const {
  std::int64_t bytes = 0;
  const auto names = env_.List(folder_);
  if (!names.ok()) return 0;
  for (const std::string& name : *names) {
    const auto size = env_.FileSize(folder_ + "/" + name);
    if (size.ok()) bytes += *size;
  }
  return bytes;
}

Result<TermsKeeper::File> TermsKeeper::Load(const Snapshot::Part& part, bool verify) const {
  const std::string path = PathOf(part.segment);
  SIFTSEARCH_ASSIGN_OR_RETURN(File file, lists::TermsFile::Open(env_, path, Words().digest()));
  if (file->segment() != part.reader->digest() || file->rows() != part.reader->rows()) {
    return Status(StatusCode::kCorrupt, path + " belongs to another segment");
  }
  if (verify) SIFTSEARCH_RETURN_IF_ERROR(file->Verify());
  return file;
}

Result<std::vector<std::uint8_t>> TermsKeeper::Make(const Snapshot::Part& part, int threads) const {
  SIFTSEARCH_RETURN_IF_ERROR(WithAdvice(part.reader->Verify(threads)));
  Gathering gathering(*part.reader);
  if (const auto names = env_.List(folder_); names.ok()) {
    for (const std::string& name : *names) {
      if (gathering.complete()) break;
      const auto file = lists::TermsFile::Open(env_, folder_ + "/" + name, Words().digest());
      if (file.ok()) gathering.TakeFrom(**file);
    }
  }
  gathering.Compute(variant_, threads);
  return gathering.Encode();
}

Status TermsKeeper::Store(std::int64_t segment, std::span<const std::uint8_t> bytes) const {
  SIFTSEARCH_RETURN_IF_ERROR(env_.CreateDirectory(folder_));
  const std::string path = PathOf(segment);
  const auto write = [&]() -> Status {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto out, env_.Create(path + ".tmp"));
    SIFTSEARCH_RETURN_IF_ERROR(out->Append(bytes));
    // Not synced: a power cut costs the file, which its checksums show.
    SIFTSEARCH_RETURN_IF_ERROR(out->Close());
    return env_.Rename(path + ".tmp", path);
  };
  const Status status = write();
  if (!status.ok()) (void)env_.Remove(path + ".tmp");
  return status;
}

Result<std::shared_ptr<const TermsView>> TermsKeeper::View(std::shared_ptr<const Snapshot> snapshot,
                                                           int threads,
                                                           const RowsProgress& progress) {
  const std::lock_guard lock(mutex_);
  if (view_ != nullptr && &view_->snapshot() == snapshot.get()) return view_;
  std::unordered_map<std::uint64_t, File> known;
  if (view_ != nullptr) {
    for (const File& file : view_->files()) known[file->segment()] = file;
  }
  std::vector<File> files;
  for (const Snapshot::Part& part : snapshot->parts()) {
    File& file = files.emplace_back();
    if (const auto found = known.find(part.reader->digest()); found != known.end()) {
      file = found->second;
      continue;
    }
    if (auto loaded = Load(part, distrust_); loaded.ok()) {
      file = *std::move(loaded);
      continue;
    }
    SIFTSEARCH_ASSIGN_OR_RETURN(auto bytes, Make(part, threads));
    // A search goes on without the file: not every reader may write.
    const auto writing = env_.Lock(database_, std::chrono::milliseconds(0));
    if (writing.ok()) (void)Store(part.segment, bytes);
    SIFTSEARCH_ASSIGN_OR_RETURN(
        file, lists::TermsFile::Of(PathOf(part.segment), std::move(bytes), Words().digest()));
    if (progress) {
      progress(part.first_row + static_cast<std::int64_t>(part.reader->rows()), snapshot->rows());
    }
  }
  distrust_ = false;
  return view_ = std::make_shared<const TermsView>(std::move(snapshot), std::move(files));
}

void TermsKeeper::Distrust() {
  const std::lock_guard lock(mutex_);
  view_.reset();
  distrust_ = true;
}

Status TermsKeeper::Update(const Snapshot& snapshot, int threads) const {
  std::set<std::string> kept;
  for (const Snapshot::Part& part : snapshot.parts()) {
    kept.insert(PathOf(part.segment));
    if (Load(part, /*verify=*/false).ok()) continue;
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto bytes, Make(part, threads));
    SIFTSEARCH_RETURN_IF_ERROR(Store(part.segment, bytes));
  }
  return RemoveBut(kept);
}

/// Removes the files with names that we give, but for the paths in `kept`.
Status TermsKeeper::RemoveBut(const std::set<std::string>& kept) const {
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool exists, env_.Exists(folder_));
  if (!exists) return {};
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto names, env_.List(folder_));
  for (const std::string& name : names) {
    const std::string path = folder_ + "/" + name;
    if (!IsNumberedName(name, kEnding) || kept.contains(path)) continue;
    SIFTSEARCH_RETURN_IF_ERROR(env_.Remove(path));
  }
  return {};
}

}  // namespace siftsearch::local
