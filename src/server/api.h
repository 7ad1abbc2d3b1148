#pragma once

#include <charconv>
#include <memory>
#include <string>

#include "server/service.h"

namespace siftsearch::server {

/// A strong entity tag of a commit's number.
inline std::string CommitTag(std::int64_t generation) {
  return "\"" + std::to_string(generation) + "\"";
}

/// True where a header If-Match or If-None-Match names the tag, or is "*".
bool NamesTag(std::string_view header, std::string_view tag);

/// 304 where the client has what the tag stands for already.
std::optional<Response> NotModified(const Request& request, const std::string& tag);

/// The response with an entity tag; private caches may keep it and ask each time.
Response Tagged(Response response, const std::string& tag);

/// What the engine looks for: the bytes, or the stored image, of an upload.
QueryInput QueryInputOf(Upload upload);

/// Handlers that are long have a file of their own.
Response PutImageHandler(Service& service, const Call& call);
Response BulkAddHandler(Service& service, const Call& call);
Response QueryHandler(Service& service, const Call& call);
Response CompareHandler(Service& service, const Call& call);
Response GetVerdictsHandler(Service& service, const Call& call);
Response PutVerdictsHandler(Service& service, const Call& call);

}  // namespace siftsearch::server
