#include "segment/segment_format.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "base/hash.h"

namespace siftsearch::segment {
namespace {

constexpr double kMaxU16 = 65535;
constexpr int kMinQuantumLog2 = -8;
constexpr double kScaleStepsPerOctave = 2048;
constexpr double kScaleOctaveOffset = 8;  // 0 stands for a scale of 2^-8 pixels.
constexpr double kAngleSteps = 65536;

template <typename T>
T Load(const std::uint8_t* from) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(T{from[i]} << (8 * i));
  return value;
}

template <typename T>
void Store(T value, std::uint8_t* to) {
  for (std::size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

std::uint16_t RoundToU16(double value) {
  return static_cast<std::uint16_t>(std::clamp(std::round(value), 0.0, kMaxU16));
}

}  // namespace

void StoreU16(std::uint16_t value, std::uint8_t* to) { Store(value, to); }
void StoreU32(std::uint32_t value, std::uint8_t* to) { Store(value, to); }
void StoreU64(std::uint64_t value, std::uint8_t* to) { Store(value, to); }

HeaderBytes EncodeHeader(std::uint64_t settings_digest) {
  HeaderBytes header{};
  std::copy(kHeaderMagic.begin(), kHeaderMagic.end(), header.begin());
  StoreU32(kVersion, &header[8]);
  StoreU32(kHeaderBytes, &header[12]);
  StoreU32(kDescriptorBytes, &header[16]);
  StoreU32(kChunkBytes, &header[20]);
  StoreU64(settings_digest, &header[24]);
  StoreU64(Checksum(std::span(header).first(kHeaderBytes - 8)), &header[kHeaderBytes - 8]);
  return header;
}

FooterBytes EncodeFooter(const Footer& footer) {
  FooterBytes bytes{};
  StoreU64(footer.contents, &bytes[0]);
  StoreU64(footer.rows, &bytes[8]);
  StoreU64(kHeaderBytes, &bytes[16]);
  StoreU64(footer.keypoints_offset, &bytes[24]);
  StoreU64(footer.contents_offset, &bytes[32]);
  StoreU64(footer.checksums_offset, &bytes[40]);
  StoreU64(footer.file_bytes, &bytes[48]);
  StoreU64(footer.contents_checksum, &bytes[56]);
  StoreU64(footer.checksums_checksum, &bytes[64]);
  StoreU64(footer.header_checksum, &bytes[72]);
  std::copy(kFooterMagic.begin(), kFooterMagic.end(), &bytes[kFooterBytes - 16]);
  StoreU64(Checksum(std::span(bytes).first(kFooterBytes - 8)), &bytes[kFooterBytes - 8]);
  return bytes;
}

double PositionQuantum(int width, int height) {
  const auto longer = static_cast<std::uint32_t>(std::max({width, height, 1}));
  return std::ldexp(1.0, std::max(static_cast<int>(std::bit_width(longer)) - 16, kMinQuantumLog2));
}

PackedKeypoint PackKeypoint(const Keypoint& keypoint, double quantum) {
  PackedKeypoint packed;
  StoreU16(RoundToU16(keypoint.x / quantum), &packed[0]);
  StoreU16(RoundToU16(keypoint.y / quantum), &packed[2]);
  const double smallest = std::exp2(-kScaleOctaveOffset);
  const double octave = std::log2(std::max<double>(keypoint.scale, smallest));
  StoreU16(RoundToU16((octave + kScaleOctaveOffset) * kScaleStepsPerOctave), &packed[4]);
  const double turns = keypoint.angle / 360.0;
  const double angle = std::round((turns - std::floor(turns)) * kAngleSteps);
  // An angle just below 360 degrees rounds to the full circle, which is 0.
  StoreU16(angle >= kAngleSteps ? 0 : static_cast<std::uint16_t>(angle), &packed[6]);
  return packed;
}

Keypoint UnpackKeypoint(const std::uint8_t* packed, double quantum) {
  const auto field = [packed](int i) {
    return static_cast<double>(Load<std::uint16_t>(packed + 2 * i));
  };
  Keypoint keypoint;
  keypoint.x = static_cast<float>(field(0) * quantum);
  keypoint.y = static_cast<float>(field(1) * quantum);
  keypoint.scale =
      static_cast<float>(std::exp2(field(2) / kScaleStepsPerOctave - kScaleOctaveOffset));
  keypoint.angle = static_cast<float>(field(3) * 360.0 / kAngleSteps);
  return keypoint;
}

}  // namespace siftsearch::segment
