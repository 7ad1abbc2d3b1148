#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "base/exception_status.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "engine/picture_file.h"
#include "features/pdq.h"
#include "image/decode.h"
#include "siftsearch/engine.h"

namespace siftsearch {
namespace {

Result<PictureHash> Hash(const QueryInput& input, const InputLimits& limits) {
  SIFTSEARCH_RETURN_IF_ERROR(input.problem);
  std::vector<std::uint8_t> read;
  if (!input.bytes) {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto file, engine::ReadPictureFile(input.name, limits));
    read = std::move(file.bytes);
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(const image::GreyImage picture,
                              image::DecodeGrey(input.bytes ? *input.bytes : read,
                                                {.max_pixels = limits.max_pixels,
                                                 .max_file_bytes = limits.max_file_bytes}));
  PictureHash hash;
  for (const Pdq& turned : features::PdqInAllTurns(picture)) {
    hash.pdq.push_back(ToHex(turned.bits));
    hash.quality = turned.quality;
  }
  return hash;
}

}  // namespace

Result<PictureHash> HashPicture(const QueryInput& input, const InputLimits& limits) {
  const auto about = [&](const Status& status) {
    return Status(status.code(), input.name + ": " + status.message());
  };
  try {
    auto hash = Hash(input, limits);
    if (hash.ok()) return hash;
    return about(hash.status());
  } catch (const std::exception& error) {
    return about(StatusOf(error));
  }
}

}  // namespace siftsearch
