#pragma once

#include <csetjmp>
#include <cstdio>
#include <string>
// clang-format off
#include <jpeglib.h>  // After <cstdio>: it uses FILE and size_t.
// clang-format on

#include "siftsearch/status.h"

namespace siftsearch::image {

/// Takes libjpeg's errors and warnings. Every call of libjpeg goes through `Guard`, the one place
/// where libjpeg's long jumps land, so that none crosses a C++ object with a destructor.
class JpegErrors : public jpeg_error_mgr {
 public:
  JpegErrors();
  JpegErrors(const JpegErrors&) = delete;
  JpegErrors& operator=(const JpegErrors&) = delete;

  /// Runs `call`, which holds no object with a destructor while it is in libjpeg; false when it
  /// failed, and status() says why.
  template <typename Call>
  bool Guard(const Call& call) {
    if (setjmp(jump_) != 0) return false;
    call();
    return true;
  }

  /// Ends the call under way. `message` null takes libjpeg's own.
  [[noreturn]] void Fail(j_common_ptr info, StatusCode code, const char* message);

  Status status() const;

  /// True when the data ended before the end marker. That alone is no error: the pixels may all be
  /// there.
  bool ended_early() const { return ended_early_; }

 private:
  [[noreturn]] static void OnError(j_common_ptr info);
  static void OnMessage(j_common_ptr info, int level);
  static void OnOutput(j_common_ptr) {}

  std::jmp_buf jump_;
  StatusCode code_ = StatusCode::kInternal;
  bool ended_early_ = false;
  char message_[JMSG_LENGTH_MAX] = "";
};

}  // namespace siftsearch::image
