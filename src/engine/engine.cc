#include "siftsearch/engine.h"

#include "base/exception_status.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "engine/checked_snapshot.h"
#include "engine/impl.h"
#include "local/local_backend.h"

namespace siftsearch {

std::string_view Version() { return SIFTSEARCH_VERSION; }

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::shared_ptr<const BackendSnapshot>> Engine::Impl::Pin() const {
  SIFTSEARCH_ASSIGN_OR_RETURN(auto snapshot, backend->Pin());
  return std::shared_ptr<const BackendSnapshot>(
      std::make_shared<const engine::CheckedSnapshot>(std::move(snapshot)));
}

Result<std::shared_ptr<const engine::VerdictBook>> Engine::Impl::VerdictsOf(
    const BackendSnapshot& snapshot) {
  const std::lock_guard lock(verdicts_mutex);
  if (verdicts == nullptr || verdicts_generation != snapshot.generation()) {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto book, engine::VerdictBook::Of(snapshot));
    verdicts = std::make_shared<const engine::VerdictBook>(std::move(book));
    verdicts_generation = snapshot.generation();
  }
  return verdicts;
}

SearchBackend& Engine::backend() { return *impl_->backend; }

Result<std::unique_ptr<Engine>> Engine::Open(const std::string& database,
                                             const EngineOptions& options) try {
  local::OpenOptions open;
  open.create = options.create;
  open.read_only = options.read_only;
  open.settings = options.settings;
  open.index = options.index;
  open.lock_wait = std::chrono::milliseconds(options.lock_wait_ms);
  open.threads = options.threads > 0 ? options.threads : AvailableThreads();
  open.kernel = options.kernel;
  SIFTSEARCH_ASSIGN_OR_RETURN(auto backend, local::LocalBackend::Open(DiskEnv(), database, open));
  return Over(std::move(backend), options);
} catch (const std::exception& error) {
  return StatusOf(error);
}

Result<std::unique_ptr<Engine>> Engine::Over(std::unique_ptr<SearchBackend> backend,
                                             const EngineOptions& options) try {
  if (backend == nullptr) return Status(StatusCode::kInvalidArgument, "there is no backend");
  auto impl = std::make_unique<Impl>();
  SIFTSEARCH_ASSIGN_OR_RETURN(impl->extractor, features::MakeExtractor(backend->settings()));
  impl->backend = std::move(backend);
  impl->limits = options.limits;
  impl->look_at_files = options.look_at_files;
  impl->threads = options.threads > 0 ? options.threads : AvailableThreads();
  SIFTSEARCH_ASSIGN_OR_RETURN(impl->kernel, kernel::VariantOrBest(options.kernel));
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
} catch (const std::exception& error) {
  return StatusOf(error);
}

}  // namespace siftsearch
