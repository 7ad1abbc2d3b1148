#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>

#include "image/decode.h"

namespace siftsearch::image {
namespace {

using std::string_view_literals::operator""sv;

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  std::string_view format;
};

constexpr Magic kMagics[] = {
    {0, "\xFF\xD8\xFF"sv, "jpeg"},
    {0, "\x89PNG\r\n\x1A\n"sv, "png"},
    {0, "GIF87a"sv, "gif"},
    {0, "GIF89a"sv, "gif"},
    {8, "CR\x02"sv, "raw"},  // Canon's CR2 is a TIFF of another kind.
    {0, "FUJIFILMCCD-RAW"sv, "raw"},
    {0, "IIRO"sv, "raw"},
    {0, "IIRS"sv, "raw"},
    {0, "MMOR"sv, "raw"},
    {0, "IIU\0"sv, "raw"},
    {8, "IIIITwaR"sv, "raw"},  // So is Phase One's IIQ.
    {8, "MMMMRawT"sv, "raw"},
    {6, "HEAPCCDR"sv, "raw"},
    {0, "FOVb"sv, "raw"},
    {0, "\0MRM"sv, "raw"},
    {0, "II*\0"sv, "tiff"},
    {0, "MM\0*"sv, "tiff"},
    {0, "II+\0"sv, "tiff"},
    {0, "MM\0+"sv, "tiff"},
    {0, "II\xBC\x01"sv, "jpeg-xr"},
    {0, "\x8AMNG\r\n\x1A\n"sv, "mng"},
    {0, "\x76\x2F\x31\x01"sv, "openexr"},
    {128, "DICM"sv, "dicom"},
    {0, "\xFF\x0A"sv, "jpeg-xl"},
    {0, "\0\0\0\x0CJXL \r\n\x87\n"sv, "jpeg-xl"},
    {0, "\0\0\0\x0CjP  \r\n\x87\n"sv, "jpeg-2000"},
    {0, "\xFF\x4F\xFF\x51"sv, "jpeg-2000"},
    {0, "%PDF-"sv, "pdf"},
    {0, "%!PS"sv, "postscript"},
    {0, "8BPS"sv, "psd"},
    {0, "gimp xcf"sv, "xcf"},
    {0, "PK\x03\x04"sv, "zip"},
    {0, "\0\0\x01\0"sv, "ico"},
    {0, "\x1A\x45\xDF\xA3"sv, "video"},
    {0, "\0\0\x01\xBA"sv, "video"},
    {0, "\0\0\x01\xB3"sv, "video"},
    {0, "FLV\x01"sv, "video"},
    {4, "moov"sv, "video"},
    {4, "mdat"sv, "video"},
};

bool HasAt(std::string_view bytes, std::size_t offset, std::string_view part) {
  return bytes.size() >= offset && bytes.substr(offset, part.size()) == part;
}

std::string_view SniffRiff(std::string_view bytes) {
  if (!bytes.starts_with("RIFF")) return {};
  if (HasAt(bytes, 8, "WEBP")) return "webp";
  if (HasAt(bytes, 8, "AVI ")) return "video";
  return {};
}

/// ISO base media files name their kind in the major and the compatible brands.
std::string_view SniffFtyp(std::string_view bytes) {
  if (!HasAt(bytes, 4, "ftyp")) return {};
  std::size_t size = 0;
  for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(bytes[i]);
  const std::string_view brands = bytes.substr(8, std::clamp<std::size_t>(size, 12, 264) - 8);
  constexpr std::array kHeic = {"heic"sv, "heix"sv, "hevc"sv, "hevx"sv,
                                "heim"sv, "heis"sv, "mif1"sv, "msf1"sv};
  bool heic = false;
  for (std::size_t at = 0; at + 4 <= brands.size(); at += 4) {
    const std::string_view brand = brands.substr(at, 4);
    if (brand == "avif" || brand == "avis") return "avif";
    if (brand == "crx ") return "raw";
    heic |= std::find(kHeic.begin(), kHeic.end(), brand) != kHeic.end();
  }
  return heic ? "heic" : "video";
}

/// BMP and PNM begin with two letters as a text may, so more of the header must fit.
std::string_view SniffShortMagic(std::string_view bytes) {
  if (bytes.starts_with("BM") && bytes.size() >= 18) {
    const auto header_size = static_cast<unsigned char>(bytes[14]);
    constexpr std::array kSizes = {12, 40, 52, 56, 64, 108, 124};
    const bool known = std::find(kSizes.begin(), kSizes.end(), header_size) != kSizes.end();
    if (known && bytes.substr(15, 3) == "\0\0\0"sv) return "bmp";
  }
  if (bytes.size() >= 4 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7') {
    const auto next = static_cast<unsigned char>(bytes[3]);
    const bool space = std::isspace(static_cast<unsigned char>(bytes[2])) != 0;
    if (space && (std::isdigit(next) != 0 || next == '#' || bytes[1] == '7')) return "pnm";
  }
  return {};
}

/// True for UTF-8 (or UTF-16 with its mark) without control characters.
bool IsText(std::string_view bytes) {
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) return true;
  int continuation = 0;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (continuation > 0) {
      if ((byte & 0xC0) != 0x80) return false;
      --continuation;
    } else if (byte >= 0x80) {
      if (byte < 0xC2 || byte > 0xF4) return false;
      continuation = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    } else if (byte == 0x7F || (byte < 0x20 && std::string_view("\t\n\r\f\x1B").find(c) ==
                                                   std::string_view::npos)) {
      return false;
    }
  }
  return true;
}

std::string_view SniffText(std::string_view bytes) {
  const std::string_view start = bytes.substr(0, 1024);
  if (!IsText(start)) return {};
  const std::size_t tag = start.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  const bool markup = tag != std::string_view::npos && start[tag] == '<';
  return markup && start.find("<svg") != std::string_view::npos ? "svg" : "text";
}

}  // namespace

std::string_view Sniff(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return "empty";
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min<std::size_t>(bytes.size(), 4096));
  for (const Magic& magic : kMagics) {
    if (HasAt(start, magic.offset, magic.bytes)) return magic.format;
  }
  for (const auto sniff : {SniffRiff, SniffFtyp, SniffShortMagic, SniffText}) {
    if (const std::string_view format = sniff(start); !format.empty()) return format;
  }
  return "unknown";
}

bool IsReadable(std::string_view format) {
  constexpr std::array kReadable = {"jpeg"sv, "png"sv, "webp"sv, "tiff"sv,
                                    "bmp"sv,  "gif"sv, "pnm"sv};
  return std::find(kReadable.begin(), kReadable.end(), format) != kReadable.end();
}

bool HasImageExtension(std::string_view path) {
  constexpr std::array kExtensions = {
      "jpg"sv,  "jpeg"sv, "jpe"sv, "jfif"sv, "png"sv, "apng"sv, "webp"sv, "tif"sv, "tiff"sv,
      "bmp"sv,  "dib"sv,  "gif"sv, "pnm"sv,  "ppm"sv, "pgm"sv,  "pbm"sv,  "pam"sv, "heic"sv,
      "heif"sv, "avif"sv, "jxl"sv, "jp2"sv,  "j2k"sv, "psd"sv,  "xcf"sv,  "ico"sv, "svg"sv,
      "cr2"sv,  "cr3"sv,  "nef"sv, "arw"sv,  "dng"sv, "orf"sv,  "raf"sv,  "rw2"sv, "crw"sv,
      "nrw"sv,  "sr2"sv,  "srf"sv, "srw"sv,  "pef"sv, "rwl"sv,  "3fr"sv,  "iiq"sv, "mos"sv,
      "mrw"sv,  "mef"sv,  "erf"sv, "kdc"sv,  "dcr"sv, "x3f"sv,  "gpr"sv,  "jls"sv, "jxr"sv};
  const std::size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  std::string extension(name.substr(dot + 1));
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

}  // namespace siftsearch::image
