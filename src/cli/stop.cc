#include "cli/stop.h"

#include <csignal>
#include <initializer_list>

namespace siftsearch::cli {
namespace {

volatile std::sig_atomic_t stop_asked = 0;

void OnSignal(int) { stop_asked = 1; }

}  // namespace

void CatchStopSignals() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before = {};
    sigaction(number, nullptr, &before);
    // A signal that the starter ignores (nohup, a background job) stays ignored.
    if (before.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);
  }
}

bool StopAsked() { return stop_asked != 0; }

}  // namespace siftsearch::cli
