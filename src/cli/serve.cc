#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <set>
#include <sstream>

#include "base/parallel.h"
#include "cli/exit_code.h"
#include "cli/fetch.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "server/listener.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

struct ServeFlags {
  std::string listen = "127.0.0.1:8080";
  std::string root;
  bool open = false;
  bool fetch = false;
  bool allow_private = false;
  bool routes = false;
  std::string compat;
  int max_body_mib = 64;
  int max_header_kib = 16;
  std::vector<std::string> hosts;
  server::ServiceOptions service;
  server::ListenerOptions listener;
  EngineFlags engine;
};

void AddAddressOptions(Command& command, ServeFlags& flags) {
  command.Options()("listen", po::value(&flags.listen)->value_name("ADDRESS:PORT"),
                    "address to listen on; port 0: one that is free [127.0.0.1:8080]")(
      "root", po::value(&flags.root)->value_name("DIR"),
      "folder of collections, each a database; without it the database of --db is served")(
      "tokens", po::value(&flags.service.tokens_file)->value_name("FILE"),
      "file of the verb token: who may do what; without it everybody may do everything")(
      "open", po::bool_switch(&flags.open),
      "listen elsewhere than on this machine's own address without tokens, too")(
      "tls-cert", po::value(&flags.listener.tls_cert)->value_name("FILE"),
      "certificate chain (PEM), read again on SIGHUP, as the tokens are")(
      "tls-key", po::value(&flags.listener.tls_key)->value_name("FILE"), "its private key (PEM)")(
      "host", po::value(&flags.hosts)->value_name("NAME"),
      "name that the server answers to; may be repeated")(
      "image-root", po::value(&flags.service.image_root)->value_name("DIR"),
      "folder below which imports may name folders")("fetch", po::bool_switch(&flags.fetch),
                                                     "requests may name urls of pictures")(
      "allow-private", po::bool_switch(&flags.allow_private),
      "also fetch urls of this machine and of private networks")(
      "compat", po::value(&flags.compat)->value_name("NAMES"),
      "also speak as other servers do: seed, pastec, tineye and iqdb, with commas between")(
      "compat-collection", po::value(&flags.service.compat_collection)->value_name("NAME"),
      "the collection that they speak of; made where there is none [default]")(
      "routes", po::bool_switch(&flags.routes), "print the routes and end");
}

void AddLimitOptions(Command& command, server::ListenerOptions& listener, ServeFlags& flags) {
  command.Options()("max-body", po::value(&flags.max_body_mib)->value_name("MIB"),
                    "largest body of a request [64]")(
      "max-header", po::value(&flags.max_header_kib)->value_name("KIB"),
      "largest header of a request [16]")("connections",
                                          po::value(&listener.connections)->value_name("N"),
                                          "connections in all [1024]")(
      "connections-per-address", po::value(&listener.connections_per_address)->value_name("N"),
      "connections from one address, other than this machine's own [64]")(
      "header-seconds", po::value(&listener.header_seconds)->value_name("N"),
      "time for a header [10]")("body-seconds", po::value(&listener.body_seconds)->value_name("N"),
                                "time for a body, and for sending an answer [60]")(
      "request-seconds", po::value(&listener.request_seconds)->value_name("N"),
      "time for the work on a request [60]")("queue", po::value(&listener.queue)->value_name("N"),
                                             "requests of a kind that may wait [64]")(
      "grace", po::value(&listener.grace_seconds)->value_name("SECONDS"),
      "time for what runs when the server is told to end [20]");
}

/// Takes "ADDRESS:PORT" apart; an IPv6 address is in brackets.
void ParseListen(const std::string& text, server::ListenerOptions& listener) {
  const std::size_t colon = text.rfind(':');
  std::istringstream port(colon == std::string::npos ? "" : text.substr(colon + 1));
  if (!(port >> listener.port) || !port.eof() || listener.port < 0 || listener.port > 65'535) {
    throw UsageError("--listen takes ADDRESS:PORT, such as 127.0.0.1:8080");
  }
  listener.address = text.substr(0, colon);
  if (listener.address.starts_with('[') && listener.address.ends_with(']')) {
    listener.address = listener.address.substr(1, listener.address.size() - 2);
  }
}

/// The contracts of a list "seed,pastec".
std::set<std::string> ParseCompat(const std::string& list) {
  const auto known = server::CompatNames();
  std::set<std::string> names;
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    if (std::find(known.begin(), known.end(), word) == known.end()) {
      throw UsageError(
          fmt::format("--compat takes some of {}, not '{}'", fmt::join(known, ","), word));
    }
    names.insert(word);
  }
  return names;
}

/// Makes the collection of other servers' contracts where there is none.
Status MakeCompatCollection(const server::ServiceOptions& options,
                            server::Collections& collections) {
  if (options.compat.empty()) return {};
  const Status found = collections.Get(options.compat_collection).status();
  if (found.code() != StatusCode::kNotFound) return found;
  return collections.Make(options.compat_collection, std::nullopt, std::nullopt).status();
}

/// Numbers that make no sense, and listening to others without tokens.
void CheckServe(ServeFlags& flags) {
  server::ListenerOptions& listener = flags.listener;
  ParseListen(flags.listen, listener);
  const std::int64_t day = 86'400;
  CheckRange("max-body", flags.max_body_mib, 1, 1 << 20);
  CheckRange("max-header", flags.max_header_kib, 1, 1 << 10);
  CheckRange("connections", listener.connections, 1, 1'000'000);
  CheckRange("connections-per-address", listener.connections_per_address, 1, 1'000'000);
  CheckRange("header-seconds", listener.header_seconds, 1, day);
  CheckRange("body-seconds", listener.body_seconds, 1, day);
  CheckRange("request-seconds", listener.request_seconds, 1, day);
  CheckRange("queue", listener.queue, 1, 1'000'000);
  CheckRange("grace", listener.grace_seconds, 0, day);
  if (listener.tls_cert.empty() != listener.tls_key.empty()) {
    throw UsageError("--tls-cert and --tls-key are given together");
  }
  const std::string& address = listener.address;
  const bool own = address == "::1" || address.starts_with("127.");
  if (!own && flags.service.tokens_file.empty() && !flags.open) {
    throw UsageError("--listen " + flags.listen +
                     " lets others in: give --tokens, or --open if everybody may do everything");
  }
  flags.listener.hosts = {flags.hosts.begin(), flags.hosts.end()};
  if (own && (flags.service.tokens_file.empty() || !flags.hosts.empty())) {
    flags.listener.hosts.insert({"localhost", "127.0.0.1", "[::1]", address});
  }
}

ServeFlags ParseServeFlags(Command& command) {
  ServeFlags flags;
  AddAddressOptions(command, flags);
  AddLimitOptions(command, flags.listener, flags);
  flags.engine.AddThreads(command);
  flags.engine.AddLimits(command);
  flags.engine.AddLockWait(command);
  flags.engine.AddSearch(command);
  flags.engine.AddEffort(command);
  command.Parse();
  CheckServe(flags);
  flags.service.compat = ParseCompat(flags.compat);
  flags.service.engine = flags.engine.Options();
  flags.service.engine.look_at_files = false;
  flags.service.max_body_bytes = std::int64_t{flags.max_body_mib} << 20;
  flags.service.engine.limits.max_file_bytes =
      std::min(flags.service.engine.limits.max_file_bytes, flags.service.max_body_bytes);
  flags.engine.effort().ApplyTo(flags.service.query);
  flags.listener.max_header_bytes = std::int64_t{flags.max_header_kib} << 10;
  const int threads = flags.service.engine.threads;
  flags.listener.search_threads = threads > 0 ? threads : AvailableThreads();
  if (flags.fetch) {
    const FetchLimits limits{.max_bytes = flags.service.engine.limits.max_file_bytes,
                             .allow_private = flags.allow_private};
    flags.service.fetch = [limits](const std::string& url) -> Result<std::vector<std::uint8_t>> {
      if (!IsUrl(url)) return Status(StatusCode::kInvalidArgument, "is no http or https address");
      return Fetch(url, limits);
    };
  }
  return flags;
}

/// A line with the time, in one piece.
void LogLine(const std::string& line) {
  const std::string text =
      fmt::format("{:%Y-%m-%dT%H:%M:%SZ} {}\n", fmt::gmtime(std::time(nullptr)), line);
  std::cerr << text << std::flush;
}

Result<server::Tokens> ReadTokens(const ServeFlags& flags) {
  if (flags.service.tokens_file.empty()) return server::Tokens();
  return server::Tokens::Read(DiskEnv(), flags.service.tokens_file);
}

int PrintRoutes(const server::Service& service, const Console& console) {
  Output output;
  for (const auto table : service.routes()) {
    for (const server::Route& route : table) {
      output.Write(fmt::format("{} {}\n", route.method, route.pattern));
    }
  }
  return Finish(console, output, kExitDone);
}

}  // namespace

int RunServe(Command& command) {
  ServeFlags flags = ParseServeFlags(command);
  const Console& console = command.console();
  const bool has_root = !flags.root.empty();
  flags.service.jobs_folder = (has_root ? flags.root : command.database()) + "/.jobs";
  auto collections =
      has_root ? server::Collections::OverRoot(DiskEnv(), flags.root, flags.service.engine)
               : server::Collections::OverDatabase(command.database(), flags.service.engine);
  if (!collections.ok()) return Fail(console, collections.status());
  const Status made = MakeCompatCollection(flags.service, **collections);
  if (!made.ok()) return Fail(console, made);
  auto tokens = ReadTokens(flags);
  if (!tokens.ok()) return Fail(console, tokens.status());
  server::Service service(flags.service, std::move(collections).value(), *tokens);
  if (flags.routes) return PrintRoutes(service, console);
  flags.listener.reload = [&]() -> Status {
    auto read = ReadTokens(flags);
    if (read.ok()) service.SetTokens(std::move(read).value());
    return read.status();
  };
  const char* scheme = flags.listener.tls_cert.empty() ? "http" : "https";
  const bool six = flags.listener.address.find(':') != std::string::npos;
  flags.listener.ready = [&](int port) {
    const std::string& address = flags.listener.address;
    std::cerr << fmt::format("listening on {}://{}:{}\n", scheme,
                             six ? "[" + address + "]" : address, port)
              << std::flush;
  };
  if (!console.quiet()) flags.listener.log = LogLine;
  std::signal(SIGPIPE, SIG_IGN);
  const Status ended = server::Listen(service, flags.listener);
  return ended.ok() ? kExitDone : Fail(console, ended);
}

}  // namespace siftsearch::cli
