// Uses the installed library: its version, and the error of a database that is not there.
#include <siftsearch/engine.h>

#include <iostream>

int main(int, char** argv) {
  const auto engine = siftsearch::Engine::Open(argv[1], siftsearch::EngineOptions());
  std::cout << "siftsearch " << siftsearch::Version() << ": " << engine.status().message() << '\n';
  const bool absent = engine.status().code() == siftsearch::StatusCode::kNotFound;
  return absent && siftsearch::Version() == EXPECTED_VERSION ? 0 : 1;
}
