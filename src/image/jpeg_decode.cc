#include <algorithm>

#include "base/status_macros.h"
#include "image/jpeg_guard.h"
#include "image/raster.h"

namespace siftsearch::image {
namespace {

/// A small file can ask for thousands of passes over a large picture; real ones have about ten.
constexpr int kMaxScans = 100;

void LimitScans(j_common_ptr info) {
  auto* decoder = reinterpret_cast<j_decompress_ptr>(info);
  if (decoder->input_scan_number <= kMaxScans) return;
  static_cast<JpegErrors*>(info->err)->Fail(info, StatusCode::kLimitExceeded,
                                            "it has more than 100 scans");
}

class JpegReader {
 public:
  explicit JpegReader(const DecodeRequest& request) : request_(request) {
    info_.err = &errors_;
    progress_.progress_monitor = LimitScans;
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  Result<Raster> Read() {
    SIFTSEARCH_RETURN_IF_ERROR(ReadHeader());
    SIFTSEARCH_RETURN_IF_ERROR(CheckSize(info_.image_width, info_.image_height, request_.limits));
    ChooseColours();
    if (!errors_.Guard([this] { ChooseSize(); })) return errors_.status();
    Raster raster = MakeRaster(static_cast<int>(info_.output_width),
                               static_cast<int>(info_.output_height), request_.channels);
    raster.orientation = Orientation();
    raster.full_width = static_cast<int>(info_.image_width);
    raster.full_height = static_cast<int>(info_.image_height);
    if (!errors_.Guard([this] { jpeg_start_decompress(&info_); })) return errors_.status();
    if (errors_.ended_early() && LacksScans()) return CutShort();
    SIFTSEARCH_RETURN_IF_ERROR(info_.out_color_space == JCS_CMYK ? ReadCmykRows(raster)
                                                                 : ReadRows(raster));
    if (!errors_.Guard([this] { jpeg_finish_decompress(&info_); })) return errors_.status();
    if (errors_.ended_early()) raster.remark = "its end is missing";
    return raster;
  }

 private:
  Status ReadHeader() {
    const bool read = errors_.Guard([this] {
      jpeg_create_decompress(&info_);
      info_.progress = &progress_;
      jpeg_mem_src(&info_, request_.bytes.data(), request_.bytes.size());
      jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
      jpeg_read_header(&info_, TRUE);
    });
    return read ? Status() : errors_.status();
  }

  void ChooseColours() {
    const bool four = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = four ? JCS_CMYK : request_.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  }

  void ChooseSize() {
    const JDIMENSION longer = std::max(info_.image_width, info_.image_height);
    const auto min_side = static_cast<JDIMENSION>(request_.min_side);
    info_.scale_num = 1;
    info_.scale_denom = 1;
    while (min_side > 0 && info_.scale_denom < 8 && longer / (info_.scale_denom * 2) >= min_side) {
      info_.scale_denom *= 2;
    }
    jpeg_calc_output_dimensions(&info_);
  }

  /// True when scans are missing, of a picture of several ones, all of which are read before its
  /// first row.
  bool LacksScans() const {
    for (int c = 0; c < info_.num_components; ++c) {
      if (info_.comp_info[c].quant_table == nullptr) return true;
      for (int k = 0; info_.coef_bits != nullptr && k < DCTSIZE2; ++k) {
        if (info_.coef_bits[c][k] != 0) return true;  // Unknown, or known roughly.
      }
    }
    return false;
  }

  int Orientation() const {
    // APP1 also carries XMP, so the EXIF block need not be the first.
    for (auto* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
      const std::span<const std::uint8_t> data(marker->data, marker->data_length);
      if (data.size() > 6 && std::equal(data.begin(), data.begin() + 4, "Exif")) {
        return ExifOrientation(data);
      }
    }
    return 1;
  }

  bool ReadRow(std::uint8_t* row) {
    return errors_.Guard([this, row] {
      JSAMPROW rows[] = {row};
      jpeg_read_scanlines(&info_, rows, 1);
    });
  }

  Status ReadRows(Raster& raster) {
    for (int y = 0; y < raster.height; ++y) {
      if (!ReadRow(raster.At(0, y))) return errors_.status();
    }
    return Status();
  }

  Status ReadCmykRows(Raster& raster) {
    std::vector<std::uint8_t> row(static_cast<std::size_t>(raster.width) * 4);
    // Adobe stores the inks inverted: 255 is none.
    const std::uint8_t flip = info_.saw_Adobe_marker ? 0 : 255;
    for (int y = 0; y < raster.height; ++y) {
      if (!ReadRow(row.data())) return errors_.status();
      for (int x = 0; x < raster.width; ++x) {
        const std::uint8_t* cmyk = &row[static_cast<std::size_t>(x) * 4];
        const int black = cmyk[3] ^ flip;
        std::uint8_t rgb[3];
        for (int c = 0; c < 3; ++c) {
          rgb[c] = static_cast<std::uint8_t>(((cmyk[c] ^ flip) * black + 127) / 255);
        }
        StoreRgb(rgb, raster.channels, raster.At(x, y));
      }
    }
    return Status();
  }

  const DecodeRequest& request_;
  JpegErrors errors_;
  jpeg_progress_mgr progress_{};
  jpeg_decompress_struct info_{};
};

}  // namespace

Result<Raster> DecodeJpeg(const DecodeRequest& request) { return JpegReader(request).Read(); }

}  // namespace siftsearch::image
