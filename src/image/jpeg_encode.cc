#include <new>

#include "image/jpeg_guard.h"
#include "image/raster.h"

namespace siftsearch::image {
namespace {

/// Appends what libjpeg writes to `bytes`.
class JpegOutput : public jpeg_destination_mgr {
 public:
  JpegOutput() : jpeg_destination_mgr{} {
    init_destination = [](j_compress_ptr info) { Self(info)->Rewind(); };
    empty_output_buffer = [](j_compress_ptr info) -> boolean {
      Self(info)->Flush(info, sizeof(buffer_));
      Self(info)->Rewind();
      return TRUE;
    };
    term_destination = [](j_compress_ptr info) {
      Self(info)->Flush(info, sizeof(buffer_) - Self(info)->free_in_buffer);
    };
  }

  std::vector<std::uint8_t> bytes;

 private:
  static JpegOutput* Self(j_compress_ptr info) { return static_cast<JpegOutput*>(info->dest); }

  void Rewind() {
    next_output_byte = buffer_;
    free_in_buffer = sizeof(buffer_);
  }

  bool Append(std::size_t size) {
    try {
      bytes.insert(bytes.end(), buffer_, buffer_ + size);
      return true;
    } catch (const std::bad_alloc&) {
      return false;  // No exception may cross libjpeg's frames.
    }
  }

  void Flush(j_compress_ptr info, std::size_t size) {
    if (!Append(size)) {
      static_cast<JpegErrors*>(info->err)->Fail(reinterpret_cast<j_common_ptr>(info),
                                                StatusCode::kOutOfMemory, "");
    }
  }

  std::uint8_t buffer_[16384];
};

class JpegWriter {
 public:
  JpegWriter() { info_.err = &errors_; }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;
  ~JpegWriter() { jpeg_destroy_compress(&info_); }

  Result<std::vector<std::uint8_t>> Write(const RgbImage& image, int quality) {
    const bool written = errors_.Guard([&] {
      jpeg_create_compress(&info_);
      info_.dest = &output_;
      info_.image_width = static_cast<JDIMENSION>(image.width);
      info_.image_height = static_cast<JDIMENSION>(image.height);
      info_.input_components = 3;
      info_.in_color_space = JCS_RGB;
      jpeg_set_defaults(&info_);
      jpeg_set_quality(&info_, quality, TRUE);
      jpeg_start_compress(&info_, TRUE);
      for (int y = 0; y < image.height; ++y) {
        const std::size_t start = static_cast<std::size_t>(y) * image.width * 3;
        JSAMPROW rows[] = {const_cast<JSAMPROW>(image.pixels.data() + start)};
        jpeg_write_scanlines(&info_, rows, 1);
      }
      jpeg_finish_compress(&info_);
    });
    if (!written) return errors_.status();
    return std::move(output_.bytes);
  }

 private:
  JpegErrors errors_;
  JpegOutput output_;
  jpeg_compress_struct info_{};
};

}  // namespace

Result<std::vector<std::uint8_t>> EncodeJpeg(const RgbImage& image, int quality) {
  if (image.width > JPEG_MAX_DIMENSION || image.height > JPEG_MAX_DIMENSION) {
    return Status(StatusCode::kLimitExceeded,
                  "a JPEG has at most " + std::to_string(JPEG_MAX_DIMENSION) + " pixels a side");
  }
  return JpegWriter().Write(image, quality);
}

}  // namespace siftsearch::image
