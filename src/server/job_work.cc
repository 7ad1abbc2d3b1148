#include "server/job_work.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "engine/picture_file.h"
#include "engine/where.h"
#include "report/json.h"
#include "server/service.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::json;

/// The lines of a job's results, in a file that has its name once all are there.
class ResultsFile {
 public:
  static Result<ResultsFile> Open(const std::string& name) {
    ResultsFile results;
    results.name_ = name;
    SIFTSEARCH_ASSIGN_OR_RETURN(results.file_, DiskEnv().Create(name + ".new"));
    return results;
  }

  Status Add(const std::string& line) {
    const std::string text = line + "\n";
    return file_->Append({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }

  Status Keep() {
    SIFTSEARCH_RETURN_IF_ERROR(file_->Sync());
    SIFTSEARCH_RETURN_IF_ERROR(file_->Close());
    return DiskEnv().Rename(name_ + ".new", name_);
  }

 private:
  std::string name_;
  std::unique_ptr<WritableFile> file_;
};

Status RunReport(Service& service, const Job& job, const Json& request, bool resume,
                 JobProgress& progress) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, service.collections().Get(job.collection));
  SIFTSEARCH_ASSIGN_OR_RETURN(ResultsFile results,
                              ResultsFile::Open(service.jobs().ResultsOf(job.id)));
  ReportOptions options;
  options.min_score = request.value("min_score", options.min_score);
  options.order = ReportOrder::kGroup;
  options.tell_colours = false;  // No file is read but what a request brings.
  options.journal = service.jobs().JournalOf(job.id);
  options.resume = resume;
  options.conditions = request.value("where", "");
  if (!options.conditions.empty()) {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto where, engine::Where::Parse(options.conditions));
    options.accept = [where](const ImageRecord& image) { return where.Matches(image); };
  }
  options.stop = [&] { return progress.stopped(); };
  options.progress = [&](std::int64_t done, std::int64_t total, std::int64_t pairs) {
    progress.Update([&](Job& to) {
      to.done = done;
      to.total = total;
      to.pairs = pairs;
    });
  };
  options.finish = [&](const Report&) { return results.Keep(); };
  SIFTSEARCH_ASSIGN_OR_RETURN(const Report report,
                              collection->engine().ReportAll(options, [&](const ReportPair& pair) {
                                return results.Add(report::PairJson(pair));
                              }));
  progress.Update([&](Job& to) {
    to.pairs = report.pairs;
    to.copies = report.copies;
    to.groups = report.groups;
  });
  return {};
}

/// The pictures of an import: the files below a folder, under their paths from the image root, or
/// addresses, each under itself.
class ImportInputs {
 public:
  static Result<ImportInputs> Open(const Service& service, const Json& request) {
    ImportInputs inputs;
    inputs.service_ = &service;
    if (request.contains("urls")) {
      inputs.urls_ = request.at("urls").get<std::vector<std::string>>();
      return inputs;
    }
    std::error_code error;
    inputs.root_ = std::filesystem::canonical(service.options().image_root, error);
    const auto folder =
        std::filesystem::canonical(inputs.root_ / request.at("folder").get<std::string>(), error);
    const auto from_root = folder.lexically_relative(inputs.root_);
    if (error || from_root.empty() || *from_root.begin() == "..") {
      return Status(StatusCode::kNotFound, "there is no such folder below the image root");
    }
    inputs.walk_ = std::filesystem::recursive_directory_iterator(
        folder, std::filesystem::directory_options::skip_permission_denied, error);
    if (error) return Status(StatusCode::kIoError, "the folder can't be read: " + error.message());
    return inputs;
  }

  std::optional<AddInput> Next() {
    if (next_url_ < urls_.size()) return OfUrl(urls_[next_url_++]);
    std::error_code error;
    while (walk_ != std::filesystem::recursive_directory_iterator()) {
      const auto entry = *walk_;
      walk_.increment(error);
      if (error) return std::nullopt;
      // A link may lead out of the image root.
      if (!entry.is_symlink(error) && entry.is_regular_file(error)) return OfFile(entry.path());
    }
    return std::nullopt;
  }

  std::int64_t total() const { return static_cast<std::int64_t>(urls_.size()); }

 private:
  AddInput OfUrl(const std::string& url) const {
    AddInput input;
    input.path = url;
    input.read = [service = service_, url] { return service->options().fetch(url); };
    return input;
  }

  AddInput OfFile(const std::filesystem::path& file) const {
    AddInput input;
    input.path = file.lexically_relative(root_).string();
    input.from_folder = true;
    input.read =
        [file, limits = service_->options().engine.limits]() -> Result<std::vector<std::uint8_t>> {
      SIFTSEARCH_ASSIGN_OR_RETURN(auto picture, engine::ReadPictureFile(file.string(), limits));
      return std::move(picture.bytes);
    };
    return input;
  }

  const Service* service_ = nullptr;
  std::vector<std::string> urls_;
  std::size_t next_url_ = 0;
  std::filesystem::path root_;
  std::filesystem::recursive_directory_iterator walk_;
};

Status RunImport(Service& service, const Job& job, const Json& request, JobProgress& progress) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto collection, service.collections().Get(job.collection));
  SIFTSEARCH_ASSIGN_OR_RETURN(ImportInputs inputs, ImportInputs::Open(service, request));
  SIFTSEARCH_ASSIGN_OR_RETURN(ResultsFile results,
                              ResultsFile::Open(service.jobs().ResultsOf(job.id)));
  AddOptions options;
  options.stop = [&] { return progress.stopped(); };
  Status written;
  SIFTSEARCH_RETURN_IF_ERROR(collection->engine()
                                 .Add([&] { return inputs.Next(); }, options,
                                      [&](const AddOutcome& outcome) {
                                        if (written.ok())
                                          written = results.Add(report::AddJson(outcome));
                                        progress.Update([&](Job& to) {
                                          ++to.done;
                                          to.total = std::max(inputs.total(), to.done);
                                          to.failed += outcome.action == AddAction::kFailed;
                                        });
                                      })
                                 .status());
  SIFTSEARCH_RETURN_IF_ERROR(written);
  return results.Keep();
}

}  // namespace

Status RunJob(Service& service, const Job& job, bool resume, JobProgress& progress) {
  const Json request = Json::parse(job.request, nullptr, false);
  if (!request.is_object()) return {StatusCode::kCorrupt, "the job's request is damaged"};
  if (job.kind == "report") return RunReport(service, job, request, resume, progress);
  progress.Update([](Job& to) { to.done = to.total = to.failed = 0; });
  return RunImport(service, job, request, progress);
}

}  // namespace siftsearch::server
