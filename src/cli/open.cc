#include "cli/open.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>

#include "base/status_macros.h"
#include "cli/exit_code.h"
#include "engine/where.h"
#include "index/factory_key.h"
#include "kernel/topk.h"

namespace siftsearch::cli {
namespace po = boost::program_options;

namespace {

/// The variant that --kernel asks for, else the environment; empty: none does.
std::string Kernel(const std::optional<std::string>& option) {
  const char* environment = std::getenv("SIFTSEARCH_KERNEL");
  if (!option && (environment == nullptr || *environment == '\0')) return "";
  const std::string name = option ? *option : environment;
  const auto variant = kernel::VariantNamed(name);
  if (variant.ok()) return name;
  throw UsageError(fmt::format("{}: {}", option ? "--kernel" : "$SIFTSEARCH_KERNEL",
                               variant.status().message()));
}

}  // namespace

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
  const auto index = [this](const std::string& value) { index_ = value; };
  command.Options()("features", po::value<int>()->value_name("N")->notifier(features),
                    "descriptors kept per image; fixed when the database is made [1000]")(
      "max-side", po::value<int>()->value_name("PX")->notifier(max_side),
      "longer side to which pictures are scaled down; fixed when the database is made [640]")(
      "index", po::value<std::string>()->value_name("KEY")->notifier(index),
      "how a new database is searched, as of the verb index [auto]");
}

void EngineFlags::AddSearch(Command& command) {
  const auto nprobe = [this](int value) { nprobe_ = value; };
  const auto ef_search = [this](int value) { ef_search_ = value; };
  const auto kernel = [this](const std::string& value) { kernel_ = value; };
  command.Options()("nprobe", po::value<int>()->value_name("N")->notifier(nprobe),
                    "lists that a search visits, of an IVF index [square root of all]")(
      "ef-search", po::value<int>()->value_name("N")->notifier(ef_search),
      "candidates that a search keeps, of an HNSW index [256]")(
      "no-rerank", po::bool_switch(&no_rerank_),
      "leave the order to an approximate index, without exact distances")(
      "kernel", po::value<std::string>()->value_name("NAME")->notifier(kernel),
      "variant of exact search, such as portable; stats names the one in use [the fastest]");
}

void EngineFlags::AddMemory(Command& command) {
  command.Options()("batch-memory", po::value(&batch_mib_)->value_name("MIB"),
                    "memory for pictures that share a pass over the database [32]");
}

void EngineFlags::AddEffort(Command& command) {
  const auto forms = [this](int value) { form_features_ = value; };
  const auto queried = [this](double value) { query_features_ = value; };
  command.Options()("preset", po::value(&preset_)->value_name("NAME"),
                    "fast (no mirrored or inverted copies), balanced or thorough [balanced]")(
      "form-features", po::value<int>()->value_name("N")->notifier(forms),
      "strongest descriptors that are searched mirrored and inverted, too; 0: none [200]")(
      "query-features", po::value<double>()->value_name("X")->notifier(queried),
      "descriptors of a queried file, in multiples of a stored image's; above 1 faint, too [2]")(
      "max-false-alarms", po::value(&max_false_alarms_)->value_name("N"),
      "list only matches of which chance would give at most N in a database of this size");
}

EngineFlags::Effort EngineFlags::effort() const {
  CheckOneOf("preset", preset_, {"fast", "balanced", "thorough"});
  if (form_features_) CheckRange("form-features", *form_features_, 0, 100'000);
  if (query_features_ && !(*query_features_ >= 0.1 && *query_features_ <= 100)) {
    throw UsageError("--query-features is from 0.1 to 100");
  }
  if (!(max_false_alarms_ > 0)) throw UsageError("--max-false-alarms is more than 0");
  Effort effort;
  if (preset_ == "fast") effort = {.max_candidates = 10, .form_features = 0, .query_features = 1};
  if (preset_ == "thorough") {
    effort = {.neighbours = 20, .max_candidates = 100, .form_features = 100'000};
  }
  effort.form_features = form_features_.value_or(effort.form_features);
  effort.query_features = query_features_.value_or(effort.query_features);
  effort.max_log10_false_alarms = std::log10(max_false_alarms_);
  if (nprobe_) CheckRange("nprobe", *nprobe_, 1, 1'000'000);
  if (ef_search_) CheckRange("ef-search", *ef_search_, 1, 1'000'000);
  effort.approximation = {
      .nprobe = nprobe_.value_or(0), .ef_search = ef_search_.value_or(0), .rerank = !no_rerank_};
  return effort;
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
  options.kernel = Kernel(kernel_);
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

std::optional<std::string> EngineFlags::Index() const {
  if (!index_) return std::nullopt;
  const Status key = index::FactoryKey::Parse(*index_).status();
  if (!key.ok()) throw UsageError("--index: " + key.message());
  return index_;
}

Result<std::unique_ptr<Engine>> OpenReader(const Command& command, EngineOptions options) {
  options.read_only = true;
  return Engine::Open(command.database(), options);
}

Result<std::unique_ptr<Engine>> OpenSearcher(const Command& command, const EngineFlags& flags) {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto engine, OpenReader(command, flags.Options()));
  if (command.console().verbose()) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, StatsOf(engine->backend()));
    command.console().Detail(fmt::format("index {}, kernel {}", stats.index_in_use, stats.kernel));
  }
  return engine;
}

Result<BackendStats> StatsOf(SearchBackend& backend) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, backend.Pin());
  return snapshot->Stats();
}

Result<std::unique_ptr<Engine>> OpenForAdding(const std::string& database,
                                              const EngineFlags& flags) {
  EngineOptions options = flags.Options();
  const std::optional<std::string> index = flags.Index();
  auto engine = Engine::Open(database, options);
  const bool missing = !engine.ok() && engine.status().code() == StatusCode::kNotFound;
  if (!engine.ok() && !missing) return engine;
  options.settings =
      flags.Settings(missing ? ExtractorSettings() : engine.value()->backend().settings());
  options.create = true;
  if (missing) options.index = index;
  if (!missing && index) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, StatsOf((*engine)->backend()));
    if (*index != stats.index) {
      throw UsageError(fmt::format(
          "--index: the index of the database {} is {}; `siftsearch index {}` changes it", database,
          stats.index, *index));
    }
  }
  if (!missing && !options.settings) return engine;
  return Engine::Open(database, options);
}

std::function<bool(const ImageRecord&)> ParseWhere(const std::string& text) {
  if (text.empty()) return [](const ImageRecord&) { return true; };
  const auto where = engine::Where::Parse(text);
  if (!where.ok()) throw UsageError("--where: " + where.status().message());
  return [where = *where](const ImageRecord& image) { return where.Matches(image); };
}

Status WarnOfUnknownAttributes(const std::string& where, SearchBackend& backend,
                               const Console& console) {
  if (where.empty()) return {};
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto parsed, engine::Where::Parse(where));
  std::set<std::string> unknown = parsed.attributes();
  if (unknown.empty()) return {};
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, backend.Pin());
  SIFTSEARCH_RETURN_IF_ERROR(snapshot->List([&](const ImageRecord& image) {
    for (const auto& [name, value] : image.attributes) unknown.erase(name);
    return !unknown.empty();
  }));
  for (const std::string& name : unknown) {
    console.Error("--where", fmt::format("no stored image has an attribute {}", name));
  }
  return {};
}

int Fail(const Console& console, const Status& status) {
  console.Error(status.message());
  return ExitCodeOf(status);
}

}  // namespace siftsearch::cli
