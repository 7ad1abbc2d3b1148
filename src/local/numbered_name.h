#pragma once

#include <algorithm>
#include <string_view>

namespace siftsearch::local {

/// Names that we give: digits and an ending, and ".tmp" while the file is being written.
inline bool IsNumberedName(std::string_view name, std::string_view ending) {
  if (name.ends_with(".tmp")) name.remove_suffix(4);
  if (!name.ends_with(ending)) return false;
  name.remove_suffix(ending.size());
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace siftsearch::local
