#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "siftsearch/status.h"

namespace siftsearch::bench {

/// What one fresh process saw.
struct OpenTrial {
  double open_seconds = 0;   ///< Engine::Open and Stats, read-only.
  double query_seconds = 0;  ///< Of a query with one picture, if there was one.
  double private_mb = 0;     ///< VmRSS without RssFile, the pages of mapped files, at the end.
  double peak_mb = 0;        ///< VmHWM: with pages of mapped files.
  double process_seconds = 0;
};

struct DatabaseSize {
  std::int64_t images = 0;
  std::int64_t descriptors = 0;
  std::int64_t segments = 0;
  std::int64_t bytes = 0;
};

/// Makes a database of contents with 1,000 synthetic descriptors each in `folder`, or adds to the
/// one that is there until it has `rows` descriptors.
Result<DatabaseSize> MakeDatabase(const std::string& folder, std::int64_t rows);

/// Runs this program again, `count` times after a first one, to open the database.
Result<std::vector<OpenTrial>> TryOpening(const std::string& folder, int count, bool with_query);

/// What such a process does: opens, measures, writes the numbers to standard output.
Status OpenInThisProcess(const std::string& folder, bool with_query);

}  // namespace siftsearch::bench
