#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "server/service.h"

namespace siftsearch::server {

/// Limits of what clients may take.
struct ListenerOptions {
  std::string address = "127.0.0.1";
  int port = 8080;                ///< 0: one that is free.
  std::string tls_cert, tls_key;  ///< PEM files; empty: no TLS.
  std::set<std::string> hosts;    ///< Names that Host may have; empty: see Listen.
  std::int64_t max_header_bytes = 16 << 10;
  std::int64_t body_budget_bytes = 512 << 20;  ///< Of the bodies of all requests.
  int connections = 1'024;
  int connections_per_address = 64;     ///< Of loopback: all.
  int header_seconds = 10;              ///< From the first byte of a header to its last.
  int body_seconds = 60;                ///< For a body, and for sending an answer.
  int idle_seconds = 120;               ///< Between requests.
  int request_seconds = 60;             ///< For the work on a request, waiting included.
  int queue = 64;                       ///< Requests of a kind that may wait.
  int grace_seconds = 20;               ///< For what runs when the server is told to end.
  int search_threads = 1;               ///< Requests that search at once.
  std::function<Status()> reload;       ///< On SIGHUP, beside the files of TLS.
  std::function<void(int port)> ready;  ///< Once connections are taken.
  std::function<void(const std::string& line)> log;
};

/// Serves HTTP/1.1 until SIGTERM or SIGINT; then finishes what runs. One thread does all sockets,
/// so a slow client holds up nobody; handlers run on threads of their own (Work). A request is
/// checked by its header (host, origin, token, size, queue) before its body is read.
///
/// On a loopback address without tokens Host must name this machine (or be of `hosts`), or a page
/// of another site could reach the server through a name of its own. A request that changes
/// something and that a browser says comes from another site is refused.
///
/// Errors: the address can't be had, the files of TLS can't be read.
Status Listen(Service& service, const ListenerOptions& options);

}  // namespace siftsearch::server
