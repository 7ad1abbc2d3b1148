#include "server/message.h"

#include <gtest/gtest.h>

#include "server/admission.h"
#include "server/collections.h"
#include "server/route.h"
#include "server/service.h"

namespace siftsearch::server {
namespace {

Request Parsed(std::string_view target) {
  Request request;
  EXPECT_TRUE(ParseTarget(target, request).ok()) << target;
  return request;
}

TEST(ParseTarget, DecodesSegmentsAndParameters) {
  const Request request = Parsed("/v1/a%2Fb/%C3%A9?where=x%3D1+and&top=3");
  EXPECT_EQ(request.path, (std::vector<std::string>{"v1", "a/b", "é"}));
  EXPECT_EQ(request.Parameter("where"), "x=1 and");
  EXPECT_EQ(request.Parameter("top"), "3");
  EXPECT_TRUE(Parsed("/").path.empty());
}

TEST(ParseTarget, RefusesWhatLeadsElsewhere) {
  for (const char* target :
       {"", "v1", "/a/../b", "/a/%2e%2e/b", "/./a", "/a%00b", "/a%4", "/a%zz"}) {
    Request request;
    EXPECT_EQ(ParseTarget(target, request).code(), StatusCode::kInvalidArgument) << target;
  }
}

TEST(WholeNumberOf, TakesNumbersOfTheRangeOnly) {
  for (const char* text :
       {"/?n=0", "/?n=11", "/?n=x", "/?n=", "/?n=1x", "/?n=99999999999999999999"}) {
    EXPECT_FALSE(WholeNumberOf(Parsed(text), "n", 5, 1, 10).ok()) << text;
  }
  EXPECT_EQ(WholeNumberOf(Parsed("/?n=10"), "n", 5, 1, 10).value(), 10);
  EXPECT_EQ(WholeNumberOf(Parsed("/"), "n", 5, 1, 10).value(), 5);
}

Response Nothing(Service&, const Call&) { return {}; }

TEST(FindRoute, TakesSegmentsAndTheRest) {
  static constexpr Route kRoutes[] = {
      {"GET", "/c/{name}", Work::kRead, Right::kRead, Nothing},
      {"PUT", "/c/{name}/{key...}", Work::kWrite, Right::kWrite, Nothing, true}};
  const std::span<const Route> tables[] = {kRoutes};
  Request request = Parsed("/c/news/a/b.jpg");
  request.method = "PUT";
  const RouteMatch match = FindRoute(tables, request);
  ASSERT_EQ(match.route, &kRoutes[1]);
  EXPECT_EQ(match.captured.at("name"), "news");
  EXPECT_EQ(match.captured.at("key"), "a/b.jpg");
  request.method = "POST";
  EXPECT_EQ(FindRoute(tables, request).allowed, "PUT");
}

TEST(CheckKey, RefusesWhatIsNoKey) {
  const std::string kept[] = {"a", "a/b.jpg", "日本/語", "http:x"};
  for (const std::string& key : kept) EXPECT_TRUE(CheckKey(key).ok()) << key;
  const std::string refused[] = {"",     "/a",
                                 "a/",   "a//b",
                                 ".",    "a/../b",
                                 "a\nb", std::string("a\0b", 3),
                                 "\xff", std::string(1'025, 'a')};
  for (const std::string& key : refused) EXPECT_FALSE(CheckKey(key).ok()) << key;
}

TEST(IsCollectionName, TakesPlainNames) {
  EXPECT_TRUE(IsCollectionName("news-2026_a"));
  for (const char* name : {"", "-a", "_a", "A", "a.b", "a/b", ".."}) {
    EXPECT_FALSE(IsCollectionName(name)) << name;
  }
}

Request Headers(std::string method, std::map<std::string, std::string> headers) {
  Request request;
  request.method = std::move(method);
  request.headers = std::move(headers);
  return request;
}

TEST(Admission, RefusesForeignPagesAndHosts) {
  EXPECT_TRUE(RefuseForeign(Headers("POST", {{"sec-fetch-site", "cross-site"}}), false));
  EXPECT_TRUE(RefuseForeign(Headers("POST", {{"host", "a:1"}, {"origin", "http://b:1"}}), false));
  EXPECT_TRUE(RefuseForeign(Headers("DELETE", {{"host", "a:1"}, {"origin", "null"}}), false));
  EXPECT_FALSE(RefuseForeign(Headers("POST", {{"host", "a:1"}, {"origin", "http://a:1"}}), false));
  EXPECT_FALSE(RefuseForeign(Headers("POST", {{"host", "a:1"}}), false));
  EXPECT_TRUE(RefuseForeign(Headers("GET", {{"sec-fetch-site", "cross-site"}}), true));
  EXPECT_FALSE(RefuseForeign(Headers("GET", {{"sec-fetch-site", "cross-site"}}), false));
  EXPECT_TRUE(RefuseHost(Headers("GET", {{"host", "evil.example:80"}}), {"localhost", "[::1]"}));
  EXPECT_FALSE(RefuseHost(Headers("GET", {{"host", "[::1]:8080"}}), {"localhost", "[::1]"}));
  EXPECT_TRUE(RefuseBody(Headers("PUT", {{"content-encoding", "gzip"}}), 10));
  EXPECT_TRUE(RefuseBody(Headers("PUT", {{"content-length", "11"}}), 10));
  EXPECT_FALSE(RefuseBody(Headers("PUT", {{"content-length", "10"}}), 10));
}

}  // namespace
}  // namespace siftsearch::server
