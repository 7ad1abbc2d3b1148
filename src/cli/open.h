#pragma once

#include <boost/program_options.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"
#include "siftsearch/engine.h"

namespace siftsearch::cli {

/// Options of several verbs, with their names and defaults in one place.
class EngineFlags {
 public:
  void AddThreads(Command& command);   ///< --threads
  void AddLimits(Command& command);    ///< --max-pixels, --max-file-bytes
  void AddLockWait(Command& command);  ///< --lock-wait
  void AddSettings(Command& command);  ///< --features, --max-side, --index
  void AddSearch(Command& command);    ///< --nprobe, --ef-search, --no-rerank, --kernel
  void AddMemory(Command& command);    ///< --batch-memory
  void AddEffort(Command& command);    ///< --preset, --form-, --query-features, --max-false-alarms

  /// UsageError where a value makes no sense, also that of $SIFTSEARCH_KERNEL (which holds where
  /// --kernel isn't given).
  EngineOptions Options() const;

  /// How thorough searches are.
  struct Effort {
    int neighbours = QueryOptions().neighbours;
    int max_candidates = QueryOptions().max_candidates;
    int form_features = QueryOptions().form_features;
    double query_features = QueryOptions().query_features;
    double max_log10_false_alarms = QueryOptions().max_log10_false_alarms;
    Approximation approximation = {};

    template <typename Options>
    void ApplyTo(Options& options) const {
      options.neighbours = neighbours;
      options.max_candidates = max_candidates;
      options.form_features = form_features;
      options.query_features = query_features;
      options.max_log10_false_alarms = max_log10_false_alarms;
      options.approximation = approximation;
    }
  };
  /// UsageError where a value makes no sense.
  Effort effort() const;

  /// Memory for the queries of one pass over the database.
  std::int64_t batch_bytes() const;

  /// The extractor settings asked for, over those in `defaults`; none without --features and
  /// --max-side.
  std::optional<ExtractorSettings> Settings(const ExtractorSettings& defaults) const;

  /// The key of the index asked for. UsageError where --index is none.
  std::optional<std::string> Index() const;

 private:
  int threads_ = 0;
  double lock_wait_s_ = 60;
  int batch_mib_ = 32;
  std::int64_t max_pixels_ = InputLimits().max_pixels;
  std::int64_t max_file_bytes_ = InputLimits().max_file_bytes;
  std::optional<int> features_;
  std::optional<int> max_side_;
  std::optional<std::string> index_;
  std::optional<int> nprobe_;
  std::optional<int> ef_search_;
  bool no_rerank_ = false;
  std::optional<std::string> kernel_;
  std::string preset_ = "balanced";
  std::optional<int> form_features_;
  std::optional<double> query_features_;
  double max_false_alarms_ = 1e9;
};

/// The command's database, to read only.
Result<std::unique_ptr<Engine>> OpenReader(const Command& command,
                                           EngineOptions options = EngineFlags().Options());

/// The same, for searches.
Result<std::unique_ptr<Engine>> OpenSearcher(const Command& command, const EngineFlags& flags);

/// What the newest commit holds.
Result<BackendStats> StatsOf(SearchBackend& backend);

/// Opens the database or makes it; settings that were not asked for are those it has.
Result<std::unique_ptr<Engine>> OpenForAdding(const std::string& database,
                                              const EngineFlags& flags);

/// A condition of --where on images; one that holds for all where the text is empty. UsageError.
std::function<bool(const ImageRecord&)> ParseWhere(const std::string& text);
/// Says which attributes that a condition asks for no stored image has: they may be misspelt.
Status WarnOfUnknownAttributes(const std::string& where, SearchBackend& backend,
                               const Console& console);

/// Says why the operation on the database failed; gives the exit code.
int Fail(const Console& console, const Status& status);

}  // namespace siftsearch::cli
