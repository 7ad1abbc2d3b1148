#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "siftsearch/engine.h"
#include "siftsearch/results.h"

namespace siftsearch::engine {

/// Makes `match` that of two files of equal bytes, pictures of this size: a copy of score 1, the
/// whole on the whole. Votes, evidence and points stay where the search found the two as they are.
void MakeIdentical(int width, int height, Match& match);

/// True where a report may list the two as a pair.
bool MayBePair(const ImageRecord& a, const ImageRecord& b, const ReportOptions& options);

/// The images of contents that a report lists: those that ReportOptions::accept lets pass. Of
/// contents that several images have, those that stand for all are remembered. Used from one
/// thread.
class ListedImages {
 public:
  ListedImages(const BackendSnapshot& snapshot, const ReportOptions& options)
      : snapshot_(snapshot), options_(options) {}

  /// All of a content, by path.
  Result<std::vector<ImageRecord>> All(std::int64_t content) const;

  /// Up to three of them, by path, such that whatever can be a pair with one of all can be a pair
  /// with one of these: the first two and the first that is in another folder.
  Result<std::vector<ImageRecord>> Representatives(std::int64_t content);

 private:
  const BackendSnapshot& snapshot_;
  const ReportOptions& options_;
  std::map<std::int64_t, std::vector<ImageRecord>> representatives_;
};

}  // namespace siftsearch::engine
