#include "server/session.h"

#include <fmt/format.h>

#include <boost/asio/ssl.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <limits>

#include "report/text.h"
#include "server/admission.h"

namespace siftsearch::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Clock = std::chrono::steady_clock;
using boost::system::error_code;
using std::chrono::seconds;

constexpr auto kUse = asio::use_awaitable;

/// With an error code instead of an exception.
auto Into(error_code& error) { return asio::redirect_error(kUse, error); }

using HeaderParser = http::request_parser<http::empty_body>;
using BodyParser = http::request_parser<http::string_body>;
using Answer = http::response<http::string_body>;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

Status TakeHeader(const http::request<http::empty_body>& from, Request& request) {
  request.method = std::string(from.method_string());
  for (const auto& field : from) {
    const std::string name = Lower({field.name_string().data(), field.name_string().size()});
    std::string& value = request.headers[name];
    if (name == "host" && !value.empty()) {
      return {StatusCode::kInvalidArgument, "the request has two Host headers"};
    }
    value += (value.empty() ? "" : ", ") + std::string(field.value());
  }
  return ParseTarget({from.target().data(), from.target().size()}, request);
}

bool IsPlainValue(std::string_view value) {
  return value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

Answer AnswerOf(const Response& response, bool keep_alive) {
  Answer answer;
  answer.version(11);
  answer.result(static_cast<unsigned>(response.status));
  answer.reason(std::string(Reason(response.status)));
  answer.set(http::field::server, "siftsearch");
  answer.set("X-Content-Type-Options", "nosniff");
  if (response.status != 204 && response.status != 304) {
    answer.set(http::field::content_type, response.content_type);
  }
  for (const auto& [name, value] : response.headers) {
    if (!IsPlainValue(value)) {
      return AnswerOf(Problem(500, "internal", "a header's value had a line break"), keep_alive);
    }
    answer.set(name, value);
  }
  answer.keep_alive(keep_alive);
  return answer;
}

/// A request while it is dealt with, for the log and the counts.
struct Exchange {
  Request request;
  RouteMatch match;
  Clock::time_point start = Clock::now();
  bool keep_alive = false;
  bool body_left = false;  ///< Bytes of the body may still come.
};

/// Runs the handler on the thread that its work belongs to; the thread of the sockets goes on.
asio::awaitable<Response> Run(SessionContext& context, const Exchange& exchange) {
  const Work work = exchange.match.route->work;
  if (work == Work::kInline) co_return context.service.Handle(exchange.request, exchange.match);
  const auto executor = co_await asio::this_coro::executor;
  auto start = [&context, &exchange, work, executor](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    const auto answer = [shared, executor](Response response) {
      asio::post(executor, [shared, response = std::move(response)]() mutable {
        (*shared)(std::move(response));
      });
    };
    const auto queue = static_cast<std::size_t>(work) - 1;
    const bool taken = context.queues[queue]->Push([&context, &exchange, answer] {
      const Status late = exchange.request.call.Check();
      answer(late.ok() ? context.service.Handle(exchange.request, exchange.match) : Problem(late));
    });
    if (taken) return;
    context.service.metrics().CountOverload();
    answer(Problem(503, "overloaded", "too many requests wait already; try again in a second"));
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Response)>(
      std::move(start), kUse);
}

/// Why a request is refused by its header alone, or none.
std::optional<Response> Refuse(SessionContext& context, Exchange& exchange) {
  const Request& request = exchange.request;
  if (context.ending) return Problem(503, "unavailable", "the server is about to end");
  if (auto refused = RefuseHost(request, context.hosts)) return refused;
  exchange.match = FindRoute(context.service.routes(), request);
  const bool writes = exchange.match.route != nullptr && exchange.match.route->work == Work::kWrite;
  if (auto refused = RefuseForeign(request, writes)) return refused;
  if (exchange.match.route == nullptr) {
    if (exchange.match.allowed.empty()) {
      return Problem(404, "not_found", "there is nothing at this path");
    }
    Response response =
        Problem(405, "method_not_allowed", "this path takes only " + exchange.match.allowed);
    response.headers.emplace_back("Allow", exchange.match.allowed);
    return response;
  }
  if (auto refused =
          context.service.Refuse(request, *exchange.match.route, exchange.match.captured)) {
    return refused;
  }
  return RefuseBody(request, context.service.options().max_body_bytes);
}

/// Sends an answer; false where the connection is of no more use.
template <typename Stream>
asio::awaitable<bool> Send(SessionContext& context, Stream& stream, const Exchange& exchange,
                           Response response) {
  error_code error;
  beast::get_lowest_layer(stream).expires_after(seconds(context.options.body_seconds));
  Answer answer = AnswerOf(response, exchange.keep_alive);
  if (response.status != 204 && response.status != 304) {
    answer.content_length(response.body.size());
  }
  if (exchange.request.method != "HEAD") {
    answer.body() = std::move(response.body);
    co_await http::async_write(stream, answer, Into(error));
  } else {
    http::response_serializer<http::string_body> serializer(answer);
    serializer.split(true);
    co_await http::async_write_header(stream, serializer, Into(error));
  }
  co_return !error && exchange.keep_alive;
}

/// Sends events until there are no more or the client has gone.
template <typename Stream>
asio::awaitable<void> SendEvents(SessionContext& context, Stream& stream, Response response) {
  Answer head = AnswerOf(response, false);
  head.chunked(true);
  http::response_serializer<http::string_body> serializer(head);
  serializer.split(true);
  error_code error;
  auto& lowest = beast::get_lowest_layer(stream);
  lowest.expires_after(seconds(context.options.body_seconds));
  co_await http::async_write_header(stream, serializer, Into(error));
  asio::steady_timer timer(co_await asio::this_coro::executor);
  auto quiet_since = Clock::now();
  while (!error && !context.ending) {
    const auto text = response.stream();
    if (!text) break;
    // A comment now and then shows whether the client is there.
    const bool stale = Clock::now() - quiet_since > seconds(15);
    const std::string sent = text->empty() && stale ? ": \n\n" : *text;
    if (!sent.empty()) {
      lowest.expires_after(seconds(context.options.body_seconds));
      co_await asio::async_write(stream, http::make_chunk(asio::buffer(sent)), Into(error));
      quiet_since = Clock::now();
    }
    timer.expires_after(std::chrono::milliseconds(200));
    if (!error) co_await timer.async_wait(Into(error));
  }
  if (!error) co_await asio::async_write(stream, http::make_chunk_last(), Into(error));
}

/// Lets a client that still sends read the answer: its bytes are thrown away for a while.
template <typename Stream>
asio::awaitable<void> Linger(Stream& stream) {
  error_code error;
  auto& lowest = beast::get_lowest_layer(stream);
  lowest.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  std::array<char, 16 << 10> thrown;
  lowest.expires_after(seconds(2));
  for (std::size_t bytes = 0; !error && bytes < (16 << 20);) {
    bytes += co_await stream.async_read_some(asio::buffer(thrown), Into(error));
  }
}

void Note(SessionContext& context, const Exchange& exchange, int status, std::size_t bytes) {
  const double took = std::chrono::duration<double>(Clock::now() - exchange.start).count();
  const Route* route = exchange.match.route;
  context.service.metrics().CountRequest(route != nullptr ? route->pattern : "", status, took);
  if (!context.options.log) return;
  // The path without its query, which may hold what people look for.
  const std::string path = exchange.request.target.substr(0, exchange.request.target.find('?'));
  context.options.log(fmt::format(
      "{} {} {} {} {} {:.1f} ms", exchange.request.peer, report::Printable(exchange.request.method),
      report::Printable(path.substr(0, 512)), status, bytes, took * 1e3));
}

/// What a header that can't be read is answered with; none: with nothing.
std::optional<Response> ProblemOfRead(const error_code& error) {
  if (error == http::error::header_limit) {
    return Problem(431, "limit_exceeded", "the header is too large (--max-header)");
  }
  if (error == http::error::body_limit) {
    return Problem(413, "limit_exceeded", "the body is too large (--max-body)");
  }
  if (error == beast::error::timeout || error == http::error::end_of_stream ||
      error.category() != http::make_error_code(http::error::bad_method).category()) {
    return std::nullopt;
  }
  return Problem(400, "bad_request", "the request is malformed: " + error.message());
}

/// Bytes of bodies that a request may hold, given back at its end.
class BodyBudget {
 public:
  explicit BodyBudget(SessionContext& context) : context_(context) {}
  ~BodyBudget() { context_.body_bytes -= taken_; }
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;

  bool Take(std::int64_t bytes) {
    if (context_.body_bytes + bytes > context_.options.body_budget_bytes) return false;
    taken_ = bytes;
    context_.body_bytes += bytes;
    return true;
  }

 private:
  SessionContext& context_;
  std::int64_t taken_ = 0;
};

/// Reads the body into the request; what it is refused with, or none.
template <typename Stream>
asio::awaitable<std::optional<Response>> ReadBody(SessionContext& context, Stream& stream,
                                                  beast::flat_buffer& buffer, HeaderParser& header,
                                                  Exchange& exchange, BodyBudget& budget,
                                                  bool& gone) {
  const std::int64_t most = context.service.options().max_body_bytes;
  const auto length = header.content_length();
  if (!budget.Take(length ? static_cast<std::int64_t>(*length) : most)) {
    context.service.metrics().CountOverload();
    co_return Problem(503, "overloaded", "the bodies of other requests take all memory for them");
  }
  auto& lowest = beast::get_lowest_layer(stream);
  lowest.expires_after(seconds(context.options.body_seconds));
  error_code error;
  if (Lower(exchange.request.Header("expect")) == "100-continue") {
    http::response<http::empty_body> go_on(http::status::continue_, 11);
    co_await http::async_write(stream, go_on, Into(error));
  }
  BodyParser parser(std::move(header));
  parser.body_limit(static_cast<std::uint64_t>(most));
  if (!error) co_await http::async_read(stream, buffer, parser, Into(error));
  exchange.body_left = static_cast<bool>(error);
  gone = static_cast<bool>(error);
  if (error) co_return ProblemOfRead(error);
  exchange.request.body = std::move(parser.get().body());
  co_return std::nullopt;
}

/// Waits for the first byte of a request, then reads its header. False: the connection is to end.
template <typename Stream>
asio::awaitable<bool> ReadHeader(SessionContext& context, Stream& stream,
                                 beast::flat_buffer& buffer, HeaderParser& parser,
                                 Exchange& exchange) {
  error_code error;
  auto& lowest = beast::get_lowest_layer(stream);
  if (buffer.size() == 0) {
    lowest.expires_after(seconds(context.options.idle_seconds));
    const std::size_t bytes = co_await stream.async_read_some(buffer.prepare(4 << 10), Into(error));
    buffer.commit(bytes);
    if (error) co_return false;
  }
  exchange.start = Clock::now();
  lowest.expires_after(seconds(context.options.header_seconds));
  parser.header_limit(static_cast<std::uint32_t>(context.options.max_header_bytes));
  // The header alone says how long the body is to be; whether that is too long is decided later.
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  co_await http::async_read_header(stream, buffer, parser, Into(error));
  if (!error) co_return true;
  if (auto problem = ProblemOfRead(error)) {
    Note(context, exchange, problem->status, problem->body.size());
    (void)co_await Send(context, stream, exchange, std::move(*problem));
    co_await Linger(stream);
  }
  co_return false;
}

/// The answer to a request whose header is there; reads its body on the way.
template <typename Stream>
asio::awaitable<Response> Respond(SessionContext& context, Stream& stream,
                                  beast::flat_buffer& buffer, HeaderParser& parser,
                                  Exchange& exchange, bool& gone) {
  const bool has_body = parser.chunked() || parser.content_length().value_or(0) > 0;
  exchange.body_left = has_body;
  const Status header = TakeHeader(parser.get(), exchange.request);
  exchange.request.call.deadline = exchange.start + seconds(context.options.request_seconds);
  exchange.request.call.stop = [&context] { return context.stop.load(); };
  if (!header.ok()) co_return Problem(header);
  if (auto refused = Refuse(context, exchange)) co_return std::move(*refused);
  BodyBudget budget(context);
  if (has_body) {
    auto refused = co_await ReadBody(context, stream, buffer, parser, exchange, budget, gone);
    if (refused) co_return std::move(*refused);
    if (gone) co_return Response{.status = 400};
  }
  Response response = co_await Run(context, exchange);
  std::string().swap(exchange.request.body);
  co_return response;
}

}  // namespace

SessionContext::SessionContext(Service& of, const ListenerOptions& with)
    : service(of), options(with), hosts(with.hosts) {
  const auto waiting = static_cast<std::size_t>(options.queue);
  auto& counts = service.metrics().queued;
  queues[0] = std::make_unique<WorkQueue>(2, waiting, counts[0]);
  queues[1] = std::make_unique<WorkQueue>(options.search_threads, waiting, counts[1]);
  // One thread: what a write looks at before it writes holds until it is done.
  queues[2] = std::make_unique<WorkQueue>(1, waiting, counts[2]);
}

template <typename Stream>
asio::awaitable<void> Serve(SessionContext& context, Stream& stream, std::string peer) {
  beast::flat_buffer buffer(static_cast<std::size_t>(context.options.max_header_bytes) +
                            (64 << 10));
  for (bool more = true; more;) {
    Exchange exchange;
    exchange.request.peer = peer;
    HeaderParser parser;
    if (!co_await ReadHeader(context, stream, buffer, parser, exchange)) co_return;
    exchange.keep_alive = parser.keep_alive() && !context.ending;
    ++context.active;
    bool gone = false;
    Response response = co_await Respond(context, stream, buffer, parser, exchange, gone);
    exchange.keep_alive = exchange.keep_alive && !exchange.body_left;
    Note(context, exchange, response.status, response.body.size());
    if (response.stream && exchange.request.method != "HEAD") {
      --context.active;  // Events end when the server ends; nobody waits for them.
      co_await SendEvents(context, stream, std::move(response));
      co_return;
    }
    more = co_await Send(context, stream, exchange, std::move(response));
    --context.active;
    if (exchange.body_left) co_await Linger(stream);
    if (buffer.size() == 0) buffer.shrink_to_fit();
  }
}

template asio::awaitable<void> Serve(SessionContext&, beast::tcp_stream&, std::string);
template asio::awaitable<void> Serve(SessionContext&, beast::ssl_stream<beast::tcp_stream>&,
                                     std::string);

}  // namespace siftsearch::server
