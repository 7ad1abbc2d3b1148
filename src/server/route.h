#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "server/message.h"
#include "server/tokens.h"

namespace siftsearch::server {

class Service;

/// Where the handler of a route runs: at once on the thread of the sockets (it must not wait), or
/// on the threads for short reads, for searches, or for writes (one thread, in order).
enum class Work { kInline, kRead, kSearch, kWrite };

/// A request with what its route took from its path: {"collection": "news", "key": "a/b.jpg"}.
struct Call {
  const Request& request;
  std::map<std::string, std::string> captured;

  const std::string& operator[](const std::string& name) const { return captured.at(name); }
};

/// A method and a path of the server. In a pattern "{name}" stands for one segment, and
/// "{name...}" for the rest of the path, of at least one segment.
struct Route {
  std::string_view method;
  std::string_view pattern;
  Work work = Work::kRead;
  Right right = Right::kRead;  ///< That a token must have.
  Response (*handle)(Service& service, const Call& call) = nullptr;
  bool takes_body = false;
  /// Of another project's contract, which speaks of one collection (ServiceOptions).
  bool compat = false;
};

/// What a target and a method lead to.
struct RouteMatch {
  const Route* route = nullptr;
  std::map<std::string, std::string> captured;
  std::string allowed;  ///< Without a route: the methods that the path has, "GET, PUT"; may be "".
};

/// The route of a request among several tables; HEAD is answered as GET.
RouteMatch FindRoute(std::span<const std::span<const Route>> tables, const Request& request);

}  // namespace siftsearch::server
