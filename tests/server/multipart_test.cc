#include "server/multipart.h"

#include <gtest/gtest.h>

#include <random>

namespace siftsearch::server {
namespace {

constexpr const char* kType = "multipart/form-data; boundary=XX";

std::string Body(const std::string& headers, const std::string& data) {
  return "--XX\r\n" + headers + "\r\n\r\n" + data + "\r\n--XX--\r\n";
}

TEST(ParseMultipart, ReadsWhatClientsSend) {
  const std::string body =
      "--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a b.jpg\"\r\n"
      "Content-Type: image/jpeg\r\n\r\n\xff\xd8\r\n--X\r\n--XX\r\n"
      "Content-Disposition: form-data; name=attributes\r\n\r\n{}\r\n--XX--\r\n";
  const auto parts = ParseMultipart(kType, body);
  ASSERT_TRUE(parts.ok()) << parts.status().message();
  ASSERT_EQ(parts->size(), 2u);
  EXPECT_EQ((*parts)[0].name, "image");
  EXPECT_EQ((*parts)[0].file_name, "a b.jpg");
  EXPECT_EQ((*parts)[0].content_type, "image/jpeg");
  EXPECT_EQ((*parts)[0].body, "\xff\xd8\r\n--X");
  EXPECT_EQ((*parts)[1].name, "attributes");
  EXPECT_EQ((*parts)[1].body, "{}");
}

TEST(ParseMultipart, DecodesNamesInOtherScripts) {
  const std::string body =
      Body("Content-Disposition: form-data; name=\"i\"; filename*=UTF-8''%E6%97%A5.jpg", "x");
  const auto parts = ParseMultipart(kType, body);
  ASSERT_TRUE(parts.ok()) << parts.status().message();
  EXPECT_EQ(parts->front().file_name, "日.jpg");
}

TEST(ParseMultipart, RefusesWhatIsMalformed) {
  const std::string whole = Body("Content-Disposition: form-data; name=\"i\"", "x");
  EXPECT_FALSE(ParseMultipart("multipart/form-data", whole).ok());
  EXPECT_FALSE(ParseMultipart("multipart/form-data; boundary=", whole).ok());
  EXPECT_FALSE(ParseMultipart("multipart/form-data; boundary=" + std::string(71, 'a'), whole).ok());
  EXPECT_FALSE(ParseMultipart("multipart/form-data; boundary=YY", whole).ok());
  EXPECT_FALSE(ParseMultipart(kType, "").ok());
  EXPECT_FALSE(ParseMultipart(kType, whole.substr(0, whole.size() - 10)).ok());
}

TEST(ParseMultipart, KeepsItsLimits) {
  const std::string part = "--XX\r\nContent-Disposition: form-data; name=\"i\"\r\n\r\nx\r\n";
  std::string body;
  for (int i = 0; i < 4; ++i) body += part;
  body += "--XX--\r\n";
  EXPECT_TRUE(ParseMultipart(kType, body, {.parts = 4}).ok());
  EXPECT_EQ(ParseMultipart(kType, body, {.parts = 3}).status().code(), StatusCode::kLimitExceeded);
  const std::string large = Body("X: " + std::string(9'000, 'a'), "x");
  EXPECT_EQ(ParseMultipart(kType, large).status().code(), StatusCode::kLimitExceeded);
}

TEST(ParseMultipart, SurvivesMutations) {
  std::mt19937 random(1);
  const std::string seed =
      Body("Content-Disposition: form-data; name=\"i\"; filename*=UTF-8''%41\r\nA: b", "x\r\n--X");
  for (int i = 0; i < 100'000; ++i) {
    std::string body = seed;
    for (unsigned n = random() % 4 + 1; n > 0 && !body.empty(); --n) {
      const std::size_t at = random() % body.size();
      if (random() % 3 == 0) {
        body.erase(at, random() % 8);
      } else {
        body[at] = "\r\n-X:;\"%=\0 a"[random() % 12];
      }
    }
    const auto parts = ParseMultipart(kType, body);
    if (!parts.ok()) continue;
    std::size_t bytes = 0;
    for (const Part& part : *parts) {
      ASSERT_GE(part.body.data(), body.data());
      ASSERT_LE(part.body.data() + part.body.size(), body.data() + body.size());
      bytes += part.body.size();
    }
    ASSERT_LE(bytes, body.size());
  }
}

}  // namespace
}  // namespace siftsearch::server
