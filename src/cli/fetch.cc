#include "cli/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

namespace siftsearch::cli {
namespace {

struct Download {
  const FetchLimits& limits;
  std::vector<std::uint8_t> bytes = {};
  bool too_large = false;
  bool refused = false;
  bool out_of_memory = false;
};

bool IsPublic4(std::uint32_t address) {
  // Network and length of each block of RFC 6890 that is not global, and of multicast and above.
  static constexpr std::pair<std::uint32_t, int> kBlocks[] = {
      {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
      {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0a80000, 16}, {0xc6120000, 15},
      {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 3}};
  return std::none_of(std::begin(kBlocks), std::end(kBlocks), [&](const auto& block) {
    return (address ^ block.first) >> (32 - block.second) == 0;
  });
}

bool IsPublic6(const in6_addr& address) {
  const auto* bytes = address.s6_addr;
  const auto word = [&](int at) {
    return std::uint32_t{bytes[at]} << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 |
           bytes[at + 3];
  };
  if (IN6_IS_ADDR_V4MAPPED(&address) || (word(0) == 0x0064ff9b && word(4) == 0)) {
    return IsPublic4(word(12));
  }
  if (word(0) >> 16 == 0x2002) return IsPublic4(word(0) << 16 | word(4) >> 16);  // 6to4.
  return (bytes[0] & 0xe0) == 0x20;  // 2000::/3 holds all global unicast addresses.
}

bool IsPublic(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    return IsPublic4(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr));
  }
  return address.sa_family == AF_INET6 &&
         IsPublic6(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

curl_socket_t OpenSocket(void* user, curlsocktype, curl_sockaddr* address) {
  auto& download = *static_cast<Download*>(user);
  if (!download.limits.allow_private && !IsPublic(address->addr)) {
    download.refused = true;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t Receive(char* data, std::size_t, std::size_t count, void* user) {
  auto& download = *static_cast<Download*>(user);
  const auto most = static_cast<std::size_t>(download.limits.max_bytes);
  download.too_large = download.bytes.size() + count > most;
  if (download.too_large) return 0;
  try {
    download.bytes.insert(download.bytes.end(), data, data + count);
  } catch (const std::bad_alloc&) {  // No exception may cross libcurl's frames.
    download.out_of_memory = true;
    return 0;
  }
  return count;
}

Status Cause(CURL* curl, CURLcode code, const Download& download, const char* detail) {
  if (download.refused) {
    return {StatusCode::kPermissionDenied,
            "its address is private (--allow-private lets it through)"};
  }
  if (download.too_large || code == CURLE_FILESIZE_EXCEEDED) {
    return {StatusCode::kLimitExceeded,
            fmt::format("has more than {} bytes (--max-file-bytes)", download.limits.max_bytes)};
  }
  if (download.out_of_memory || code == CURLE_OUT_OF_MEMORY) {
    return {StatusCode::kOutOfMemory, "there is not enough memory for it"};
  }
  long response = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response);
  if (code == CURLE_HTTP_RETURNED_ERROR) {
    return {StatusCode::kNotFound, fmt::format("the server answers {}", response)};
  }
  const std::string text = *detail != '\0' ? detail : curl_easy_strerror(code);
  return {StatusCode::kIoError, "can't be fetched: " + text};
}

/// Stops at the first option that libcurl refuses: without one of them it could fetch what it must
/// not.
CURLcode SetOptions(CURL* handle, const std::string& url, const FetchLimits& limits,
                    Download& download, char* detail) {
  CURLcode code = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    if (code == CURLE_OK) code = curl_easy_setopt(handle, option, value);
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  // A proxy would connect where we can't look.
  set(CURLOPT_PROXY, limits.allow_private ? nullptr : "");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, limits.redirects);
  set(CURLOPT_TIMEOUT, limits.seconds);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_FAILONERROR, 1L);
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.max_bytes));
  set(CURLOPT_USERAGENT, "siftsearch");
  set(CURLOPT_ERRORBUFFER, detail);
  set(CURLOPT_OPENSOCKETFUNCTION, OpenSocket);
  set(CURLOPT_OPENSOCKETDATA, &download);
  set(CURLOPT_WRITEFUNCTION, Receive);
  set(CURLOPT_WRITEDATA, &download);
  return code;
}

}  // namespace

void StartCurl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

bool IsUrl(const std::string& text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

Result<std::vector<std::uint8_t>> Fetch(const std::string& url, const FetchLimits& limits) {
  StartCurl();
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  if (!curl) return Status(StatusCode::kOutOfMemory, "out of memory");
  Download download{limits};
  std::array<char, CURL_ERROR_SIZE> detail{};
  CURL* handle = curl.get();
  CURLcode code = SetOptions(handle, url, limits, download, detail.data());
  if (code == CURLE_OK) code = curl_easy_perform(handle);
  if (code != CURLE_OK) return Cause(handle, code, download, detail.data());
  return std::move(download.bytes);
}

}  // namespace siftsearch::cli
