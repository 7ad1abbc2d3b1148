#include "siftsearch/engine.h"

#include "base/exception_status.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "engine/impl.h"
#include "local/local_backend.h"

namespace siftsearch {

std::string_view Version() { return SIFTSEARCH_VERSION; }

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

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
  auto impl = std::make_unique<Impl>();
  SIFTSEARCH_ASSIGN_OR_RETURN(impl->extractor, features::MakeExtractor(backend->settings()));
  impl->backend = std::move(backend);
  impl->limits = options.limits;
  impl->threads = options.threads > 0 ? options.threads : AvailableThreads();
  SIFTSEARCH_ASSIGN_OR_RETURN(impl->kernel, kernel::VariantOrBest(options.kernel));
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
} catch (const std::exception& error) {
  return StatusOf(error);
}

}  // namespace siftsearch
