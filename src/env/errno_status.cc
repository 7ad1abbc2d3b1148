#include "env/errno_status.h"

#include <cerrno>
#include <system_error>

namespace siftsearch {

StatusCode CodeOfErrno(int error) {
  switch (error) {
    case ENOENT:
      return StatusCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return StatusCode::kPermissionDenied;
    case EEXIST:
      return StatusCode::kAlreadyExists;
    case EXDEV:
      return StatusCode::kUnsupported;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return StatusCode::kOutOfSpace;
    case ENOMEM:
      return StatusCode::kOutOfMemory;
    default:
      return StatusCode::kIoError;
  }
}

Status ErrnoStatus(const std::string& path, std::string_view cause, int error) {
  // Unlike strerror, this may be called from several threads.
  const std::string reason = std::generic_category().message(error);
  return {CodeOfErrno(error), path + ": " + std::string(cause) + " (" + reason + ")"};
}

}  // namespace siftsearch
