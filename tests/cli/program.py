"""Runs the real program in a folder of its own."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["SIFTSEARCH"]
DATA = pathlib.Path(os.environ["DATA"])
SCENES = sorted((DATA / "pictures").iterdir())
TIMEOUT = 600  # Seconds for one command: far above what it takes under sanitizers on a slow machine.


class ProgramTest(unittest.TestCase):
    """Each test has an empty folder, `self.folder`, and a database path in it."""

    features = "300"  # Descriptors of a stored image; searches take a third of the default's time.

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="siftsearch-test-")).resolve()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.database = self.folder / "db"

    def command(self, *words):
        adds = "add" in words and "--features" not in words
        return [PROGRAM, "--db", self.database, *words,
                *(["--features", self.features] if adds else [])]

    def run_program(self, *words, code=0, text=True, **options):
        """Runs to the end; fails the test unless the exit code is `code` (None: any)."""
        result = subprocess.run(self.command(*words), capture_output=True, text=text,
                                timeout=TIMEOUT, cwd=self.folder, **options)
        if code is not None:
            self.assertEqual(result.returncode, code, (words, result.stdout, result.stderr))
        return result

    def lines(self, *words, code=0, **options):
        """The objects of JSON lines on standard output."""
        return [json.loads(line)
                for line in self.run_program(*words, code=code, **options).stdout.splitlines()]

    def add(self, *words, code=0, **options):
        """Outcomes by path."""
        return {line["path"]: line
                for line in self.lines("add", "--format", "jsonl", *words, code=code, **options)}

    def query(self, *words, code=0, **options):
        """One result for each query."""
        return self.lines("query", "--format", "jsonl", *words, code=code, **options)

    def paths(self):
        return [image["path"] for image in self.lines("list", "--format", "jsonl")]

    def assert_sound(self):
        self.run_program("check")

    def assert_finds_itself(self, path):
        best = self.query(path)[0]["matches"][0]
        self.assertTrue(best["copy"], path)

    def copy(self, source, name):
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return target

    def many_pictures(self, count):
        """A folder of different files: the scenes with bytes after their end."""
        pictures = self.folder / "many"
        pictures.mkdir()
        for i in range(count):
            scene = SCENES[i % len(SCENES)].read_bytes()
            (pictures / f"{i:04}.jpg").write_bytes(scene + str(i).encode())
        return pictures
