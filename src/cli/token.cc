#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>

#include "cli/exit_code.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "env/file_env.h"
#include "report/table.h"
#include "report/text.h"
#include "server/tokens.h"

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

std::int64_t MadeSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// A name that is taken or unknown is a failed input, one that is none is wrong use.
int FailOf(const Console& console, const Status& status) {
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
      throw UsageError(status.message());
    case StatusCode::kAlreadyExists:
    case StatusCode::kNotFound:
      console.Error(status.message());
      return kExitSomeFailed;
    default:
      return Fail(console, status);
  }
}

int Add(const Console& console, const std::string& file, const std::string& name,
        const std::string& collection, server::Right right) {
  FileEnv& env = DiskEnv();
  const auto token = server::MakeToken(env, file, name, collection, right, MadeSeconds());
  if (!token.ok()) return FailOf(console, token.status());
  Output output;
  output.Write(*token + "\n");
  const int code = Finish(console, output, kExitDone);
  if (code != kExitDone) {
    // Nobody has seen it. Where it can't be forgotten either, the first error is the one to tell.
    (void)server::RemoveToken(env, file, name);
    return code;
  }
  console.Note("keep the token: only its hash is stored, so it can't be shown again");
  return kExitDone;
}

int List(const Console& console, const std::string& file) {
  const auto tokens = server::Tokens::Read(DiskEnv(), file);
  if (!tokens.ok()) return Fail(console, tokens.status());
  std::vector<std::vector<std::string>> rows = {{"name", "collection", "right", "made"}};
  for (const server::TokenRecord& record : tokens->records()) {
    rows.push_back({report::Printable(record.name), record.collection,
                    std::string(server::RightName(record.right)),
                    fmt::format("{:%Y-%m-%d %H:%M:%S} UTC",
                                fmt::gmtime(static_cast<std::time_t>(record.made_s)))});
  }
  Output output;
  output.Write(report::Columns(rows, {}));
  return Finish(console, output, kExitDone);
}

int Remove(const Console& console, const std::string& file, const std::string& name) {
  const Status removed = server::RemoveToken(DiskEnv(), file, name);
  if (!removed.ok()) return FailOf(console, removed);
  console.Note("1 token removed");
  return kExitDone;
}

void CheckWords(const std::vector<std::string>& words, const std::string& file) {
  if (words.empty()) throw UsageError("token what? (add, list, remove)");
  CheckOneOf("token", words[0], {"add", "list", "remove"});
  if (words.size() != (words[0] == "list" ? 1 : 2)) {
    throw UsageError("token add NAME, list, remove NAME");
  }
  if (file.empty()) throw UsageError("--file says which file the tokens are in");
}

}  // namespace

int RunToken(Command& command) {
  std::vector<std::string> words;
  std::string file;
  std::string right, collection;
  command.Options()("file", po::value(&file)->value_name("FILE"),
                    "the server's file of tokens; add makes it, for its owner only")(
      "right", po::value(&right)->value_name("RIGHT"),
      "of add: what the token allows: read, write (and read), or admin (all) [read]")(
      "collection", po::value(&collection)->value_name("NAME"),
      "of add: the collection that the token is for, or * for all [*]");
  command.Positional(&words);
  command.Parse();
  CheckWords(words, file);
  if (words[0] != "add" && !(right.empty() && collection.empty())) {
    throw UsageError("--right and --collection are of token add");
  }
  const Console& console = command.console();
  if (words[0] == "list") return List(console, file);
  if (words[0] == "remove") return Remove(console, file, words[1]);
  if (right.empty()) right = "read";
  CheckOneOf("right", right, {"read", "write", "admin"});
  return Add(console, file, words[1], collection.empty() ? "*" : collection,
             *server::ParseRight(right));
}

}  // namespace siftsearch::cli
