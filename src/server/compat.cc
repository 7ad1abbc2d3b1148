#include "server/compat.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "server/api.h"

namespace siftsearch::server {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"seed", "pastec", "tineye", "iqdb"};

}  // namespace

std::span<const std::string_view> CompatNames() { return kNames; }

std::span<const Route> CompatRoutes(std::string_view name) {
  static constexpr std::array<std::span<const Route> (*)(), kNames.size()> kTables = {
      SeedRoutes, PastecRoutes, TineyeRoutes, IqdbRoutes};
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return {};
  return kTables[static_cast<std::size_t>(found - kNames.begin())]();
}

Result<std::shared_ptr<Collection>> CompatCollection(Service& service) {
  return service.collections().Get(service.options().compat_collection);
}

Result<QueryResult> CompatQuery(Service& service, Collection& collection, Upload upload, int top,
                                const CallOptions& call) {
  QueryOptions options = service.options().query;
  options.top = top;
  options.max_candidates = std::max(options.max_candidates, top);
  options.call = call;
  SIFTSEARCH_ASSIGN_OR_RETURN(QueryResult result,
                              collection.engine().Query(QueryInputOf(std::move(upload)), options));
  service.metrics().CountQuery(result.timings);
  return result;
}

Result<AddOutcome> CompatPut(Collection& collection, const std::string& key, Upload upload) {
  SIFTSEARCH_RETURN_IF_ERROR(upload.problem);
  SIFTSEARCH_ASSIGN_OR_RETURN(const AddOutcome outcome,
                              PutImage(collection, key, std::move(upload.bytes), {}));
  if (outcome.action == AddAction::kFailed || outcome.action == AddAction::kIgnored) {
    return Status(StatusCode::kInvalidArgument, outcome.reason);
  }
  return outcome;
}

Result<bool> RemoveKey(Collection& collection, const std::string& key) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, collection.Pin());
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto image, snapshot->FindPath(key));
  if (!image) return false;
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t removed,
                              collection.engine().backend().Remove({&image->id, 1}));
  return removed > 0;
}

std::optional<std::int64_t> NumberOfKey(const std::string& key) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number);
  const bool whole = error == std::errc() && end == key.data() + key.size() && number >= 0;
  if (!whole || std::to_string(number) != key) return std::nullopt;
  return number;
}

Response JsonAnswer(const nlohmann::ordered_json& json, int status) {
  Response response;
  response.status = status;
  response.body = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return response;
}

}  // namespace siftsearch::server
