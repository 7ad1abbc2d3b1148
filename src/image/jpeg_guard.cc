#include "image/jpeg_guard.h"

#include <jerror.h>

#include "image/raster.h"

namespace siftsearch::image {
namespace {

StatusCode CodeOfError(int code) {
  switch (code) {
    case JERR_OUT_OF_MEMORY:
      return StatusCode::kOutOfMemory;
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_NOT_COMPILED:
      return StatusCode::kUnsupported;
    default:
      return StatusCode::kCorrupt;
  }
}

}  // namespace

JpegErrors::JpegErrors() : jpeg_error_mgr{} {
  jpeg_std_error(this);
  error_exit = OnError;
  emit_message = OnMessage;
  output_message = OnOutput;
}

void JpegErrors::Fail(j_common_ptr info, StatusCode code, const char* message) {
  code_ = code;
  if (message != nullptr) {
    std::snprintf(message_, sizeof(message_), "%s", message);
  } else {
    format_message(info, message_);
  }
  std::longjmp(jump_, 1);
}

void JpegErrors::OnError(j_common_ptr info) {
  auto* errors = static_cast<JpegErrors*>(info->err);
  errors->Fail(info, CodeOfError(errors->msg_code), nullptr);
}

/// Most warnings are harmless; these mean that libjpeg makes up pixels that the file lacks.
void JpegErrors::OnMessage(j_common_ptr info, int level) {
  if (level >= 0) return;
  auto* errors = static_cast<JpegErrors*>(info->err);
  switch (errors->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
      errors->Fail(info, StatusCode::kCorrupt, "");
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      errors->Fail(info, StatusCode::kCorrupt, nullptr);
    default:
      break;
  }
}

Status JpegErrors::status() const {
  if (code_ == StatusCode::kOutOfMemory) return OutOfMemory();
  if (code_ == StatusCode::kCorrupt) return message_[0] == '\0' ? CutShort() : Damaged(message_);
  return Status(code_, std::string("this kind of JPEG is not read: ") + message_);
}

}  // namespace siftsearch::image
