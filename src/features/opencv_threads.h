#pragma once

namespace siftsearch::features {

/// OpenCV's loops that the calling thread begins run on up to `threads` threads while this lives,
/// on one where there is none. OpenCV has one such loop on several threads at a time in the whole
/// process; others run on their callers'. The first one made gives OpenCV these threads instead of
/// its own, while no other thread may call OpenCV.
class OpenCvThreads {
 public:
  explicit OpenCvThreads(int threads);
  ~OpenCvThreads();
  OpenCvThreads(const OpenCvThreads&) = delete;
  OpenCvThreads& operator=(const OpenCvThreads&) = delete;

 private:
  const int before_;
};

}  // namespace siftsearch::features
