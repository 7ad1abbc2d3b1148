#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "siftsearch/status.h"

namespace siftsearch::server {

/// A part of a multipart body.
struct Part {
  std::string name;          ///< Of Content-Disposition; may be empty.
  std::string file_path;     ///< As sent, decoded; may hold anything.
  std::string file_name;     ///< The last name of that path; empty where there is none.
  std::string content_type;  ///< As sent; may be empty.
  std::string_view body;     ///< Points into the body that was parsed.
};

struct MultipartLimits {
  std::size_t parts = 10'000;
  std::size_t header_bytes = 8 << 10;  ///< Of a part, all lines.
  std::size_t name_bytes = 1'024;      ///< Of a name, and of a file's name.
};

/// Takes a body of multipart/form-data (RFC 7578) or multipart/mixed (RFC 2046) apart. Names of
/// files may be of the form filename*=UTF-8''… (RFC 5987). kInvalidArgument says what is malformed,
/// kLimitExceeded which limit is exceeded. Takes memory for the parts' headers only.
Result<std::vector<Part>> ParseMultipart(std::string_view content_type, std::string_view body,
                                         const MultipartLimits& limits = {});

}  // namespace siftsearch::server
