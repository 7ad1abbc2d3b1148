#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "env/file_env.h"
#include "siftsearch/status.h"

namespace siftsearch::server {

/// A task that takes longer than a request may: a report or an import.
struct Job {
  std::string id;
  std::string kind;  ///< "report" or "import".
  std::string collection;
  std::string request;  ///< What was asked for, as JSON.
  std::string state;    ///< "queued", "running", "done", "failed" or "stopped".
  std::string problem;  ///< Why it failed.
  std::int64_t made_s = 0;
  std::int64_t done = 0;
  std::int64_t total = 0;  ///< 0: not known.
  std::int64_t pairs = 0;
  std::int64_t copies = 0;
  std::int64_t groups = 0;
  std::int64_t failed = 0;    ///< Inputs.
  std::int64_t revision = 0;  ///< Counts changes.
};

/// As schema/http.md has it, on one line.
std::string JobJson(const Job& job);

/// What the work of a job tells about itself.
class JobProgress {
 public:
  virtual ~JobProgress() = default;
  virtual void Update(const std::function<void(Job&)>& change) = 0;
  virtual bool stopped() const = 0;
};

/// The jobs of a server, one after another in the order given, each in files of a folder: ID.json
/// says what it is, ID.jsonl are its results, ID.journal lets it go on where it was stopped. Jobs
/// that the end of the process interrupted are "stopped" at the next start. Safe from several
/// threads.
class Jobs {
 public:
  /// Does the work; `resume` where it began before. Called from the thread of the jobs.
  using Work = std::function<Status(const Job& job, bool resume, JobProgress& progress)>;

  /// Reads what is in the folder, which is made where there is none. Nothing runs before Begin.
  Jobs(FileEnv& env, std::string folder, Work work);
  /// Stops the job that runs, which can go on later.
  ~Jobs();
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;

  Result<Job> Start(const std::string& kind, const std::string& collection,
                    const std::string& request);
  /// kInvalidArgument unless it is stopped or failed.
  Result<Job> Resume(const std::string& id);
  Result<Job> Stop(const std::string& id);
  /// kBusy while it waits or runs.
  Status Remove(const std::string& id);
  /// kNotFound.
  Result<Job> Find(const std::string& id) const;
  /// In the order in which they were made.
  std::vector<Job> All() const;

  std::string ResultsOf(const std::string& id) const { return folder_ + "/" + id + ".jsonl"; }
  std::string JournalOf(const std::string& id) const { return folder_ + "/" + id + ".journal"; }

 private:
  class Running;

  void ReadFolder();
  void Run();
  void RunOne(const std::string& id, bool resume);
  Status Write(const Job& job);
  void Change(const std::string& id, const std::function<void(Job&)>& change);

  FileEnv& env_;
  const std::string folder_;
  const Work work_;
  mutable std::mutex mutex_;  ///< Guards what follows.
  std::condition_variable changed_;
  std::map<std::string, Job> jobs_;
  std::deque<std::pair<std::string, bool>> waiting_;  ///< Ids, and whether to resume.
  std::string running_;
  bool stop_running_ = false;
  bool ending_ = false;
  Status folder_status_;
  std::thread thread_;
};

}  // namespace siftsearch::server
