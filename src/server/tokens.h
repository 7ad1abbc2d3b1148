#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "env/file_env.h"
#include "siftsearch/status.h"

namespace siftsearch::server {

/// What a token lets its bearer do; each includes the ones before it.
enum class Right { kNone, kRead, kWrite, kAdmin };

/// "read", "write" or "admin"; "none".
std::string_view RightName(Right right);
/// None for another word.
std::optional<Right> ParseRight(std::string_view word);

/// A token that was given out. Its text is not kept.
struct TokenRecord {
  std::string name;        ///< For people: whose it is; unique in its file.
  std::string collection;  ///< The only one that it is for, or "*".
  Right right = Right::kNone;
  std::array<std::uint8_t, 32> hash{};  ///< SHA-256 of the token's text.
  std::int64_t made_s = 0;              ///< Seconds since 1970.
};

/// The tokens of a server, in a file that only its owner may read and write: JSON
/// (schema/tokens.md). Immutable.
class Tokens {
 public:
  /// A file that does not exist has no tokens. kPermissionDenied for a file that others may read
  /// or write, kCorrupt for one that is no file of tokens.
  static Result<Tokens> Read(FileEnv& env, const std::string& file);

  /// What the bearer of `token` may do with a collection ("" : with the server as a whole, for
  /// which only tokens of all collections count). kNone for an unknown token. Compares with every
  /// token, in constant time each.
  Right RightOf(std::string_view token, std::string_view collection) const;
  /// Whether there is such a token at all.
  bool Knows(std::string_view token) const;

  const std::vector<TokenRecord>& records() const { return records_; }

 private:
  std::vector<TokenRecord> records_;
};

/// Makes a token of 256 random bits and stores its hash, durably, replacing the file in one step.
/// Returns the token's text ("sift_" and 43 characters of base64url), which can't be had again.
/// kAlreadyExists where the name is taken.
Result<std::string> MakeToken(FileEnv& env, const std::string& file, const std::string& name,
                              const std::string& collection, Right right, std::int64_t now_s);
/// Forgets a token, durably. kNotFound where there is none of that name.
Status RemoveToken(FileEnv& env, const std::string& file, const std::string& name);

}  // namespace siftsearch::server
