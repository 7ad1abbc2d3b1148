#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "base/hash.h"
#include "base/status_macros.h"
#include "cli/exit_code.h"
#include "cli/input_walker.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "engine/boxes.h"
#include "engine/picture_file.h"
#include "env/file_env.h"
#include "env/place_file.h"
#include "report/csv.h"
#include "report/read_csv.h"
#include "report/text.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace fs = std::filesystem;
namespace {

struct ApplyFlags {
  std::vector<std::string> files;
  std::string action = "list";
  std::string folder;
  std::string undo_list;
  bool yes = false;
  bool undo = false;
  bool allow_partial = false;
};

/// How much of a picture another contains, and how large it shows that, in per cent.
struct Containment {
  double contained = 0;
  double scale = 0;
};

/// A row of the decisions.
struct Decision {
  std::string group;
  std::string decision;
  std::string path;
  std::string sha256;
  std::string original;
  std::string original_sha256;
  /// Of the picture in those of its group that may stay, by their SHA-256; none: not known.
  std::map<std::string, Containment> contained;
};

/// What is to be done with one file, and what makes it safe: a file that stays.
struct Act {
  Decision decision;
  std::string survivor;
  std::string survivor_sha256;
  std::string lost;    ///< What would be lost, since what stays does not hold it; else empty.
  std::string target;  ///< Of a move.
};

/// True where something has the name, be it a broken link.
bool IsTaken(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

/// The path, or one like it, that is not taken.
std::string FreeName(const fs::path& path) {
  fs::path free = path;
  for (int i = 2; IsTaken(free); ++i) {
    free = path.parent_path() /
           fmt::format("{} ({}){}", path.stem().string(), i, path.extension().string());
  }
  return free.string();
}

ApplyFlags ParseApplyFlags(Command& command) {
  ApplyFlags flags;
  command.Options()("action", po::value(&flags.action)->value_name("ACTION"),
                    "list, move, hard-link or delete the files decided to be copies [list]")(
      "to", po::value(&flags.folder)->value_name("DIR"), "where move puts them")(
      "yes", po::bool_switch(&flags.yes), "do it; without it, say what would be done")(
      "allow-partial", po::bool_switch(&flags.allow_partial),
      "also take a picture of which the one that stays does not hold all, or holds it smaller")(
      "undo-list", po::value(&flags.undo_list)->value_name("FILE"),
      "file that says how to take it back [FILE.undo.csv beside the decisions, or a free name like "
      "it]")("undo", po::bool_switch(&flags.undo), "the FILE given is such a list: take it back");
  command.Positional(&flags.files);
  command.Parse();
  CheckOneOf("action", flags.action, {"list", "move", "hard-link", "delete"});
  if (flags.files.size() != 1) throw UsageError("apply which file of decisions?");
  if (flags.action == "move" && flags.folder.empty()) throw UsageError("move --to which folder?");
  return flags;
}

Status About(const std::string& name, const Status& status) {
  return {status.code(), name + ": " + status.message()};
}

/// "" where the file can't be read.
std::string HashOfFile(const std::string& path) {
  const auto file = engine::ReadPictureFile(path, {});
  return file.ok() ? ToHex(Sha256(file->bytes)) : "";
}

/// The one name of a file that several paths may lead to (links to it, links to folders); the path
/// as it is where there is nothing.
std::string TrueName(const std::string& path) {
  std::error_code error;
  const fs::path name = fs::canonical(path, error);
  return error ? path : name.string();
}

/// True where both paths lead to one file that has no other name: a folder mounted twice, or a file
/// system that takes upper for lower case. What happens to one happens to the other.
bool IsOneFile(const std::string& path, const std::string& other) {
  std::error_code error;
  return fs::equivalent(path, other, error) && fs::hard_link_count(path, error) == 1;
}

/// A path of a row: its bytes, where the row has them in base64.
std::string ExactPath(std::map<std::string, std::string>& fields, const std::string& column) {
  const std::string base64 = fields[column + "_base64"];
  return base64.empty() ? fields[column] : report::FromBase64(base64).value_or(fields[column]);
}

std::optional<Containment> ReadContainment(const std::string& contained, const std::string& scale) {
  Containment read;
  const auto number = [](const std::string& text, double& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && std::isfinite(value) &&
           value >= 0;
  };
  if (!number(contained, read.contained) || !number(scale, read.scale)) return std::nullopt;
  return read;
}

/// What a row says of the pictures that may stay: the original, and those that are kept
/// ("sha256:contained:scale …").
std::map<std::string, Containment> ContainmentOf(std::map<std::string, std::string>& fields) {
  std::map<std::string, Containment> found;
  const auto in_original = ReadContainment(fields["contained_percent"], fields["scale_percent"]);
  if (in_original) found[fields["original_sha256"]] = *in_original;
  std::istringstream words(fields["in_kept"]);
  for (std::string word; words >> word;) {
    const std::size_t first = word.find(':');
    const std::size_t second = first == std::string::npos ? first : word.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto in_kept =
        ReadContainment(word.substr(first + 1, second - first - 1), word.substr(second + 1));
    if (in_kept) found[word.substr(0, first)] = *in_kept;
  }
  return found;
}

Result<std::vector<Decision>> ReadDecisions(const std::string& name) {
  std::ifstream in(name);
  if (!in) return Status(StatusCode::kInvalidArgument, name + " can't be read");
  auto csv = report::CsvReader::Open(in);
  if (!csv.ok()) return About(name, csv.status());
  for (const char* column :
       {"group", "decision", "path", "sha256", "original", "original_sha256"}) {
    if (!csv->Has(column)) {
      return Status(StatusCode::kInvalidArgument,
                    fmt::format("{}: has no column {}", name, column));
    }
  }
  std::vector<Decision> decisions;
  while (true) {
    auto row = csv->Next();
    if (!row.ok()) return About(name, row.status());
    if (!row.value()) return decisions;
    auto& fields = *row.value();
    decisions.push_back({fields["group"], fields["decision"], ExactPath(fields, "path"),
                         fields["sha256"], ExactPath(fields, "original"), fields["original_sha256"],
                         ContainmentOf(fields)});
  }
}

/// What of a picture would be lost if only another stayed; empty where it holds all.
std::string LostBeside(const Decision& copy, const std::string& path, const std::string& sha256) {
  if (copy.sha256 == sha256) return "";
  const auto found = copy.contained.find(sha256);
  if (found == copy.contained.end()) {
    return "the decisions do not say how much of it is in " + path;
  }
  const Containment& in = found->second;
  if (in.contained < engine::kWholePercent)
    return fmt::format("only {} % of it is in {}", in.contained, path);
  if (in.scale < engine::kFullSizePercent)
    return fmt::format("{} shows it at {} % of its size", path, in.scale);
  return "";
}

/// Finds, for a copy, a file of its group that stays and still holds what the report saw.
class Survivors {
 public:
  explicit Survivors(const std::vector<Decision>& decisions) {
    std::set<std::string> kept;
    for (const Decision& decision : decisions) {
      if (decision.decision == "copy") leaving_.insert(TrueName(decision.path));
      if (decision.decision != "keep") continue;
      kept.insert(TrueName(decision.path));
      kept_[KeyOf(decision)].emplace_back(decision.path, decision.sha256);
    }
    for (const std::string& name : kept) leaving_.erase(name);
  }

  /// False for a picture that is to be kept, if only in another group.
  bool Leaves(const std::string& path) const { return leaving_.contains(TrueName(path)); }

  /// Fills in the original, or one that is kept, rather one that holds all of the copy; leaves the
  /// act without a survivor where there is none.
  void Find(Act& act) const {
    const Decision& copy = act.decision;
    std::vector<std::pair<std::string, std::string>> stay = {{copy.original, copy.original_sha256}};
    const auto kept = kept_.find(KeyOf(copy));
    if (kept != kept_.end()) stay.insert(stay.end(), kept->second.begin(), kept->second.end());
    for (const auto& [path, sha256] : stay) {
      if (Leaves(path) || sha256.empty() || IsOneFile(path, copy.path)) continue;
      const std::string lost = LostBeside(copy, path, sha256);
      // Another one stands already that is no worse.
      if (!act.survivor.empty() && (act.lost.empty() || !lost.empty())) continue;
      if (HashOfFile(path) != sha256) continue;
      act.survivor = path;
      act.survivor_sha256 = sha256;
      act.lost = lost;
    }
  }

 private:
  static std::string KeyOf(const Decision& decision) {
    return decision.group.empty() ? "of " + decision.original : decision.group;
  }

  std::set<std::string> leaving_;  ///< By their true names: no other path to them stays.
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> kept_;
};

/// Why a decision is not acted on; empty where it can be.
std::string Obstacle(const Act& act, const ApplyFlags& flags) {
  const std::string& action = flags.action;
  if (act.decision.sha256.empty()) return "the decisions do not say what it held";
  const std::string now = HashOfFile(act.decision.path);
  if (now.empty()) return "can't be read";
  if (now != act.decision.sha256) return "has changed since the report";
  if (act.survivor.empty()) {
    return "no other picture of its group would stay (or none is as the report saw it, or what "
           "stays is this very file by another path)";
  }
  if (!act.lost.empty() && !flags.allow_partial) return act.lost + "; --allow-partial takes it";
  std::error_code error;
  if (action != "delete" && action != "list" && fs::is_symlink(act.decision.path, error)) {
    return "is a symbolic link: only list and delete take links";
  }
  if (action == "hard-link" && act.survivor_sha256 != act.decision.sha256) {
    return "its bytes are others than those of " + act.survivor +
           ": a hard link would change the picture";
  }
  return "";
}

/// Of a SHA-256 in hexadecimal that a file was seen to have.
ContentHash HashFrom(const std::string& sha256) {
  ContentHash hash{};
  const auto bytes = report::FromHex(sha256);
  if (bytes && bytes->size() == hash.size()) std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

/// The list of what was done, each row on disk before the deed.
class UndoList {
 public:
  /// Makes a new file: that which the flags name, or a free name beside the decisions.
  static Result<UndoList> Open(const ApplyFlags& flags) {
    UndoList list;
    const bool named = !flags.undo_list.empty();
    Result<std::unique_ptr<WritableFile>> file = Status(StatusCode::kAlreadyExists, "");
    do {  // Again where another run took the name meanwhile.
      list.name_ = named ? flags.undo_list : FreeName(flags.files[0] + ".undo.csv");
      file = DiskEnv().CreateNew(list.name_, Access::kShared);
    } while (!named && file.status().code() == StatusCode::kAlreadyExists);
    if (file.status().code() == StatusCode::kAlreadyExists) {
      return Status(StatusCode::kInvalidArgument,
                    list.name_ + " is there already; --undo-list names another");
    }
    if (!file.ok()) return file.status();
    list.file_ = std::move(file).value();
    Status begun = list.Append("action,path,target,sha256\n");
    if (begun.ok()) begun = DiskEnv().SyncDirectory(DirectoryOf(list.name_));
    if (begun.ok()) return list;
    (void)DiskEnv().Remove(list.name_);  // The first error is the one to tell.
    return begun;
  }

  const std::string& name() const { return name_; }

  Status Add(const std::string& action, const std::string& path, const std::string& target,
             const std::string& sha256) {
    return Append(fmt::format("{},{},{},{}\n", action, report::CsvField(path),
                              report::CsvField(target), sha256));
  }

  Status Close() { return file_->Close(); }

 private:
  Status Append(const std::string& text) {
    SIFTSEARCH_RETURN_IF_ERROR(
        file_->Append({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
    return file_->Sync();
  }

  std::string name_;
  std::unique_ptr<WritableFile> file_;
};

/// Does it; gives what of the file's metadata could not be kept.
Result<std::string> Do(const Act& act, const ApplyFlags& flags, UndoList& undo) {
  const std::string& path = act.decision.path;
  if (flags.action == "move") {
    SIFTSEARCH_RETURN_IF_ERROR(undo.Add("move", path, act.target, act.decision.sha256));
    return MoveFile(DiskEnv(), path, act.target, HashFrom(act.decision.sha256));
  }
  std::error_code error;
  // Taking this run back must not part what was one file before.
  if (flags.action == "hard-link" && fs::equivalent(path, act.survivor, error))
    return std::string();
  SIFTSEARCH_RETURN_IF_ERROR(undo.Add(flags.action, path, act.survivor, act.decision.sha256));
  // Of a symbolic link it would be one more symbolic link, perhaps to nowhere.
  SIFTSEARCH_RETURN_IF_ERROR(flags.action == "hard-link"
                                 ? ReplaceByLink(DiskEnv(), path, TrueName(act.survivor))
                                 : RemoveDurably(DiskEnv(), path));
  return std::string();
}

/// A message without the path that it is said of anyway.
std::string WithoutPath(const std::string& path, const std::string& message) {
  return message.starts_with(path + ": ") ? message.substr(path.size() + 2) : message;
}

/// Says what of a file's metadata could not be kept, if any.
void TellLost(const Console& console, const std::string& path, const std::string& lost) {
  if (!lost.empty()) console.Error(path, lost + " could not be kept there");
}

/// How the picture that stays holds the other.
std::string WhatStays(const Act& act) {
  if (!act.lost.empty()) return "but " + act.lost;
  if (act.decision.sha256 == act.survivor_sha256) return "with equal bytes";
  const Containment& in = act.decision.contained.at(act.survivor_sha256);
  return fmt::format("which holds {} % of it at {} % of its size", in.contained, in.scale);
}

struct ApplyCounts {
  int done = 0;
  int refused = 0;
};

/// Acts on the copies among the decisions, or says what it would do; `undo` is none then.
ApplyCounts ActOn(const std::vector<Decision>& decisions, const ApplyFlags& flags, UndoList* undo,
                  const Console& console) {
  const Survivors survivors(decisions);
  ApplyCounts counts;
  std::set<std::string> seen;
  for (const Decision& decision : decisions) {
    // A picture can be a copy in two groups.
    if (decision.decision != "copy" || !seen.insert(decision.path).second) continue;
    Act act;
    act.decision = decision;
    survivors.Find(act);
    std::string problem = survivors.Leaves(decision.path)
                              ? Obstacle(act, flags)
                              : "is to be kept: another row of the decisions says so";
    if (flags.action == "move") {
      const fs::path folder = AbsolutePath(flags.folder);
      act.target = FreeName(folder / fs::path(decision.path).filename());
    }
    if (problem.empty() && undo != nullptr) {
      const auto lost = Do(act, flags, *undo);
      if (lost.ok()) TellLost(console, act.target, *lost);
      problem = WithoutPath(decision.path, lost.status().message());
    }
    ++(problem.empty() ? counts.done : counts.refused);
    if (!problem.empty()) {
      console.Error(decision.path, problem);
      continue;
    }
    const std::string to = act.target.empty() ? "" : " to " + report::Printable(act.target);
    std::fputs(fmt::format("{}{}: {}{} (stays: {}, {})\n", undo ? "" : "would ", flags.action,
                           report::Printable(decision.path), to, report::Printable(act.survivor),
                           report::Printable(WhatStays(act)))
                   .c_str(),
               stdout);
  }
  return counts;
}

int Apply(const ApplyFlags& flags, const Console& console) {
  const auto decisions = ReadDecisions(flags.files[0]);
  if (!decisions.ok()) {
    console.Error(decisions.status().message());
    return kExitSomeFailed;
  }
  std::optional<UndoList> undo;
  if (flags.yes && flags.action != "list") {
    if (flags.action == "move") {
      const Status made = MakeDirectories(DiskEnv(), AbsolutePath(flags.folder));
      if (!made.ok()) return FailToWrite(console, made);
    }
    auto opened = UndoList::Open(flags);
    if (!opened.ok()) return FailToWrite(console, opened.status());
    undo.emplace(std::move(opened).value());
  }
  const ApplyCounts counts = ActOn(*decisions, flags, undo ? &*undo : nullptr, console);
  if (undo) (void)undo->Close();  // Each row was synced.
  const std::string how =
      !undo ? (flags.action == "list" ? "" : "; nothing was changed: --yes does it")
      : flags.action == "delete" ? "; " + undo->name() + " lists them"
                                 : "; " + undo->name() + " takes it back (siftsearch apply --undo)";
  console.Note(fmt::format("{} files {}, {} refused{}", counts.done, undo ? "done" : "to do",
                           counts.refused, how));
  return counts.refused > 0 ? kExitSomeFailed : kExitDone;
}

/// Takes a row back; gives what of the file's metadata could not be kept.
Result<std::string> UndoRow(const std::map<std::string, std::string>& row, bool yes) {
  const std::string& action = row.at("action");
  const std::string& path = row.at("path");
  const std::string& target = row.at("target");
  if (action == "move") {
    if (IsTaken(path)) {
      if (HashOfFile(path) == row.at("sha256")) return std::string();
      return Status(StatusCode::kInvalidArgument, "another file has its place");
    }
    if (HashOfFile(target) != row.at("sha256")) {
      return Status(StatusCode::kNotFound, target + " is gone or has changed");
    }
    if (!yes) return std::string();
    return MoveFile(DiskEnv(), target, path, HashFrom(row.at("sha256")));
  }
  if (action == "hard-link") {
    std::error_code error;
    const bool linked = fs::equivalent(path, target, error);
    if (error || HashOfFile(path) != row.at("sha256")) {
      return Status(StatusCode::kNotFound, "is gone or has changed");
    }
    if (!linked || !yes) return std::string();
    return ReplaceByCopy(DiskEnv(), path, HashFrom(row.at("sha256")));
  }
  return Status(StatusCode::kUnsupported, "was deleted: only a backup, or " + target + ", has it");
}

int Undo(const ApplyFlags& flags, const Console& console) {
  std::ifstream in(flags.files[0]);
  auto csv = report::CsvReader::Open(in);
  if (!csv.ok() || !csv->Has("action") || !csv->Has("target") || !csv->Has("sha256") ||
      !csv->Has("path")) {
    console.Error(flags.files[0] + " is no list of apply");
    return kExitSomeFailed;
  }
  int done = 0, failed = 0;
  while (true) {
    const auto row = csv->Next();
    if (row.ok() && !row.value()) break;
    if (!row.ok()) {
      ++failed;
      console.Error(flags.files[0], row.status().message());
      break;
    }
    const std::string& path = row.value()->at("path");
    const auto lost = UndoRow(*row.value(), flags.yes);
    ++(lost.ok() ? done : failed);
    if (lost.ok()) TellLost(console, path, *lost);
    if (!lost.ok()) console.Error(path, WithoutPath(path, lost.status().message()));
  }
  console.Note(fmt::format("{} files {}, {} not{}", done,
                           flags.yes ? "as they were" : "can be taken back", failed,
                           flags.yes ? "" : "; nothing was changed: --yes does it"));
  return failed > 0 ? kExitSomeFailed : kExitDone;
}

}  // namespace

int RunApply(Command& command) {
  const ApplyFlags flags = ParseApplyFlags(command);
  return flags.undo ? Undo(flags, command.console()) : Apply(flags, command.console());
}

}  // namespace siftsearch::cli
