#pragma once

#include <optional>
#include <set>
#include <string>

#include "server/message.h"

namespace siftsearch::server {

/// Refuses (421) a request whose Host is none of `hosts`; an empty set takes all.
std::optional<Response> RefuseHost(const Request& request, const std::set<std::string>& hosts);

/// Refuses (403) a request that changes something and that a browser sends for a page of another
/// site: by Sec-Fetch-Site, or by an Origin that is not Host. `writes`: also what it asks by GET.
std::optional<Response> RefuseForeign(const Request& request, bool writes);

/// Refuses an encoded body (415: it could be a bomb) and a length above the limit (413).
std::optional<Response> RefuseBody(const Request& request, std::int64_t max_body_bytes);

}  // namespace siftsearch::server
