#include "server/route.h"

#include <optional>
#include <set>
#include <vector>

namespace siftsearch::server {
namespace {

/// The rest of a path, its segments joined by slashes.
std::string Joined(const std::vector<std::string>& path, std::size_t from) {
  std::string joined;
  for (std::size_t i = from; i < path.size(); ++i) {
    if (i > from) joined += '/';
    joined += path[i];
  }
  return joined;
}

/// What a pattern takes from a path; none where it does not fit.
std::optional<std::map<std::string, std::string>> Fit(std::string_view pattern,
                                                      const std::vector<std::string>& path) {
  std::map<std::string, std::string> captured;
  std::size_t at = 0;
  while (pattern.size() > 1) {
    pattern.remove_prefix(1);  // The slash.
    const std::string_view part = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(part.size());
    if (at == path.size()) return std::nullopt;
    if (part.starts_with('{') && part.ends_with("...}")) {
      captured[std::string(part.substr(1, part.size() - 5))] = Joined(path, at);
      return captured;
    }
    if (part.starts_with('{')) {
      captured[std::string(part.substr(1, part.size() - 2))] = path[at];
    } else if (part != path[at]) {
      return std::nullopt;
    }
    ++at;
  }
  // A pattern that ends with a slash is a path with an empty last segment.
  if (pattern == "/" && at > 0)
    return at + 1 == path.size() && path[at].empty() ? std::optional(captured) : std::nullopt;
  return at == path.size() ? std::optional(captured) : std::nullopt;
}

}  // namespace

RouteMatch FindRoute(std::span<const std::span<const Route>> tables, const Request& request) {
  RouteMatch match;
  std::set<std::string_view> allowed;
  const std::string_view method =
      request.method == "HEAD" ? "GET" : std::string_view(request.method);
  for (const std::span<const Route> table : tables) {
    for (const Route& route : table) {
      auto captured = Fit(route.pattern, request.path);
      if (!captured) continue;
      allowed.insert(route.method);
      if (route.method != method || match.route != nullptr) continue;
      match.route = &route;
      match.captured = std::move(*captured);
    }
  }
  for (const std::string_view name : allowed) {
    match.allowed += (match.allowed.empty() ? "" : ", ") + std::string(name);
  }
  return match;
}

}  // namespace siftsearch::server
