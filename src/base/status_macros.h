#pragma once

#include "siftsearch/status.h"

/// Returns from the enclosing function when `expr` (a Status) is not ok.
#define SIFTSEARCH_RETURN_IF_ERROR(expr)                                      \
  do {                                                                        \
    if (::siftsearch::Status status_ = (expr); !status_.ok()) return status_; \
  } while (false)

#define SIFTSEARCH_CONCAT_INNER(a, b) a##b
#define SIFTSEARCH_CONCAT(a, b) SIFTSEARCH_CONCAT_INNER(a, b)

/// `SIFTSEARCH_ASSIGN_OR_RETURN(auto x, F());` assigns the value of a Result or returns its Status.
#define SIFTSEARCH_ASSIGN_OR_RETURN(lhs, expr) \
  SIFTSEARCH_ASSIGN_OR_RETURN_INNER(SIFTSEARCH_CONCAT(result_, __LINE__), lhs, expr)
#define SIFTSEARCH_ASSIGN_OR_RETURN_INNER(result, lhs, expr) \
  auto result = (expr);                                      \
  if (!result.ok()) return result.status();                  \
  lhs = std::move(result).value()
