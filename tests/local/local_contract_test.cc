#include "backend_contract.h"
#include "env/file_env.h"
#include "local/local_backend.h"

namespace siftsearch::local {
namespace {

std::unique_ptr<SearchBackend> OpenLocal(const std::string& folder) {
  auto backend = LocalBackend::Open(DiskEnv(), folder, {.create = true});
  EXPECT_TRUE(backend.ok()) << backend.status().message();
  return backend.ok() ? std::move(backend).value() : nullptr;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Backends, BackendContractTest,
                         ::testing::Values(BackendKind{"Local", OpenLocal}),
                         [](const auto& info) { return info.param.name; });

}  // namespace siftsearch::local
