"""A database folder that is not what it should be is refused with a sentence, and left alone."""

import fcntl
import json
import os
import resource
import sqlite3
import subprocess
import unittest

from program import DATA, SCENES, TIMEOUT, ProgramTest


def limit_file_size(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class FolderTest(ProgramTest):
    def assert_refused(self, reason, *words):
        for command in words or [["query", SCENES[0]], ["stats"], ["report"], ["check"],
                                 ["add", SCENES[0]]]:
            result = self.run_program(*command, code=3)
            self.assertIn(reason, result.stderr)
            self.assertIn(str(self.database), result.stderr)
            self.assertEqual(result.stdout, "")

    def test_no_database(self):
        self.assert_refused("there is no database at", ["query", SCENES[0]], ["list"], ["report"],
                            ["stats"], ["check"], ["compact"], ["remove", "1"],
                            ["export", "--faiss", "f"])
        self.assertFalse(self.database.exists())

    def test_a_folder_of_other_things(self):
        self.database.mkdir()
        (self.database / "letter.txt").write_text("dear")
        self.assert_refused("is not a siftsearch database")
        self.assertEqual(os.listdir(self.database), ["letter.txt"])

    def test_a_file(self):
        self.database.write_text("not a folder")
        self.assert_refused("is not a siftsearch database")
        self.assertEqual(self.database.read_text(), "not a folder")

    def test_an_empty_folder_becomes_a_database_only_by_add(self):
        self.database.mkdir()
        self.assert_refused("there is no database at", ["query", SCENES[0]])
        self.add(SCENES[0])
        self.assert_finds_itself(SCENES[0])

    def test_a_catalogue_that_is_something_else(self):
        self.database.mkdir()
        (self.database / "catalog.sqlite").write_bytes(b"something else" * 100)
        self.assert_refused("")

    def test_a_newer_version(self):
        self.add(SCENES[0])
        with sqlite3.connect(self.database / "catalog.sqlite") as connection:
            connection.execute("PRAGMA user_version = 999")
        connection.close()
        self.assert_refused("newer")

    def test_other_settings(self):
        self.add("--features", "500", "--max-side", "320", SCENES[0])
        result = self.run_program("add", "--features", "600", SCENES[1], code=3)
        self.assertIn("made with other settings: max_features is 500 there and 600 here",
                      result.stderr)
        self.assertNotIn("max_side", result.stderr)
        self.add("--features", "500", SCENES[1])
        self.assertEqual(len(self.paths()), 2)


class DamageTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.add(DATA / "pictures")
        self.segment = next((self.database / "segments").iterdir())

    def assert_damage_found(self):
        """Searching and checking name the file; no match is made up."""
        for words in [["query", SCENES[0]], ["report"]]:
            result = self.run_program(*words, code=3)
            self.assertIn(self.segment.name, result.stderr)
        result = self.run_program("check", code=3)
        self.assertIn(self.segment.name, result.stdout)

    def test_a_missing_segment(self):
        self.segment.unlink()
        self.assert_damage_found()

    def test_a_cut_segment(self):
        os.truncate(self.segment, self.segment.stat().st_size // 2)
        self.assert_damage_found()

    def test_a_flipped_bit_anywhere(self):
        whole = self.segment.read_bytes()
        for part in range(0, 20):
            at = min(len(whole) - 1, part * len(whole) // 19)
            damaged = bytearray(whole)
            damaged[at] ^= 1 << part % 8
            self.segment.write_bytes(damaged)
            with self.subTest(at):
                self.assert_damage_found()
        self.segment.write_bytes(whole)
        self.assert_sound()

    def test_what_is_sound_stays_usable(self):
        extra = self.folder / "extra.jpg"
        extra.write_bytes(SCENES[0].read_bytes() + b"x")
        self.segment.unlink()
        self.assertEqual(len(self.paths()), 8)


class FullDiskTest(ProgramTest):
    features = "1000"

    def assert_nothing_lost(self):
        self.assert_sound()
        self.assertEqual(self.paths(), [str(SCENES[0])])
        self.assert_finds_itself(SCENES[0])

    def test_a_file_size_limit(self):
        self.add(SCENES[0])
        for size in [0, 4096, 20_000, 100_000, 200_000]:
            result = self.run_program("add", *SCENES[1:], code=None,
                                      preexec_fn=limit_file_size(size))
            self.assertEqual(result.returncode, 4, (size, result.stderr))
            self.assert_nothing_lost()
        self.add(*SCENES)
        self.assertEqual(len(self.paths()), len(SCENES))

    def test_a_full_file_system(self):
        self.database.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "none", self.database],
                                 capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("a small file system can't be mounted here")
        self.addCleanup(subprocess.run, ["umount", self.database], check=True)
        self.add(SCENES[0])
        result = self.run_program("add", *SCENES[1:], code=4)
        self.assertIn("No space left", result.stderr)
        self.assert_nothing_lost()

    def test_a_report_that_does_not_fit_leaves_the_earlier_one(self):
        self.add(DATA / "pictures", DATA / "copies")
        report = self.folder / "report.csv"
        self.run_program("report", "-o", report)
        before = report.read_bytes()
        # Room for the table of the catalogue's log, which readers need.
        result = self.run_program("report", "-o", report, code=4,
                                  preexec_fn=limit_file_size(32_768))
        self.assertIn("report.csv", result.stderr)
        self.assertEqual(report.read_bytes(), before)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()),
                         ["db", "report.csv", "report.csv.journal"])
        self.run_program("report", "--resume", "-o", report)
        self.assertEqual(report.read_bytes(), before)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["db", "report.csv"])


class ManyProcessesTest(ProgramTest):
    def test_two_adds_at_once_both_succeed(self):
        first = self.many_pictures(24)
        names = sorted(first.iterdir())
        adds = [subprocess.Popen(self.command("add", *part), stderr=subprocess.PIPE)
                for part in (names[:16], names[8:])]
        for process in adds:
            _, errors = process.communicate(timeout=TIMEOUT)
            self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(sorted(self.paths()), [str(n) for n in names])
        self.assert_sound()

    def test_readers_during_an_add_see_whole_commits(self):
        self.add(SCENES[0])
        many = self.many_pictures(60)
        adding = subprocess.Popen(self.command("add", many), stderr=subprocess.DEVNULL)
        rounds = 0
        while adding.poll() is None:
            best = self.query("--top", "1", SCENES[0])[0]["matches"][0]
            self.assertTrue(best["copy"])
            rounds += 1
        self.assertEqual(adding.returncode, 0)
        self.assertGreater(rounds, 0)
        self.assertEqual(len(self.paths()), 61)

    def test_a_writer_that_waited_long_enough_is_told(self):
        self.add(SCENES[0])
        lock = os.open(self.database, os.O_RDONLY)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = self.run_program("add", "--lock-wait", "0.2", SCENES[1], code=3)
        self.assertIn("another", result.stderr)
        self.assert_finds_itself(SCENES[0])


class MovedTest(ProgramTest):
    """A file that has another path now keeps its entry."""

    def test_a_renamed_folder_is_moved_and_nothing_is_lost(self):
        a = self.copy(SCENES[0], "old/a.jpg")
        b = self.copy(SCENES[1], "old/b.jpg")
        before = self.add("--attr", "seller=acme", a.parent)
        self.run_program("verdict", "not-a-copy", a, b)
        (self.folder / "old").rename(self.folder / "new")
        result = self.run_program("add", "--format", "jsonl", "new")
        outcomes = {o["path"]: o for o in map(json.loads, result.stdout.splitlines())}
        for path in [a, b]:
            moved = outcomes[str(self.folder / "new" / path.name)]
            self.assertEqual((moved["action"], moved["moved_from"], moved["id"]),
                             ("moved", str(path), before[str(path)]["id"]))
        self.assertIn("2 given: 0 added, 0 replaced, 2 moved, 0 unchanged", result.stderr)
        images = self.lines("list", "--format", "jsonl")
        self.assertEqual([i["attributes"] for i in images], [{"seller": "acme"}] * 2)
        self.assertEqual(len(self.run_program("verdict", "export").stdout.splitlines()), 2)
        self.assert_sound()
        again = self.add("new")
        self.assertEqual({o["action"] for o in again.values()}, {"unchanged"})

    def test_the_entry_of_the_same_name_is_moved_first_and_then_by_path(self):
        old = {name: self.copy(SCENES[0], f"old/{name}.jpg") for name in ["a", "b", "c"]}
        ids = {path: o["id"] for path, o in self.add("old").items()}
        for path in old.values():
            path.unlink()
        self.copy(SCENES[0], "new/c.jpg")
        self.copy(SCENES[0], "new/x.jpg")
        outcomes = self.add("new")
        self.assertEqual(outcomes[str(self.folder / "new/c.jpg")]["id"], ids[str(old["c"])])
        self.assertEqual(outcomes[str(self.folder / "new/x.jpg")]["id"], ids[str(old["a"])])

    def test_a_file_that_is_still_there_keeps_its_entry(self):
        a = self.copy(SCENES[0], "a.jpg")
        dangling = self.folder / "link.jpg"
        dangling.symlink_to(a)
        self.add(a, dangling)
        copy = self.copy(SCENES[0], "copy.jpg")
        self.assertEqual(self.add(copy)[str(copy)]["action"], "added")
        a.rename(self.folder / "elsewhere.jpg")  # The link is there, and leads nowhere.
        moved = self.add("elsewhere.jpg")[str(self.folder / "elsewhere.jpg")]
        self.assertEqual((moved["action"], moved["moved_from"]), ("moved", str(a)))
        self.assertEqual(len(self.paths()), 3)

    def test_watch_tells_a_move_and_no_copy_of_the_old_entry(self):
        a = self.copy(SCENES[0], "in/a.jpg")
        self.run_program("watch", "--once", "in")
        a.rename(self.folder / "in" / "b.jpg")
        lines = self.lines("watch", "--once", "in")
        self.assertEqual([(line["action"], line["path"], line["moved_from"]) for line in lines],
                         [("moved", str(self.folder / "in/b.jpg"), str(a))])


if __name__ == "__main__":
    unittest.main()
