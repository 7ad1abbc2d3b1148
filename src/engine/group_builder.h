#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/picture_parts.h"
#include "siftsearch/results.h"

namespace siftsearch::engine {

/// Puts copies into groups that do not chain. Passes over the same pairs, best score first: `Look`
/// at each, `Weigh` each, `Answer` with each where there are questions, `Join` each, `Settle`, then
/// ask `GroupOf` each.
///
/// What pairs join are regions, not pictures. A picture that shares two or more separate parts
/// with others (a collage, a page with several figures, a picture with another laid into it:
/// PictureParts) is as many nodes as it has parts, one for what surrounds them, and one for the
/// whole; any other picture is one node. Files of equal bytes are one picture. Nodes are joined as
/// Kruskal's algorithm does (Proc. AMS 7, 1956), best score first; two groups that already have
/// three pictures each are joined only where two pairs link them that have no picture in common, so
/// that one wrong or accidental link between dense groups stays a bridge. The result does not
/// depend on the order of the database. Memory grows with pictures, not with pairs.
class GroupBuilder {
 public:
  void Look(const ReportPair& pair);
  void Weigh(const ReportPair& pair);
  bool HasQuestions() const { return !questions_.empty(); }
  void Answer(const ReportPair& pair);
  void Join(const ReportPair& pair);
  /// Joins groups that two or more independent pairs link after all.
  void Settle();
  /// A number for the group, or none where the pair is a bridge.
  std::optional<std::size_t> GroupOf(const ReportPair& pair);
  /// True of a picture that is put together from several.
  bool InParts(const ImageRecord& image) const;
  /// Share of the pair's region, 0 to 1, that one of the two shows and the other does not, since a
  /// picture is laid over it.
  double Covered(const ReportPair& pair);

 private:
  struct Picture {
    PictureParts parts;
    bool decided = false;
    std::size_t first_node = 0;
  };
  struct Question {
    std::size_t picture = 0;
    PictureParts::Question about;
  };
  struct Bridge {
    std::size_t a, b;
  };
  struct Links;

  std::size_t NumberOf(const ImageRecord& image);
  PairSide QuerySide(const ReportPair& pair);
  PairSide ImageSide(const ReportPair& pair);
  void WeighSide(const PairSide& side);
  void AnswerFor(std::size_t asked, std::size_t shown);
  Picture& Decided(std::size_t number);
  std::size_t NodeOf(const PairSide& side);
  std::size_t Root(std::size_t node);
  void Merge(std::size_t a, std::size_t b);

  /// Of pictures by hash; without one, by path.
  std::unordered_map<std::string, std::size_t> numbers_;
  std::vector<Picture> pictures_;
  std::unordered_map<std::size_t, std::vector<Question>> questions_;  ///< By whom they are about.
  std::vector<std::size_t> parent_;                                   ///< Of each node.
  std::vector<std::size_t> size_;                                     ///< Nodes below a root.
  std::vector<Bridge> bridges_;
};

}  // namespace siftsearch::engine
