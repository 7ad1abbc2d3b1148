#include "base/exception_status.h"

#include <new>

namespace siftsearch {

Status StatusOf(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return {StatusCode::kOutOfMemory, "out of memory"};
  }
  return {StatusCode::kInternal, error.what()};
}

}  // namespace siftsearch
