"""Bad input is named with its reason, the rest is done, every input is accounted for."""

import os
import pathlib
import re
import shutil
import unittest

from program import DATA, PROGRAM, SCENES, ProgramTest

BAD = DATA / "bad"
NOBODY = 65534


class BadInputTest(ProgramTest):
    def assert_failed(self, path, reason, *words):
        """The path fails with a reason that contains `reason`; a good picture is stored beside."""
        outcomes = self.add(path, SCENES[0], *words, code=1)
        self.assertEqual(len(outcomes), 2)
        outcome = outcomes[str(path)]
        self.assertEqual((outcome["action"], outcome["id"]), ("failed", None))
        self.assertIn(reason, outcome["reason"])
        self.assertIn(outcomes[str(SCENES[0])]["action"], {"added", "unchanged"})
        self.assertEqual(self.paths(), [str(SCENES[0])])

    def test_missing_file(self):
        self.assert_failed(self.folder / "no.jpg", "there is no such file")

    def test_files_that_are_no_whole_picture(self):
        for name, reason in [("empty.jpg", "is empty"), ("truncated.jpg", "is cut short"),
                             ("truncated.png", "is cut short"), ("text.jpg", "is text"),
                             ("document.pdf", "PDF"), ("phone.heic", "HEIC"),
                             ("clip.mp4", "video")]:
            with self.subTest(name):
                self.assert_failed(BAD / name, reason)

    def test_a_bomb_is_refused_before_memory_is_taken(self):
        self.assert_failed(BAD / "bomb.png", "60000 × 60000 pixels, more than the limit")

    def test_the_limits_are_options(self):
        result = self.run_program("add", "--max-pixels", "1000", SCENES[0], code=1)
        self.assertIn("more than the limit of 1000", result.stderr)
        result = self.run_program("add", "--max-file-bytes", "100", SCENES[0], code=1)
        self.assertIn("the limit is 100", result.stderr)

    def test_pipe_and_device(self):
        os.mkfifo(self.folder / "pipe.jpg")
        self.assert_failed(self.folder / "pipe.jpg", "is a named pipe")
        self.assert_failed(pathlib.Path("/dev/null"), "is a device")

    def test_links_in_a_circle(self):
        (self.folder / "a.jpg").symlink_to("b.jpg")
        (self.folder / "b.jpg").symlink_to("a.jpg")
        self.assert_failed(self.folder / "a.jpg", "links lead in a circle")
        loop = self.folder / "loop"
        loop.mkdir()
        (loop / "again").symlink_to(loop)
        self.copy(SCENES[0], "loop/c.jpg")
        outcomes = self.add(loop)
        self.assertEqual({os.path.basename(p): o["action"] for p, o in outcomes.items()},
                         {"again": "ignored", "c.jpg": "added"})

    def test_a_link_to_nothing(self):
        (self.folder / "dead.jpg").symlink_to("nowhere.jpg")
        self.assert_failed(self.folder / "dead.jpg", "a link to a file that does not exist")

    def test_one_pixel_and_blank_pictures_are_stored_and_say_so(self):
        outcomes = self.add(BAD / "one.png", BAD / "blank.png")
        for outcome in outcomes.values():
            self.assertEqual((outcome["action"], outcome["descriptors"]), ("added", 0))
            self.assertIn("no descriptors", outcome["reason"])
        again = self.run_program("add", "--db", self.folder / "other", BAD / "blank.png", SCENES[0])
        self.assertIn("1 of them have no descriptors", again.stderr)

    def test_what_is_no_picture_in_a_folder_is_ignored(self):
        folder = self.folder / "mixed"
        folder.mkdir()
        (folder / "notes.txt").write_text("hello")
        (folder / ".hidden.jpg").write_bytes(SCENES[0].read_bytes())
        shutil.copyfile(BAD / "text.jpg", folder / "text.jpg")
        outcomes = self.add(folder, code=1)
        self.assertEqual({os.path.basename(p): o["action"] for p, o in outcomes.items()},
                         {"notes.txt": "ignored", ".hidden.jpg": "ignored", "text.jpg": "failed"})

    def test_the_summary_adds_up(self):
        result = self.run_program("add", DATA, BAD / "none.jpg", code=1)
        numbers = [int(n) for n in re.findall(r"(\d+) (?:given|added|replaced|unchanged|ignored|failed)",
                                              result.stderr)]
        self.assertEqual(numbers[0], sum(numbers[1:]))
        files = sum(len(files) for _, _, files in os.walk(DATA))
        self.assertEqual(numbers[0], files + 1)
        self.assertEqual(len(self.paths()), numbers[1])


class PermissionTest(ProgramTest):
    """Run as a user whom permissions bind."""

    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.user = {}
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
            self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        # The program and the pictures where everybody can reach them.
        self.program = self.copy(PROGRAM, "siftsearch")
        self.program.chmod(0o755)
        self.picture = self.copy(SCENES[0], "scene.jpg")
        self.closed = self.folder / "closed"
        self.addCleanup(lambda: self.closed.exists() and self.closed.chmod(0o755))

    def command(self, *words):
        return [self.program, "--db", self.database, *words]

    def test_a_folder_without_permission(self):
        self.copy(SCENES[1], "closed/a.jpg")
        self.closed.chmod(0o000)
        outcomes = self.add(self.closed, self.picture, code=1, **self.user)
        self.assertEqual(outcomes[str(self.closed)]["reason"], "no permission to read this folder")
        self.assertEqual(outcomes[str(self.picture)]["action"], "added")

    def test_a_file_without_permission(self):
        self.picture.chmod(0o000)
        outcomes = self.add(self.picture, code=1, **self.user)
        self.assertEqual(outcomes[str(self.picture)]["reason"], "permission denied")

    def test_a_read_only_database_answers_but_takes_nothing(self):
        self.add(self.picture, **self.user)
        for path in [self.database, *self.database.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        self.addCleanup(lambda: [p.chmod(0o755) for p in [self.database, *self.database.rglob("*")]
                                 if p.is_dir()])
        result = self.query(self.picture, **self.user)[0]
        self.assertTrue(result["matches"][0]["copy"])
        second = self.copy(SCENES[1], "second.jpg")
        refused = self.run_program("add", second, code=None, **self.user)
        self.assertIn(refused.returncode, (3, 4))
        self.assertRegex(refused.stderr, "(?i)read-?only|permission")
        self.assertEqual(len(self.lines("list", "--format", "jsonl", **self.user)), 1)


if __name__ == "__main__":
    unittest.main()
