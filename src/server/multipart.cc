#include "server/multipart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "report/text.h"

namespace siftsearch::server {
namespace {

constexpr std::string_view kLineBreak = "\r\n";
constexpr std::string_view kBlanks = " \t";
constexpr std::size_t kBoundaryCharacters = 70;  // RFC 2046, section 5.1.1.

using Fields = std::map<std::string, std::string, std::less<>>;

/// A header's value taken apart: form-data; name="a" is a word and a parameter.
struct FieldValue {
  std::string word;   ///< In lower case.
  Fields parameters;  ///< By name in lower case.
};

struct PartHeaders {
  Fields fields;        ///< By name in lower case.
  std::size_t end = 0;  ///< Where the part's body begins.
};

/// A line of the body that is a boundary.
struct Delimiter {
  std::size_t begin = 0;  ///< The line break before it, which is its own.
  std::size_t end = 0;    ///< Behind its line.
  bool last = false;
};

Status Malformed(std::string message) { return {StatusCode::kInvalidArgument, std::move(message)}; }

bool IsLetterOrDigit(char c) { return std::isalnum(static_cast<unsigned char>(c)) && c > 0; }

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  }
  return lower;
}

std::string_view Trim(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

/// Takes a quoted string off the front of `rest`. A backslash stands for itself unless a quote or
/// another backslash follows: old browsers send C:\a.jpg.
Result<std::string> TakeQuoted(std::string_view& rest) {
  std::string value;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return value;
    }
    const char next = i + 1 < rest.size() ? rest[i + 1] : '\0';
    if (rest[i] == '\\' && (next == '"' || next == '\\')) ++i;
    value += rest[i];
  }
  return Malformed("a quoted text in a header does not end");
}

/// Takes the value of a parameter, and what belongs to it up to the next semicolon.
Result<std::string> TakeValue(std::string_view& rest) {
  std::string value;
  const bool quoted = rest.starts_with('"');
  if (quoted) {
    SIFTSEARCH_ASSIGN_OR_RETURN(value, TakeQuoted(rest));
  }
  const std::string_view bare = Trim(rest.substr(0, rest.find(';')));
  rest.remove_prefix(std::min(rest.find(';'), rest.size()));
  if (bare.find('"') != std::string_view::npos || (quoted && !bare.empty())) {
    return Malformed("a parameter of a header has text beside its quotes");
  }
  return quoted ? value : std::string(bare);
}

Result<FieldValue> ParseFieldValue(std::string_view text) {
  FieldValue field;
  field.word = Lower(Trim(text.substr(0, text.find(';'))));
  text.remove_prefix(std::min(text.find(';'), text.size()));
  while (!text.empty()) {
    text.remove_prefix(1);  // The semicolon.
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    if (text.empty() || text.front() == ';') continue;
    const std::size_t equals = text.find_first_of("=;\"");
    if (equals == std::string_view::npos || text[equals] != '=') {
      return Malformed("a parameter of a header has no value");
    }
    std::string name = Lower(Trim(text.substr(0, equals)));
    text.remove_prefix(equals + 1);
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    SIFTSEARCH_ASSIGN_OR_RETURN(std::string value, TakeValue(text));
    if (!field.parameters.emplace(std::move(name), std::move(value)).second) {
      return Malformed("a header has a parameter twice");
    }
  }
  return field;
}

bool IsBoundaryCharacter(char c) {
  return IsLetterOrDigit(c) || std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
}

Status CheckBoundary(std::string_view boundary) {
  if (boundary.empty()) return Malformed("the Content-Type gives no boundary");
  if (boundary.size() > kBoundaryCharacters) {
    return Malformed(fmt::format("the boundary has more than {} characters", kBoundaryCharacters));
  }
  if (boundary.back() == ' ' ||
      !std::all_of(boundary.begin(), boundary.end(), IsBoundaryCharacter)) {
    return Malformed("the boundary has a character that a boundary can't have");
  }
  return {};
}

/// The boundary that is the line from `begin`, its break before it included, where the boundary's
/// own text ends at `end`. Where the line goes on with something else it is data.
std::optional<Delimiter> DelimiterAt(std::string_view body, std::size_t begin, std::size_t end) {
  const bool last = body.substr(end).starts_with("--");
  if (last) end += 2;
  end = std::min(body.find_first_not_of(kBlanks, end), body.size());
  if (body.substr(end).starts_with(kLineBreak)) {
    return Delimiter{begin, end + kLineBreak.size(), last};
  }
  if (last && end == body.size()) return Delimiter{begin, end, last};
  return std::nullopt;
}

/// The first boundary from `from` on. `line` is a line break, two hyphens and the boundary.
std::optional<Delimiter> FindDelimiter(std::string_view body, std::string_view line,
                                       std::size_t from) {
  std::size_t at = body.find(line, from);
  for (; at != std::string_view::npos; at = body.find(line, at + line.size())) {
    const auto found = DelimiterAt(body, at, at + line.size());
    if (found) return found;
  }
  return std::nullopt;
}

/// The one that the parts begin with: the body's first line, or behind a preamble.
std::optional<Delimiter> FirstDelimiter(std::string_view body, std::string_view line) {
  const std::string_view without_break = line.substr(kLineBreak.size());
  if (body.starts_with(without_break)) {
    const auto found = DelimiterAt(body, 0, without_break.size());
    if (found) return found;
  }
  return FindDelimiter(body, line, 0);
}

bool IsFieldNameCharacter(char c) {
  return IsLetterOrDigit(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsControl(char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; }

/// Adds a line of headers to `fields`. `last` is the value that a folded line goes on with, or
/// null.
Status AddLine(std::string_view line, Fields& fields, std::string*& last) {
  if (std::any_of(line.begin(), line.end(), IsControl)) {
    return Malformed("its headers have a control character");
  }
  if (kBlanks.find(line.front()) != std::string_view::npos && last != nullptr) {
    *last += ' ';
    *last += Trim(line);
    return {};
  }
  const std::string_view name = line.substr(0, line.find(':'));
  if (name.empty() || name.size() == line.size() ||
      !std::all_of(name.begin(), name.end(), IsFieldNameCharacter)) {
    return Malformed("it has a line that is no header before the empty line");
  }
  const auto [field, added] = fields.emplace(Lower(name), Trim(line.substr(name.size() + 1)));
  if (!added && field->first.starts_with("content-")) {
    return Malformed(fmt::format("it has the header {} twice", field->first));
  }
  last = &field->second;
  return {};
}

/// Headers that begin at `begin`, and the empty line behind them.
Result<PartHeaders> ReadHeaders(std::string_view body, std::size_t begin, std::string_view boundary,
                                std::size_t most_bytes) {
  const std::string_view text = body.substr(begin, most_bytes);
  PartHeaders headers;
  std::string* last = nullptr;
  std::size_t at = 0;
  while (true) {
    const std::size_t line_end = text.find(kLineBreak, at);
    if (line_end == std::string_view::npos) break;
    const std::string_view line = text.substr(at, line_end - at);
    at = line_end + kLineBreak.size();
    if (line.empty()) {
      headers.end = begin + at;
      return headers;
    }
    // A boundary with a colon would pass for a header.
    if (line.starts_with(boundary)) return Malformed("no empty line ends its headers");
    SIFTSEARCH_RETURN_IF_ERROR(AddLine(line, headers.fields, last));
  }
  if (begin + text.size() == body.size()) return Malformed("it is cut short in its headers");
  return Status(StatusCode::kLimitExceeded,
                fmt::format("its headers have more than {} bytes", most_bytes));
}

/// Undoes the %-escapes that `wanted` takes; none where an escape is broken.
template <typename Wanted>
std::optional<std::string> Unescape(std::string_view text, Wanted wanted) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && wanted(text.substr(i, 3))) {
      const auto byte = report::FromHex(text.substr(i + 1, 2));
      if (!byte || byte->size() != 1) return std::nullopt;
      plain += *byte;
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

/// What browsers escape in a name (WHATWG HTML, multipart/form-data encoding); a % is else itself.
bool IsFormEscape(std::string_view escape) {
  return escape == "%22" || Lower(escape) == "%0d" || Lower(escape) == "%0a";
}

/// A text of the form UTF-8'language'text (RFC 8187); none for another.
std::optional<std::string> DecodeExtended(std::string_view value) {
  const std::size_t charset = std::min(value.find('\''), value.size());
  const std::size_t language = value.find('\'', charset + 1);
  if (language == std::string_view::npos || Lower(value.substr(0, charset)) != "utf-8") {
    return std::nullopt;
  }
  auto text = Unescape(value.substr(language + 1), [](std::string_view) { return true; });
  return text && report::IsUtf8(*text) ? text : std::nullopt;
}

/// The value of `parameter`, or rather that of the form parameter*; "" where there is neither.
Result<std::string> DecodedName(const Fields& parameters, const std::string& parameter) {
  std::optional<std::string> name = "";
  if (const auto extended = parameters.find(parameter + "*"); extended != parameters.end()) {
    name = DecodeExtended(extended->second);
    if (!name) return Malformed("its " + parameter + "* is not UTF-8''… with whole escapes");
  } else if (const auto plain = parameters.find(parameter); plain != parameters.end()) {
    name = Unescape(plain->second, IsFormEscape);
  }
  if (name->find('\0') != std::string::npos) return Malformed("its " + parameter + " has a NUL");
  return *name;
}

std::string LastName(const std::string& path) {
  const std::string name = path.substr(path.find_last_of("/\\") + 1);
  return name == "." || name == ".." ? "" : name;
}

Status ReadNames(const std::string& disposition, std::size_t most_bytes, Part& part) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const FieldValue value, ParseFieldValue(disposition));
  SIFTSEARCH_ASSIGN_OR_RETURN(part.name, DecodedName(value.parameters, "name"));
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::string path, DecodedName(value.parameters, "filename"));
  part.file_name = LastName(path);
  part.file_path = path;
  if (std::max(part.name.size(), part.file_path.size()) > most_bytes) {
    return {StatusCode::kLimitExceeded, fmt::format("its name has more than {} bytes", most_bytes)};
  }
  return {};
}

/// What headers say of a part.
Result<Part> DescribePart(const Fields& fields, bool is_form, const MultipartLimits& limits) {
  Part part;
  const auto value = [&](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
  };
  const std::string disposition = value("content-disposition");
  if (disposition.empty() && is_form) return Malformed("it has no Content-Disposition");
  SIFTSEARCH_RETURN_IF_ERROR(ReadNames(disposition, limits.name_bytes, part));
  // RFC 7578 has no other encodings; undoing one would take a copy of the data.
  static constexpr std::array<std::string_view, 4> kPlain = {"", "binary", "8bit", "7bit"};
  const std::string encoding = Lower(value("content-transfer-encoding"));
  if (std::find(kPlain.begin(), kPlain.end(), encoding) == kPlain.end()) {
    return Malformed("its Content-Transfer-Encoding is not binary");
  }
  part.content_type = value("content-type");
  return part;
}

Status About(std::size_t number, const Status& status) {
  return {status.code(), fmt::format("part {} of the body: {}", number, status.message())};
}

}  // namespace

Result<std::vector<Part>> ParseMultipart(std::string_view content_type, std::string_view body,
                                         const MultipartLimits& limits) {
  SIFTSEARCH_ASSIGN_OR_RETURN(FieldValue type, ParseFieldValue(content_type));
  const bool is_form = type.word == "multipart/form-data";
  if (!is_form && type.word != "multipart/mixed") {
    return Malformed("the body is neither multipart/form-data nor multipart/mixed");
  }
  const std::string boundary = type.parameters["boundary"];
  SIFTSEARCH_RETURN_IF_ERROR(CheckBoundary(boundary));
  const std::string line = "\r\n--" + boundary;
  auto delimiter = FirstDelimiter(body, line);
  if (!delimiter) return Malformed("no line of the body is its boundary");
  std::vector<Part> parts;
  while (!delimiter->last) {
    const std::size_t number = parts.size() + 1;
    if (number > limits.parts) {
      return Status(StatusCode::kLimitExceeded,
                    fmt::format("the body has more than {} parts", limits.parts));
    }
    const auto headers = ReadHeaders(body, delimiter->end, "--" + boundary, limits.header_bytes);
    if (!headers.ok()) return About(number, headers.status());
    auto part = DescribePart(headers->fields, is_form, limits);
    if (!part.ok()) return About(number, part.status());
    // The line break of the empty line may be the one that the next boundary begins with.
    const std::size_t begin = headers->end;
    delimiter = FindDelimiter(body, line, begin - kLineBreak.size());
    if (!delimiter) return Malformed("the body is cut short: its last boundary is missing");
    part->body = body.substr(begin, std::max(delimiter->begin, begin) - begin);
    parts.push_back(std::move(part).value());
  }
  return parts;
}

}  // namespace siftsearch::server
