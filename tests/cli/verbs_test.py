"""What each verb does, on the real command line."""

import csv
import io
import json
import os
import shutil
import subprocess
import unittest

from program import DATA, PROGRAM, SCENES, ProgramTest


class AddTest(ProgramTest):
    def test_stores_files_and_folders_and_accounts_for_each(self):
        result = self.run_program("add", DATA / "pictures", DATA / "copies" / "scene1-crop.jpg")
        self.assertEqual(result.stdout, "")
        self.assertIn("9 given: 9 added, 0 replaced, 0 moved, 0 unchanged, 0 ignored, 0 failed",
                      result.stderr)
        self.assertEqual(len(self.paths()), 9)

    def test_the_same_command_again_changes_nothing(self):
        self.add(DATA / "pictures")
        before = self.lines("stats", "--format", "json")[0]
        self.assertEqual({o["action"] for o in self.add(DATA / "pictures").values()}, {"unchanged"})
        self.assertEqual(self.lines("stats", "--format", "json")[0], before)

    def test_a_changed_file_replaces_its_entry(self):
        picture = self.copy(SCENES[0], "a.jpg")
        first = self.add(picture)[str(picture)]
        self.copy(SCENES[1], "a.jpg")
        second = self.add(picture)[str(picture)]
        self.assertEqual(second["action"], "replaced")
        self.assertNotEqual(first["id"], second["id"])
        self.assertEqual(self.paths(), [str(picture)])
        self.assert_finds_itself(SCENES[1])
        self.assertFalse(any(m["copy"] for m in self.query(SCENES[0])[0]["matches"]))

    def test_the_same_content_elsewhere_is_an_entry_of_its_own(self):
        one, two = self.copy(SCENES[0], "one.jpg"), self.copy(SCENES[0], "two.jpg")
        self.add(one, two)
        stats = self.lines("stats", "--format", "json")[0]
        self.assertEqual((stats["images"], stats["contents"]), (2, 1))
        self.assertEqual({m["path"] for m in self.query(SCENES[0])[0]["matches"] if m["copy"]},
                         {str(one), str(two)})

    def test_lists_on_stdin(self):
        names = [str(scene) for scene in SCENES[:3]]
        self.assertEqual(list(self.add("-", input="\n".join(names) + "\n")), names)
        odd = self.copy(SCENES[3], "line\nbreak.jpg")
        self.assertEqual(list(self.add("-", "-0", input=f"{odd}\0")), [str(odd)])

    def test_a_path_given_twice_is_added_once(self):
        outcomes = self.lines("add", "--format", "jsonl", SCENES[0], SCENES[0])
        self.assertEqual([o["action"] for o in outcomes], ["added", "unchanged"])
        self.assertEqual(len(self.paths()), 1)

    def test_relative_paths_are_stored_absolute(self):
        self.copy(SCENES[0], "a/b.jpg")
        self.assertEqual(list(self.add("./a/../a//b.jpg")), [str(self.folder / "a/b.jpg")])

    def test_attributes_come_back_with_each_match(self):
        self.add(SCENES[0], "--attr", "seller=acme", "--attr", "price=1=2")
        match = self.query(SCENES[0])[0]["matches"][0]
        self.assertEqual(match["attributes"], {"price": "1=2", "seller": "acme"})
        self.assertEqual(self.add(SCENES[0])[str(SCENES[0])]["action"], "unchanged")
        self.add(SCENES[0], "--attr", "seller=other")
        self.assertEqual(self.lines("show", SCENES[0], "--format", "jsonl")[0]["attributes"],
                         {"price": "1=2", "seller": "other"})

    def test_a_thousand_commands_do_not_leave_a_thousand_segments(self):
        for i in range(40):
            path = self.folder / f"{i}.jpg"
            path.write_bytes(SCENES[i % len(SCENES)].read_bytes() + bytes([i]))
            self.run_program("--quiet", "add", path)
        stats = self.lines("stats", "--format", "json")[0]
        self.assertEqual(stats["images"], 40)
        self.assertLess(stats["segments"], 20)

    def test_the_database_inside_an_added_folder_is_passed_over(self):
        self.copy(SCENES[0], "a.jpg")
        self.add(self.folder)
        outcomes = self.add(self.folder)
        self.assertEqual({path: o["action"] for path, o in outcomes.items()},
                         {str(self.folder / "a.jpg"): "unchanged", str(self.database): "ignored"})


class QueryTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.add(DATA / "pictures")

    def test_modified_copies_find_their_originals(self):
        copies = sorted((DATA / "copies").iterdir())
        results = self.query("--top", "1", *copies)
        self.assertEqual([r["query"] for r in results], [str(c) for c in copies])
        for copy, result in zip(copies, results, strict=True):
            match = result["matches"][0]
            self.assertEqual(match["path"], str(DATA / f"pictures/{copy.name.split('-')[0]}.jpg"))
            self.assertTrue(match["copy"])
            self.assertEqual(match["rank"], 1)

    def test_says_where_the_copy_lies(self):
        match = self.query("--top", "1", DATA / "copies/scene1-crop.jpg")[0]["matches"][0]
        for found, true in zip(match["image_box"], [60, 40, 190, 160], strict=True):
            self.assertAlmostEqual(found, true, delta=2)
        self.assertGreater(match["query_overlap_percent"], 98)
        self.assertAlmostEqual(match["image_overlap_percent"], 39.6, delta=1)
        self.assertRegex(match["relation"], "^crop of, (39|40) % of its area")

    def test_top_and_min_score_limit_the_list(self):
        self.assertEqual(len(self.query("--top", "3", SCENES[0])[0]["matches"]), 3)
        self.assertEqual(len(self.query("--min-score", "0.5", SCENES[0])[0]["matches"]), 1)

    def test_search_is_the_same_verb_and_stdin_an_image(self):
        result = self.lines("search", "--format", "jsonl", "-", "--top", "1",
                            input=SCENES[2].read_bytes(), text=False)[0]
        self.assertEqual(result["query"], "-")
        self.assertEqual(result["matches"][0]["path"], str(SCENES[2]))

    def test_sharing_a_pass_changes_no_answer(self):
        pictures = [*SCENES, *sorted((DATA / "copies").iterdir()), DATA / "bad/text.jpg"]
        together = self.query(*pictures, code=1)
        for picture, result in zip(pictures, together, strict=True):
            alone = self.query(picture, code=None)[0]
            self.assertEqual(result["query"], str(picture))
            self.assertEqual((result["matches"], result["error"]),
                             (alone["matches"], alone["error"]))
        few = self.query("--batch-memory", "1", *pictures, code=1)
        self.assertEqual([r["matches"] for r in few], [r["matches"] for r in together])

    def test_draws_the_best_match(self):
        self.run_program("query", DATA / "copies/scene1-crop.jpg", "--draw", "match.png")
        drawing = (self.folder / "match.png").read_bytes()
        self.assertTrue(drawing.startswith(b"\x89PNG"))
        self.run_program("query", DATA / "copies/scene1-crop.jpg", "--draw", "match.jpg")
        self.assertTrue((self.folder / "match.jpg").read_bytes().startswith(b"\xff\xd8"))
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()),
                         ["db", "match.jpg", "match.png"])

    def test_a_bad_query_is_an_error_of_its_own(self):
        results = self.query(self.folder / "no.jpg", SCENES[0], DATA / "bad/text.jpg", code=1)
        self.assertEqual([r["error"] is None for r in results], [False, True, False])
        self.assertEqual(results[0]["error"], "there is no such file")
        self.assertEqual(results[2]["error"], "is text, not a picture")

    def test_a_query_without_descriptors_has_no_match(self):
        result = self.query(DATA / "bad/blank.png")[0]
        self.assertEqual((result["descriptors"], result["matches"]), (0, []))


class ReportTest(ProgramTest):
    def rows(self, *words, code=0):
        text = self.run_program("report", *words, code=code).stdout
        return list(csv.DictReader(io.StringIO(text)))

    def test_lists_each_pair_of_the_database_once(self):
        self.add(DATA / "pictures", DATA / "copies")
        rows = self.rows()
        self.assertEqual({(r["query"].split("/")[-1], r["image"].split("/")[-1]) for r in rows}
                         | {(r["image"].split("/")[-1], r["query"].split("/")[-1]) for r in rows},
                         {pair for i, kind in [(1, "crop"), (2, "rotated"), (3, "small")]
                          for pair in [(f"scene{i}.jpg", f"scene{i}-{kind}.jpg"),
                                       (f"scene{i}-{kind}.jpg", f"scene{i}.jpg")]})
        self.assertEqual(len(rows), 3)
        self.assertEqual(sorted(r["group"] for r in rows), ["1", "2", "3"])

    def test_of_a_folder_against_the_database(self):
        self.add(DATA / "pictures")
        rows = self.rows(DATA / "copies")
        self.assertEqual([r["query"] for r in rows],
                         [str(p) for p in sorted((DATA / "copies").iterdir())])
        self.assertTrue(all(r["copy"] == "true" for r in rows))

    def test_identical_files_are_a_pair(self):
        self.copy(SCENES[0], "one.jpg")
        self.copy(SCENES[0], "two.jpg")
        self.add(self.folder)
        rows = self.rows()
        self.assertEqual([(r["score"], r["group"]) for r in rows], [("1.000000", "1")])

    def test_a_stored_file_is_no_copy_of_itself(self):
        self.add(DATA / "pictures")
        self.assertEqual(self.rows(SCENES[0]), [])

    def test_writes_a_file_when_it_is_complete(self):
        self.add(DATA / "pictures", DATA / "copies")
        self.assertEqual(self.run_program("report", "-o", "r.jsonl").stdout, "")
        pairs = [json.loads(line) for line in (self.folder / "r.jsonl").read_text().splitlines()]
        self.assertEqual(len(pairs), 3)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["db", "r.jsonl"])

    def test_bad_files_of_a_folder_are_named(self):
        self.add(DATA / "pictures")
        result = self.run_program("report", DATA / "bad", SCENES[0], code=1)
        for name in ["bomb.png", "empty.jpg", "truncated.jpg", "phone.heic"]:
            self.assertIn(name, result.stderr)


class CatalogueTest(ProgramTest):
    def test_removed_images_are_not_found_and_compact_gives_their_space_back(self):
        self.add(DATA / "pictures")
        before = self.lines("stats", "--format", "json")[0]
        ident = self.lines("show", SCENES[1], "--format", "jsonl")[0]["id"]
        self.run_program("remove", SCENES[0], str(ident))
        self.assertEqual(len(self.paths()), 6)
        for scene in SCENES[:2]:
            matches = self.query(scene)[0]["matches"]
            self.assertFalse({m["path"] for m in matches} & {str(s) for s in SCENES[:2]})
        self.run_program("compact")
        after = self.lines("stats", "--format", "json")[0]
        self.assertLess(after["segment_bytes"], before["segment_bytes"])
        self.assertEqual(after["removed_descriptors"], 0)
        self.assert_finds_itself(SCENES[2])
        self.assert_sound()

    def test_remove_names_what_is_not_there_and_does_the_rest(self):
        self.add(*SCENES[:2])
        result = self.run_program("delete", "nothing.jpg", SCENES[0], "999", code=1)
        self.assertIn("nothing.jpg: is not in the database", result.stderr)
        self.assertIn("999: is not in the database", result.stderr)
        self.assertEqual(self.paths(), [str(SCENES[1])])

    def test_removes_a_folder_that_is_gone(self):
        for i in range(3):
            self.copy(SCENES[i], f"gone/{i}.jpg")
        self.copy(SCENES[3], "gone2.jpg")
        self.add(self.folder / "gone", self.folder / "gone2.jpg")
        shutil.rmtree(self.folder / "gone")
        self.run_program("remove", self.folder / "gone", code=1)
        self.run_program("remove", "--recursive", self.folder / "gone")
        self.assertEqual(self.paths(), [str(self.folder / "gone2.jpg")])

    def test_among_folders_a_number_is_a_folder(self):
        self.copy(SCENES[0], "1/a.jpg")
        self.copy(SCENES[1], "2/b.jpg")
        self.add("1", "2")
        self.run_program("remove", "--recursive", "2")
        self.assertEqual(self.paths(), [str(self.folder / "1" / "a.jpg")])
        self.run_program("remove", "--recursive", "2", code=1)
        self.run_program("remove", "1")
        self.assertEqual(self.paths(), [])

    def test_what_is_missing_can_be_removed(self):
        gone = self.copy(SCENES[0], "in/gone.jpg")
        stays = self.copy(SCENES[1], "in/stays.jpg")
        self.add("in", SCENES[2])
        gone.unlink()
        (self.folder / "in").rename(self.folder / "away")
        self.run_program("remove", "--missing", "in", code=1)  # A drive that is not there.
        self.assertEqual(len(self.paths()), 3)
        (self.folder / "away").rename(self.folder / "in")
        self.run_program("remove", "--missing", "in")
        self.assertEqual(sorted(self.paths()), sorted([str(stays), str(SCENES[2])]))

    def test_help_for_a_verb_by_either_word_order(self):
        self.assertEqual(self.run_program("help", "remove").stdout,
                         self.run_program("remove", "--help").stdout)

    def test_show_tells_all_that_is_stored(self):
        self.add(SCENES[0], "--attr", "seller=acme")
        text = self.run_program("show", SCENES[0]).stdout
        self.assertIn(str(SCENES[0]), text)
        self.assertIn("seller = acme", text)
        self.run_program("show", "nothing.jpg", code=1)


class UsageTest(ProgramTest):
    def test_wrong_use_is_told_and_exits_with_2(self):
        for words in [["nonsense"], ["add"], ["query"], ["query", "--top", "0", "x"],
                      ["query", "--top", "many", "x"], ["query", "--format", "xml", "x"],
                      ["query", "--min-score", "2", "x"], ["query", "a", "b", "--draw", "d.png"],
                      ["query", "a", "--draw", "d.gif"], ["report", "--format", "xml"],
                      ["add", "--attr", "novalue", "x"], ["add", "--features", "0", "x"],
                      ["add", "--max-side", "1", "x"], ["add", "--threads", "-1", "x"],
                      ["list", "extra"], ["export"], ["remove"], ["show"], ["add", "--unknown"]]:
            result = self.run_program(*words, code=2)
            self.assertTrue(result.stderr.startswith("siftsearch: "), result.stderr)
            self.assertEqual(result.stdout, "")
        self.assertFalse(self.database.exists())

    def test_an_empty_path_is_wrong_use(self):
        here = self.folder / "here"
        here.mkdir()
        for words in [["--db", "", "add", SCENES[0]], ["add", "--db", "", SCENES[0]],
                      ["report", "-o", ""], ["report", "--from", ""], ["add", "--from", ""],
                      ["query", SCENES[0], "--draw", ""], ["query", SCENES[0], "--html", ""],
                      ["compare", SCENES[0], SCENES[1], "--draw", ""], ["export", "--faiss", ""],
                      ["apply", "decisions.csv", "--action", "move", "--to", ""],
                      ["apply", "decisions.csv", "--undo-list", ""],
                      ["verdict", "export", "-o", ""]]:
            result = subprocess.run([PROGRAM, *words], capture_output=True, text=True, cwd=here)
            self.assertEqual(result.returncode, 2, (words, result.stderr))
            self.assertRegex(result.stderr, "^siftsearch: --[a-z-]+ names no (file|folder)\n$")
        self.assertEqual(list(here.iterdir()), [])

    def test_hash_tells_pdq_of_files_and_folders_without_a_database(self):
        with open(DATA / "pdq.csv", newline="", encoding="utf-8") as table:
            expected = {row["file"]: row for row in csv.DictReader(table)}["formats/grey.pgm"]
        grey = DATA / "formats" / "grey.pgm"
        lines = self.run_program("hash", grey, DATA / "pictures").stdout.splitlines()
        self.assertEqual(lines[0], f"{expected['pdq']}  {expected['quality']}  {grey}")
        self.assertEqual([line.split("/")[-1] for line in lines[1:]],
                         [f"scene{i}.jpg" for i in range(1, 9)])
        told = json.loads(self.run_program("hash", "--format", "jsonl", grey).stdout)
        self.assertEqual((told["pdq"], told["quality"], told["path"]),
                         (expected["pdq"], int(expected["quality"]), str(grey)))
        self.assertEqual(len({told["pdq"], *told["turned"]}), 8)
        rows = self.run_program("hash", "--format", "csv", "-", input=f"{grey}\n").stdout
        self.assertEqual(rows.splitlines()[0], "pdq,quality,path")
        self.assertEqual(rows.splitlines()[1], f"{expected['pdq']},{expected['quality']},{grey}")
        self.assertFalse(self.database.exists())

    def test_hash_goes_on_after_a_file_that_is_none(self):
        result = self.run_program("hash", DATA / "bad" / "truncated.jpg", DATA / "missing.jpg", SCENES[0],
                                  code=1)
        self.assertEqual(len(result.stdout.splitlines()), 1)
        self.assertIn("truncated.jpg: is cut short", result.stderr)
        self.assertIn("missing.jpg", result.stderr)
        lines = self.lines("hash", "--format", "jsonl", DATA / "bad" / "truncated.jpg", SCENES[0],
                           code=1)
        self.assertIn("is cut short", lines[0]["error"])
        self.assertIsNone(lines[1]["error"])
        self.run_program("hash", code=2)

    def test_help_for_the_program_and_every_verb(self):
        text = self.run_program("--help").stdout
        for verb in ["add", "query", "search", "report", "list", "show", "remove", "delete",
                     "stats", "check", "compact", "index", "export", "hash"]:
            self.assertIn(verb, text)
            self.assertIn("Usage: siftsearch", self.run_program(verb, "--help").stdout)
        self.assertRegex(self.run_program("--version").stdout, r"^siftsearch \d+\.\d+\.\d+\n$")

    def test_the_kernel_can_be_forced(self):
        self.add(SCENES[0])
        result = self.run_program("stats", "--format", "json",
                                  env={**os.environ, "SIFTSEARCH_KERNEL": "portable"})
        self.assertEqual(json.loads(result.stdout)["kernel"], "portable")
        for words in (["query", SCENES[0]], ["stats"], ["compare", SCENES[0], SCENES[1]]):
            result = self.run_program(*words, code=2,
                                      env={**os.environ, "SIFTSEARCH_KERNEL": "abacus"})
            self.assertIn("$SIFTSEARCH_KERNEL: this machine has no kernel 'abacus'; it has:",
                          result.stderr)
        result = self.run_program("--verbose", "query", "--kernel", "portable", SCENES[0])
        self.assertIn("kernel portable", result.stderr)
        for name in ("abacus", ""):
            result = self.run_program("query", "--kernel", name, SCENES[0], code=2)
            self.assertIn(f"--kernel: this machine has no kernel '{name}'; it has:", result.stderr)

    def test_the_database_is_named_before_or_after_the_verb_or_by_the_environment(self):
        def images(*words, **environment):
            result = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=True,
                                    cwd=self.folder, env={**os.environ, **environment})
            return json.loads(result.stdout)["images"]

        self.add(SCENES[0])
        shutil.copytree(self.database, self.folder / "siftsearch.db")
        self.assertEqual(images("--db", "db", "stats", "--format", "json"), 1)
        self.assertEqual(images("stats", "--format", "json", "--db=db"), 1)
        self.assertEqual(images("stats", "--format", "json", SIFTSEARCH_DB="db"), 1)
        environment = {k: v for k, v in os.environ.items() if k != "SIFTSEARCH_DB"}
        result = subprocess.run([PROGRAM, "list"], capture_output=True, check=True,
                                cwd=self.folder, env=environment)
        self.assertIn(SCENES[0].name.encode(), result.stdout)

    def test_quiet_says_nothing_but_errors(self):
        self.assertEqual(self.run_program("--quiet", "add", SCENES[0]).stderr, "")
        result = self.run_program("add", "-q", self.folder / "no.jpg", code=1)
        self.assertEqual(result.stderr.count("\n"), 1)

    def test_verbose_tells_of_each_input(self):
        self.assertIn(f"{SCENES[0]}: added", self.run_program("add", "-v", SCENES[0]).stderr)


if __name__ == "__main__":
    unittest.main()
