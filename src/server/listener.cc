#include "server/listener.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/ssl.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/status_macros.h"
#include "server/session.h"

namespace siftsearch::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;
using TlsContext = std::shared_ptr<asio::ssl::context>;

/// Tells the service manager (sd_notify(3)), if there is one.
void TellManager(const char* state) {
  const char* name = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address = {};
  if (name == nullptr || std::strlen(name) >= sizeof address.sun_path || *name == '\0') return;
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, name);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(name));
  if (*name == '@') address.sun_path[0] = '\0';  // An abstract name.
  const int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0) return;
  (void)!sendto(socket_fd, state, std::strlen(state), MSG_NOSIGNAL,
                reinterpret_cast<const sockaddr*>(&address), length);
  close(socket_fd);
}

Result<TlsContext> MakeTls(const ListenerOptions& options) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  error_code error;
  context->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                           asio::ssl::context::no_tlsv1_1,
                       error);
  context->use_certificate_chain_file(options.tls_cert, error);
  if (error) {
    return Status(StatusCode::kInvalidArgument, options.tls_cert + ": " + error.message());
  }
  context->use_private_key_file(options.tls_key, asio::ssl::context::pem, error);
  if (error) return Status(StatusCode::kInvalidArgument, options.tls_key + ": " + error.message());
  return context;
}

class Listener {
 public:
  Listener(Service& service, const ListenerOptions& options)
      : options_(options), context_(service, options), acceptor_(io_), signals_(io_) {}

  Status Open() {
    if (!options_.tls_cert.empty()) {
      SIFTSEARCH_ASSIGN_OR_RETURN(tls_, MakeTls(options_));
    }
    error_code error;
    const auto address = asio::ip::make_address(options_.address, error);
    if (error) {
      return {StatusCode::kInvalidArgument, options_.address + " is no address of a network"};
    }
    const tcp::endpoint endpoint(address, static_cast<std::uint16_t>(options_.port));
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return {StatusCode::kIoError, fmt::format("can't listen on {}:{}: {}", options_.address,
                                                options_.port, error.message())};
    }
    return {};
  }

  void Run() {
    // The work that runs at the end of the grace still answers through `io_`.
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) signals_.add(number);
    asio::co_spawn(io_, WatchSignals(), asio::detached);
    asio::co_spawn(io_, Accept(), asio::detached);
    if (options_.ready) options_.ready(acceptor_.local_endpoint().port());
    TellManager("READY=1");
    io_.run();
    for (auto& queue : context_.queues) queue.reset();
  }

 private:
  asio::awaitable<void> WatchSignals() {
    while (true) {
      const int number = co_await signals_.async_wait(asio::use_awaitable);
      if (number != SIGHUP) break;
      TellManager("RELOADING=1");
      Reload();
      TellManager("READY=1");
    }
    TellManager("STOPPING=1");
    co_await End();
  }

  void Reload() {
    Status status = options_.reload ? options_.reload() : Status();
    if (status.ok() && tls_ != nullptr) {
      auto tls = MakeTls(options_);
      status = tls.status();
      if (tls.ok()) tls_ = std::move(tls).value();
    }
    Log(status.ok() ? "reloaded" : "not reloaded, what was read before stays: " + status.message());
  }

  /// Takes nothing new, waits for what runs, then cancels it.
  asio::awaitable<void> End() {
    context_.ending = true;
    context_.service.SetReady(false);
    error_code error;
    acceptor_.close(error);
    asio::steady_timer timer(io_);
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds(options_.grace_seconds);
    const auto last = deadline + std::chrono::seconds(5);
    while (context_.active > 0 && std::chrono::steady_clock::now() < last) {
      if (std::chrono::steady_clock::now() > deadline) context_.stop = true;
      timer.expires_after(std::chrono::milliseconds(50));
      co_await timer.async_wait(asio::use_awaitable);
    }
    context_.stop = true;
    io_.stop();
  }

  asio::awaitable<void> Accept() {
    while (acceptor_.is_open()) {
      error_code error;
      tcp::socket socket =
          co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (!error) {
        Take(std::move(socket));
      } else if (acceptor_.is_open()) {
        // Out of descriptors, most likely: others will be free soon.
        asio::steady_timer timer(io_, std::chrono::milliseconds(100));
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
      }
    }
  }

  void Take(tcp::socket socket) {
    error_code error;
    const auto endpoint = socket.remote_endpoint(error);
    if (error) return;  // Gone already.
    const std::string peer = endpoint.address().to_string();
    auto& count = context_.service.metrics().connections;
    const bool from_here = endpoint.address().is_loopback();
    const auto of_peer = context_.peers.find(peer);
    const bool too_many = !from_here && of_peer != context_.peers.end() &&
                          of_peer->second >= options_.connections_per_address;
    if (count >= options_.connections || too_many) return;  // Closes it.
    socket.set_option(tcp::no_delay(true), error);
    ++count;
    ++context_.peers[peer];
    auto session = tls_ ? ServeTls(std::move(socket), peer) : ServePlain(std::move(socket), peer);
    asio::co_spawn(io_, std::move(session), [this, peer](std::exception_ptr) {
      --context_.service.metrics().connections;
      if (--context_.peers[peer] == 0) context_.peers.erase(peer);
    });
  }

  asio::awaitable<void> ServePlain(tcp::socket socket, std::string peer) {
    beast::tcp_stream stream(std::move(socket));
    co_await Serve(context_, stream, std::move(peer));
  }

  asio::awaitable<void> ServeTls(tcp::socket socket, std::string peer) {
    const TlsContext tls = tls_;  // A reload must not take it away.
    beast::ssl_stream<beast::tcp_stream> stream(beast::tcp_stream(std::move(socket)), *tls);
    error_code error;
    beast::get_lowest_layer(stream).expires_after(std::chrono::seconds(options_.header_seconds));
    co_await stream.async_handshake(asio::ssl::stream_base::server,
                                    asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    co_await Serve(context_, stream, std::move(peer));
    beast::get_lowest_layer(stream).expires_after(std::chrono::seconds(2));
    co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, error));
  }

  void Log(const std::string& line) const {
    if (options_.log) options_.log(line);
  }

  const ListenerOptions& options_;
  SessionContext context_;
  asio::io_context io_{1};  ///< Destroyed before what its coroutines use.
  tcp::acceptor acceptor_;
  asio::signal_set signals_;
  TlsContext tls_;
};

}  // namespace

Status Listen(Service& service, const ListenerOptions& options) {
  Listener listener(service, options);
  SIFTSEARCH_RETURN_IF_ERROR(listener.Open());
  listener.Run();
  return {};
}

}  // namespace siftsearch::server
