#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace siftsearch::cli {

/// "  512/2400 [=====>      ] 21 %  24.3/s  1:18 left" on standard error, redrawn in place, and
/// only where that is a terminal. Used from one thread.
class Progress {
 public:
  /// `total` 0: not known; then there is neither bar nor time left.
  Progress(bool wanted, std::int64_t total);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// True where a bar will be drawn.
  static bool Possible();

  /// As of the constructor, where it is known only later.
  void SetTotal(std::int64_t total) { total_ = total; }
  void Show(std::int64_t done, std::string_view note = {});
  /// Takes the line away, before another line is written.
  void Clear();

 private:
  using Clock = std::chrono::steady_clock;

  const bool active_;
  std::int64_t total_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_at_{};
  bool drawn_ = false;
};

/// Draws how many rows of a database a call is through with, until it is destroyed.
std::function<void(std::int64_t done, std::int64_t total)> RowsBar(bool wanted);

/// The line that Progress draws, at most `columns` wide.
std::string ProgressLine(std::int64_t done, std::int64_t total, double seconds,
                         std::string_view note, int columns);

/// "1:18", "2:03:04".
std::string Duration(double seconds);

}  // namespace siftsearch::cli
