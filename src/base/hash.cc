#include "base/hash.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <new>

namespace siftsearch {

ContentHash Sha256(std::span<const std::uint8_t> bytes) {
  ContentHash hash;
  // Of valid arguments libcrypto fails only where it gets no memory; there is no hash to go on
  // with.
  if (EVP_Digest(bytes.data(), bytes.size(), hash.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    throw std::bad_alloc();
  }
  return hash;
}

std::uint64_t Checksum(std::span<const std::uint8_t> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string ToHex(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace siftsearch
