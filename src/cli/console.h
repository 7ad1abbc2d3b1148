#pragma once

#include <string_view>

#include "siftsearch/status.h"

namespace siftsearch::cli {

/// What is said on standard error, one line a call. File names in messages are escaped.
class Console {
 public:
  Console() = default;
  Console(bool quiet, bool verbose) : quiet_(quiet), verbose_(verbose) {}

  bool quiet() const { return quiet_; }
  bool verbose() const { return verbose_; }

  void Error(std::string_view message) const;                          ///< Always.
  void Error(std::string_view path, std::string_view message) const;   ///< Always.
  void Note(std::string_view message) const;                           ///< Unless quiet.
  void Detail(std::string_view message) const;                         ///< With --verbose.
  void Detail(std::string_view path, std::string_view message) const;  ///< With --verbose.

 private:
  bool quiet_ = false;
  bool verbose_ = false;
};

}  // namespace siftsearch::cli
