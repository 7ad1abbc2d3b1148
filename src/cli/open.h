#pragma once

#include <boost/program_options.hpp>
#include <memory>
#include <optional>

#include "cli/command.h"
#include "siftsearch/engine.h"

namespace siftsearch::cli {

/// Options of several verbs, with their names and defaults in one place.
class EngineFlags {
 public:
  void AddThreads(Command& command);                    ///< --threads
  void AddLimits(Command& command);                     ///< --max-pixels, --max-file-bytes
  void AddLockWait(Command& command);                   ///< --lock-wait
  void AddSettings(Command& command);                   ///< --features, --max-side
  void AddMemory(Command& command);                     ///< --batch-memory
  void AddForms(Command& command, int& form_features);  ///< --form-features

  /// UsageError where a value makes no sense.
  EngineOptions Options() const;

  /// Memory for the queries of one pass over the database.
  std::int64_t batch_bytes() const;

  /// The extractor settings asked for, over those in `defaults`; none without --features and
  /// --max-side.
  std::optional<ExtractorSettings> Settings(const ExtractorSettings& defaults) const;

 private:
  int threads_ = 0;
  double lock_wait_s_ = 60;
  int batch_mib_ = 32;
  std::int64_t max_pixels_ = InputLimits().max_pixels;
  std::int64_t max_file_bytes_ = InputLimits().max_file_bytes;
  std::optional<int> features_;
  std::optional<int> max_side_;
};

/// The command's database, to read only.
Result<std::unique_ptr<Engine>> OpenReader(const Command& command, EngineOptions options = {});

/// Says why the operation on the database failed; gives the exit code.
int Fail(const Console& console, const Status& status);

}  // namespace siftsearch::cli
