#include "server/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/exception_status.h"
#include "base/hash.h"
#include "base/status_macros.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostWaiting = 100;

std::int64_t NowSeconds() {
  using std::chrono::system_clock;
  return std::chrono::duration_cast<std::chrono::seconds>(system_clock::now().time_since_epoch())
      .count();
}

Json ToJson(const Job& job) {
  return {{"id", job.id},
          {"kind", job.kind},
          {"collection", job.collection},
          {"state", job.state},
          {"done", job.done},
          {"total", job.total},
          {"pairs", job.pairs},
          {"copies", job.copies},
          {"groups", job.groups},
          {"failed", job.failed},
          {"problem", job.problem.empty() ? Json(nullptr) : Json(job.problem)},
          {"made", job.made_s},
          {"request", Json::parse(job.request, nullptr, false)}};
}

std::string Text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A job that ToJson wrote; none of damaged text.
std::optional<Job> FromJson(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  try {
    Job job;
    job.id = json.at("id");
    job.kind = json.at("kind");
    job.collection = json.at("collection");
    job.request = Text(json.at("request"));
    job.state = json.at("state");
    if (json.at("problem").is_string()) job.problem = json.at("problem");
    job.made_s = json.at("made");
    job.done = json.at("done");
    job.total = json.at("total");
    job.pairs = json.at("pairs");
    job.copies = json.at("copies");
    job.groups = json.at("groups");
    job.failed = json.at("failed");
    return job;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

bool IsActive(const Job& job) { return job.state == "queued" || job.state == "running"; }

Status NoJob(const std::string& id) { return {StatusCode::kNotFound, "there is no job " + id}; }

}  // namespace

std::string JobJson(const Job& job) { return Text(ToJson(job)); }

class Jobs::Running : public JobProgress {
 public:
  Running(Jobs& jobs, std::string id) : jobs_(jobs), id_(std::move(id)) {}

  void Update(const std::function<void(Job&)>& change) override { jobs_.Change(id_, change); }
  bool stopped() const override {
    const std::lock_guard lock(jobs_.mutex_);
    return jobs_.stop_running_ || jobs_.ending_;
  }

 private:
  Jobs& jobs_;
  const std::string id_;
};

Jobs::Jobs(FileEnv& env, std::string folder, Work work)
    : env_(env), folder_(std::move(folder)), work_(std::move(work)) {
  folder_status_ = env_.CreateDirectory(folder_);
  if (folder_status_.ok()) ReadFolder();
  thread_ = std::thread([this] { Run(); });
}

Jobs::~Jobs() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Jobs::ReadFolder() {
  const auto names = env_.List(folder_);
  if (!names.ok()) {
    folder_status_ = names.status();
    return;
  }
  for (const std::string& name : *names) {
    if (!name.ends_with(".json")) continue;
    const auto bytes = env_.Read(folder_ + "/" + name);
    if (!bytes.ok()) continue;  // Nothing else depends on it.
    auto job = FromJson({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
    if (!job || job->id + ".json" != name) continue;
    if (IsActive(*job)) job->state = "stopped";
    jobs_[job->id] = std::move(*job);
  }
}

Status Jobs::Write(const Job& job) {
  const std::string text = JobJson(job) + "\n";
  const std::string name = folder_ + "/" + job.id + ".json";
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto file, env_.Create(name + ".new"));
  SIFTSEARCH_RETURN_IF_ERROR(
      file->Append({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
  SIFTSEARCH_RETURN_IF_ERROR(file->Sync());
  SIFTSEARCH_RETURN_IF_ERROR(file->Close());
  SIFTSEARCH_RETURN_IF_ERROR(env_.Rename(name + ".new", name));
  return env_.SyncDirectory(folder_);
}

Result<Job> Jobs::Start(const std::string& kind, const std::string& collection,
                        const std::string& request) {
  const std::lock_guard lock(mutex_);
  SIFTSEARCH_RETURN_IF_ERROR(folder_status_);
  if (waiting_.size() >= kMostWaiting) {
    return Status(StatusCode::kBusy, fmt::format("{} jobs are waiting already", kMostWaiting));
  }
  Job job;
  job.kind = kind;
  job.collection = collection;
  job.request = request;
  job.state = "queued";
  job.made_s = NowSeconds();
  std::int64_t number = 1;
  for (const auto& [id, other] : jobs_) {
    number = std::max<std::int64_t>(number, std::strtoll(id.c_str(), nullptr, 10) + 1);
  }
  job.id = fmt::format("{:08}", number);
  SIFTSEARCH_RETURN_IF_ERROR(Write(job));
  jobs_[job.id] = job;
  waiting_.emplace_back(job.id, false);
  changed_.notify_all();
  return job;
}

Result<Job> Jobs::Resume(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return NoJob(id);
  Job& job = found->second;
  if (job.state != "stopped" && job.state != "failed") {
    return Status(StatusCode::kInvalidArgument, "the job " + id + " is " + job.state);
  }
  job.state = "queued";
  job.problem.clear();
  ++job.revision;
  SIFTSEARCH_RETURN_IF_ERROR(Write(job));
  waiting_.emplace_back(id, true);
  changed_.notify_all();
  return job;
}

Result<Job> Jobs::Stop(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return NoJob(id);
  Job& job = found->second;
  if (id == running_) {
    stop_running_ = true;
  } else if (job.state == "queued") {
    std::erase_if(waiting_, [&](const auto& waiting) { return waiting.first == id; });
    job.state = "stopped";
    ++job.revision;
    SIFTSEARCH_RETURN_IF_ERROR(Write(job));
  }
  return job;
}

Status Jobs::Remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return NoJob(id);
  if (IsActive(found->second)) {
    return {StatusCode::kAlreadyExists, "the job " + id + " is " + found->second.state};
  }
  for (const std::string& file : {ResultsOf(id), JournalOf(id)}) {
    const Status removed = env_.Remove(file);
    if (!removed.ok() && removed.code() != StatusCode::kNotFound) return removed;
  }
  SIFTSEARCH_RETURN_IF_ERROR(env_.Remove(folder_ + "/" + id + ".json"));
  jobs_.erase(found);
  return {};
}

Result<Job> Jobs::Find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return NoJob(id);
  return found->second;
}

std::vector<Job> Jobs::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<Job> all;
  for (const auto& [id, job] : jobs_) all.push_back(job);
  return all;
}

void Jobs::Change(const std::string& id, const std::function<void(Job&)>& change) {
  const std::lock_guard lock(mutex_);
  Job& job = jobs_.at(id);
  change(job);
  ++job.revision;
}

void Jobs::Run() {
  while (true) {
    std::pair<std::string, bool> next;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
      if (ending_) return;
      next = waiting_.front();
      waiting_.pop_front();
      running_ = next.first;
      stop_running_ = false;
      jobs_.at(running_).state = "running";
      ++jobs_.at(running_).revision;
    }
    RunOne(next.first, next.second);
  }
}

void Jobs::RunOne(const std::string& id, bool resume) {
  Running progress(*this, id);
  const Job job = Find(id).value();
  Status status;
  try {
    status = work_(job, resume, progress);
  } catch (const std::exception& error) {
    status = StatusOf(error);
  }
  const bool stopped = progress.stopped();
  const std::lock_guard lock(mutex_);
  Job& ended = jobs_.at(id);
  ended.state = stopped ? "stopped" : status.ok() ? "done" : "failed";
  if (!status.ok() && !stopped) ended.problem = status.message();
  const Status written = Write(ended);
  if (!written.ok() && status.ok()) ended.problem = written.message();
  ++ended.revision;
  running_.clear();
}

}  // namespace siftsearch::server
