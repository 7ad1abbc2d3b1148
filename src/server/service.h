#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/collections.h"
#include "server/jobs.h"
#include "server/message.h"
#include "server/metrics.h"
#include "server/route.h"
#include "server/tokens.h"
#include "siftsearch/engine.h"

namespace siftsearch::server {

/// The bytes behind an address of the network; errors say the cause.
using Fetcher = std::function<Result<std::vector<std::uint8_t>>(const std::string& url)>;

struct ServiceOptions {
  EngineOptions engine;
  QueryOptions query;       ///< What a query that says nothing else gets.
  std::string tokens_file;  ///< Empty: everybody may do everything.
  std::string image_root;   ///< Pictures below it may be named by path; empty: none may.
  Fetcher fetch;            ///< Empty: addresses of the network are refused.
  std::int64_t max_body_bytes = 64 << 20;     ///< Of a request.
  std::string jobs_folder;                    ///< Where jobs are kept.
  std::set<std::string> compat;               ///< Contracts of other servers that are spoken …
  std::string compat_collection = "default";  ///< … of this collection.
};

/// What the handlers of routes share. Safe from several threads.
class Service {
 public:
  Service(ServiceOptions options, std::unique_ptr<Collections> collections, Tokens tokens);

  const ServiceOptions& options() const { return options_; }
  Collections& collections() { return *collections_; }
  Metrics& metrics() { return metrics_; }
  Jobs& jobs() { return *jobs_; }

  /// The tables of all routes that are on.
  std::span<const std::span<const Route>> routes() const { return routes_; }

  /// Why the bearer of the request's token may not take this route, or none.
  std::optional<Response> Refuse(const Request& request, const Route& route,
                                 const std::map<std::string, std::string>& captured) const;
  /// Runs a route's handler; what it throws is a problem, 500.
  Response Handle(const Request& request, const RouteMatch& match);

  /// What the request's bearer may do with a collection ("": with the server).
  Right RightOf(const Request& request, const std::string& collection) const;

  /// Whose token it is counts from now on by another file.
  void SetTokens(Tokens tokens);
  /// A server that is about to end is not ready for more.
  void SetReady(bool ready) { ready_ = ready; }
  bool ready() const { return ready_; }

 private:
  const ServiceOptions options_;
  std::unique_ptr<Collections> collections_;
  Metrics metrics_;
  std::unique_ptr<Jobs> jobs_;
  std::vector<std::span<const Route>> routes_;
  std::atomic<bool> ready_{true};
  mutable std::mutex tokens_mutex_;
  Tokens tokens_;
};

/// One picture of a request.
struct Upload {
  std::string name;  ///< Of the file, or of the part; for people.
  std::vector<std::uint8_t> bytes;
  std::string key;  ///< Set: the picture that a collection has under it.
  Status problem;   ///< Not ok: why there are no bytes.
};

/// The pictures of a body: a picture by itself (any other type), the parts of a multipart body that
/// are files, or of JSON {"image": base64 or data URI}, {"url"}, {"key"}, or {"images": [of
/// those]}. Not ok where the body as a whole is none of these.
Result<std::vector<Upload>> UploadsOf(Service& service, const Request& request);
/// The bytes of base64 text or of a data: URI; kInvalidArgument.
Result<std::vector<std::uint8_t>> DecodeImageText(std::string_view text);

/// Stores one picture under a key. `outcome` of a picture that could not be read has the action
/// kFailed and the reason.
Result<AddOutcome> PutImage(Collection& collection, const std::string& key,
                            std::vector<std::uint8_t> bytes,
                            const std::map<std::string, std::string>& attributes);
/// kInvalidArgument says why a key is none: it is 1 to 1,024 bytes of UTF-8 without control
/// characters, begins and ends with no slash, and has no empty, "." or ".." segment.
Status CheckKey(std::string_view key);

/// The names of the contracts of other servers (ServiceOptions::compat).
std::span<const std::string_view> CompatNames();

/// Routes, a table each.
std::span<const Route> ApiRoutes();
std::span<const Route> JobRoutes();
std::span<const Route> PageRoutes();

}  // namespace siftsearch::server
