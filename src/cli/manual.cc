#include "cli/manual.h"

#include <fmt/format.h>

namespace siftsearch::cli {
namespace {

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// Names of a verb with a blank between.
std::string NamesOf(const VerbDescription& verb) {
  return verb.alias.empty() ? verb.name : verb.name + " " + verb.alias;
}

std::string Bash(const std::vector<VerbDescription>& verbs) {
  std::string names, cases;
  for (const VerbDescription& verb : verbs) {
    names += (names.empty() ? "" : " ") + NamesOf(verb);
    std::string options;
    for (const OptionDescription& option : verb.options) options += " --" + option.name;
    cases += fmt::format("    {}) options=\"{}\" ;;\n", Replaced(NamesOf(verb), " ", "|"),
                         options.substr(std::min<std::size_t>(1, options.size())));
  }
  return fmt::format(
      "# bash completion for siftsearch\n"
      "_siftsearch() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} verb= options= i\n"
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    case ${{COMP_WORDS[i]}} in\n"
      "      --db) ((++i)) ;;\n"
      "      -*) ;;\n"
      "      *) verb=${{COMP_WORDS[i]}}; break ;;\n"
      "    esac\n"
      "  done\n"
      "  if [[ -z $verb && $word != -* ]]; then\n"
      "    COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case $verb in\n"
      "    '') options=\"--db --quiet --verbose --help --version\" ;;\n"
      "{}"
      "  esac\n"
      "  if [[ $word == -* ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
      "  else\n"
      "    COMPREPLY=()\n"
      "  fi\n"
      "}}\n"
      "complete -o default -F _siftsearch siftsearch\n",
      names, cases);
}

/// In single quotes, with the characters escaped that _arguments reads.
std::string ZshText(std::string text) {
  for (const char* special : {"[", "]", ":"}) {
    text = Replaced(std::move(text), special, std::string("\\") + special);
  }
  return Replaced(std::move(text), "'", "'\\''");
}

std::string Zsh(const std::vector<VerbDescription>& verbs) {
  std::string names, cases;
  for (const VerbDescription& verb : verbs) {
    names += fmt::format("    '{}:{}'\n", verb.name, ZshText(verb.help));
    cases += fmt::format("    {})\n      _arguments -s", Replaced(NamesOf(verb), " ", "|"));
    for (const OptionDescription& option : verb.options) {
      const std::string value = option.value.empty() ? "" : ":" + option.value + ":_files";
      cases += fmt::format(" \\\n        '--{}[{}]{}'", option.name, ZshText(option.help), value);
    }
    cases += " \\\n        '*:file:_files' ;;\n";
  }
  return fmt::format(
      "#compdef siftsearch\n"
      "_siftsearch() {{\n"
      "  local -a verbs\n"
      "  verbs=(\n{}  )\n"
      "  local verb i\n"
      "  for ((i = 2; i < CURRENT; ++i)); do\n"
      "    case $words[i] in\n"
      "      --db) ((++i)) ;;\n"
      "      -*) ;;\n"
      "      *) verb=$words[i]; break ;;\n"
      "    esac\n"
      "  done\n"
      "  case $verb in\n"
      "    '') _describe verb verbs ;;\n"
      "{}"
      "  esac\n"
      "}}\n"
      "_siftsearch \"$@\"\n",
      names, cases);
}

std::string FishText(const std::string& text) {
  return "'" + Replaced(Replaced(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::string Fish(const std::vector<VerbDescription>& verbs) {
  std::string names;
  for (const VerbDescription& verb : verbs) names += (names.empty() ? "" : " ") + NamesOf(verb);
  std::string text = "# fish completion for siftsearch\n";
  for (const VerbDescription& verb : verbs) {
    text +=
        fmt::format("complete -c siftsearch -n 'not __fish_seen_subcommand_from {}' -a {} -d {}\n",
                    names, verb.name, FishText(verb.help));
    for (const OptionDescription& option : verb.options) {
      text += fmt::format(
          "complete -c siftsearch -n '__fish_seen_subcommand_from {}' -l {}{}{} "
          "-d {}\n",
          NamesOf(verb), option.name, option.letter ? std::string(" -s ") + option.letter : "",
          option.value.empty() ? "" : " -r", FishText(option.help));
    }
  }
  return text;
}

/// Text in which troff sees no command.
std::string Roff(std::string text) {
  text = Replaced(std::move(text), "\\", "\\e");
  text = Replaced(std::move(text), "-", "\\-");
  return text.starts_with('.') || text.starts_with('\'') ? "\\&" + text : text;
}

}  // namespace

std::string CompletionScript(const std::string& shell, const std::vector<VerbDescription>& verbs) {
  return shell == "bash" ? Bash(verbs) : shell == "zsh" ? Zsh(verbs) : Fish(verbs);
}

std::string ManPage(const std::string& version, const std::vector<VerbDescription>& verbs) {
  std::string page = fmt::format(
      ".TH SIFTSEARCH 1 \"\" \"siftsearch {}\" \"User Commands\"\n"
      ".SH NAME\nsiftsearch \\- find which images another image is a copy of\n"
      ".SH SYNOPSIS\n.B siftsearch\n[\\-\\-db \\fIDIR\\fR] \\fIVERB\\fR ...\n"
      ".SH DESCRIPTION\nFinds which stored images another image is a copy of, where in it, and how "
      "sure that is: also crops, pictures inside other pictures, rotated, mirrored, inverted, "
      "scaled, re\\-encoded and partly covered ones.\n.SH VERBS\n",
      Roff(version));
  for (const VerbDescription& verb : verbs) {
    page += fmt::format(".SS {}{} {}\n{}\n", verb.name, verb.alias.empty() ? "" : ", " + verb.alias,
                        Roff(verb.arguments), Roff(verb.help));
    for (const OptionDescription& option : verb.options) {
      const std::string letter = option.letter ? fmt::format("\\-{}, ", option.letter) : "";
      const std::string value = option.value.empty() ? "" : " \\fI" + Roff(option.value) + "\\fR";
      page += fmt::format(".TP\n\\fB{}\\-\\-{}\\fR{}\n{}\n", letter, Roff(option.name), value,
                          Roff(option.help));
    }
  }
  return page +
         ".SH EXIT STATUS\n"
         ".TP\n0\ndone\n.TP\n1\nsome inputs failed, each named on standard error; the rest is "
         "done\n"
         ".TP\n2\nwrong use\n.TP\n3\nthe database can't be opened or is damaged\n"
         ".TP\n4\nout of disk or memory\n.TP\n11\nwith \\-\\-fail\\-on\\-copy: a copy was found\n"
         ".TP\n130\nstopped by Ctrl\\-C\n"
         ".SH ENVIRONMENT\n.TP\nSIFTSEARCH_DB\nfolder of the database, without \\-\\-db\n"
         ".TP\nSIFTSEARCH_KERNEL\nvariant of exact search, without \\-\\-kernel\n";
}

}  // namespace siftsearch::cli
