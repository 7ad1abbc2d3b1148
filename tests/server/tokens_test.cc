#include "server/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/hash.h"
#include "support/fault_env.h"
#include "support/memory_env.h"

namespace siftsearch::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kNow = 1'700'000'000;
const std::string kFile = "/tokens.json";

std::string Make(FileEnv& env, const std::string& file, const std::string& name,
                 const std::string& collection = "*", Right right = Right::kRead) {
  const auto token = MakeToken(env, file, name, collection, right, kNow);
  EXPECT_TRUE(token.ok()) << token.status().message();
  return token.ok() ? *token : "";
}

Tokens ReadAll(FileEnv& env, const std::string& file) {
  const auto tokens = Tokens::Read(env, file);
  EXPECT_TRUE(tokens.ok()) << tokens.status().message();
  return tokens.ok() ? *tokens : Tokens();
}

std::vector<std::string> Names(const Tokens& tokens) {
  std::vector<std::string> names;
  for (const TokenRecord& record : tokens.records()) names.push_back(record.name);
  return names;
}

std::string Content(FileEnv& env, const std::string& file) {
  const auto bytes = env.Read(file);
  return bytes.ok() ? std::string(bytes->begin(), bytes->end()) : "none";
}

void Write(FileEnv& env, const std::string& file, const std::string& text) {
  auto out = env.Create(file);
  ASSERT_TRUE(out.ok());
  const std::vector<std::uint8_t> bytes(text.begin(), text.end());
  ASSERT_TRUE((*out)->Append(bytes).ok());
  ASSERT_TRUE((*out)->Close().ok());
}

/// A folder on the disk that goes with the test.
class TokensOnDisk : public testing::Test {
 protected:
  TokensOnDisk() {
    std::string pattern = testing::TempDir() + "tokens_test_XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    file_ = folder_ + "/tokens.json";
  }
  ~TokensOnDisk() override { std::filesystem::remove_all(folder_); }

  unsigned Mode() const {
    struct stat info {};
    EXPECT_EQ(::stat(file_.c_str(), &info), 0);
    return info.st_mode & 0777;
  }

  std::string folder_, file_;
};

TEST(Rights, HaveNamesBothWays) {
  for (const Right right : {Right::kRead, Right::kWrite, Right::kAdmin}) {
    EXPECT_EQ(ParseRight(RightName(right)), right);
  }
  EXPECT_EQ(RightName(Right::kNone), "none");
  for (const char* word : {"none", "", "Read", "reader"}) EXPECT_EQ(ParseRight(word), std::nullopt);
}

TEST(MakeToken, GivesTextThatIsNotStored) {
  MemoryEnv env;
  const std::string token = Make(env, kFile, "ann", "photos", Right::kWrite);
  EXPECT_THAT(token, testing::MatchesRegex("sift_[-_A-Za-z0-9]+"));
  EXPECT_EQ(token.size(), 48u);
  EXPECT_THAT(Content(env, kFile), Not(HasSubstr(token.substr(5))));
  const Tokens tokens = ReadAll(env, kFile);
  ASSERT_EQ(tokens.records().size(), 1u);
  const TokenRecord& record = tokens.records()[0];
  EXPECT_EQ(record.name, "ann");
  EXPECT_EQ(record.collection, "photos");
  EXPECT_EQ(record.right, Right::kWrite);
  EXPECT_EQ(record.made_s, kNow);
  const std::vector<std::uint8_t> bytes(token.begin(), token.end());
  EXPECT_EQ(record.hash, Sha256(bytes));
}

TEST(MakeToken, NeverGivesOneTwice) {
  MemoryEnv env;
  std::set<std::string> tokens;
  for (int i = 0; i < 50; ++i) tokens.insert(Make(env, kFile, std::to_string(i)));
  EXPECT_EQ(tokens.size(), 50u);
}

TEST(MakeToken, RefusesATakenNameAndKeepsTheFile) {
  MemoryEnv env;
  Make(env, kFile, "ann");
  const std::string before = Content(env, kFile);
  EXPECT_EQ(MakeToken(env, kFile, "ann", "*", Right::kRead, kNow).status().code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(Content(env, kFile), before);
}

TEST(MakeToken, RefusesWhatIsNoNameOrRight) {
  MemoryEnv env;
  for (const std::string& name :
       {std::string(), std::string("a\nb"), std::string("\x1b[2J"), std::string("\xff"),
        std::string("a\0b", 3), std::string(201, 'a'), std::string("a\u202e")}) {
    EXPECT_EQ(MakeToken(env, kFile, name, "*", Right::kRead, kNow).status().code(),
              StatusCode::kInvalidArgument);
  }
  for (const char* collection : {"", "a/b", "**", "Photos"}) {
    EXPECT_EQ(MakeToken(env, kFile, "ann", collection, Right::kRead, kNow).status().code(),
              StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(MakeToken(env, kFile, "ann", "*", Right::kNone, kNow).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Content(env, kFile), "none");
}

TEST(RightOf, IsThatOfTheCollection) {
  MemoryEnv env;
  const std::string all = Make(env, kFile, "all", "*", Right::kRead);
  const std::string one = Make(env, kFile, "one", "photos", Right::kAdmin);
  const Tokens tokens = ReadAll(env, kFile);
  EXPECT_EQ(tokens.RightOf(all, "photos"), Right::kRead);
  EXPECT_EQ(tokens.RightOf(all, "other"), Right::kRead);
  EXPECT_EQ(tokens.RightOf(all, ""), Right::kRead);
  EXPECT_EQ(tokens.RightOf(one, "photos"), Right::kAdmin);
  EXPECT_EQ(tokens.RightOf(one, "photo"), Right::kNone);
  EXPECT_EQ(tokens.RightOf(one, ""), Right::kNone);
  EXPECT_EQ(tokens.RightOf(one, "*"), Right::kNone);
}

TEST(RightOf, UnknownTokensHaveNone) {
  MemoryEnv env;
  const std::string token = Make(env, kFile, "ann", "*", Right::kAdmin);
  const Tokens tokens = ReadAll(env, kFile);
  EXPECT_TRUE(tokens.Knows(token));
  for (const std::string& other :
       {std::string(), std::string("sift_"), token.substr(5), token.substr(0, 47), token + "a",
        token + '\0', ToHex(tokens.records()[0].hash)}) {
    EXPECT_FALSE(tokens.Knows(other));
    EXPECT_EQ(tokens.RightOf(other, ""), Right::kNone);
  }
  EXPECT_FALSE(Tokens().Knows(token));
}

TEST(RemoveToken, ForgetsThatTokenOnly) {
  MemoryEnv env;
  const std::string ann = Make(env, kFile, "ann");
  const std::string bob = Make(env, kFile, "bob");
  ASSERT_TRUE(RemoveToken(env, kFile, "ann").ok());
  const Tokens tokens = ReadAll(env, kFile);
  EXPECT_THAT(Names(tokens), ElementsAre("bob"));
  EXPECT_FALSE(tokens.Knows(ann));
  EXPECT_TRUE(tokens.Knows(bob));
  EXPECT_EQ(RemoveToken(env, kFile, "ann").code(), StatusCode::kNotFound);
  EXPECT_EQ(RemoveToken(env, "/nothing.json", "ann").code(), StatusCode::kNotFound);
}

TEST(ReadTokens, AFileThatDoesNotExistHasNone) {
  MemoryEnv env;
  EXPECT_TRUE(ReadAll(env, kFile).records().empty());
}

TEST(ReadTokens, KnownFile) {
  MemoryEnv env;
  // The hash is that of "abc" (FIPS 180-2).
  Write(env, kFile, R"({"format": 1, "tokens": [{"name": "Zoë", "collection": "*", "right": "admin",
      "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "made_s": 7}]})");
  const Tokens tokens = ReadAll(env, kFile);
  EXPECT_EQ(tokens.RightOf("abc", "photos"), Right::kAdmin);
  EXPECT_THAT(Names(tokens), ElementsAre("Zoë"));
}

TEST(ReadTokens, RefusesWhatIsNoFileOfTokens) {
  const std::string hash(64, 'a');
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = R"({"format":1,"tokens":[{"name":"a","collection":"*","right":"read",)"
                       R"("sha256":")" +
                       hash + R"(","made_s":1}]})";
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  for (const std::string& text : {
           std::string(),
           std::string("{}"),
           std::string("[]"),
           std::string("null"),
           std::string(R"({"format":1})"),
           std::string(R"({"format":1,"tokens":{}})"),
           std::string(R"({"format":1,"tokens":["abcde"]})"),
           with("\"format\":1", "\"format\":0"),
           with("\"format\":1", "\"format\":\"1\""),
           with("\"made_s\":1", "\"made_s\":-1"),
           with("\"made_s\":1", "\"made_s\":1e99"),
           with("\"made_s\":1", "\"made_s\":18446744073709551615"),
           with("\"made_s\":1", "\"made_s\":1,\"expires_s\":2"),
           with("\"read\"", "\"none\""),
           with("\"*\"", "\"a b\""),
           with(hash, hash.substr(1)),
           with(hash, hash + "aa"),
           with("\"a\"", "\"\""),
           with("\"a\"", "\"\xff\""),
           with("\"a\"", "3"),
           with("]}", "]}x"),
       }) {
    MemoryEnv env;
    Write(env, kFile, text);
    const Status status = Tokens::Read(env, kFile).status();
    EXPECT_EQ(status.code(), StatusCode::kCorrupt) << text;
    EXPECT_THAT(status.message(), HasSubstr(kFile));
    EXPECT_EQ(MakeToken(env, kFile, "b", "*", Right::kRead, kNow).status().code(),
              StatusCode::kCorrupt);
    EXPECT_EQ(Content(env, kFile), text);
  }
  MemoryEnv env;
  Write(env, kFile, with("\"format\":1", "\"format\":2"));
  EXPECT_EQ(Tokens::Read(env, kFile).status().code(), StatusCode::kIncompatible);
}

TEST(ReadTokens, RefusesANameTwiceAndAnyCutFile) {
  MemoryEnv env;
  Make(env, kFile, "ann");
  Make(env, kFile, "bob");
  const std::string text = Content(env, kFile);
  std::string twice = text;
  twice.replace(twice.find("bob"), 3, "ann");
  Write(env, kFile, twice);
  EXPECT_EQ(Tokens::Read(env, kFile).status().code(), StatusCode::kCorrupt);
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {  // All but the last line break.
    Write(env, kFile, text.substr(0, size));
    EXPECT_EQ(Tokens::Read(env, kFile).status().code(), StatusCode::kCorrupt) << size;
  }
}

TEST(WriteTokens, AnyCallThatFailsLeavesAFileThatIsWhole) {
  bool failed = true;
  int calls = 0;
  for (; failed; ++calls) {
    MemoryEnv memory;
    FaultEnv env(memory);
    Make(env, kFile, "ann");
    env.Arm({.first = calls, .tear = true});
    failed = !MakeToken(env, kFile, "bob", "*", Right::kRead, kNow).ok();
    env.Disarm();
    const auto names = Names(ReadAll(env, kFile));
    // Only the last call, the directory's sync, fails when the name has changed already.
    EXPECT_EQ(names[0], "ann");
    const auto left = memory.List("/");
    ASSERT_TRUE(left.ok());
    EXPECT_THAT(*left, ElementsAre("tokens.json"));
    if (!failed) {
      EXPECT_THAT(names, ElementsAre("ann", "bob"));
    }
  }
  EXPECT_EQ(calls,
            9);  // Read, CreateNew, CopyMetadata, Append, Sync, Close, Rename, SyncDirectory.
}

TEST(WriteTokens, SurviveAPowerCut) {
  MemoryEnv env;
  Make(env, kFile, "ann");
  Make(env, kFile, "bob");
  ASSERT_TRUE(RemoveToken(env, kFile, "ann").ok());
  env.Crash();
  EXPECT_THAT(Names(ReadAll(env, kFile)), ElementsAre("bob"));
}

TEST_F(TokensOnDisk, TheFileIsItsOwnersOnly) {
  const mode_t before = ::umask(0);
  Make(DiskEnv(), file_, "ann");
  ::umask(before);
  EXPECT_EQ(Mode(), 0600u);
  ASSERT_EQ(::chmod(file_.c_str(), 0400), 0);
  Make(DiskEnv(), file_, "bob");
  EXPECT_EQ(Mode(), 0400u);
  EXPECT_EQ(ReadAll(DiskEnv(), file_).records().size(), 2u);
}

TEST_F(TokensOnDisk, RefusesAFileOfOthers) {
  Make(DiskEnv(), file_, "ann");
  for (const mode_t mode : {0640, 0620, 0604, 0602, 0666}) {
    ASSERT_EQ(::chmod(file_.c_str(), mode), 0);
    const Status read = Tokens::Read(DiskEnv(), file_).status();
    EXPECT_EQ(read.code(), StatusCode::kPermissionDenied) << std::oct << mode;
    EXPECT_THAT(read.message(), HasSubstr(file_));
    EXPECT_EQ(MakeToken(DiskEnv(), file_, "bob", "*", Right::kRead, kNow).status().code(),
              StatusCode::kPermissionDenied);
    EXPECT_EQ(RemoveToken(DiskEnv(), file_, "ann").code(), StatusCode::kPermissionDenied);
  }
}

TEST_F(TokensOnDisk, NoneOfThoseMadeAtOnceIsLost) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 5; ++j) {
        Make(DiskEnv(), file_, std::to_string(i) + "-" + std::to_string(j));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ReadAll(DiskEnv(), file_).records().size(), 40u);
  const auto left = DiskEnv().List(folder_);
  ASSERT_TRUE(left.ok());
  EXPECT_THAT(*left, ElementsAre("tokens.json"));
}

TEST_F(TokensOnDisk, ADirectoryThatIsNotThereIsNamed) {
  const Status status =
      MakeToken(DiskEnv(), folder_ + "/no/t.json", "ann", "*", Right::kRead, kNow).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr(folder_ + "/no"));
}

}  // namespace
}  // namespace siftsearch::server
