#include "engine/where.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/status_macros.h"

namespace siftsearch::engine {
namespace {

constexpr std::size_t kMaxDepth = 100;

std::string Lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::optional<double> NumberOf(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || parsed != end) return std::nullopt;
  return number;
}

/// What every image has.
std::optional<std::string> OwnValue(const ImageRecord& image, const std::string& name) {
  if (name == "path") return image.path;
  if (name == "id") return std::to_string(image.id);
  if (name == "width") return std::to_string(image.width);
  if (name == "height") return std::to_string(image.height);
  if (name == "bytes") return std::to_string(image.file_bytes);
  if (name == "descriptors") return std::to_string(image.descriptors);
  if (name == "pages") return std::to_string(image.pages);
  return std::nullopt;
}

std::string ValueOf(const ImageRecord& image, const std::string& name) {
  const auto attribute = image.attributes.find(name);
  if (attribute != image.attributes.end()) return attribute->second;
  return OwnValue(image, name).value_or("");
}

/// Below 0, 0 or above 0 as strcmp.
int Compare(const std::string& a, const std::string& b) {
  const auto x = NumberOf(a), y = NumberOf(b);
  if (x && y) return *x < *y ? -1 : *x > *y ? 1 : 0;
  return a.compare(b);
}

bool Holds(const std::string& op, const std::string& value, const std::string& wanted) {
  if (op == "~" || op == "!~") {
    return (Lower(value).find(Lower(wanted)) != std::string::npos) == (op == "~");
  }
  const int order = Compare(value, wanted);
  if (op == "=" || op == "==") return order == 0;
  if (op == "!=") return order != 0;
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  if (op == ">") return order > 0;
  return order >= 0;
}

}  // namespace

/// By recursive descent.
class WhereParser {
 public:
  using Test = Where::Test;

  explicit WhereParser(const std::string& text) : text_(text) {}

  Result<Where> Parse() {
    SIFTSEARCH_ASSIGN_OR_RETURN(Test test, Condition());
    if (!Peek().empty()) return Wrong("\"and\", \"or\" or the end");
    return Where(std::move(test), std::move(attributes_));
  }

 private:
  struct Word {
    std::string text;
    bool quoted = false;
    bool empty() const { return text.empty() && !quoted; }
  };

  Status Wrong(const std::string& expected) {
    const Word word = Peek();
    const std::string found = word.empty() ? "its end" : fmt::format("\"{}\"", word.text);
    return {StatusCode::kInvalidArgument,
            fmt::format("the condition \"{}\" has {} at character {}, where {} should be", text_,
                        found, at_ + 1, expected)};
  }

  static bool IsPlain(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || (c & 0x80) != 0 ||
           std::string_view("_-.:/%+@").find(c) != std::string_view::npos;
  }

  /// The word at the place reached, without taking it.
  Word Peek() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    next_ = at_;
    if (at_ == text_.size()) return {};
    const char first = text_[at_];
    if (first == '"' || first == '\'') {
      const std::size_t end = text_.find(first, at_ + 1);
      next_ = end == std::string::npos ? text_.size() : end + 1;
      // A quote that is not closed begins no value.
      if (end == std::string::npos) return {text_.substr(at_), false};
      return {text_.substr(at_ + 1, end - at_ - 1), true};
    }
    if (IsPlain(first)) {
      while (next_ < text_.size() && IsPlain(text_[next_])) ++next_;
    } else {
      for (const char* op : {"==", "!=", "<=", ">=", "!~", "=", "<", ">", "~", "(", ")"}) {
        if (text_.compare(at_, std::string_view(op).size(), op) == 0) {
          next_ = at_ + std::string_view(op).size();
          break;
        }
      }
      if (next_ == at_) ++next_;
    }
    return {text_.substr(at_, next_ - at_), false};
  }

  /// Takes the next word if it is this one.
  bool Take(const std::string& word) {
    const Word next = Peek();
    if (next.quoted || Lower(next.text) != word) return false;
    at_ = next_;
    return true;
  }

  Result<Test> Condition() {
    SIFTSEARCH_ASSIGN_OR_RETURN(Test left, Term());
    while (Take("or")) {
      SIFTSEARCH_ASSIGN_OR_RETURN(Test right, Term());
      left = [left, right](const ImageRecord& image) { return left(image) || right(image); };
    }
    return left;
  }

  Result<Test> Term() {
    SIFTSEARCH_ASSIGN_OR_RETURN(Test left, Factor());
    while (Take("and")) {
      SIFTSEARCH_ASSIGN_OR_RETURN(Test right, Factor());
      left = [left, right](const ImageRecord& image) { return left(image) && right(image); };
    }
    return left;
  }

  Result<Test> Factor() {
    if (++depth_ > kMaxDepth) return Wrong("less nesting");
    auto factor = NestedFactor();
    --depth_;
    return factor;
  }

  Result<Test> NestedFactor() {
    if (Take("not")) {
      SIFTSEARCH_ASSIGN_OR_RETURN(Test inner, Factor());
      return Test([inner](const ImageRecord& image) { return !inner(image); });
    }
    if (Take("(")) {
      SIFTSEARCH_ASSIGN_OR_RETURN(Test inner, Condition());
      if (!Take(")")) return Wrong("\")\"");
      return inner;
    }
    return Comparison();
  }

  Result<Test> Comparison() {
    const Word name = Peek();
    if (name.empty() || (!name.quoted && !IsPlain(name.text.front()))) return Wrong("a name");
    at_ = next_;
    const Word op = Peek();
    static constexpr std::string_view kOperators[] = {
        "=", "==", "!=", "<", "<=", ">", ">=", "~", "!~"};
    if (op.quoted ||
        std::find(std::begin(kOperators), std::end(kOperators), op.text) == std::end(kOperators)) {
      return Wrong("an operator (= != < <= > >= ~ !~)");
    }
    at_ = next_;
    const Word value = Peek();
    if (value.empty() || (!value.quoted && !IsPlain(value.text.front()))) return Wrong("a value");
    at_ = next_;
    if (!OwnValue({}, name.text)) attributes_.insert(name.text);
    return Test([name = name.text, op = op.text, value = value.text](const ImageRecord& image) {
      return Holds(op, ValueOf(image, name), value);
    });
  }

  const std::string text_;
  std::set<std::string> attributes_;
  std::size_t at_ = 0;    ///< What is taken ends here.
  std::size_t next_ = 0;  ///< Where the word that Peek gave ends.
  std::size_t depth_ = 0;
};

Result<Where> Where::Parse(const std::string& text) { return WhereParser(text).Parse(); }

}  // namespace siftsearch::engine
