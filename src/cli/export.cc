#include "cli/exit_code.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/verbs.h"

namespace siftsearch::cli {
namespace po = boost::program_options;

int RunExport(Command& command) {
  std::string file;
  command.Options()("faiss", po::value(&file)->value_name("FILE"),
                    "write an IDMap,Flat index for stock Faiss; its ids name contents, as in the "
                    "content field of list --format jsonl");
  command.Parse();
  if (file.empty()) throw UsageError("export takes --faiss FILE");
  const Console& console = command.console();
  const auto engine = OpenReader(command);
  if (!engine.ok()) return Fail(console, engine.status());
  const Status written = (*engine)->backend().ExportFaiss(file);
  if (written.ok()) return kExitDone;
  return written.code() == StatusCode::kCorrupt ? Fail(console, written)
                                                : FailToWrite(console, written);
}

}  // namespace siftsearch::cli
