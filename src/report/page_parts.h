#pragma once

#include <string_view>

namespace siftsearch::report {

/// The files of page/, compiled into the program.
extern const std::string_view kPageStyle;
extern const std::string_view kPageBody;
extern const std::string_view kPageScript;

}  // namespace siftsearch::report
