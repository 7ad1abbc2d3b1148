#include "cli/verbs.h"

/// OpenBLAS asks this at its start how many threads it shall make. None of ours need them (Faiss
/// calls it from threads of its own), and where the address space has no room for their stacks its
/// start or its end would never return.
extern "C" __attribute__((visibility("default"))) int openblas_num_threads_env() { return 1; }

int main(int argc, char** argv) { return siftsearch::cli::Main(argc, argv); }
