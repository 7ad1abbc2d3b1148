#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "siftsearch/evidence.h"
#include "siftsearch/search_backend.h"
#include "siftsearch/status.h"
#include "siftsearch/types.h"

namespace siftsearch {

/// kMoved: the path is new, and one that is gone had these bytes: its image has the new path.
enum class AddAction { kAdded, kReplaced, kMoved, kUnchanged, kIgnored, kFailed };

/// "added", "replaced", …
constexpr std::string_view AddActionName(AddAction action) {
  switch (action) {
    case AddAction::kAdded:
      return "added";
    case AddAction::kReplaced:
      return "replaced";
    case AddAction::kMoved:
      return "moved";
    case AddAction::kUnchanged:
      return "unchanged";
    case AddAction::kIgnored:
      return "ignored";
    case AddAction::kFailed:
      return "failed";
  }
  return "";
}

/// What became of one input of Add. Delivered only once the outcome is durable.
struct AddOutcome {
  std::string path;
  AddAction action = AddAction::kFailed;
  ImageId id = 0;  ///< 0 when nothing is stored.
  int width = 0;
  int height = 0;
  int descriptors = 0;     ///< 0 also for a picture without any descriptor (a blank page).
  int pages = 1;           ///< As of ImageRecord.
  std::string reason;      ///< Why it was ignored or failed; a remark otherwise; may be empty.
  std::string moved_from;  ///< Of kMoved: the path before.
};

struct AddSummary {
  std::int64_t given = 0;  ///< Sum of the six below.
  std::int64_t added = 0;
  std::int64_t replaced = 0;
  std::int64_t moved = 0;
  std::int64_t unchanged = 0;
  std::int64_t ignored = 0;
  std::int64_t failed = 0;
  std::int64_t out_of_memory = 0;  ///< Of `failed`: there was no memory for them.
  std::int64_t not_reached = 0;  ///< Inputs pulled but given up because of `stop`; not in `given`.
  bool stopped = false;
};

/// What a match seems to be.
enum class MatchKind {
  kCopy,           ///< score >= kCopyThreshold.
  kSameScene,      ///< The points agree all over, the pixels do not: another view, another chart.
  kSharedOverlay,  ///< A part that many pictures share agrees: a watermark, a logo, a form.
  kUnclear,        ///< Too little agrees to say.
};

/// "copy", "same_scene", …
constexpr std::string_view MatchKindName(MatchKind kind) {
  switch (kind) {
    case MatchKind::kCopy:
      return "copy";
    case MatchKind::kSameScene:
      return "same_scene";
    case MatchKind::kSharedOverlay:
      return "shared_overlay";
    case MatchKind::kUnclear:
      return "unclear";
  }
  return "";
}

/// A verified match, with the words of design.md.
struct Match {
  int rank = 0;
  ImageRecord image;
  double score = 0;   ///< Confidence in [0, 1] that the two share copied content.
  bool copy = false;  ///< score >= kCopyThreshold.
  MatchKind kind = MatchKind::kUnclear;
  double votes = 0;
  int inliers = 0;  ///< Agreeing keypoints at distinct positions.
  bool mirrored = false;
  bool inverted = false;
  std::string relation;  ///< In words: "crop of, 34 % of its area, rotated 12°".
  Transform image_from_query{};
  std::vector<Point> query_polygon;  ///< Shared region in query pixels.
  std::vector<Point> image_polygon;
  Box query_box;
  Box image_box;
  double query_overlap_percent = 0;  ///< Share of the query that the region covers.
  double image_overlap_percent = 0;
  std::optional<Verdict> verdict;  ///< What was decided about the two before.
  Evidence evidence;
  std::vector<std::pair<Point, Point>> inlier_points;  ///< (query, image) positions.
};

/// Score from which a match is reported as a copy.
inline constexpr double kCopyThreshold = 0.5;

struct Timings {
  double decode_ms = 0;
  double extract_ms = 0;
  double search_ms = 0;
  double verify_ms = 0;
};

struct QueryResult {
  std::string query;   ///< Path as given, "-" for bytes.
  Status error;        ///< Not ok: nothing below is set.
  ContentHash hash{};  ///< SHA-256 of the file's bytes.
  int width = 0;
  int height = 0;
  int descriptors = 0;
  int pages = 1;  ///< As of ImageRecord.
  std::vector<Match> matches;
  Timings timings;
};

/// A pair of pictures that a report lists.
struct ReportPair {
  ImageRecord query;  ///< id 0 for a file that is not in the database.
  Match match;
  /// Copies that belong together share a group, 1, 2, … by first appearance; 0: in none.
  std::int64_t group = 0;
  bool bridge = false;  ///< A copy, but the only link between two groups: it does not join them.
  /// Whether a picture is put together from several: a collage, or one with another laid into it.
  /// Each part may be in another group.
  bool query_in_parts = false;
  bool image_in_parts = false;
  /// Share of the shared region that only one of the two shows, since a picture is laid over it.
  int covered_percent = 0;
};

/// PDQ of a whole picture: 256 bits as 64 hexadecimal digits, as Facebook's
/// ThreatExchange, HMA and py-tx write them (up to 4 bits from theirs for coloured pictures, whose
/// grey is a byte here).
struct PictureHash {
  /// Of the picture as it is, rotated by 90, 180 and 270° counterclockwise, mirrored, upside down
  /// mirrored, transposed, and transposed along the other diagonal.
  std::vector<std::string> pdq;
  int quality = 0;  ///< 0 to 100. Below 50 the bits say little: the picture hardly varies.
};

/// What a report compared and listed.
struct Report {
  std::int64_t images = 0;  ///< Images compared.
  std::int64_t pairs = 0;   ///< Pairs listed.
  std::int64_t copies = 0;  ///< Of them, copies; of ReportFiles, of the files given.
  std::int64_t groups = 0;
  std::int64_t failed = 0;         ///< Files of the folder that could not be read.
  std::int64_t out_of_memory = 0;  ///< Of `failed`: there was no memory for them.
  bool stopped = false;            ///< By ReportOptions::stop: not all is compared.
  double search_ms = 0;            ///< Spent in searches of the database.
};

}  // namespace siftsearch
