"""Output is valid in every format, whatever the paths hold."""

import base64
import csv
import io
import json
import os
import pty
import subprocess
import unittest

from program import DATA, SCENES, TIMEOUT, ProgramTest

ODD_NAMES = [
    b"with space.jpg",
    b'"quoted", and comma.jpg',
    b"line\nbreak.jpg",
    b"tab\tand\x1b[31mcolour.jpg",
    "Zürich 東京 \u202egpj.exe".encode() + b".jpg",
    b"back\\slash.jpg",
    b"bad \xff\xfe utf-8.jpg",
    b"-dash.jpg",
]


class OddPathsTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.names = []
        folder = os.fsencode(self.folder / "odd")
        os.mkdir(folder)
        for i, name in enumerate(ODD_NAMES):
            path = os.path.join(folder, name)
            with open(path, "wb") as file:
                file.write(SCENES[i].read_bytes())
            self.names.append(path)
        self.add(self.folder / "odd")

    @staticmethod
    def path_of(entry, name="path"):
        if name + "_base64" in entry:
            return base64.b64decode(entry[name + "_base64"])
        return entry[name].encode()

    def test_jsonl(self):
        output = self.run_program("query", "--format", "jsonl", "--top", "1", *self.names,
                                  text=False).stdout
        results = [json.loads(line) for line in output.decode().split("\n")[:-1]]
        self.assertEqual([self.path_of(r, "query") for r in results], self.names)
        self.assertEqual([self.path_of(r["matches"][0]) for r in results], self.names)

    def test_json(self):
        output = self.run_program("query", "--format", "json", "--top", "1", *self.names,
                                  text=False).stdout
        self.assertEqual([self.path_of(r["matches"][0]) for r in json.loads(output)], self.names)

    def test_csv(self):
        output = self.run_program("query", "--format", "csv", "--top", "1", *self.names,
                                  text=False).stdout
        rows = list(csv.DictReader(io.StringIO(output.decode(errors="surrogateescape"),
                                               newline="")))
        self.assertEqual([os.fsencode(r["path"]) for r in rows], self.names)
        self.assertEqual([os.fsencode(r["query"]) for r in rows], self.names)
        self.assertEqual({r["rank"] for r in rows}, {"1"})

    def test_table_escapes_what_could_mislead(self):
        output = self.run_program("query", "--top", "1", *self.names, text=False).stdout
        text = output.decode()
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\u202e", text)
        self.assertIn("line\\nbreak.jpg", text)
        self.assertIn("bad \\xff\\xfe utf-8.jpg", text)
        self.assertIn("Zürich 東京", text)

    def test_report_and_list_round_trip(self):
        twins = os.fsencode(self.folder / "twins")
        os.mkdir(twins)
        for i, name in enumerate(ODD_NAMES):
            with open(os.path.join(twins, name), "wb") as file:
                file.write(SCENES[i].read_bytes())
        output = self.run_program("report", twins, text=False).stdout
        rows = list(csv.DictReader(io.StringIO(output.decode(errors="surrogateescape"),
                                               newline="")))
        self.assertEqual({os.fsencode(r["image"]) for r in rows}, set(self.names))
        listed = self.run_program("list", "--format", "null", text=False).stdout
        self.assertEqual(set(listed.split(b"\0")[:-1]), set(self.names))
        again = self.run_program("add", "-", "-0", input=listed, text=False)
        self.assertIn(b"8 unchanged", again.stderr)

    def test_fields_are_those_of_the_schema(self):
        result = self.query("--top", "1", SCENES[0])[0]
        self.assertEqual(list(result), ["query", "error", "width", "height", "descriptors",
                                        "pages", "sha256", "matches", "timings_ms"])
        self.assertEqual(list(result["matches"][0]),
                         ["rank", "id", "path", "pages", "width", "height", "sha256",
                          "score", "copy", "kind",
                          "shared_overlay", "votes", "inliers", "mirrored",
                          "inverted", "relation", "image_from_query", "query_box", "image_box",
                          "query_polygon", "image_polygon", "query_overlap_percent",
                          "image_overlap_percent", "attributes", "verdict", "because",
                          "evidence"])
        self.assertEqual(list(result["timings_ms"]), ["decode", "extract", "search", "verify"])

    def test_shares_and_means_of_the_evidence_are_at_most_one(self):
        self.database = self.folder / "default"
        self.features = "1000"
        self.add(*SCENES, DATA / "copies")
        for result in self.query(*SCENES):
            for match in result["matches"]:
                for name in ("query_found", "image_found", "closeness", "rarity",
                             "pixels_coherent", "pixels_inside", "pixels_covered"):
                    self.assertTrue(0 <= match["evidence"][name] <= 1, (name, match))


class StreamsTest(ProgramTest):
    def test_a_full_output_is_an_error(self):
        self.add(*SCENES)
        with open("/dev/full", "wb") as full:
            for words in [["query", SCENES[0]], ["list"], ["report"], ["stats"],
                          ["add", "--format", "jsonl", SCENES[0]]]:
                result = subprocess.run(self.command(*words), stdout=full, stderr=subprocess.PIPE,
                                        timeout=TIMEOUT, check=False)
                self.assertEqual(result.returncode, 4, words)
                self.assertIn(b"standard output can't be written: No space left", result.stderr)

    def on_terminal(self, *words):
        """What a command that ends well writes to a terminal."""
        terminal, side = pty.openpty()
        process = subprocess.Popen(self.command(*words), stderr=side, stdout=subprocess.DEVNULL)
        os.close(side)
        seen = b""
        try:
            while block := os.read(terminal, 4096):
                seen += block
        except OSError:  # The terminal's other side is closed.
            pass
        self.assertEqual(process.wait(), 0)
        os.close(terminal)
        return seen

    def test_progress_only_on_a_terminal(self):
        seen = self.on_terminal("add", *SCENES)
        self.assertRegex(seen, rb"\d/8 \[=* *\] \d+ %  [\d.]+/s")
        self.assertTrue(seen.rstrip().endswith(b"/s)"), seen)
        self.assertNotIn("[", self.run_program("add", *SCENES).stderr)
        self.run_program("remove", SCENES[0])
        for words in [["compact"], ["check"]]:
            seen = self.on_terminal(*words)
            self.assertRegex(seen, rb"\d+/\d+ \[=* *\] 100 %  [\d.]+/s  rows", words)
            self.assertNotIn("[", self.run_program(*words).stderr)


if __name__ == "__main__":
    unittest.main()
