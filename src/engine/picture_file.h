#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "siftsearch/engine.h"
#include "siftsearch/status.h"

namespace siftsearch::engine {

/// What the file system says of a picture file.
struct FileStamp {
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;
};

/// True where the file's size and time are those that are stored: it is not read again.
inline bool HasStamp(const ImageRecord& stored, const FileStamp& stamp) {
  return stored.file_bytes == stamp.bytes && stored.modified_ns == stamp.modified_ns;
}

struct PictureFile {
  FileStamp stamp;
  std::vector<std::uint8_t> bytes;
};

/// Size and time of a regular file. Errors (missing, no permission, a folder, a pipe or device,
/// looping links) say the cause without the path.
Result<FileStamp> StampOf(const std::string& path);

/// True where there is no file at the path, and not only none that can be read.
bool IsGone(const std::string& path);

/// "same file" of two paths that lead to one (a symbolic link, a folder mounted twice), "same file
/// (hard link)" of two names of one, else "". Of what can't be looked at: "".
std::string SameFile(const std::string& path, const std::string& other);

/// Reads a whole regular file of at most `limits.max_file_bytes`; never blocks on a pipe.
Result<PictureFile> ReadPictureFile(const std::string& path, const InputLimits& limits);

}  // namespace siftsearch::engine
