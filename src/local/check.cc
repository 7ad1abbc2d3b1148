#include "local/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "base/status_macros.h"
#include "index/factory_key.h"
#include "lists/terms_file.h"
#include "lists/vocabulary.h"
#include "local/terms_keeper.h"
#include "segment/segment_reader.h"

namespace siftsearch::local {
namespace {

class Checker {
 public:
  Checker(FileEnv& env, const std::string& folder, catalog::Catalog& catalog, int threads,
          const RowsProgress& progress)
      : env_(env),
        catalog_file_(folder + "/catalog.sqlite"),
        segments_(folder + "/segments"),
        folder_(folder),
        catalog_(catalog),
        threads_(threads),
        progress_(progress) {}

  Result<std::vector<CheckProblem>> Run() {
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::vector<std::string> found, catalog_.IntegrityProblems());
    for (const std::string& problem : found) Add(catalog_file_, problem);
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::string key, catalog_.IndexKey());
    const Status known = index::FactoryKey::Parse(key).status();
    if (!known.ok()) Add(catalog_file_, known.message());
    SIFTSEARCH_RETURN_IF_ERROR(catalog_.VisitContents([&](const catalog::ContentRecord& content) {
      if (content.descriptors > 0) expected_rows_[content.content] = content.descriptors;
      return true;
    }));
    SIFTSEARCH_ASSIGN_OR_RETURN(const catalog::Listing listing, catalog_.ReadListing());
    CheckSegments(listing.segments);
    AddMissingContents();
    SIFTSEARCH_RETURN_IF_ERROR(CheckUnlisted(listing));
    return std::move(problems_);
  }

 private:
  void Add(const std::string& file, std::string problem) {
    problems_.push_back({.file = file, .problem = std::move(problem)});
  }

  void CheckSegments(const std::vector<catalog::SegmentRecord>& segments) {
    std::int64_t total = 0, done = 0;
    for (const catalog::SegmentRecord& segment : segments) total += segment.rows;
    if (progress_) progress_(done, total);
    for (const catalog::SegmentRecord& segment : segments) {
      CheckSegment(segment);
      CheckTerms(TermsPath(folder_, segment.id));
      done += segment.rows;
      if (progress_) progress_(done, total);
    }
  }

  /// A missing one and one of another format or vocabulary are no damage: a search makes them.
  void CheckTerms(const std::string& path) {
    const auto file = lists::TermsFile::Open(env_, path, lists::Vocabulary::Shipped().digest());
    const Status status = file.ok() ? (*file)->Verify() : file.status();
    if (status.ok() || status.code() == StatusCode::kNotFound ||
        status.code() == StatusCode::kIncompatible) {
      return;
    }
    Add(path,
        status.code() == StatusCode::kCorrupt
            ? status.message() + "; the next search that meets the damage makes the file again"
            : status.message());
  }

  void CheckSegment(const catalog::SegmentRecord& listed) {
    const std::string path = segments_ + "/" + listed.file;
    // A reader of its own: one in use has been verified before and would not read again.
    auto reader = SegmentReader::Open(env_, path, catalog_.settings_digests());
    if (!reader.ok()) {
      unreadable_rows_ += listed.rows;
      ++unreadable_;
      if (reader.status().code() == StatusCode::kNotFound) {
        return Add(path, "the segment is missing");
      }
      return Add(path, reader.status().message());
    }
    if (const Status damage = (*reader)->Verify(threads_); !damage.ok()) {
      Add(path, damage.message());
    }
    CompareNumber(path, "rows", static_cast<std::int64_t>((*reader)->rows()), listed.rows);
    CompareNumber(path, "images", static_cast<std::int64_t>((*reader)->contents().size()),
                  listed.contents);
    CompareNumber(path, "bytes", (*reader)->bytes(), listed.bytes);
    for (const SegmentContent& entry : (*reader)->contents()) CheckContent(path, entry);
  }

  void CompareNumber(const std::string& path, std::string_view what, std::int64_t is,
                     std::int64_t listed) {
    if (is != listed) Add(path, fmt::format("has {} {}, the catalogue says {}", is, what, listed));
  }

  void CheckContent(const std::string& path, const SegmentContent& entry) {
    const auto expected = expected_rows_.find(entry.content);
    if (expected == expected_rows_.end()) {
      return Add(path,
                 fmt::format("holds content {}, which the catalogue does not have", entry.content));
    }
    if (!seen_.insert(entry.content).second) {
      Add(path, fmt::format("holds content {} a second time", entry.content));
    }
    if (static_cast<std::int64_t>(entry.rows) != expected->second) {
      Add(path, fmt::format("has {} rows of content {}, the catalogue says {}", entry.rows,
                            entry.content, expected->second));
    }
  }

  /// One problem for all of them: a lost segment takes thousands along.
  void AddMissingContents() {
    std::int64_t missing = 0;
    std::int64_t first = 0;
    for (const auto& [content, rows] : expected_rows_) {
      if (seen_.contains(content)) continue;
      if (missing++ == 0) first = content;
    }
    if (missing == 0) return;
    std::string problem =
        fmt::format("{} contents (the first is {}) are in no readable segment", missing, first);
    if (unreadable_ > 0) {
      problem +=
          fmt::format("; {} segments with {} rows can't be read", unreadable_, unreadable_rows_);
    }
    Add(catalog_file_, std::move(problem));
  }

  Status CheckUnlisted(const catalog::Listing& listing) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const bool exists, env_.Exists(segments_));
    if (!exists) return {};
    std::set<std::string> listed;
    for (const catalog::SegmentRecord& segment : listing.segments) listed.insert(segment.file);
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::vector<std::string> names, env_.List(segments_));
    for (const std::string& name : names) {
      if (listed.contains(name)) continue;
      Add(segments_ + "/" + name,
          "is not listed in the catalogue; what an interrupted write left goes with the next one");
    }
    return {};
  }

  FileEnv& env_;
  const std::string catalog_file_;
  const std::string segments_, folder_;
  catalog::Catalog& catalog_;
  const int threads_;
  const RowsProgress& progress_;
  std::vector<CheckProblem> problems_;
  std::map<std::int64_t, std::int64_t> expected_rows_;  ///< By content.
  std::set<std::int64_t> seen_;
  std::int64_t unreadable_ = 0;
  std::int64_t unreadable_rows_ = 0;
};

}  // namespace

Result<std::vector<CheckProblem>> CheckDatabase(FileEnv& env, const std::string& folder,
                                                catalog::Catalog& catalog, int threads,
                                                const RowsProgress& progress) {
  return Checker(env, folder, catalog, threads, progress).Run();
}

}  // namespace siftsearch::local
