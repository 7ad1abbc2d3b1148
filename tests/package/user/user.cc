// Uses the installed library: stores the pictures named after the database folder and finds the
// first of them again.
#include <siftsearch/engine.h>

#include <iostream>

int main(int argc, char** argv) {
  const auto engine = siftsearch::Engine::Open(argv[1], {.create = true});
  if (!engine.ok()) return 1;
  int next = 2;
  const auto files = [&]() -> std::optional<siftsearch::AddInput> {
    if (next == argc) return std::nullopt;
    return siftsearch::AddInput{.path = argv[next++]};
  };
  const auto added = engine.value()->Add(files, {}, [](const siftsearch::AddOutcome&) {});
  const auto found = engine.value()->Query({.name = argv[2]}, {});
  if (!added.ok() || !found.ok() || found.value().matches.empty()) return 1;
  const siftsearch::Match& best = found.value().matches.front();
  std::cout << siftsearch::Version() << ' ' << best.image.path << ' ' << best.relation << '\n';
  return added.value().added == argc - 2 && best.copy && best.image.path == argv[2] &&
                 siftsearch::Version() == EXPECTED_VERSION
             ? 0
             : 1;
}
