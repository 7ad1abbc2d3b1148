#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "siftsearch/engine.h"

namespace siftsearch::cli {

/// Stores inputs, as Engine::Add.
using Adder = std::function<Result<AddSummary>(
    const std::function<std::optional<AddInput>()>& next, const AddOptions& options,
    const std::function<void(const AddOutcome&)>& report)>;

/// Queries with each input; `sink` gets the results.
using QueryEach = std::function<Status(const std::function<std::optional<QueryInput>()>& inputs,
                                       const std::function<void(const QueryResult&)>& sink)>;

/// The key of the image of a path: without slashes at its front.
std::string KeyOfPath(const std::string& path);

/// A collection of a server (`siftsearch serve`), over HTTP with libcurl. A request that the server
/// has no room for (503) is sent again, for half a minute. Used from one thread.
class Remote {
 public:
  struct Impl;
  /// `url` is http(s)://HOST[:PORT][/PATH]/COLLECTION, or without a collection that of the name
  /// "default". The token is that of $SIFTSEARCH_TOKEN. Nothing is sent yet. kInvalidArgument for
  /// another address.
  static Result<std::unique_ptr<Remote>> Open(const std::string& url, const InputLimits& limits);
  ~Remote();

  /// As Engine::Add; images have the keys of their paths.
  Result<AddSummary> Add(const std::function<std::optional<AddInput>()>& next,
                         const AddOptions& options,
                         const std::function<void(const AddOutcome&)>& report);
  /// As Engine::Query, of pictures of this machine; of `options` top, min_score and
  /// max_log10_false_alarms count. `where` is empty or a condition.
  Status Query(const std::function<std::optional<QueryInput>()>& next, const QueryOptions& options,
               const std::string& where, const std::function<void(const QueryResult&)>& sink);
  /// Calls `visit` with every image that fulfils the condition `where`, until it returns false.
  Status List(const std::string& where, const std::function<bool(const ImageRecord&)>& visit);
  /// Removes the image of a path; kNotFound where there is none.
  Status Remove(const std::string& path);

 private:
  explicit Remote(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace siftsearch::cli
