#pragma once

namespace siftsearch::cli {

/// From here on the first Ctrl-C (or SIGTERM, SIGHUP) asks for a stop at the next good moment
/// instead of ending the process; a second one ends it.
void CatchStopSignals();

/// True once a stop was asked for.
bool StopAsked();

}  // namespace siftsearch::cli
