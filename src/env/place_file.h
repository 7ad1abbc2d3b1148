#pragma once

#include <string>

#include "env/file_env.h"
#include "siftsearch/status.h"
#include "siftsearch/types.h"

namespace siftsearch {

// What is done to people's own files: durably, and never over or to another file. Each function
// may be cut off at any point: the content is then whole under at least one of its names. What it
// made along the way it takes away again when it fails.

/// Moves a file to a name that nothing has (kAlreadyExists), to another file system, too. `hash` is
/// the file's content: a copy is compared with it before the original goes (kCorrupt). Gives what
/// of its metadata could not be kept, in words; "" where all was.
Result<std::string> MoveFile(FileEnv& env, const std::string& from, const std::string& to,
                             const ContentHash& hash);

/// Makes `path`, a file, another name of the file `target` (no symbolic link) in one step.
Status ReplaceByLink(FileEnv& env, const std::string& path, const std::string& target);

/// Gives a file that has several names a copy of its content, `hash`, for `path` alone. Gives what
/// of its metadata could not be kept.
Result<std::string> ReplaceByCopy(FileEnv& env, const std::string& path, const ContentHash& hash);

/// Removes a file.
Status RemoveDurably(FileEnv& env, const std::string& path);

/// Makes a directory and those above it that are missing.
Status MakeDirectories(FileEnv& env, const std::string& path);

}  // namespace siftsearch
