#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

namespace siftsearch::cli {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(200);
constexpr int kBarWidth = 24;

int TerminalColumns() {
  winsize size = {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string Bar(double share) {
  const int filled = static_cast<int>(share * kBarWidth);
  return fmt::format("[{}{}]", std::string(filled, '='), std::string(kBarWidth - filled, ' '));
}

void Put(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

std::string Duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  const std::int64_t hours = whole / 3600;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string ProgressLine(std::int64_t done, std::int64_t total, double seconds,
                         std::string_view note, int columns) {
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string line;
  if (total > 0) {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    line = fmt::format("{}/{} {} {:.0f} %", done, total, Bar(share), std::floor(share * 100));
  } else {
    line = fmt::format("{} done", done);
  }
  line += fmt::format("  {:.1f}/s", rate);
  if (total > done && rate > 0) {
    line += fmt::format("  {} left", Duration(static_cast<double>(total - done) / rate));
  }
  if (!note.empty()) line += fmt::format("  {}", note);
  if (static_cast<int>(line.size()) >= columns) line.resize(std::max(0, columns - 1));
  return line;
}

bool Progress::Possible() { return isatty(STDERR_FILENO) == 1; }

Progress::Progress(bool wanted, std::int64_t total)
    : active_(wanted && Possible()), total_(total) {}

void Progress::Show(std::int64_t done, std::string_view note) {
  const auto now = Clock::now();
  if (!active_ || (drawn_ && now - drawn_at_ < kRedraw && done != total_)) return;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  Put("\r\x1b[K" + ProgressLine(done, total_, seconds, note, TerminalColumns()));
  drawn_ = true;
  drawn_at_ = now;
}

std::function<void(std::int64_t done, std::int64_t total)> RowsBar(bool wanted) {
  return [bar = std::make_shared<Progress>(wanted, 0)](std::int64_t done, std::int64_t total) {
    bar->SetTotal(total);
    bar->Show(done, "rows");
  };
}

void Progress::Clear() {
  if (drawn_) Put("\r\x1b[K");
  drawn_ = false;
}

}  // namespace siftsearch::cli
