#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"

namespace siftsearch::server {

/// A request of HTTP, its header read and checked. `body` is empty until it is read, too.
struct Request {
  std::string method;             ///< "GET", …; upper case.
  std::string target;             ///< As sent.
  std::vector<std::string> path;  ///< Decoded segments: {"v1", "collections"}; of "/" none.
  std::multimap<std::string, std::string> query;  ///< Decoded.
  /// By name in lower case; of names that come more than once, the values joined by ", ".
  std::map<std::string, std::string> headers;
  std::string body;
  std::string peer;  ///< Address of the client, without its port.
  CallOptions call;  ///< Deadline of the request, and whether its client is still there.

  /// A header's value, by its name in lower case; "" where there is none.
  std::string_view Header(std::string_view name) const;
  /// The first value of a parameter of the query, or none.
  std::optional<std::string> Parameter(const std::string& name) const;
  /// Media type of the body in lower case, without its parameters: "image/jpeg".
  std::string MediaType() const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  /// Beside Content-Type, Content-Length and those that every response has. A value with a line
  /// break or NUL makes the response an error, 500.
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  /// Of a stream of events: asked a few times a second for text to send, "" where there is nothing
  /// new; none at the end. Called from the thread of the sockets, so it must not wait.
  std::function<std::optional<std::string>()> stream = {};
};

/// Splits and decodes the target of a request. kInvalidArgument for one that is not in origin form
/// ("/…"), has a bad escape, an escaped NUL, or a segment that is "." or "..".
Status ParseTarget(std::string_view target, Request& request);

/// Decodes "a=1&b=2", also of a form's body. kInvalidArgument for a bad escape.
Result<std::multimap<std::string, std::string>> ParseQueryText(std::string_view text);

/// A parameter of the query that is a whole number from `low` to `high`; `absent` where it is not
/// given. kInvalidArgument names it.
Result<std::int64_t> WholeNumberOf(const Request& request, const std::string& name,
                                   std::int64_t absent, std::int64_t low, std::int64_t high);
/// The same of any number.
Result<double> NumberOf(const Request& request, const std::string& name, double absent, double low,
                        double high);

/// A problem document (RFC 9457) of a status of HTTP: `code` is a word for programs, `detail` a
/// sentence for people, `input` names the picture or parameter that it is about.
Response Problem(int status, std::string_view code, const std::string& detail,
                 const std::string& input = {});
/// Of what an operation on the server or on a collection ended with.
Response Problem(const Status& status, const std::string& input = {});
/// Of a picture that can't be read: 422, or 413 above a limit; the server's own troubles as above.
Response PictureProblem(const Status& status, const std::string& input);
/// The object of such a document, as one line of JSON, to stand inside another answer.
std::string ProblemJson(int status, std::string_view code, const std::string& detail,
                        const std::string& input);
/// Status of HTTP and word for programs of a Status.
std::pair<int, std::string_view> ProblemOf(const Status& status);

/// A status of HTTP in words: "Not Found".
std::string_view Reason(int status);

}  // namespace siftsearch::server
