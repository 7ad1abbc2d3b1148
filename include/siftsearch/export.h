#pragma once

/// Marks what the shared library exports; everything else is hidden in it.
#if defined(__GNUC__)
#define SIFTSEARCH_EXPORT __attribute__((visibility("default")))
#else
#define SIFTSEARCH_EXPORT
#endif
