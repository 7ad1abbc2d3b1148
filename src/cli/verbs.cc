#include "cli/verbs.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>

#include "cli/exit_code.h"
#include "cli/manual.h"
#include "cli/output.h"
#include "siftsearch/engine.h"
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace siftsearch::cli {
namespace po = boost::program_options;
namespace {

constexpr Verb kVerbs[] = {
    {"add", "", "PATH...", "Store images: files, folders, or - for a list of paths on stdin.",
     RunAdd},
    {"query", "search", "IMAGE...", "Find the stored images that these are copies of.", RunQuery},
    {"compare", "", "IMAGE IMAGE",
     "Find one image in another, or, of one file with itself, places that repeat; no database.",
     RunCompare},
    {"hash", "", "PATH...",
     "Print PDQ, a hash of the whole picture, as ThreatExchange and HMA exchange it; no database.",
     RunHash},
    {"report", "", "[PATH...]",
     "List all copies inside the database, or of these images in the database.", RunReport},
    {"apply", "", "FILE", "Act on the decisions saved from a report's page; a dry run by default.",
     RunApply},
    {"verdict", "", "confirm A B | not-a-copy A [B] | forget A [B] | export | import FILE",
     "Remember what are copies and what are not.", RunVerdict},
    {"watch", "", "DIR...", "Add images as they come, and tell what they are copies of.", RunWatch},
    {"list", "", "", "List the stored images.", RunList},
    {"show", "", "PATH|ID...", "Tell all that is stored about images.", RunShow},
    {"remove", "delete", "PATH|ID...", "Forget images; their files stay.", RunRemove},
    {"stats", "", "", "Tell the size of the database and how it is searched.", RunStats},
    {"check", "", "", "Verify every checksum and count of the database.", RunCheck},
    {"compact", "", "", "Merge segments and give back the space of removed images.", RunCompact},
    {"index", "", "[KEY]",
     "Tell how the database is searched, or change it: auto (exact below some 200,000 descriptors, "
     "Terms from there on), IDMap,Flat (exact), Terms, or a Faiss factory key such as "
     "IDMap,HNSW48.",
     RunIndex},
    {"serve", "", "", "Serve databases over HTTP (schema/http.md).", RunServe},
    {"token", "", "add|list|remove [NAME]", "Make, list and remove the tokens of a server.",
     RunToken},
    {"completion", "", "bash|zsh|fish", "Print the script that completes words in a shell.",
     RunCompletion},
    {"man", "", "", "Print the manual page.", RunMan},
    {"export", "", "", "Write the descriptors as a stock Faiss index file.", RunExport},
};

const Verb* FindVerb(std::string_view name) {
  const auto* found = std::find_if(std::begin(kVerbs), std::end(kVerbs), [&](const Verb& verb) {
    return verb.name == name || (!verb.alias.empty() && verb.alias == name);
  });
  return found == std::end(kVerbs) ? nullptr : found;
}

OptionDescription Describe(const po::option_description& option) {
  OptionDescription described;
  described.name = option.long_name();
  // "-o [ --output ] arg".
  const std::string names = option.format_name();
  if (names.size() > 2 && names[0] == '-' && names[1] != '-') described.letter = names[1];
  if (option.semantic()->max_tokens() > 0) described.value = option.semantic()->name();
  described.help = option.description();
  return described;
}

/// All verbs with the options that each declares.
std::vector<VerbDescription> DescribeVerbs() {
  std::vector<VerbDescription> verbs;
  for (const Verb& verb : kVerbs) {
    Command command(std::string(verb.name), "", "", {});
    command.DescribeOnly();
    try {
      verb.run(command);
    } catch (const Described&) {
    }
    VerbDescription& described = verbs.emplace_back();
    described.name = verb.name;
    described.alias = verb.alias;
    described.arguments = verb.arguments;
    described.help = verb.help;
    for (const auto& option : command.options().options()) {
      described.options.push_back(Describe(*option));
    }
  }
  return verbs;
}

/// Options before the verb.
struct Globals {
  std::string database;
  std::string server;
  bool quiet = false;
  bool verbose = false;
  bool help = false;
  bool version = false;
  po::options_description options{"Options"};

  Globals() {
    options.add_options()("db", po::value(&database)->value_name("DIR"),
                          "database folder [$SIFTSEARCH_DB, else ./siftsearch.db]")(
        "server", po::value(&server)->value_name("URL"),
        "collection of a server instead, for add, query, watch, list and remove")(
        "quiet,q", po::bool_switch(&quiet), "say nothing but errors")(
        "verbose,v", po::bool_switch(&verbose), "say more")(
        "help,h", po::bool_switch(&help), "say this, or after a verb what it does")(
        "version", po::bool_switch(&version), "tell the version");
  }

  void Parse(const std::vector<std::string>& words) {
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::variables_map values;
    try {
      const auto parsed = po::command_line_parser(words).options(options).style(style).run();
      CheckPaths(parsed, options);
      po::store(parsed, values);
      po::notify(values);
    } catch (const po::error& error) {
      throw UsageError(error.what());
    }
  }
};

/// Where the verb stands: the first word that is neither an option nor what follows --db or
/// --server.
std::size_t VerbIndex(const std::vector<std::string>& words) {
  std::size_t i = 0;
  while (i < words.size() && words[i].size() > 1 && words[i].front() == '-') {
    i += words[i] == "--db" || words[i] == "--server" ? 2 : 1;
  }
  return std::min(i, words.size());
}

void ShowHelp(const Globals& globals, std::ostream& out) {
  out << "siftsearch finds which stored images another image is a copy of, and where in it.\n\n"
         "Usage: siftsearch [OPTIONS] VERB ...\n\nVerbs (siftsearch VERB --help tells more)\n";
  for (const Verb& verb : kVerbs) {
    std::string name = "  " + std::string(verb.name);
    if (!verb.alias.empty()) name += ", " + std::string(verb.alias);
    out << name << std::string(name.size() < 20 ? 20 - name.size() : 1, ' ') << verb.help << '\n';
  }
  out << '\n' << globals.options << std::flush;
}

int RunVerb(const Globals& globals, const std::vector<std::string>& words, std::size_t at) {
  const Verb* verb = FindVerb(words[at]);
  if (verb == nullptr) {
    throw UsageError("there is no verb \"" + words[at] + "\" (siftsearch --help lists them)");
  }
  Command command(std::string(verb->name), std::string(verb->arguments), std::string(verb->help),
                  {words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end()});
  if (!globals.database.empty() && !globals.server.empty()) {
    throw UsageError("--db does not go with --server");
  }
  command.SetGlobals(globals.database, globals.server, globals.quiet, globals.verbose);
  return verb->run(command);
}

int Run(const std::vector<std::string>& words) {
  Globals globals;
  const std::size_t at = VerbIndex(words);
  globals.Parse({words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at)});
  if (globals.version) {
    std::cout << "siftsearch " << Version() << std::endl;
    return kExitDone;
  }
  const bool help_verb = at < words.size() && words[at] == "help";
  if (help_verb && at + 1 < words.size()) {
    return RunVerb(globals, {words[at + 1], "--help"}, 0);
  }
  if (globals.help || help_verb) {
    ShowHelp(globals, std::cout);
    return kExitDone;
  }
  if (at == words.size()) {
    ShowHelp(globals, std::cerr);
    return kExitUsage;
  }
  return RunVerb(globals, words, at);
}

/// SIFT's pyramids come and go with each picture. Freed memory that goes back to the system has to
/// be cleared for the next one, which took 3 to 10 % of the time of `add` (bench/EXPERIMENTS.md).
void KeepFreedMemory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
}

/// Where nothing can be caught: in the threads of Faiss, and in OpenCV's SIFT, a destructor of
/// which throws while the exception that says that memory ended is under way. What is stored is as
/// whole as after any other sudden end.
[[noreturn]] void OnTerminate() {
  bool out_of_memory = std::uncaught_exceptions() > 0;
  try {
    if (std::current_exception()) throw;
  } catch (const std::bad_alloc&) {
    out_of_memory = true;
  } catch (...) {
  }
  if (!out_of_memory) std::abort();
  std::fputs("siftsearch: out of memory\n", stderr);
  std::_Exit(kExitResources);
}

}  // namespace

int RunCompletion(Command& command) {
  std::vector<std::string> shells;
  command.Positional(&shells);
  command.Parse();
  if (shells.size() != 1) throw UsageError("completion for which shell? (bash, zsh, fish)");
  CheckOneOf("shell", shells[0], {"bash", "zsh", "fish"});
  Output output;
  output.Write(CompletionScript(shells[0], DescribeVerbs()));
  return Finish(command.console(), output, kExitDone);
}

int RunMan(Command& command) {
  command.Parse();
  Output output;
  output.Write(ManPage(std::string(Version()), DescribeVerbs()));
  return Finish(command.console(), output, kExitDone);
}

int Main(int argc, char** argv) {
  // A file-size limit is then an error of the write, like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  std::set_terminate(OnTerminate);
  KeepFreedMemory();
  try {
    return Run({argv + (argc > 0 ? 1 : 0), argv + argc});
  } catch (const HelpShown&) {
    return kExitDone;
  } catch (const UsageError& error) {
    Console().Error(error.what());
    return kExitUsage;
  } catch (const std::bad_alloc&) {
    Console().Error("out of memory");
    return kExitResources;
  } catch (const std::exception& error) {
    Console().Error(fmt::format("a fault of siftsearch's own: {}", error.what()));
    return kExitDatabase;
  }
}

}  // namespace siftsearch::cli
