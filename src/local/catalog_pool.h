#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog.h"
#include "siftsearch/status.h"

namespace siftsearch::local {

/// Connections to one catalogue for readers: a connection is of one thread at a time, and opening
/// one costs more than most reads. Safe from several threads.
class CatalogPool : public std::enable_shared_from_this<CatalogPool> {
 public:
  /// A borrowed connection, which goes back, its read ended, when it is let go.
  class Return {
   public:
    Return() = default;
    explicit Return(std::shared_ptr<CatalogPool> pool) : pool_(std::move(pool)) {}
    void operator()(catalog::Catalog* catalog) const noexcept;

   private:
    std::shared_ptr<CatalogPool> pool_;
  };
  using Borrowed = std::unique_ptr<catalog::Catalog, Return>;

  /// Begins with a connection to the catalogue in `file`, which is there.
  CatalogPool(std::string file, std::unique_ptr<catalog::Catalog> first);

  /// An idle connection, or a new one.
  Result<Borrowed> Borrow();

 private:
  const std::string file_;
  std::mutex mutex_;  ///< Guards `idle_`.
  std::vector<std::unique_ptr<catalog::Catalog>> idle_;
};

}  // namespace siftsearch::local
