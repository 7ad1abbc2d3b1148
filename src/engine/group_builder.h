#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "siftsearch/results.h"

namespace siftsearch::engine {

/// Puts copies into groups that do not chain. Three passes over the same pairs, best score first:
/// `Look` at each, `Join` each, `Settle`, then ask `GroupOf` each.
///
/// What pairs join are regions, not pictures. A picture that shares two or more separate parts
/// with others (a collage, a page with several figures) is as many nodes as it has parts, and one
/// for the whole; any other picture is one node. Nodes are joined as Kruskal's algorithm does
/// (Proc. AMS 7, 1956), best score first; two groups that already have three pictures each are
/// joined only where two pairs link them that have no picture in common, so that one wrong or
/// accidental link between dense groups stays a bridge. The result does not depend on the order of
/// the database. Memory grows with pictures, not with pairs.
class GroupBuilder {
 public:
  void Look(const ReportPair& pair);
  void Join(const ReportPair& pair);
  /// Joins groups that two or more independent pairs link after all.
  void Settle();
  /// A number for the group, or none where the pair is a bridge.
  std::optional<std::size_t> GroupOf(const ReportPair& pair);
  /// True of a picture that shares several separate parts.
  bool InParts(const std::string& path) const;

 private:
  struct Picture {
    std::vector<Box> parts;  ///< One box of each separate part.
    std::vector<std::size_t> nodes;
  };
  struct Bridge {
    std::size_t a, b;
  };
  struct Links;

  static void LookAt(Picture& picture, const Box& box, const ImageRecord& image);
  std::size_t NodeOf(const ImageRecord& image, const Box& box);
  std::size_t Root(std::size_t node);
  void Merge(std::size_t a, std::size_t b);

  std::unordered_map<std::string, Picture> pictures_;
  std::vector<std::size_t> parent_;  ///< Of each node.
  std::vector<std::size_t> size_;    ///< Nodes below a root.
  std::vector<Bridge> bridges_;
};

}  // namespace siftsearch::engine
