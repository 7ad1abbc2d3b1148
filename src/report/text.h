#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace siftsearch::report {

/// True for well-formed UTF-8.
bool IsUtf8(std::string_view text);

/// Text for a terminal, on one line and harmless: control characters, characters that turn the
/// reading direction, backslashes and bytes that are not UTF-8 become escapes such as \n, \x1b and
/// \u202e.
std::string Printable(std::string_view text);

/// RFC 4648 base64 with padding.
std::string Base64(std::string_view bytes);
/// The bytes of such text, or none where it is not.
std::optional<std::string> FromBase64(std::string_view text);

/// The bytes of hexadecimal text of either case, or none.
std::optional<std::string> FromHex(std::string_view text);

/// Columns that UTF-8 text takes on a terminal, counting each character as one.
std::size_t DisplayWidth(std::string_view text);

}  // namespace siftsearch::report
