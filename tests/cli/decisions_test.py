"""What people decide: apply acts on it, verdict remembers it."""

import base64
import csv
import hashlib
import io
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import unittest

from program import DATA, SCENES, ProgramTest


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class ApplyTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.original = self.copy(SCENES[0], "in/original.jpg")
        self.twin = self.copy(SCENES[0], "in/twin, \"2\".jpg")
        self.crop = self.copy(DATA / "copies" / "scene1-crop.jpg", "in/crop.jpg")

    def decide(self, *rows):
        """Writes decisions of group 1: (decision, path), as the report's page saves them."""
        file = self.folder / "decisions.csv"
        with file.open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["group", "decision", "path", "sha256", "original", "original_sha256",
                             "path_base64", "contained_percent", "scale_percent", "in_kept"])
            for decision, path, *contained in rows:
                contained = [*(contained or [100, 100]), ""][:3]
                writer.writerow(["1", decision, path, sha256(path), self.original,
                                 sha256(self.original), "", *contained])
        return file

    def test_without_yes_nothing_changes(self):
        file = self.decide(("copy", self.twin), ("keep", self.original))
        for action in [[], ["--action", "delete"], ["--action", "hard-link"],
                       ["--action", "move", "--to", self.folder / "out"]]:
            result = self.run_program("apply", file, *action)
            self.assertIn("twin", result.stdout)
            self.assertIn("original.jpg", result.stdout)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["decisions.csv", "in"])
        self.assertEqual(len(list((self.folder / "in").iterdir())), 3)

    def test_moves_and_takes_back(self):
        file = self.decide(("copy", self.twin), ("copy", self.crop))
        (self.folder / "out").mkdir()
        (self.folder / "out" / "crop.jpg").write_bytes(b"another")
        before = {path: sha256(path) for path in [self.twin, self.crop]}
        self.run_program("apply", file, "--action", "move", "--to", "out", "--yes")
        self.assertFalse(self.twin.exists() or self.crop.exists())
        self.assertEqual(sha256(self.folder / "out" / "crop (2).jpg"), before[self.crop])
        undo = str(file) + ".undo.csv"
        self.run_program("apply", "--undo", undo)
        self.assertFalse(self.twin.exists())
        self.run_program("apply", "--undo", undo, "--yes")
        self.assertEqual({path: sha256(path) for path in before}, before)
        self.assertEqual((self.folder / "out" / "crop.jpg").read_bytes(), b"another")

    def test_links_identical_files_only_and_takes_back(self):
        file = self.decide(("copy", self.twin), ("copy", self.crop))
        result = self.run_program("apply", file, "--action", "hard-link", "--yes", code=1)
        self.assertIn("a hard link would change the picture", result.stderr)
        self.assertTrue(self.twin.samefile(self.original))
        self.assertFalse(self.crop.samefile(self.original))
        self.run_program("apply", "--undo", str(file) + ".undo.csv", "--yes")
        self.assertFalse(self.twin.samefile(self.original))
        self.assertEqual(sha256(self.twin), sha256(self.original))

    def test_deletes_but_never_the_last_of_a_group(self):
        file = self.decide(("copy", self.twin), ("copy", self.crop), ("copy", self.original))
        result = self.run_program("apply", file, "--action", "delete", "--yes", code=1)
        self.assertEqual(result.stderr.count("no other picture of its group would stay"), 3)
        self.assertEqual(len(list((self.folder / "in").iterdir())), 3)
        file = self.decide(("copy", self.original), ("copy", self.twin), ("keep", self.crop))
        self.run_program("apply", file, "--action", "delete", "--yes", "--undo-list", "list.csv",
                         "--allow-partial")
        self.assertEqual([p.name for p in (self.folder / "in").iterdir()], ["crop.jpg"])
        rows = list(csv.DictReader((self.folder / "list.csv").read_text().splitlines()))
        self.assertEqual({r["action"] for r in rows}, {"delete"})
        self.assertEqual(len(rows), 2)

    def test_only_a_picture_that_is_all_in_what_stays_is_taken(self):
        actions = [["delete"], ["hard-link"], ["move", "--to", "out"]]
        for contained, reason in [
                ([41.2, 100], f"only 41.2 % of it is in {self.original}; --allow-partial takes it"),
                ([92.9, 100], "only 92.9 % of it is in"),
                ([100, 63], f"{self.original} shows it at 63 % of its size"),
                ([100, 97.9], f"{self.original} shows it at 97.9 % of its size"),
                (["", ""], "the decisions do not say how much of it is in"),
                (["nan", "inf"], "the decisions do not say how much of it is in"),
                (["all", "-1"], "the decisions do not say how much of it is in")]:
            file = self.decide(("copy", self.crop, *contained))
            for action in actions:
                result = self.run_program("apply", file, "--action", *action, "--yes", code=1)
                self.assertIn(f"crop.jpg: {reason}", result.stderr)
                self.assertTrue(self.crop.exists())
            self.assertIn(reason, self.run_program("apply", file, code=1).stderr)
        file = self.decide(("copy", self.crop, 41.2, 100))
        result = self.run_program("apply", file, "--allow-partial")
        self.assertIn("but only 41.2 % of it is in", result.stdout)
        self.run_program("apply", file, "--action", "delete", "--yes", "--allow-partial")
        self.assertFalse(self.crop.exists())

    def test_the_listing_says_how_much_stays(self):
        file = self.decide(("copy", self.crop, 93, 98), ("copy", self.twin, "", ""))
        result = self.run_program("apply", file)
        self.assertIn("which holds 93 % of it at 98 % of its size", result.stdout)
        self.assertIn("with equal bytes", result.stdout)

    def test_of_those_that_stay_one_that_holds_all_is_relied_on(self):
        other = self.copy(SCENES[1], "in/other.jpg")
        file = self.decide(("copy", self.crop, 50, 100, f"{sha256(other)}:99.5:100"),
                           ("keep", other))
        result = self.run_program("apply", file)
        self.assertIn("other.jpg, which holds 99.5 % of it", result.stdout)
        file = self.decide(("copy", self.crop, 50, 100, f"{sha256(other)}:99.5:100"))
        result = self.run_program("apply", file, code=1)  # It is not kept.
        self.assertIn(f"only 50 % of it is in {self.original}", result.stderr)

    def test_older_decisions_say_too_little_but_for_equal_bytes(self):
        (self.folder / "decisions.csv").write_text(
            "group,decision,path,sha256,original,original_sha256\n" + "".join(
                f"1,copy,{path},{sha256(path)},{self.original},{sha256(self.original)}\n"
                for path in [self.crop, self.twin.rename(self.folder / "twin.jpg")]))
        self.run_program("apply", "decisions.csv", "--action", "delete", "--yes", code=1)
        self.assertTrue(self.crop.exists())
        self.assertFalse((self.folder / "twin.jpg").exists())

    def test_another_path_to_the_same_file_is_no_other_picture(self):
        (self.folder / "link").symlink_to(self.folder / "in")
        alias = self.folder / "link" / "twin, \"2\".jpg"
        (self.folder / "decisions.csv").write_text(
            "group,decision,path,sha256,original,original_sha256,path_base64\n"
            f'1,copy,"{str(self.twin).replace(chr(34), chr(34) * 2)}",{sha256(self.twin)},'
            f'"{str(alias).replace(chr(34), chr(34) * 2)}",{sha256(alias)},\n')
        result = self.run_program("apply", "decisions.csv", "--action", "delete", "--yes", code=1)
        self.assertIn("no other picture of its group would stay", result.stderr)
        self.assertTrue(self.twin.exists())

    def test_nor_is_the_same_folder_mounted_twice(self):
        mount = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]),
                 "sh", "-c", 'mount --bind in again && exec "$@"', "sh"]
        (self.folder / "again").mkdir()
        possible = subprocess.run([*mount, "true"], cwd=self.folder, capture_output=True)
        if possible.returncode != 0:
            self.skipTest("no folder can be mounted here")
        self.original = self.folder / "again" / "crop.jpg"
        (self.folder / "decisions.csv").write_text(
            "group,decision,path,sha256,original,original_sha256,path_base64\n"
            f"1,copy,{self.crop},{sha256(self.crop)},{self.original},{sha256(self.crop)},\n")
        command = self.command("apply", "decisions.csv", "--action", "delete", "--yes")
        result = subprocess.run([*mount, *command], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("this very file by another path", result.stderr)
        self.assertTrue(self.crop.exists())

    def test_keep_wins_over_copy_in_another_group(self):
        file = self.decide(("copy", self.twin), ("copy", self.crop), ("keep", self.crop))
        result = self.run_program("apply", file, "--action", "delete", "--yes", code=1)
        self.assertIn("crop.jpg: is to be kept", result.stderr)
        self.assertTrue(self.crop.exists())
        self.assertFalse(self.twin.exists())

    def test_a_link_to_a_link_is_one_to_its_file(self):
        moved = self.original.rename(self.folder / "elsewhere.jpg")
        self.original.symlink_to("../elsewhere.jpg")
        file = self.decide(("copy", self.twin))
        self.run_program("apply", file, "--action", "hard-link", "--yes")
        self.assertFalse(self.twin.is_symlink())
        self.assertTrue(self.twin.samefile(moved))
        self.run_program("apply", "--undo", str(file) + ".undo.csv", "--yes")
        self.assertFalse(self.twin.samefile(moved))
        self.twin.unlink()
        result = self.run_program("apply", "--undo", str(file) + ".undo.csv", "--yes", code=1)
        self.assertIn("is gone or has changed", result.stderr)

    def test_symbolic_links_are_not_moved(self):
        target = self.twin.rename(self.folder / "elsewhere.jpg")
        self.twin.symlink_to("../elsewhere.jpg")
        file = self.decide(("copy", self.twin))
        for action in [["hard-link"], ["move", "--to", "out"]]:
            result = self.run_program("apply", file, "--action", *action, "--yes", "--undo-list",
                                      action[0], code=1)
            self.assertIn("is a symbolic link", result.stderr)
        self.assertTrue(self.twin.samefile(target))

    def test_paths_that_are_no_text_survive_in_base64(self):
        odd = os.fsencode(self.folder) + b"/in/caf\xe9.jpg"
        os.rename(self.original, odd)
        (self.folder / "decisions.csv").write_text(
            "group,decision,path,sha256,original,original_sha256,path_base64,original_base64,"
            "contained_percent,scale_percent\n"
            f"1,copy,{self.crop},{sha256(self.crop)},caf,{sha256(SCENES[0])},,"
            f"{base64.b64encode(odd).decode()},100,100\n")
        self.run_program("apply", "decisions.csv", "--action", "delete", "--yes")
        self.assertFalse(self.crop.exists())

    def test_what_has_changed_is_left_alone(self):
        file = self.decide(("copy", self.twin), ("copy", self.crop))
        self.twin.write_bytes(b"changed")
        result = self.run_program("apply", file, "--action", "delete", "--yes", code=1)
        self.assertIn("has changed since the report", result.stderr)
        self.assertTrue(self.twin.exists())
        self.assertFalse(self.crop.exists())

    def test_a_changed_original_protects_its_copies(self):
        file = self.decide(("copy", self.twin))
        self.original.write_bytes(b"changed")
        self.run_program("apply", file, "--action", "delete", "--yes", code=1)
        self.assertTrue(self.twin.exists())

    def test_an_undo_list_is_never_overwritten(self):
        file = self.decide(("copy", self.twin))
        precious = self.folder / "decisions.csv.undo.csv"
        precious.write_text("precious")
        self.run_program("apply", file, "--action", "delete", "--yes", "--undo-list", precious,
                         code=4)
        self.assertTrue(self.twin.exists())
        self.run_program("apply", file, "--action", "delete", "--yes")
        self.assertEqual(precious.read_text(), "precious")
        self.assertTrue((self.folder / "decisions.csv.undo (2).csv").exists())

    def test_moves_to_another_device_and_back(self):
        try:
            out = pathlib.Path(tempfile.mkdtemp(prefix="siftsearch-test-", dir="/dev/shm"))
        except OSError:
            self.skipTest("no folder can be made in /dev/shm")
        self.addCleanup(shutil.rmtree, out, ignore_errors=True)
        if out.stat().st_dev == self.folder.stat().st_dev:
            self.skipTest("/dev/shm and the test's folder are one device")
        os.utime(self.twin, ns=(1, 1_234_567_890_123_456_789))
        self.twin.chmod(0o640)
        before = sha256(self.twin)
        file = self.decide(("copy", self.twin))
        self.run_program("apply", file, "--action", "move", "--to", out / "new", "--yes")
        self.assertFalse(self.twin.exists())
        self.assertEqual([path.name for path in (out / "new").iterdir()], [self.twin.name])
        moved = out / "new" / self.twin.name
        self.assertEqual(sha256(moved), before)
        self.assertEqual(moved.stat().st_mtime_ns, 1_234_567_890_123_456_789)
        self.assertEqual(moved.stat().st_mode & 0o7777, 0o640)
        self.run_program("apply", "--undo", str(file) + ".undo.csv", "--yes")
        self.assertEqual(sha256(self.twin), before)
        self.assertEqual(self.twin.stat().st_mtime_ns, 1_234_567_890_123_456_789)
        self.assertEqual(list((out / "new").iterdir()), [])

    def test_a_full_device_leaves_the_file_and_no_part_of_it(self):
        out = pathlib.Path(tempfile.mkdtemp(prefix="siftsearch-test-", dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, out, ignore_errors=True)
        if out.stat().st_dev == self.folder.stat().st_dev:
            self.skipTest("/dev/shm and the test's folder are one device")
        before = sha256(self.twin)
        file = self.decide(("copy", self.twin))
        limit = self.twin.stat().st_size - 1
        result = self.run_program(
            "apply", file, "--action", "move", "--to", out, "--yes", code=1,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertIn("can't be written (File too large)", result.stderr)
        self.assertEqual(sha256(self.twin), before)
        self.assertEqual(list(out.iterdir()), [])
        self.run_program("apply", "--undo", str(file) + ".undo.csv", "--yes")
        self.assertEqual(sha256(self.twin), before)

    def test_a_folder_that_cannot_be_made_ends_it_before_anything_is_done(self):
        file = self.decide(("copy", self.twin))
        result = self.run_program("apply", file, "--action", "move", "--to", file / "out", "--yes",
                                  code=4)
        self.assertIn("decisions.csv", result.stderr)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["decisions.csv", "in"])

    def test_files_beside_a_linked_one_stay(self):
        beside = [pathlib.Path(str(self.twin) + ending)
                  for ending in [".siftsearch-link", ".siftsearch-copy"]]
        for path in beside:
            path.write_text("somebody else's")
        file = self.decide(("copy", self.twin))
        names = sorted(os.listdir(self.folder / "in"))
        self.run_program("apply", file, "--action", "hard-link", "--yes")
        self.assertTrue(self.twin.samefile(self.original))
        self.run_program("apply", "--undo", str(file) + ".undo.csv", "--yes")
        self.assertFalse(self.twin.samefile(self.original))
        self.assertEqual(sorted(os.listdir(self.folder / "in")), names)
        self.assertEqual({path.read_text() for path in beside}, {"somebody else's"})

    def test_what_was_one_file_before_stays_one(self):
        self.twin.unlink()
        self.twin.hardlink_to(self.original)
        file = self.decide(("copy", self.twin))
        self.run_program("apply", file, "--action", "hard-link", "--yes")
        self.run_program("apply", "--undo", str(file) + ".undo.csv", "--yes")
        self.assertTrue(self.twin.samefile(self.original))

    def test_runs_beside_each_other_have_a_list_each(self):
        files = [self.copy(SCENES[0], f"in/{i}.jpg") for i in range(8)]
        file = self.decide(*[("copy", path) for path in files])
        runs = [subprocess.Popen(self.command("apply", file, "--action", "move", "--to", out,
                                              "--yes"),
                                 cwd=self.folder, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL) for out in ["a", "b", "c", "d"]]
        for run in runs:
            run.communicate()
        lists = sorted(self.folder.glob("decisions.csv.undo*"))
        self.assertEqual(len(lists), 4)
        for undo in lists:
            self.run_program("apply", "--undo", undo, "--yes", code=None)
        self.assertTrue(all(path.exists() for path in files))

    def test_wrong_files_are_named(self):
        (self.folder / "x.csv").write_text("a,b\n1,2\n")
        self.assertIn("x.csv: has no column group",
                      self.run_program("apply", "x.csv", code=1).stderr)
        self.run_program("apply", code=2)
        self.run_program("apply", "x.csv", "--action", "move", code=2)


class VerdictTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.crop = self.copy(DATA / "copies" / "scene1-crop.jpg", "crop.jpg")
        self.add(SCENES[0], self.crop)

    def pairs(self):
        return self.lines("report", "--format", "jsonl")

    def test_not_a_copy_holds_wherever_the_file_goes(self):
        self.assertEqual(len(self.pairs()), 1)
        self.run_program("verdict", "not-a-copy", SCENES[0], self.crop)
        self.assertEqual(self.pairs(), [])
        rejected = self.lines("report", "--format", "jsonl", "--with-rejected")
        self.assertEqual([(p["verdict"], p["copy"]) for p in rejected], [("not_a_copy", False)])
        best = self.query(self.crop)[0]["matches"]
        self.assertEqual({m["path"]: m["verdict"] for m in best},
                         {str(self.crop): None, str(SCENES[0]): "not_a_copy"})
        moved = self.folder / "moved.jpg"
        self.crop.rename(moved)
        self.assertEqual(self.add(moved)[str(moved)]["action"], "moved")
        self.assertEqual(self.pairs(), [])
        self.run_program("verdict", "forget", SCENES[0], moved)
        self.assertEqual(len(self.pairs()), 1)

    def test_of_one_image(self):
        self.run_program("verdict", "not-a-copy", self.crop)
        self.assertEqual(self.pairs(), [])

    def test_confirmed(self):
        self.run_program("verdict", "confirm", self.crop, SCENES[0])
        self.assertEqual(self.pairs()[0]["verdict"], "confirmed")

    def test_what_was_confirmed_is_listed_however_little_speaks_for_it(self):
        self.add(SCENES[1])
        self.run_program("verdict", "confirm", SCENES[0], SCENES[1])
        both = {str(SCENES[0]), str(SCENES[1])}
        pairs = {frozenset([p["query"], p["image"]]): p for p in self.pairs()}
        self.assertEqual(len(pairs), 2)
        self.assertLess(pairs[frozenset(both)]["score"], 0.5)
        self.assertEqual(pairs[frozenset(both)]["group"], 1)
        for query in [("query", "--min-score", "0.5", "--format", "jsonl", SCENES[1]),
                      ("report", "--format", "jsonl", SCENES[1])]:
            text = self.run_program(*query).stdout
            self.assertIn('"confirmed"', text)

    def test_export_and_import(self):
        self.run_program("verdict", "not-a-copy", SCENES[0], self.crop)
        text = self.run_program("verdict", "export").stdout
        self.assertEqual(len(list(csv.DictReader(io.StringIO(text)))), 1)
        (self.folder / "v.csv").write_text(text)
        self.database = self.folder / "other"
        self.add(SCENES[0], self.crop)
        self.run_program("verdict", "import", "v.csv")
        self.assertEqual(self.pairs(), [])
        self.assertEqual(self.run_program("verdict", "export").stdout, text)

    def test_the_decisions_of_a_page_are_verdicts(self):
        (self.folder / "d.csv").write_text(
            "group,decision,path,sha256,original,original_sha256,path_base64\n"
            f"1,keep,x,{sha256(SCENES[0])},x,{sha256(SCENES[0])},\n"
            f"1,not a copy,y,{sha256(self.crop)},x,{sha256(SCENES[0])},\n")
        self.run_program("verdict", "import", "d.csv")
        self.assertEqual(self.pairs(), [])

    def test_a_verdict_of_a_page_is_on_two_pictures(self):
        for decision in ["copy", "not a copy"]:
            (self.folder / "d.csv").write_text(
                "group,decision,path,sha256,original,original_sha256,path_base64\n"
                f"1,{decision},y,{sha256(self.crop)},x,,\n")
            result = self.run_program("verdict", "import", "d.csv", code=1)
            self.assertIn("line 2: original_sha256 names no content", result.stderr)

    def test_wrong_use(self):
        for words in [[], ["confirm", "a"], ["import"], ["export", "x"], ["maybe", "a"]]:
            self.run_program("verdict", *words, code=2)
        result = self.run_program("verdict", "not-a-copy", "none.jpg", code=1)
        self.assertIn("none.jpg: there is no such file", result.stderr)
        (self.folder / "v.csv").write_text("a,b,verdict\nzz,,confirmed\n")
        result = self.run_program("verdict", "import", "v.csv", code=1)
        self.assertIn("v.csv: line 2: a is not a SHA-256", result.stderr)


if __name__ == "__main__":
    unittest.main()
