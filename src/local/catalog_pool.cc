#include "local/catalog_pool.h"

#include "base/status_macros.h"

namespace siftsearch::local {
namespace {

/// Idle connections that are kept: one a commit that is being read, and there are rarely more than
/// the newest and one that a long answer holds.
constexpr std::size_t kMostIdle = 4;

}  // namespace

CatalogPool::CatalogPool(std::string file, std::unique_ptr<catalog::Catalog> first)
    : file_(std::move(file)) {
  idle_.reserve(kMostIdle);
  idle_.push_back(std::move(first));
}

Result<CatalogPool::Borrowed> CatalogPool::Borrow() {
  std::unique_ptr<catalog::Catalog> catalog;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      catalog = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (catalog == nullptr) {
    SIFTSEARCH_ASSIGN_OR_RETURN(catalog, catalog::Catalog::Open(file_, catalog::Access::kRead));
  }
  return Borrowed(catalog.release(), Return(shared_from_this()));
}

void CatalogPool::Return::operator()(catalog::Catalog* catalog) const noexcept {
  std::unique_ptr<catalog::Catalog> owned(catalog);
  owned->EndRead();
  const std::lock_guard lock(pool_->mutex_);
  if (pool_->idle_.size() < kMostIdle) pool_->idle_.push_back(std::move(owned));
}

}  // namespace siftsearch::local
