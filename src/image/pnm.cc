#include <cctype>
#include <cstdint>

#include "base/status_macros.h"
#include "image/raster.h"

namespace siftsearch::image {
namespace {

/// Reads P1 to P6 (stb_image neither scales by the largest value nor notices a cut file).
class PnmReader {
 public:
  explicit PnmReader(const DecodeRequest& request) : bytes_(request.bytes), request_(request) {}

  Result<Raster> Read() {
    kind_ = bytes_[1] - '0';
    if (kind_ > 6) {
      return Status(StatusCode::kUnsupported, "PAM (P7) pictures are not supported");
    }
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t width, Number());
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t height, Number());
    SIFTSEARCH_RETURN_IF_ERROR(CheckSize(width, height, request_.limits));
    if (!Bilevel()) {
      SIFTSEARCH_ASSIGN_OR_RETURN(largest_, Number());
      if (largest_ < 1 || largest_ > 65535) return Damaged("the PNM's largest value is wrong");
    }
    ++at_;  // The one white space before the data.
    SIFTSEARCH_RETURN_IF_ERROR(CheckLength(width, height));
    Raster raster =
        MakeRaster(static_cast<int>(width), static_cast<int>(height), request_.channels);
    for (int y = 0; y < raster.height; ++y) SIFTSEARCH_RETURN_IF_ERROR(ReadRow(y, raster));
    return raster;
  }

 private:
  bool Bilevel() const { return kind_ == 1 || kind_ == 4; }
  bool Plain() const { return kind_ <= 3; }
  int Samples() const { return kind_ == 3 || kind_ == 6 ? 3 : 1; }

  void SkipSpace() {
    bool comment = false;
    for (; at_ < bytes_.size(); ++at_) {
      if (bytes_[at_] == '#') comment = true;
      if (!comment && std::isspace(bytes_[at_]) == 0) return;
      if (bytes_[at_] == '\n') comment = false;
    }
  }

  Result<std::int64_t> Number() {
    SkipSpace();
    if (at_ >= bytes_.size()) return CutShort();
    if (std::isdigit(bytes_[at_]) == 0) return Damaged("a number is missing in the PNM");
    std::int64_t number = 0;
    for (; at_ < bytes_.size() && std::isdigit(bytes_[at_]) != 0; ++at_) {
      if (number > INT32_MAX) return Damaged("a number in the PNM is too large");
      number = number * 10 + (bytes_[at_] - '0');
    }
    return number;
  }

  /// The data must be long enough for the size, plain data at least a byte a sample.
  Status CheckLength(std::int64_t width, std::int64_t height) const {
    std::int64_t row = width * Samples();
    if (kind_ == 4) row = (width + 7) / 8;
    if (!Plain() && largest_ > 255) row *= 2;
    const std::int64_t left =
        static_cast<std::int64_t>(bytes_.size()) - static_cast<std::int64_t>(at_);
    return left < 0 || row > left / height ? CutShort() : Status();
  }

  /// The next sample of plain data, or of binary data with whole bytes.
  Result<std::int64_t> Sample() {
    if (kind_ == 1) {
      SkipSpace();
      if (at_ >= bytes_.size()) return CutShort();
      return static_cast<std::int64_t>(bytes_[at_++] == '0' ? 1 : 0);
    }
    if (Plain()) return Number();
    if (largest_ <= 255) return static_cast<std::int64_t>(bytes_[at_++]);
    at_ += 2;
    return static_cast<std::int64_t>(bytes_[at_ - 2] << 8 | bytes_[at_ - 1]);
  }

  Status ReadRow(int y, Raster& raster) {
    if (kind_ == 4) {
      for (int x = 0; x < raster.width; ++x) {
        const bool black = (bytes_[at_ + x / 8] >> (7 - x % 8) & 1) != 0;
        StoreGrey(black ? 0 : 255, raster.channels, raster.At(x, y));
      }
      at_ += (static_cast<std::size_t>(raster.width) + 7) / 8;
      return Status();
    }
    for (int x = 0; x < raster.width; ++x) {
      std::uint8_t value[3];
      for (int c = 0; c < Samples(); ++c) {
        SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t sample, Sample());
        if (sample > largest_) return Damaged("a value in the PNM is above its largest");
        value[c] = static_cast<std::uint8_t>((sample * 255 + largest_ / 2) / largest_);
      }
      if (Samples() == 1) {
        StoreGrey(value[0], raster.channels, raster.At(x, y));
      } else {
        StoreRgb(value, raster.channels, raster.At(x, y));
      }
    }
    return Status();
  }

  const std::span<const std::uint8_t> bytes_;
  const DecodeRequest& request_;
  std::size_t at_ = 2;  ///< Past the magic.
  int kind_ = 0;
  std::int64_t largest_ = 1;
};

}  // namespace

Result<Raster> DecodePnm(const DecodeRequest& request) { return PnmReader(request).Read(); }

}  // namespace siftsearch::image
