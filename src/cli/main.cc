#include "cli/verbs.h"

int main(int argc, char** argv) { return siftsearch::cli::Main(argc, argv); }
