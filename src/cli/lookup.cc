#include "cli/lookup.h"

#include <charconv>

#include "cli/input_walker.h"

namespace siftsearch::cli {

Result<std::optional<ImageRecord>> FindImage(const BackendSnapshot& snapshot,
                                             const std::string& name) {
  ImageId id = 0;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data(), end, id);
  if (parsed.ec == std::errc() && parsed.ptr == end && id > 0) return snapshot.FindId(id);
  return snapshot.FindPath(AbsolutePath(name));
}

}  // namespace siftsearch::cli
