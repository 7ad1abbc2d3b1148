"""With little address space every command ends soon, done or with code 4 and a sentence."""

import resource
import subprocess
import unittest

from program import SCENES, ProgramTest

SECONDS = 120  # Far above what one takes; it shows what never ends.
# Kilobytes, as of ulimit -v. Below the first the dynamic linker has no room for the libraries.
LIMITS = (110_000, 130_000, 160_000, 200_000, 400_000, 2_000_000)


class MemoryTest(ProgramTest):
    def run_in(self, kilobytes, *words):
        """Runs with so much address space; checks the end and gives the code."""
        limit = (kilobytes * 1024, kilobytes * 1024)
        result = subprocess.run(self.command(*words), capture_output=True, text=True,
                                timeout=SECONDS, cwd=self.folder,
                                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit))
        self.assertIn(result.returncode, (0, 4), (kilobytes, words, result.stderr))
        if result.returncode == 4:
            self.assertRegex(result.stderr, "(?m)^siftsearch: .*memory")
        return result.returncode

    def test_version_and_help_need_little(self):
        for kilobytes in LIMITS:
            for words in (["--version"], ["--help"], ["query", "--help"]):
                self.assertEqual(self.run_in(kilobytes, *words), 0)

    def test_add_and_search_end_in_every_case(self):
        self.add(SCENES[0], SCENES[1])
        codes = set()
        for i, kilobytes in enumerate(LIMITS):
            picture = self.copy(SCENES[2], f"{i}.jpg")
            picture.write_bytes(picture.read_bytes() + bytes([i]))
            for words in (["add", picture], ["query", SCENES[0]], ["report", "--threads", "3"],
                          ["compare", SCENES[0], SCENES[1]]):
                codes.add(self.run_in(kilobytes, *words))
            self.assert_sound()
        self.assertEqual(codes, {0, 4})

    def test_the_other_verbs_end_in_every_case(self):
        self.add(SCENES[0])
        for kilobytes in LIMITS:
            for words in (["list"], ["stats"], ["show", "1"], ["check"], ["compact"], ["man"],
                          ["export", "--faiss", "index"]):
                self.run_in(kilobytes, *words)

    def test_an_approximate_index_is_built_and_searched_or_there_is_no_memory(self):
        for kilobytes in LIMITS:
            self.database = self.folder / f"db{kilobytes}"
            self.run_in(kilobytes, "add", "--index", "IVF16,Flat", *SCENES[:3])
            if self.database.exists():
                self.run_in(kilobytes, "query", "--threads", "4", SCENES[0])


if __name__ == "__main__":
    unittest.main()
