#include "backend_contract.h"
#include "env/file_env.h"
#include "local/local_backend.h"
#include "support/altered_backend.h"
#include "support/memory_backend.h"

namespace siftsearch::local {
namespace {

std::unique_ptr<SearchBackend> OpenLocal(const std::string& folder) {
  auto backend = LocalBackend::Open(DiskEnv(), folder, {.create = true});
  EXPECT_TRUE(backend.ok()) << backend.status().message();
  return backend.ok() ? std::move(backend).value() : nullptr;
}

/// One store a folder, as if it were kept there.
std::unique_ptr<SearchBackend> OpenMemory(const std::string& folder) {
  static std::map<std::string, std::shared_ptr<MemoryBackend::Store>> stores;
  auto& store = stores[folder];
  if (store == nullptr) store = std::make_shared<MemoryBackend::Store>();
  return std::make_unique<MemoryBackend>(store);
}

/// A store elsewhere that takes its time.
std::unique_ptr<SearchBackend> OpenSlow(const std::string& folder) {
  auto alterations = std::make_shared<Alterations>();
  alterations->delay = std::chrono::microseconds(200);
  return std::make_unique<AlteredBackend>(OpenMemory(folder), std::move(alterations));
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Backends, BackendContractTest,
                         ::testing::Values(BackendKind{"Local", OpenLocal},
                                           BackendKind{"Memory", OpenMemory},
                                           BackendKind{"Slow", OpenSlow}),
                         [](const auto& info) { return info.param.name; });

}  // namespace siftsearch::local
