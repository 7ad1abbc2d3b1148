#include <fmt/format.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "engine/where.h"
#include "server/api.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::ordered_json;

Response JobResponse(const Result<Job>& job, int status = 200) {
  if (!job.ok()) return Problem(job.status());
  Response response;
  response.status = status;
  response.body = JobJson(*job) + "\n";
  if (status == 202) response.headers.emplace_back("Location", "/v1/jobs/" + job->id);
  return response;
}

/// The object of a body; an empty body is an empty one.
Result<Json> ObjectOf(const std::string& body) {
  Json json = body.empty() ? Json::object() : Json::parse(body, nullptr, false);
  if (!json.is_object()) return Status(StatusCode::kInvalidArgument, "the body is no JSON object");
  return json;
}

Status CheckReport(const Json& request) {
  const bool score = !request.contains("min_score") ||
                     (request.at("min_score").is_number() && request.at("min_score") >= 0 &&
                      request.at("min_score") <= 1);
  if (!score) return {StatusCode::kInvalidArgument, "min_score is a number from 0 to 1"};
  if (!request.contains("where")) return {};
  if (!request.at("where").is_string()) return {StatusCode::kInvalidArgument, "where is a text"};
  const std::string where = request.at("where");
  return where.empty() ? Status() : engine::Where::Parse(where).status();
}

Status CheckImport(const Service& service, const Json& request) {
  if (request.contains("folder")) {
    if (!request.at("folder").is_string()) {
      return {StatusCode::kInvalidArgument, "folder is a text"};
    }
    if (!service.options().image_root.empty()) return {};
    return {StatusCode::kPermissionDenied, "this server reads no folders (--image-root lets it)"};
  }
  bool texts = request.contains("urls") && request.at("urls").is_array();
  for (std::size_t i = 0; texts && i < request.at("urls").size(); ++i) {
    texts = request.at("urls")[i].is_string();
  }
  if (!texts) {
    return {StatusCode::kInvalidArgument, "an import has a text folder or an array of texts urls"};
  }
  if (service.options().fetch) return {};
  return {StatusCode::kPermissionDenied, "this server fetches no addresses (--fetch lets it)"};
}

Response StartJob(Service& service, const Call& call, const std::string& kind) {
  const auto collection = service.collections().Get(call["collection"]);
  if (!collection.ok()) return Problem(collection.status());
  const auto request = ObjectOf(call.request.body);
  if (!request.ok()) return Problem(request.status());
  const Status checked = kind == "report" ? CheckReport(*request) : CheckImport(service, *request);
  if (!checked.ok()) return Problem(checked);
  return JobResponse(service.jobs().Start(kind, call["collection"], request->dump()), 202);
}

Response StartReport(Service& service, const Call& call) {
  return StartJob(service, call, "report");
}

Response StartImport(Service& service, const Call& call) {
  return StartJob(service, call, "import");
}

/// The job of the path, if the bearer has the right on its collection; else as if there were none.
Result<Job> JobOf(Service& service, const Call& call, Right right) {
  auto job = service.jobs().Find(call["job"]);
  if (job.ok() && service.RightOf(call.request, job->collection) < right) {
    return Status(StatusCode::kNotFound, "there is no job " + call["job"]);
  }
  return job;
}

/// What changing a job takes.
Right RightToChange(const Job& job) { return job.kind == "import" ? Right::kWrite : Right::kRead; }

Response ListJobs(Service& service, const Call& call) {
  std::string list;
  for (const Job& job : service.jobs().All()) {
    if (service.RightOf(call.request, job.collection) < Right::kRead) continue;
    list += (list.empty() ? "" : ",") + JobJson(job);
  }
  Response response;
  response.body = "{\"jobs\":[" + list + "]}\n";
  return response;
}

Response GetJob(Service& service, const Call& call) {
  return JobResponse(JobOf(service, call, Right::kRead));
}

/// Events of a job as they come; the last one is "end".
Response JobEvents(Service& service, const Call& call) {
  const auto job = JobOf(service, call, Right::kRead);
  if (!job.ok()) return Problem(job.status());
  Response response;
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.stream = [&service, id = job->id, told = std::int64_t{-1},
                     ended = false]() mutable -> std::optional<std::string> {
    if (ended) return std::nullopt;
    const auto now = service.jobs().Find(id);
    ended = !now.ok() || (now->state != "queued" && now->state != "running");
    if (!now.ok()) return "event: end\ndata: null\n\n";
    if (!ended && now->revision == told) return "";
    told = now->revision;
    return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", told, ended ? "end" : "progress",
                       JobJson(*now));
  };
  return response;
}

Response JobResults(Service& service, const Call& call) {
  const auto job = JobOf(service, call, Right::kRead);
  if (!job.ok()) return Problem(job.status());
  const auto limit = WholeNumberOf(call.request, "limit", 100, 1, 1'000);
  if (!limit.ok()) return Problem(limit.status());
  const auto after =
      WholeNumberOf(call.request, "after", 0, 0, std::numeric_limits<std::int64_t>::max());
  if (!after.ok()) return Problem(after.status());
  std::ifstream in(service.jobs().ResultsOf(job->id));
  if (!in) return Problem(404, "not_found", "the job " + job->id + " has no results yet");
  std::string list, line;
  std::int64_t number = 0;
  bool more = false;
  while (!more && std::getline(in, line)) {
    if (++number <= *after) continue;
    more = number > *after + *limit;
    if (!more) list += (list.empty() ? "" : ",") + line;
  }
  Response response;
  response.body = fmt::format("{{\"results\":[{}],\"next\":{}}}\n", list,
                              more ? std::to_string(*after + *limit) : "null");
  return response;
}

template <typename Change>
Response ChangeJob(Service& service, const Call& call, const Change& change) {
  const auto job = JobOf(service, call, Right::kRead);
  if (!job.ok()) return Problem(job.status());
  if (service.RightOf(call.request, job->collection) < RightToChange(*job)) {
    return Problem(403, "forbidden", "the token does not give the right to write");
  }
  return change(job->id);
}

Response StopJob(Service& service, const Call& call) {
  return ChangeJob(service, call,
                   [&](const std::string& id) { return JobResponse(service.jobs().Stop(id)); });
}

Response ResumeJob(Service& service, const Call& call) {
  return ChangeJob(service, call, [&](const std::string& id) {
    return JobResponse(service.jobs().Resume(id), 202);
  });
}

Response RemoveJob(Service& service, const Call& call) {
  return ChangeJob(service, call, [&](const std::string& id) -> Response {
    const Status removed = service.jobs().Remove(id);
    if (!removed.ok()) return Problem(removed);
    return {.status = 204};
  });
}

}  // namespace

std::span<const Route> JobRoutes() {
  static constexpr Route kRoutes[] = {
      {"POST", "/v1/collections/{collection}/reports", Work::kRead, Right::kRead, StartReport,
       true},
      {"POST", "/v1/collections/{collection}/imports", Work::kRead, Right::kWrite, StartImport,
       true},
      {"GET", "/v1/jobs", Work::kRead, Right::kRead, ListJobs},
      {"GET", "/v1/jobs/{job}", Work::kRead, Right::kRead, GetJob},
      {"GET", "/v1/jobs/{job}/events", Work::kRead, Right::kRead, JobEvents},
      {"GET", "/v1/jobs/{job}/results", Work::kRead, Right::kRead, JobResults},
      {"POST", "/v1/jobs/{job}/stop", Work::kRead, Right::kRead, StopJob, true},
      {"POST", "/v1/jobs/{job}/resume", Work::kRead, Right::kRead, ResumeJob, true},
      {"DELETE", "/v1/jobs/{job}", Work::kRead, Right::kRead, RemoveJob},
  };
  return kRoutes;
}

}  // namespace siftsearch::server
