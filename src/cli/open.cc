#include "cli/open.h"

#include <fmt/format.h>

#include <limits>

#include "cli/exit_code.h"

namespace siftsearch::cli {
namespace po = boost::program_options;

void EngineFlags::AddThreads(Command& command) {
  command.Options()("threads,T", po::value(&threads_)->value_name("N"),
                    "threads to use [one for each processor]");
}

void EngineFlags::AddLimits(Command& command) {
  command.Options()("max-pixels", po::value(&max_pixels_)->value_name("N"),
                    "refuse pictures of more pixels [268435456]")(
      "max-file-bytes", po::value(&max_file_bytes_)->value_name("N"),
      "refuse larger picture files [1073741824]");
}

void EngineFlags::AddLockWait(Command& command) {
  command.Options()("lock-wait", po::value(&lock_wait_s_)->value_name("SECONDS"),
                    "wait this long for another writer [60]");
}

void EngineFlags::AddSettings(Command& command) {
  const auto features = [this](int value) { features_ = value; };
  const auto max_side = [this](int value) { max_side_ = value; };
  command.Options()("features", po::value<int>()->value_name("N")->notifier(features),
                    "descriptors kept per image; fixed when the database is made [1000]")(
      "max-side", po::value<int>()->value_name("PX")->notifier(max_side),
      "longer side to which pictures are scaled down; fixed when the database is made [640]");
}

void EngineFlags::AddMemory(Command& command) {
  command.Options()("batch-memory", po::value(&batch_mib_)->value_name("MIB"),
                    "memory for pictures that share a pass over the database [32]");
}

void EngineFlags::AddForms(Command& command, int& form_features) {
  const auto set = [&form_features](int value) {
    CheckRange("form-features", value, 0, 100'000);
    form_features = value;
  };
  command.Options()("form-features", po::value<int>()->value_name("N")->notifier(set),
                    fmt::format("strongest descriptors that are searched mirrored and inverted, "
                                "too; 0: none [{}]",
                                form_features)
                        .c_str());
}

std::int64_t EngineFlags::batch_bytes() const {
  CheckRange("batch-memory", batch_mib_, 1, 1 << 20);
  return std::int64_t{batch_mib_} << 20;
}

EngineOptions EngineFlags::Options() const {
  constexpr std::int64_t kMany = std::numeric_limits<std::int64_t>::max();
  CheckRange("threads", threads_, 0, 1024);
  CheckRange("max-pixels", max_pixels_, 1, kMany);
  CheckRange("max-file-bytes", max_file_bytes_, 1, kMany);
  if (!(lock_wait_s_ >= 0 && lock_wait_s_ <= 1e9)) {
    throw UsageError("--lock-wait is from 0 to 1000000000 seconds");
  }
  if (features_) CheckRange("features", *features_, 1, 100'000);
  if (max_side_) CheckRange("max-side", *max_side_, 32, 16'384);
  EngineOptions options;
  options.threads = threads_;
  options.limits = {max_pixels_, max_file_bytes_};
  options.lock_wait_ms = static_cast<std::int64_t>(lock_wait_s_ * 1000);
  return options;
}

std::optional<ExtractorSettings> EngineFlags::Settings(const ExtractorSettings& defaults) const {
  if (!features_ && !max_side_) return std::nullopt;
  ExtractorSettings settings = defaults;
  settings.max_features = features_.value_or(settings.max_features);
  settings.max_side = max_side_.value_or(settings.max_side);
  return settings;
}

Result<std::unique_ptr<Engine>> OpenReader(const Command& command, EngineOptions options) {
  options.read_only = true;
  return Engine::Open(command.database(), options);
}

int Fail(const Console& console, const Status& status) {
  console.Error(status.message());
  return ExitCodeOf(status);
}

}  // namespace siftsearch::cli
