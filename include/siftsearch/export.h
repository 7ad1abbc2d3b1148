#pragma once

/// Marks what the shared library exports; everything else is hidden in it, and so are the members
/// of what is exported that are marked with SIFTSEARCH_HIDDEN.
#if defined(__GNUC__)
#define SIFTSEARCH_EXPORT __attribute__((visibility("default")))
#define SIFTSEARCH_HIDDEN __attribute__((visibility("hidden")))
#else
#define SIFTSEARCH_EXPORT
#define SIFTSEARCH_HIDDEN
#endif
