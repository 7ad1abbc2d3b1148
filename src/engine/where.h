#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"

namespace siftsearch::engine {

/// A condition on images, such as: seller != acme and (width >= 640 or path ~ "archive/").
///
///   condition  = term { "or" term }          term  = factor { "and" factor }
///   factor     = "not" factor | "(" condition ")" | name operator value
///   operator   = "=" "==" "!=" "<" "<=" ">" ">=" "~" "!~"
///
/// Names are attributes, or path, id, width, height, bytes, descriptors. Two numbers are compared
/// as numbers, else as text, byte by byte; ~ asks whether the text holds the value, in any case of
/// ASCII letters. A value (or a name) with other characters than letters, digits and _-.:/%+@ is
/// put in single or double quotes. An attribute that an image lacks is the empty text.
class Where {
 public:
  /// kInvalidArgument says what is wrong and where.
  static Result<Where> Parse(const std::string& text);

  bool Matches(const ImageRecord& image) const { return test_(image); }
  /// The attributes that it asks for.
  const std::set<std::string>& attributes() const { return attributes_; }

 private:
  using Test = std::function<bool(const ImageRecord&)>;
  friend class WhereParser;
  Where(Test test, std::set<std::string> attributes)
      : test_(std::move(test)), attributes_(std::move(attributes)) {}

  Test test_;
  std::set<std::string> attributes_;
};

}  // namespace siftsearch::engine
