#include "image/jpeg_guard.h"

#include <jerror.h>

#include "image/raster.h"

namespace siftsearch::image {
namespace {

/// Start of a frame of JPEG-LS, the only marker of another format that follows JPEG's first one.
constexpr int kJpegLsFrame = 0xF7;

StatusCode CodeOfError(int code) {
  switch (code) {
    case JERR_OUT_OF_MEMORY:
      return StatusCode::kOutOfMemory;
    case JERR_IMAGE_TOO_BIG:
    case JERR_WIDTH_OVERFLOW:
      return StatusCode::kLimitExceeded;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_J_COLORSPACE:
    case JERR_BAD_PRECISION:
    case JERR_CCIR601_NOTIMPL:
    case JERR_COMPONENT_COUNT:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_EMPTY_IMAGE:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED:
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
  if (errors->msg_code == JERR_UNKNOWN_MARKER && errors->msg_parm.i[0] == kJpegLsFrame) {
    errors->Fail(info, StatusCode::kUnsupported, "it is JPEG-LS");
  }
  errors->Fail(info, CodeOfError(errors->msg_code), nullptr);
}

/// Most warnings are harmless; these mean that libjpeg makes up pixels that the file lacks.
void JpegErrors::OnMessage(j_common_ptr info, int level) {
  if (level >= 0) return;
  auto* errors = static_cast<JpegErrors*>(info->err);
  switch (errors->msg_code) {
    case JWRN_JPEG_EOF:
      errors->ended_early_ = true;
      break;
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
  if (code_ == StatusCode::kCorrupt) {
    return ended_early_ || message_[0] == '\0' ? CutShort() : Damaged(message_);
  }
  return Status(code_, std::string("this kind of JPEG is not read: ") + message_);
}

}  // namespace siftsearch::image
