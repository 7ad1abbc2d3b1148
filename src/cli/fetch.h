#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "siftsearch/status.h"

namespace siftsearch::cli {

struct FetchLimits {
  std::int64_t max_bytes = 1'073'741'824;
  long seconds = 30;  ///< For a whole download, redirects included.
  long redirects = 5;
  bool allow_private = false;  ///< Also addresses of this machine and of private networks.
};

/// Before libcurl is used; safe from several threads.
void StartCurl();

/// True for http:// and https:// addresses.
bool IsUrl(const std::string& text);

/// Downloads a file with libcurl. Errors say the cause without the address. Addresses that are not
/// public (loopback, link-local, private, multicast, unspecified; IPv4 in IPv6, too) are refused
/// after their names are resolved and before anything is connected, at each redirect. Safe from
/// several threads.
Result<std::vector<std::uint8_t>> Fetch(const std::string& url, const FetchLimits& limits);

}  // namespace siftsearch::cli
