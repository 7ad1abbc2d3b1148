#pragma once

// clang-format off
#include <utility>  // Boost 1.74's awaitable.hpp lacks it.
// clang-format on

#include <array>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "server/listener.h"
#include "server/work_queue.h"

namespace siftsearch::server {

/// What the connections of a listener share. Used from the thread of the sockets, but `stop`.
struct SessionContext {
  SessionContext(Service& of, const ListenerOptions& with);

  Service& service;
  const ListenerOptions& options;
  std::set<std::string> hosts;                       ///< That Host may have; empty: any.
  std::array<std::unique_ptr<WorkQueue>, 3> queues;  ///< By Work, from kRead.
  std::int64_t body_bytes = 0;                       ///< Of bodies held or promised.
  int active = 0;                                    ///< Requests between header and answer.
  std::map<std::string, int> peers;                  ///< Connections by address.
  bool ending = false;                               ///< No request is taken any more.
  std::atomic<bool> stop{false};                     ///< Calls that run are to end.
};

/// One connection, from its first request to its end, over a plain or an encrypted stream.
template <typename Stream>
boost::asio::awaitable<void> Serve(SessionContext& context, Stream& stream, std::string peer);

}  // namespace siftsearch::server
