#include "server/service.h"

#include <algorithm>
#include <array>

#include "base/exception_status.h"
#include "report/text.h"
#include "server/compat.h"
#include "server/job_work.h"

namespace siftsearch::server {
namespace {

/// The secret that a request brings: of "Bearer TOKEN", or the password of "Basic …"; or the header
/// authkey, as clients of Pastec send it.
std::string TokenOf(const Request& request) {
  if (const std::string_view key = request.Header("authkey"); !key.empty()) return std::string(key);
  const std::string_view value = request.Header("authorization");
  const std::size_t blank = value.find(' ');
  if (blank == std::string_view::npos) return "";
  std::string scheme(value.substr(0, blank));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string_view secret = value.substr(blank + 1);
  if (scheme == "bearer") return std::string(secret);
  if (scheme != "basic") return "";
  const auto pair = report::FromBase64(secret);
  if (!pair) return "";
  const std::size_t colon = std::min(pair->find(':'), pair->size());
  const std::string password = pair->substr(std::min(pair->size(), colon + 1));
  return password.empty() ? pair->substr(0, colon) : password;
}

/// A token in an address ends in logs and histories.
bool HasTokenInQuery(const Request& request) {
  static constexpr std::array<const char*, 5> kNames = {"token", "access_token", "api_key",
                                                        "apikey", "authkey"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](const char* name) { return request.Parameter(name).has_value(); });
}

Response Unauthorized(const std::string& detail) {
  Response response = Problem(401, "unauthorized", detail);
  response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"siftsearch\"");
  return response;
}

}  // namespace

Service::Service(ServiceOptions options, std::unique_ptr<Collections> collections, Tokens tokens)
    : options_(std::move(options)),
      collections_(std::move(collections)),
      tokens_(std::move(tokens)) {
  routes_ = {ApiRoutes(), JobRoutes(), PageRoutes()};
  for (const std::string& name : options_.compat) routes_.push_back(CompatRoutes(name));
  jobs_ = std::make_unique<Jobs>(DiskEnv(), options_.jobs_folder,
                                 [this](const Job& job, bool resume, JobProgress& progress) {
                                   return RunJob(*this, job, resume, progress);
                                 });
}

Right Service::RightOf(const Request& request, const std::string& collection) const {
  if (options_.tokens_file.empty()) return Right::kAdmin;
  const std::string token = TokenOf(request);
  const std::lock_guard lock(tokens_mutex_);
  return tokens_.RightOf(token, collection);
}

std::optional<Response> Service::Refuse(const Request& request, const Route& route,
                                        const std::map<std::string, std::string>& captured) const {
  if (HasTokenInQuery(request)) {
    return Problem(400, "token_in_url",
                   "a token in an address would end in logs: send it as the header Authorization");
  }
  if (route.right == Right::kNone || options_.tokens_file.empty()) return std::nullopt;
  const std::string token = TokenOf(request);
  if (token.empty()) return Unauthorized("this needs a token: Authorization: Bearer TOKEN");
  const std::lock_guard lock(tokens_mutex_);
  if (!tokens_.Knows(token)) return Unauthorized("the token is unknown here");
  const auto named = captured.find("collection");
  // Lists and jobs look at the rights on each collection themselves.
  if (named == captured.end() && !route.compat && route.pattern != "/metrics") return std::nullopt;
  std::string collection = route.compat ? options_.compat_collection : "";
  if (named != captured.end()) collection = named->second;
  if (tokens_.RightOf(token, collection) >= route.right) return std::nullopt;
  return Problem(403, "forbidden",
                 "the token does not give the right to " + std::string(RightName(route.right)) +
                     (collection.empty() ? " here" : " the collection " + collection));
}

Response Service::Handle(const Request& request, const RouteMatch& match) try {
  return match.route->handle(*this, Call{request, match.captured});
} catch (const std::exception& error) {
  return Problem(StatusOf(error));
}

void Service::SetTokens(Tokens tokens) {
  const std::lock_guard lock(tokens_mutex_);
  tokens_ = std::move(tokens);
}

}  // namespace siftsearch::server
