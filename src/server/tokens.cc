#include "server/tokens.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/hash.h"
#include "base/status_macros.h"
#include "report/text.h"
#include "server/collections.h"

namespace siftsearch::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr std::size_t kNameBytes = 200;
constexpr std::int64_t kLastSecond = 253'402'300'799;  // Of the year 9999.
constexpr std::chrono::seconds kLockWait{10};

/// Thrown inside this file only: what is wrong with a file.
struct WrongFile {
  std::string what;
};

std::span<const std::uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// kPermissionDenied where others than its owner have any right to a file.
Status CheckPrivate(const std::string& file) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (!fs::exists(status)) return {};  // Or it can't be examined: reading it says why.
  const fs::perms others = fs::perms::group_all | fs::perms::others_all;
  if ((status.permissions() & others) == fs::perms::none) return {};
  return {StatusCode::kPermissionDenied,
          file + ": others than its owner may use this file of tokens (chmod 600 takes that away)"};
}

Status CheckName(const std::string& name) {
  const bool shown_as_is = report::IsUtf8(name) && report::Printable(name) == name;
  if (!name.empty() && name.size() <= kNameBytes && shown_as_is) return {};
  return {StatusCode::kInvalidArgument,
          fmt::format("the name of a token is 1 to {} bytes of UTF-8 without control characters "
                      "and backslashes",
                      kNameBytes)};
}

Status CheckCollection(const std::string& collection) {
  if (collection == "*" || IsCollectionName(collection)) return {};
  return {StatusCode::kInvalidArgument, "a token is for a collection, or for all (*): \"" +
                                            collection + "\" is the name of none"};
}

TokenRecord RecordOf(const Json& json) {
  if (json.size() != 5) throw WrongFile{"a token has other fields than it should have"};
  TokenRecord record;
  record.name = json.at("name").get<std::string>();
  record.collection = json.at("collection").get<std::string>();
  if (Status status = CheckName(record.name); !status.ok()) throw WrongFile{status.message()};
  if (Status status = CheckCollection(record.collection); !status.ok()) {
    throw WrongFile{status.message()};
  }
  const auto right = ParseRight(json.at("right").get<std::string>());
  if (!right) throw WrongFile{"the right of \"" + record.name + "\" is none of its words"};
  record.right = *right;
  const auto hash = report::FromHex(json.at("sha256").get<std::string>());
  if (!hash || hash->size() != record.hash.size()) {
    throw WrongFile{"the sha256 of \"" + record.name + "\" is not 64 hexadecimal digits"};
  }
  std::copy(hash->begin(), hash->end(), record.hash.begin());
  const Json& made = json.at("made_s");
  record.made_s = made.is_number_integer() ? made.get<std::int64_t>() : -1;
  if (record.made_s < 0 || record.made_s > kLastSecond) {
    throw WrongFile{"the made_s of \"" + record.name + "\" is no time"};
  }
  return record;
}

bool HasName(const std::vector<TokenRecord>& records, const std::string& name) {
  return std::any_of(records.begin(), records.end(),
                     [&](const TokenRecord& record) { return record.name == name; });
}

Result<std::vector<TokenRecord>> ParseRecords(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    const auto format = json.at("format").get<std::int64_t>();
    if (format > kFormat) {
      return Status(StatusCode::kIncompatible,
                    fmt::format("is of format {}, which this program does not know", format));
    }
    if (format != kFormat || json.size() != 2 || !json.at("tokens").is_array()) {
      throw WrongFile{"has other fields than it should have"};
    }
    std::vector<TokenRecord> records;
    for (const Json& token : json.at("tokens")) {
      TokenRecord record = RecordOf(token);
      if (HasName(records, record.name)) {
        throw WrongFile{"the name \"" + record.name + "\" is there twice"};
      }
      records.push_back(std::move(record));
    }
    return records;
  } catch (const WrongFile& wrong) {
    return Status(StatusCode::kCorrupt, "is no file of tokens: " + wrong.what);
  } catch (const Json::exception& error) {
    return Status(StatusCode::kCorrupt, std::string("is no file of tokens: ") + error.what());
  }
}

std::string FileText(const std::vector<TokenRecord>& records) {
  Json tokens = Json::array();
  for (const TokenRecord& record : records) {
    tokens.push_back({{"name", record.name},
                      {"collection", record.collection},
                      {"right", RightName(record.right)},
                      {"sha256", ToHex(record.hash)},
                      {"made_s", record.made_s}});
  }
  return Json{{"format", kFormat}, {"tokens", std::move(tokens)}}.dump(2) + "\n";
}

/// `bytes` of chance.
Result<std::string> RandomBytes(std::size_t bytes) {
  std::string random(bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), static_cast<int>(bytes)) == 1) {
    return random;
  }
  return Status(StatusCode::kInternal, "the system gives no random numbers");
}

/// Writes `part`, a new file, durably.
Status WritePart(FileEnv& env, const std::string& part, const std::string& file,
                 std::string_view text) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto out, env.CreateNew(part, Access::kPrivate));
  // Where root adds a token, the file stays that of the server's user.
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool exists, env.Exists(file));
  if (exists) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::string lost, env.CopyMetadata(file, part));
    (void)lost;
  }
  SIFTSEARCH_RETURN_IF_ERROR(out->Append(Bytes(text)));
  SIFTSEARCH_RETURN_IF_ERROR(out->Sync());
  return out->Close();
}

Status Replace(FileEnv& env, const std::string& file, const std::vector<TokenRecord>& records) {
  // A name of chance is nobody else's, so what failed may be removed.
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::string chance, RandomBytes(8));
  const std::string part = fmt::format("{}.{}.part", file, ToHex(Bytes(chance)));
  Status written = WritePart(env, part, file, FileText(records));
  if (written.ok()) written = env.Rename(part, file);
  if (!written.ok()) {
    (void)env.Remove(part);  // Of no use; the earlier error is the one to tell.
    return written;
  }
  return env.SyncDirectory(DirectoryOf(file));
}

/// Reads the records, lets `change` change them and stores them. The lock is the directory's: it is
/// waited for, leaves no file, and stays where it is when the file is replaced.
template <typename Change>
Status Update(FileEnv& env, const std::string& file, Change change) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto lock, env.Lock(DirectoryOf(file), kLockWait));
  SIFTSEARCH_ASSIGN_OR_RETURN(const Tokens tokens, Tokens::Read(env, file));
  std::vector<TokenRecord> records = tokens.records();
  SIFTSEARCH_RETURN_IF_ERROR(change(records));
  return Replace(env, file, records);
}

/// A token's text.
Result<std::string> NewToken() {
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::string random, RandomBytes(32));
  std::string text = report::Base64(random);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.resize(43);  // Without the padding.
  return "sift_" + text;
}

}  // namespace

std::string_view RightName(Right right) {
  switch (right) {
    case Right::kRead:
      return "read";
    case Right::kWrite:
      return "write";
    case Right::kAdmin:
      return "admin";
    default:
      return "none";
  }
}

std::optional<Right> ParseRight(std::string_view word) {
  for (const Right right : {Right::kRead, Right::kWrite, Right::kAdmin}) {
    if (RightName(right) == word) return right;
  }
  return std::nullopt;
}

Result<Tokens> Tokens::Read(FileEnv& env, const std::string& file) {
  SIFTSEARCH_RETURN_IF_ERROR(CheckPrivate(file));
  const auto bytes = env.Read(file);
  if (bytes.status().code() == StatusCode::kNotFound) return Tokens();
  if (!bytes.ok()) return bytes.status();
  auto records = ParseRecords({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  if (!records.ok()) {
    return Status(records.status().code(), file + ": " + records.status().message());
  }
  Tokens tokens;
  tokens.records_ = std::move(records).value();
  return tokens;
}

Right Tokens::RightOf(std::string_view token, std::string_view collection) const {
  const ContentHash hash = Sha256(Bytes(token));
  Right right = Right::kNone;
  for (const TokenRecord& record : records_) {
    const bool same = CRYPTO_memcmp(record.hash.data(), hash.data(), hash.size()) == 0;
    const bool covers = record.collection == "*" || record.collection == collection;
    if (same && covers) right = std::max(right, record.right);
  }
  return right;
}

bool Tokens::Knows(std::string_view token) const {
  const ContentHash hash = Sha256(Bytes(token));
  bool known = false;
  for (const TokenRecord& record : records_) {
    known |= CRYPTO_memcmp(record.hash.data(), hash.data(), hash.size()) == 0;
  }
  return known;
}

Result<std::string> MakeToken(FileEnv& env, const std::string& file, const std::string& name,
                              const std::string& collection, Right right, std::int64_t now_s) {
  SIFTSEARCH_RETURN_IF_ERROR(CheckName(name));
  SIFTSEARCH_RETURN_IF_ERROR(CheckCollection(collection));
  if (right == Right::kNone || now_s < 0 || now_s > kLastSecond) {
    return Status(StatusCode::kInvalidArgument, "a token needs a right, and a time it was made");
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(std::string token, NewToken());
  SIFTSEARCH_RETURN_IF_ERROR(Update(env, file, [&](std::vector<TokenRecord>& records) -> Status {
    if (HasName(records, name)) {
      return {StatusCode::kAlreadyExists, file + ": there is a token \"" + name + "\" already"};
    }
    records.push_back({name, collection, right, Sha256(Bytes(token)), now_s});
    return {};
  }));
  return token;
}

Status RemoveToken(FileEnv& env, const std::string& file, const std::string& name) {
  return Update(env, file, [&](std::vector<TokenRecord>& records) -> Status {
    const auto same = [&](const TokenRecord& record) { return record.name == name; };
    if (std::erase_if(records, same) > 0) return {};
    return {StatusCode::kNotFound, file + ": there is no token \"" + name + "\""};
  });
}

}  // namespace siftsearch::server
