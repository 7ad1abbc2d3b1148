#include "image/tiff_layout.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <string_view>

namespace siftsearch::image {
namespace {

enum TiffTag : std::uint32_t {
  kNewSubfileType = 254,
  kSubfileType = 255,
  kWidth = 256,
  kPhotometric = 262,
  kMake = 271,
  kSubDirectories = 330,
  kExtraSamples = 338,
  kDngVersion = 50706,
};

constexpr std::uint64_t kReducedBit = 1;
constexpr std::uint64_t kMaskBit = 4;
constexpr std::uint64_t kOldReduced = 2;  ///< Of SubfileType.
constexpr std::uint64_t kColourFilter = 32803, kLinearRaw = 34892;
constexpr std::size_t kMostDirectories = 65'535;
constexpr std::size_t kMostSubDirectories = 16;
constexpr std::size_t kMostKept = 16;

/// One directory.
struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t next = 0;
  bool reduced = false;
  bool mask = false;
  std::uint64_t width = 0;
  std::uint64_t photometric = 0;
  bool dng = false;
  bool names_extras = false;
  std::string make;
  std::vector<std::uint64_t> sub_directories;

  bool is_raw() const { return dng || photometric == kColourFilter || photometric == kLinearRaw; }
  bool is_full() const { return !reduced && !mask; }
};

class DirectoryReader {
 public:
  explicit DirectoryReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {
    if (bytes.size() < 16) return;
    little_ = bytes[0] == 'I';
    big_ = Number(2, 2) == 43;
    first_ = big_ ? Number(8, 8) : Number(4, 4);
    entries_left_ = bytes.size() / (big_ ? 20 : 12) + 1;
  }

  std::uint64_t first() const { return first_; }

  /// None where there is no whole directory.
  std::optional<Directory> At(std::uint64_t offset) {
    const std::size_t count_bytes = big_ ? 8 : 2, entry_bytes = big_ ? 20 : 12;
    if (offset == 0 || !Has(offset, count_bytes)) return std::nullopt;
    const std::uint64_t count = Number(offset, count_bytes);
    // Directories do not overlap, so there are no more entries than the file has room for.
    if (count == 0 || count > entries_left_) return std::nullopt;
    entries_left_ -= count;
    const std::uint64_t begin = offset + count_bytes;
    if (!Has(begin, count * entry_bytes)) return std::nullopt;
    Directory directory;
    directory.offset = offset;
    for (std::uint64_t i = 0; i < count; ++i) ReadEntry(begin + i * entry_bytes, directory);
    const std::uint64_t end = begin + count * entry_bytes;
    if (Has(end, OffsetBytes())) directory.next = Number(end, OffsetBytes());
    return directory;
  }

 private:
  std::size_t OffsetBytes() const { return big_ ? 8 : 4; }

  bool Has(std::uint64_t offset, std::uint64_t size) const {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }

  std::uint64_t Number(std::uint64_t at, std::size_t size) const {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < size; ++i) {
      number = number << 8 | bytes_[at + (little_ ? size - 1 - i : i)];
    }
    return number;
  }

  static std::size_t SizeOf(std::uint64_t type) {
    switch (type) {
      case 1:
      case 2:
        return 1;
      case 3:
        return 2;
      case 4:
      case 13:
        return 4;
      case 16:
      case 18:
        return 8;
      default:
        return 0;
    }
  }

  /// Up to `most` values of an entry that are whole numbers or text.
  std::vector<std::uint64_t> Values(std::uint64_t entry, std::size_t most) const {
    const std::size_t size = SizeOf(Number(entry + 2, 2));
    const std::uint64_t count = Number(entry + 4, OffsetBytes());
    std::uint64_t at = entry + 4 + OffsetBytes();
    if (size == 0) return {};
    if (count > OffsetBytes() / size) at = Number(at, OffsetBytes());
    std::vector<std::uint64_t> values;
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, most); ++i) {
      if (!Has(at + i * size, size)) break;
      values.push_back(Number(at + i * size, size));
    }
    return values;
  }

  std::uint64_t Value(std::uint64_t entry) const {
    const auto values = Values(entry, 1);
    return values.empty() ? 0 : values.front();
  }

  static std::string UpperCase(const std::vector<std::uint64_t>& characters) {
    std::string text;
    for (const std::uint64_t c : characters) {
      text += static_cast<char>(std::toupper(static_cast<int>(c & 0x7F)));
    }
    return text;
  }

  void ReadEntry(std::uint64_t entry, Directory& directory) const {
    switch (Number(entry, 2)) {
      case kNewSubfileType:
        directory.reduced = (Value(entry) & kReducedBit) != 0;
        directory.mask = (Value(entry) & kMaskBit) != 0;
        break;
      case kSubfileType:
        directory.reduced = directory.reduced || Value(entry) == kOldReduced;
        break;
      case kWidth:
        directory.width = Value(entry);
        break;
      case kPhotometric:
        directory.photometric = Value(entry);
        break;
      case kMake:
        directory.make = UpperCase(Values(entry, 32));
        break;
      case kSubDirectories:
        directory.sub_directories = Values(entry, kMostSubDirectories);
        break;
      case kExtraSamples:
        directory.names_extras = true;
        break;
      case kDngVersion:
        directory.dng = true;
        break;
      default:
        break;
    }
  }

  const std::span<const std::uint8_t> bytes_;
  bool little_ = false;
  bool big_ = false;
  std::uint64_t first_ = 0;
  std::uint64_t entries_left_ = 0;
};

/// What a camera maker's raw pictures are called.
std::string RawName(const Directory& first) {
  using Name = std::pair<std::string_view, std::string_view>;
  static constexpr Name kNames[] = {
      {"NIKON", "NEF"},  {"CANON", "CR2"},      {"SONY", "ARW"},    {"PENTAX", "PEF"},
      {"RICOH", "PEF"},  {"SAMSUNG", "SRW"},    {"OLYMPUS", "ORF"}, {"PANASONIC", "RW2"},
      {"EPSON", "ERF"},  {"HASSELBLAD", "3FR"}, {"KODAK", "DCR"},   {"EASTMAN KODAK", "DCR"},
      {"MAMIYA", "MEF"}, {"PHASE ONE", "IIQ"},  {"LEAF", "MOS"}};
  if (first.dng) return "DNG";
  for (const auto& [make, name] : kNames) {
    if (first.make.starts_with(make)) return std::string(name);
  }
  return "TIFF/EP";
}

/// Makes a layout of the directories of the chain, in their order.
class LayoutBuilder {
 public:
  explicit LayoutBuilder(DirectoryReader& reader) : reader_(reader) {}

  void Add(const Directory& directory) {
    if (!first_) first_ = directory;
    const bool raw = LookInside(directory) || directory.is_raw();
    if (raw && layout_.raw.empty()) layout_.raw = RawName(*first_);
    if (directory.mask) return;
    // Once there is a full page, reduced versions are no pages.
    if (directory.is_full() && full_++ == 0) layout_.pages.clear();
    reduced_ += directory.reduced ? 1 : 0;
    const bool counts = directory.is_full() || full_ == 0;
    if (counts && layout_.pages.size() < kMostKept) {
      layout_.pages.push_back({directory.offset, directory.names_extras});
    }
  }

  TiffLayout Finish() {
    layout_.only_reduced = full_ == 0 && reduced_ > 0;
    layout_.page_count = std::max(1, full_ > 0 ? full_ : reduced_);
    // Of a preview in front of full pages those count.
    if (full_ > 0 && first_->reduced) layout_.in_sub_directory = false;
    return std::move(layout_);
  }

 private:
  /// True where a sub-directory is of a raw picture; notes those that the first page stands in for.
  bool LookInside(const Directory& directory) {
    bool raw = false;
    for (const std::uint64_t offset : directory.sub_directories) {
      const std::optional<Directory> inner = reader_.At(offset);
      if (!inner) continue;
      raw = raw || inner->is_raw();
      const bool larger = directory.reduced || inner->width > directory.width;
      if (directory.offset == first_->offset && inner->is_full() && larger) {
        layout_.in_sub_directory = true;
      }
    }
    return raw;
  }

  DirectoryReader& reader_;
  TiffLayout layout_;
  std::optional<Directory> first_;
  int full_ = 0;
  int reduced_ = 0;
};

}  // namespace

TiffLayout ReadTiffLayout(std::span<const std::uint8_t> bytes) {
  DirectoryReader reader(bytes);
  LayoutBuilder builder(reader);
  std::set<std::uint64_t> seen;
  std::uint64_t at = reader.first();
  while (seen.size() < kMostDirectories && seen.insert(at).second) {
    const std::optional<Directory> directory = reader.At(at);
    if (!directory) break;
    builder.Add(*directory);
    at = directory->next;
  }
  return builder.Finish();
}

}  // namespace siftsearch::image
