"""Files of equal bytes: a copy wherever two are compared, and one entry of a report, however many."""

import csv
import io
import json
import os
import re
import struct
import unittest
import zlib

from program import DATA, SCENES, ProgramTest

CROP = DATA / "copies" / "scene1-crop.jpg"


def blank_png(width=64, height=48, grey=200):
    """A picture of one tone: nothing in it can be searched for."""
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    rows = (b"\0" + bytes([grey]) * width) * height
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class EqualFilesTest(ProgramTest):
    def write(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def blanks(self, *names):
        return [self.write(name, blank_png()) for name in names]

    def copies(self, source, *names):
        return [self.copy(source, name) for name in names]

    def assert_identical(self, match, relation="identical file"):
        self.assertEqual((match["score"], match["copy"], match["kind"], match["relation"]),
                         (1, True, "copy", relation))
        self.assertEqual((match["query_overlap_percent"], match["image_overlap_percent"]), (100, 100))

    def pairs(self, *words):
        """The pairs of a report, as names below the test's folder."""
        name = lambda path: os.path.relpath(path, self.folder)
        return [(name(p["query"]), name(p["image"]))
                for p in self.lines("report", "--format", "jsonl", *words)]


class ComparedTest(EqualFilesTest):
    def test_compare(self):
        for data in [SCENES[0].read_bytes(), blank_png()]:
            one, two = self.write("one", data), self.write("two", data)
            result = self.lines("compare", "--format", "jsonl", "--fail-on-copy", one, two, code=11)
            self.assertEqual(len(result[0]["matches"]), 1)
            self.assert_identical(result[0]["matches"][0])
            self.assertEqual(result[0]["matches"][0]["path"], str(two))

    def test_compare_looks_for_copied_regions_in_one_file_only(self):
        one = self.copy(SCENES[0], "one.jpg")
        link, hard = self.folder / "link.jpg", self.folder / "hard.jpg"
        link.symlink_to(one)
        os.link(one, hard)
        for other in [one, link, hard, self.folder / "." / "one.jpg"]:
            for match in self.lines("compare", "--format", "jsonl", one, other)[0]["matches"]:
                self.assertNotEqual(match["relation"], "identical file")

    def test_query_finds_all_first(self):
        blanks = self.blanks("a.png", "b.png", "c.png")
        self.add(*blanks, *SCENES)
        for words in [[], ["--top", "1"], ["--min-score", "0.5"]]:
            matches = self.query(*words, "--fail-on-copy", blanks[1], code=11)[0]["matches"]
            self.assertEqual([m["path"] for m in matches[:3]], [str(b) for b in blanks])
            self.assertEqual([m["rank"] for m in matches[:3]], [1, 2, 3])
            for match, path in zip(matches, blanks):
                self.assert_identical(match, "same file" if path == blanks[1] else "identical file")

    def test_query_counts_them_once(self):
        self.add(*self.copies(SCENES[0], *(f"twin{i:02}.jpg" for i in range(12))), CROP)
        matches = self.query("--top", "2", SCENES[0])[0]["matches"]
        self.assertEqual(len(matches), 13)
        for match in matches[:12]:
            self.assert_identical(match)
        self.assertEqual(matches[12]["path"], str(CROP.resolve()))
        self.assertTrue(matches[12]["copy"])
        # The other way round the twelve are one picture, too.
        matches = self.query("--top", "1", "--min-score", "0.9", CROP)[0]["matches"]
        self.assertEqual([m["path"] for m in matches], [str(CROP.resolve())])

    def test_report_of_files(self):
        self.add(*self.blanks("a.png", "b.png", "c.png"))
        (asked,) = self.blanks("asked.png")
        self.assertEqual(self.pairs(asked), [("asked.png", "a.png"), ("b.png", "a.png"),
                                             ("c.png", "a.png")])
        # A stored file that is asked about has its own row, and no second one.
        self.assertEqual(self.pairs("b.png"), [("b.png", "a.png"), ("c.png", "a.png")])
        self.run_program("report", "--fail-on-copy", asked, code=11)

    def test_report_of_many_equal_files_lists_each_once(self):
        self.add(*self.copies(SCENES[0], *(f"stored/{i}.jpg" for i in range(6))), *SCENES[1:])
        self.copies(SCENES[0], *(f"asked/{i}.jpg" for i in range(5)))
        pairs = self.pairs("asked")
        self.assertEqual(len(pairs), 5 + 5)
        self.assertEqual(len(set(pairs)), 10)
        self.assertEqual({image for _, image in pairs}, {"stored/0.jpg"})

    def test_watch(self):
        self.add(*self.blanks("a.png"))
        new = self.folder / "new"
        new.mkdir()
        (new / "b.png").write_bytes(blank_png())
        (result,) = self.lines("watch", "--once", new)
        self.assertEqual([m["path"] for m in result["matches"]], [str(self.folder / "a.png")])
        self.assert_identical(result["matches"][0])


class ReportedTest(EqualFilesTest):
    count = 300

    def add_many(self):
        many = self.folder / "many"
        many.mkdir()
        for i in range(self.count):
            (many / f"{i:03}.png").write_bytes(blank_png())
        self.add(many)

    def test_one_row_for_each_but_the_first(self):
        self.add_many()
        self.run_program("report", "-o", "r.jsonl")
        pairs = [json.loads(line) for line in (self.folder / "r.jsonl").read_text().splitlines()]
        self.assertEqual(len(pairs), self.count - 1)
        self.assertEqual({p["image"] for p in pairs}, {str(self.folder / "many" / "000.png")})
        self.assertEqual(len({p["query"] for p in pairs}), self.count - 1)
        self.assertEqual({p["group"] for p in pairs}, {1})
        for pair in pairs:
            self.assert_identical(pair)
        rows = list(csv.DictReader(io.StringIO(self.run_program("report").stdout)))
        self.assertEqual([(r["query"], r["image"]) for r in rows],
                         [(p["query"], p["image"]) for p in pairs])

    def test_one_picture_of_the_page(self):
        self.add_many()
        self.run_program("report", "-o", "r.jsonl")
        for words in [[], ["--from", "r.jsonl"]]:
            self.run_program("report", *words, "-o", "r.html")
            text = (self.folder / "r.html").read_text()
            (group,) = [json.loads(script) for script in re.findall(
                r'<script type="application/json" class="group">(.*)</script>', text)]
            (member,) = group["members"]
            self.assertEqual(len(member["equal_files"]), self.count - 1)
            self.assertEqual(len({f["path"] for f in member["equal_files"]} | {member["path"]}),
                             self.count)
            self.assertTrue(member["original"])
            self.assertEqual(group["pairs"], [])
            self.assertEqual(text.count("data:image/jpeg"), 1)

    def test_a_group_has_all_files_of_all_versions(self):
        files = [*self.copies(SCENES[0], *(f"whole/{i}.jpg" for i in range(5))),
                 *self.copies(CROP, *(f"crop/{i}.jpg" for i in range(4)))]
        self.add(*files, *SCENES[1:])
        pairs = self.lines("report", "--format", "jsonl")
        self.assertEqual(len(pairs), 4 + 3 + 1)
        self.assertEqual({p["group"] for p in pairs}, {1})
        self.assertEqual({p[side] for p in pairs for side in ("query", "image")},
                         {str(f) for f in files})

    def test_conditions_hold_for_the_files_that_are_listed(self):
        self.copies(SCENES[0], "a/1.jpg", "a/2.jpg", "b/1.jpg")
        self.copies(CROP, "a/crop.jpg", "c/crop.jpg")
        self.add("a", "--attr", "seller=acme")
        self.add("b", "c")
        between = lambda pairs: {tuple(sorted(pair)) for pair in pairs}
        self.assertEqual(between(self.pairs()),
                         {("a/1.jpg", "a/2.jpg"), ("a/1.jpg", "b/1.jpg"), ("a/crop.jpg", "c/crop.jpg"),
                          ("a/1.jpg", "a/crop.jpg")})
        apart = between(self.pairs("--skip-same-folder"))
        self.assertLess({("a/2.jpg", "b/1.jpg"), ("a/1.jpg", "b/1.jpg"), ("a/crop.jpg", "c/crop.jpg")},
                        apart)
        # Of two contents the first pair of files in two folders, as seen from either.
        self.assertEqual(len(apart), 4)
        self.assertTrue(apart & {("a/1.jpg", "c/crop.jpg"), ("a/crop.jpg", "b/1.jpg")})
        self.assertEqual(between(self.pairs("--where", "seller = acme")),
                         {("a/1.jpg", "a/2.jpg"), ("a/1.jpg", "a/crop.jpg")})
        self.assertEqual(between(self.pairs("--where", "seller != acme")), {("b/1.jpg", "c/crop.jpg")})

    def test_a_verdict_on_the_contents_holds_for_all_files(self):
        self.copies(SCENES[0], "a/1.jpg", "a/2.jpg")
        self.copies(CROP, "b/1.jpg", "b/2.jpg")
        self.add("a", "b")
        self.run_program("verdict", "not-a-copy", "a/1.jpg", "b/2.jpg")
        self.assertEqual(sorted(self.pairs()), [("a/2.jpg", "a/1.jpg"), ("b/2.jpg", "b/1.jpg")])
        self.assertEqual(len(self.pairs("--with-rejected")), 3)


if __name__ == "__main__":
    unittest.main()
