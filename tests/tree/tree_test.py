"""Checks of the source tree: includes point down, folders hold what they should, tests are run."""

import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A module may include those of lower levels and itself.
LEVELS = {
    "base": 0,
    "env": 1, "kernel": 1, "vote": 1, "verify": 1,
    "image": 2, "segment": 2, "catalog": 2, "report": 2,
    "features": 3, "lists": 3, "index": 3, "draw": 3,
    "local": 4,
    "engine": 5,
    "server": 6,
    "cli": 7,
}

TOP_LEVEL = {
    "CMakeLists.txt", "src", "include", "schema", "tools", "tests", "bench", "data", "README.md",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def includes(file):
    """The (bracket, name) of each #include of a file."""
    return INCLUDE.findall(file.read_text(encoding="utf-8"))


def sources(folder):
    """The C++ files below a folder, templates of generated ones included."""
    return sorted(f for f in folder.rglob("*") if re.search(r"\.(h|cc)(\.in)?$", f.name))


def module_problem(module, bracket, name):
    """Why a file of `module` may not include `name`, or None."""
    used = name.split("/")[0] if "/" in name else None
    if used == "siftsearch" or used == module:
        return None
    if used in LEVELS:
        if LEVELS[used] < LEVELS[module]:
            return None
        return f"{module} (level {LEVELS[module]}) uses {used} (level {LEVELS[used]})"
    return "names no module" if bracket == '"' else None


def module_problems(src):
    """Includes in src/ that don't point to a lower level, and folders without a level."""
    problems = []
    for folder in sorted(f for f in src.iterdir() if f.is_dir()):
        if folder.name not in LEVELS:
            problems.append(f"{folder.name}: a folder that is no module")
            continue
        for file in sources(folder):
            for bracket, name in includes(file):
                problem = module_problem(folder.name, bracket, name)
                if problem:
                    problems.append(f"{file.relative_to(src)}: {name}: {problem}")
    return problems


def public_header_problems(include):
    """Includes of public headers other than public headers and the standard library's."""
    problems = []
    for file in sources(include):
        for bracket, name in includes(file):
            # Standard headers are those without a folder or an ending.
            standard = bracket == "<" and re.fullmatch(r"[a-z_]+", name)
            public = name.startswith("siftsearch/") and (include / name).is_file()
            if not standard and not public:
                problems.append(f"{file.relative_to(include)}: {name}")
    return problems


def top_level_problems(files):
    """Of tracked files, the first parts of paths that don't belong at the top level."""
    tops = {file.split("/")[0] for file in files}
    return sorted(top for top in tops if not top.startswith(".") and top not in TOP_LEVEL)


def tests_not_built(tests):
    """The *_test.cc and *_test.py files that no CMakeLists.txt of their folder or above names."""
    missing = []
    for file in sorted([*tests.rglob("*_test.cc"), *tests.rglob("*_test.py")]):
        folders = [f for f in file.parents if f == tests or tests in f.parents]
        lists = [f / "CMakeLists.txt" for f in folders if (f / "CMakeLists.txt").is_file()]
        words = {w for f in lists for w in re.split(r"[\s()/\"]+", f.read_text(encoding="utf-8"))}
        if file.name not in words:
            missing.append(str(file.relative_to(tests)))
    return missing


class TreeTest(unittest.TestCase):
    def test_modules_include_lower_levels_only(self):
        self.assertEqual([], module_problems(ROOT / "src"))

    def test_public_headers_need_the_standard_library_only(self):
        self.assertTrue(sources(ROOT / "include"))
        self.assertEqual([], public_header_problems(ROOT / "include"))

    def test_top_level_holds_what_was_agreed(self):
        if not (ROOT / ".git").exists():
            self.skipTest("no git checkout")
        # The checkout may belong to another user than the one who tests it.
        command = ["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z"]
        listed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        self.assertEqual([], top_level_problems(listed.decode().rstrip("\0").split("\0")))

    def test_every_test_is_built(self):
        self.assertEqual([], tests_not_built(ROOT / "tests"))


class PlantedTest(unittest.TestCase):
    """The checks find what they are made to find."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def plant(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def test_allowed_includes(self):
        self.plant("segment/a.cc", '#include "segment/a.h"\n#include "env/b.h"\n')
        self.plant("segment/a.h", '#include <faiss/Index.h>\n#include "siftsearch/status.h"\n')
        self.assertEqual([], module_problems(self.root))

    def test_include_of_a_higher_level(self):
        self.plant("base/a.h", ' #  include "engine/b.h"\n')
        self.assertEqual(
            ["base/a.h: engine/b.h: base (level 0) uses engine (level 5)"],
            module_problems(self.root),
        )

    def test_include_of_the_same_level(self):
        self.plant("catalog/deep/a.cc", "#include <segment/b.h>\n")
        self.plant("vote/a.cc.in", '#include "verify/b.h"\n')
        self.assertEqual(2, len(module_problems(self.root)))

    def test_include_that_names_no_module(self):
        self.plant("base/a.cc", '#include "a.h"\n')
        self.plant("env/a.cc", '#include "../base/a.h"\n')
        self.assertEqual(2, len(module_problems(self.root)))

    def test_folder_that_is_no_module(self):
        self.plant("util/a.h", "")
        self.assertEqual(["util: a folder that is no module"], module_problems(self.root))

    def test_public_header_with_other_includes(self):
        self.plant("siftsearch/a.h", "#include <vector>\n#include <cstdint>\n")
        self.plant("siftsearch/b.h", '#include "siftsearch/a.h"\n#include "base/hash.h"\n')
        self.plant("siftsearch/c.h", "#include <faiss/Index.h>\n#include <sqlite3.h>\n")
        self.plant("siftsearch/d.h", '#include "siftsearch/absent.h"\n')
        self.assertEqual(
            [
                "siftsearch/b.h: base/hash.h",
                "siftsearch/c.h: faiss/Index.h",
                "siftsearch/c.h: sqlite3.h",
                "siftsearch/d.h: siftsearch/absent.h",
            ],
            public_header_problems(self.root),
        )

    def test_file_at_the_top_level(self):
        files = [".gitignore", ".ci/run", "src/base/hash.h", "README.md", "notes.txt", "doc/a.md"]
        self.assertEqual(["doc", "notes.txt"], top_level_problems(files))

    def test_test_that_is_not_built(self):
        self.plant("CMakeLists.txt", "")
        self.plant("base/CMakeLists.txt", "siftsearch_test(base_test SOURCES more_a_test.cc)\n")
        self.plant("base/more_a_test.cc", "")
        self.plant("base/a_test.cc", "")
        self.assertEqual(["base/a_test.cc"], tests_not_built(self.root))


if __name__ == "__main__":
    unittest.main()
