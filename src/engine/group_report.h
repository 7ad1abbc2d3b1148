#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/picture_look.h"
#include "siftsearch/results.h"

namespace siftsearch::engine {

/// A picture of a group and what to say of it.
struct GroupMember {
  /// Of files of equal bytes the oldest that can be read, else the oldest.
  ImageRecord image;
  std::vector<ImageRecord> equal_files;  ///< The others of these bytes, in the same order.
  /// What each of them is to `image`: "identical file", "same file", or that it is gone.
  std::vector<std::string> equal_relations;
  PictureLook look;
  bool original = false;  ///< Probably the others' original.
  std::string relation;   ///< To the original, in words; of the original: why it is thought so.
  double score = 0;       ///< Of the pair that the relation rests on.
};

/// Pictures that are copies of one another, the probable original first.
struct GroupReport {
  std::int64_t number = 0;  ///< 0: a pair that is in no group.
  std::vector<GroupMember> members;
  std::vector<ReportPair> pairs;
  double weakest = 1;  ///< Score of the weakest link that the group needs to hold together.
};

/// Describes the pairs of one group. Originals are ranked: those whose file is there first,
/// then those that are not put together from several pictures and not covered in part, then by how
/// many others are parts of them, how large they show the shared content, their size in pixels,
/// whether their JPEG quality is good, their age (by EXIF, else the file's time), their path.
/// Relations come from the pairs' geometry and, where the files can be read, from their bytes and
/// pixels. Files are read on `threads` threads, of equal ones one. A picture `asked` for (its path,
/// or empty) comes first, in the place of the original.
GroupReport DescribeGroup(std::vector<ReportPair> pairs, const InputLimits& limits, int threads,
                          const std::string& asked = "");

}  // namespace siftsearch::engine
