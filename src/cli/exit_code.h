#pragma once

#include "siftsearch/status.h"

namespace siftsearch::cli {

enum ExitCode {
  kExitDone = 0,
  kExitSomeFailed = 1,  ///< Some inputs failed, not for want of memory; the rest is done.
  kExitUsage = 2,
  kExitDatabase = 3,    ///< The database can't be opened or is damaged.
  kExitResources = 4,   ///< Out of disk or memory, or the results can't be written.
  kExitCopyFound = 11,  ///< --fail-on-copy, and there is a copy.
  kExitInterrupted = 130,
};

/// The exit code of an operation on the database that failed.
inline ExitCode ExitCodeOf(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return kExitDone;
    case StatusCode::kOutOfSpace:
    case StatusCode::kOutOfMemory:
      return kExitResources;
    case StatusCode::kCancelled:
      return kExitInterrupted;
    default:
      return kExitDatabase;
  }
}

/// The exit code where the rest is done but an input failed.
inline ExitCode ExitCodeOfFailed(bool out_of_memory) {
  return out_of_memory ? kExitResources : kExitSomeFailed;
}

}  // namespace siftsearch::cli
