"""Files that hold more than one picture, that are not the picture they show, or that lack their end."""

import csv
import pathlib
import random
import struct
import unittest

from program import SCENES, ProgramTest

WIDTH, HEIGHT = 320, 240


def drawn(seed):
    """Grey pixels: rectangles, the same for the same seed."""
    numbers = random.Random(seed)
    rows = [bytearray([128]) * WIDTH for _ in range(HEIGHT)]
    for _ in range(120):
        x, y = numbers.randrange(WIDTH - 8), numbers.randrange(HEIGHT - 8)
        width, height = numbers.randrange(4, 40), numbers.randrange(4, 40)
        grey = numbers.randrange(256)
        for row in rows[y:y + height]:
            row[x:x + width] = bytes([grey]) * len(row[x:x + width])
    return b"".join(rows)


def pgm(pixels):
    return b"P5 %d %d 255\n" % (WIDTH, HEIGHT) + pixels


def directory(entries, pixels, sub_directories, at, following):
    """Bytes of a TIFF's directory, with what it points to, that begin at an offset of the file;
    and the offset of the directory itself."""
    before = pixels + b"\0" * (len(pixels) % 2)
    offsets = []
    for sub in sub_directories:
        data, offset = directory(*sub, [], at + len(before), 0)
        before += data
        offsets.append(offset)
    entries = {**entries, 273: (4, [at]), 279: (4, [len(pixels)])}
    if offsets:
        entries[330] = (4, offsets)
    begin = at + len(before)
    table, behind = struct.pack("<H", len(entries)), b""
    for tag, (kind, values) in sorted(entries.items()):
        data = b"".join(struct.pack({1: "<B", 2: "<B", 3: "<H", 4: "<I"}[kind], v) for v in values)
        table += struct.pack("<HHI", tag, kind, len(values))
        if len(data) > 4:
            table += struct.pack("<I", begin + 2 + 12 * len(entries) + 4 + len(behind))
            behind += data + b"\0" * (len(data) % 2)
        else:
            table += data.ljust(4, b"\0")
    return before + table + struct.pack("<I", following) + behind, begin


def grey_entries(width, height, **more):
    entries = {256: (3, [width]), 257: (3, [height]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1]),
               277: (3, [1]), 278: (3, [height])}
    return {**entries, **{int(tag[1:]): value for tag, value in more.items()}}


def tiff(pages):
    """A little-endian TIFF of pages: (entries, pixels, sub-directories)."""
    out, following = b"II*\0\0\0\0\0", 0
    for entries, pixels, subs in reversed(pages):
        data, following = directory(entries, pixels, subs, len(out), following)
        out += data
    return out[:4] + struct.pack("<I", following) + out[8:]


def document(*seeds):
    return tiff([(grey_entries(WIDTH, HEIGHT), drawn(seed), []) for seed in seeds])


def raw(make, dng):
    """A raw camera picture: a thumbnail first, the sensor's pixels in a sub-directory."""
    sensor = (grey_entries(WIDTH, HEIGHT, t262=(3, [32803]), t254=(4, [0])), drawn(1))
    thumbnail = grey_entries(160, 120, t254=(4, [1]), t271=(2, list(make.encode() + b"\0")))
    if dng:
        thumbnail[50706] = (1, [1, 4, 0, 0])
    small = b"".join(drawn(1)[y * WIDTH:(y + 1) * WIDTH:2] for y in range(0, HEIGHT, 2))
    return tiff([(thumbnail, small, [sensor])])


class PagesTest(ProgramTest):
    def write(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def test_are_counted_and_said(self):
        path = self.write("book.tif", document(1, 2, 3))
        outcome = self.add(path)[str(path)]
        self.assertEqual((outcome["action"], outcome["pages"], outcome["reason"]),
                         ("added", 3, "first of 3 pages"))
        again = self.add(path)[str(path)]
        self.assertEqual((again["action"], again["reason"]), ("unchanged", "first of 3 pages"))
        self.assertEqual(self.lines("list", "--format", "jsonl", "--where", "pages > 1")[0]["pages"],
                         3)
        self.assertIn("(3 pages)", self.run_program("list").stdout)
        self.assertIn("first of 3 pages", self.run_program("show", path).stdout)
        note = self.run_program("add", self.write("other.tif", document(7, 8))).stderr
        self.assertIn("1 of them were read with a remark", note)

    def test_a_match_never_says_same_picture_where_pages_were_not_looked_at(self):
        book = self.write("book.tif", document(1, 2, 3))
        cover = self.write("cover.pgm", pgm(drawn(1)))
        self.add(book)
        result = self.query(cover)[0]
        match = result["matches"][0]
        self.assertEqual((result["pages"], match["pages"], match["copy"]), (1, 3, True))
        self.assertEqual(match["relation"], "same first page (of 1 and 3)")
        self.assertIn("first of 3 pages", self.run_program("query", book).stdout)
        compared = self.lines("compare", "--format", "jsonl", book, cover)[0]
        self.assertEqual(compared["matches"][0]["relation"], "same first page (of 3 and 1)")

    def test_documents_with_one_cover_are_not_the_same(self):
        paths = [self.write("a.tif", document(1, 2, 3)), self.write("b.tif", document(1, 4)),
                 self.write("c.tif", document(1, 2, 3))]
        self.add(*paths)
        pairs = {frozenset(pathlib.Path(p[n]).name for n in ("query", "image")): p
                 for p in self.lines("report", "--format", "jsonl")}
        self.assertEqual(pairs[frozenset(["a.tif", "c.tif"])]["relation"], "identical file")
        pair = pairs[frozenset(["a.tif", "b.tif"])]
        self.assertRegex(pair["relation"], r"^same first page \(of [23] and [23]\)$")
        self.assertEqual({pair["query_file"]["pages"], pair["image_file"]["pages"]}, {2, 3})
        self.run_program("report", "-o", "r.html")
        page = (self.folder / "r.html").read_text()
        self.assertIn('"pages":3', page)
        self.assertNotIn('"relation":"same picture', page)
        self.assertIn("identical pixels in the first page (of ", page)

    def test_a_blank_first_page_yields(self):
        blank = (grey_entries(WIDTH, HEIGHT), bytes([255]) * (WIDTH * HEIGHT), [])
        path = self.write("blank-first.tif",
                          tiff([blank, (grey_entries(WIDTH, HEIGHT), drawn(2), [])]))
        self.assertEqual(self.add(path)[str(path)]["reason"],
                         "number 2 of 2 pages, those before it are blank")
        match = self.query(self.write("second.pgm", pgm(drawn(2))))[0]["matches"][0]
        self.assertTrue(match["copy"])

    def test_the_same_content_under_another_name_has_its_pages(self):
        first, second = self.write("a.tif", document(1, 2)), self.write("b.tif", document(1, 2))
        self.add(first)
        outcome = self.add(second)[str(second)]
        self.assertEqual((outcome["pages"], outcome["reason"]), (2, "first of 2 pages"))


class RawTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.pictures = self.folder / "in"
        self.pictures.mkdir()
        self.raws = {"a.nef": "NEF", "b.dng": "DNG", "c.tif": "ARW"}
        (self.pictures / "a.nef").write_bytes(raw("NIKON CORPORATION", False))
        (self.pictures / "b.dng").write_bytes(raw("Apple", True))
        (self.pictures / "c.tif").write_bytes(raw("SONY", False))
        (self.pictures / "a.pgm").write_bytes(pgm(drawn(1)))
        (self.pictures / "twin.pgm").write_bytes(pgm(drawn(1)) + b"\n")

    def test_raw_pictures_are_failed_inputs_that_say_what_they_are(self):
        outcomes = self.add(self.pictures, code=1)
        for name, kind in self.raws.items():
            outcome = outcomes[str(self.pictures / name)]
            self.assertEqual((outcome["action"], outcome["id"]), ("failed", None))
            self.assertEqual(outcome["reason"], f"is a raw camera picture ({kind}), of which only "
                             "a preview could be read")
        self.assertEqual(len(self.paths()), 2)

    def test_report_and_apply_leave_them_alone(self):
        self.add(self.pictures, code=1)
        pairs = self.lines("report", "--format", "jsonl")
        self.assertEqual([sorted(pathlib.Path(p[n]).name for n in ("query", "image"))
                          for p in pairs], [["a.pgm", "twin.pgm"]])
        # A folder against the database: each raw picture is named, none has a pair.
        result = self.run_program("report", self.pictures, "--format", "jsonl", code=1)
        for name in self.raws:
            self.assertNotIn(name, result.stdout)
            self.assertIn(name, result.stderr)
        before = {name: (self.pictures / name).read_bytes() for name in self.raws}
        with (self.folder / "decisions.csv").open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["group", "decision", "path", "sha256", "original", "original_sha256",
                             "contained_percent", "scale_percent"])
            for pair in pairs:
                writer.writerow([pair["group"], "copy", pair["query"], pair["query_file"]["sha256"],
                                 pair["image"], pair["image_file"]["sha256"], 100, 100])
        self.run_program("apply", self.folder / "decisions.csv", "--action", "delete", "--yes")
        self.assertEqual(len(list(self.pictures.glob("*.pgm"))), 1)
        self.assertEqual({name: (self.pictures / name).read_bytes() for name in self.raws}, before)


class RemarkTest(ProgramTest):
    def test_a_file_that_lacks_its_end_is_stored_with_a_remark(self):
        cut = self.folder / "cut.jpg"
        cut.write_bytes(SCENES[0].read_bytes()[:-2])
        outcome = self.add(cut)[str(cut)]
        self.assertEqual((outcome["action"], outcome["reason"]), ("added", "its end is missing"))
        match = self.query(SCENES[0])[0]["matches"][0]
        self.assertEqual((match["copy"], match["relation"]), (True, "same picture"))
        verbose = self.run_program("add", "--verbose", "--db", self.folder / "other", cut).stderr
        self.assertIn("added: its end is missing", verbose)

    def test_a_file_that_lacks_rows_is_not_stored(self):
        cut = self.folder / "cut.jpg"
        cut.write_bytes(SCENES[0].read_bytes()[:-2000])
        outcome = self.add(cut, code=1)[str(cut)]
        self.assertEqual(outcome["action"], "failed")
        self.assertIn("cut short", outcome["reason"])


if __name__ == "__main__":
    unittest.main()
