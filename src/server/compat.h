#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/service.h"

namespace siftsearch::server {

/// The routes of other projects' servers, for their clients. Each contract is a file, and speaks of
/// one collection (ServiceOptions::compat_collection). They share no route.
std::span<const Route> SeedRoutes();    ///< faiss-web-service.
std::span<const Route> PastecRoutes();  ///< Pastec.
std::span<const Route> TineyeRoutes();  ///< TinEye's MatchEngine.
std::span<const Route> IqdbRoutes();    ///< iqdb, as danbooru runs it.
/// Those of a contract by its name (CompatNames); none of another name.
std::span<const Route> CompatRoutes(std::string_view name);

/// The collection of these contracts.
Result<std::shared_ptr<Collection>> CompatCollection(Service& service);

/// Queries the collection with one picture, or with a stored one (Upload::key); `top` matches at
/// most. A picture that can't be read is QueryResult::error.
Result<QueryResult> CompatQuery(Service& service, Collection& collection, Upload upload, int top,
                                const CallOptions& call);

/// Stores a picture under a key; kInvalidArgument where it can't be read.
Result<AddOutcome> CompatPut(Collection& collection, const std::string& key, Upload upload);

/// Removes the image of a key; false where there is none.
Result<bool> RemoveKey(Collection& collection, const std::string& key);

/// The number that a client gave its image, 0 to 2^63 - 1, as it is written in a key: without
/// leading zeros. None of other text.
std::optional<std::int64_t> NumberOfKey(const std::string& key);

/// An answer that is JSON.
Response JsonAnswer(const nlohmann::ordered_json& json, int status = 200);

}  // namespace siftsearch::server
