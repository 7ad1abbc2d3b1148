"""compare, and the options that decide how much is searched and what is told."""

import json
import random
import unittest

from program import DATA, SCENES, ProgramTest


class CompareTest(ProgramTest):
    def compare(self, *words, code=0):
        return json.loads(self.run_program("compare", "--format", "jsonl", *words, code=code).stdout)

    def test_needs_no_database_and_says_where(self):
        copy = DATA / "copies" / "scene1-crop.jpg"
        result = self.compare(copy, SCENES[0])
        self.assertTrue(result["matches"][0]["copy"])
        self.assertEqual(result["matches"][0]["path"], str(SCENES[0]))
        self.assertTrue(result["matches"][0]["query_box"])
        self.assertFalse(self.database.exists())
        self.assertFalse(any(m["copy"] for m in self.compare(SCENES[1], SCENES[0])["matches"]))

    def test_fails_on_a_copy_if_asked(self):
        copy = DATA / "copies" / "scene1-crop.jpg"
        self.run_program("compare", "--fail-on-copy", copy, SCENES[0], code=11)
        self.run_program("compare", "--fail-on-copy", SCENES[1], SCENES[0])
        self.add(SCENES[0])
        self.run_program("query", "--fail-on-copy", copy, code=11)
        self.run_program("query", "--fail-on-copy", SCENES[1])
        self.run_program("report", "--fail-on-copy", copy, code=11)
        self.run_program("report", "--fail-on-copy")

    def test_draws(self):
        drawing = self.folder / "match.png"
        self.run_program("compare", "--draw", drawing, DATA / "copies" / "scene1-crop.jpg", SCENES[0])
        self.assertTrue(drawing.read_bytes().startswith(b"\x89PNG"))

    def test_wrong_input_is_named(self):
        self.run_program("compare", SCENES[0], code=2)
        result = self.run_program("compare", SCENES[0], "/no/such.jpg", code=1)
        self.assertIn("/no/such.jpg", result.stderr)
        text = self.folder / "text.jpg"
        text.write_text("no picture")
        self.assertIn(str(text), self.run_program("compare", text, SCENES[0], code=1).stderr)


class ColourTest(ProgramTest):
    """The relation says so where a copy has other colours, in every verb that tells relations."""

    side = 240

    def setUp(self):
        super().setUp()
        random.seed(1)
        spots = [(random.randrange(self.side), random.randrange(self.side), random.randrange(3, 14),
                  tuple(random.randrange(256) for _ in range(3))) for _ in range(500)]
        pixels = [(90, 140, 60)] * self.side ** 2
        for x, y, size, colour in spots:
            for row in range(y, min(self.side, y + size)):
                for column in range(x, min(self.side, x + size)):
                    pixels[row * self.side + column] = colour
        self.original = self.write("original.ppm", pixels)
        # The hue turned by 90 degrees, of the same lightness, as Cb and Cr become -Cr and Cb.
        self.turned = self.write("turned.ppm", [self.turn(*pixel) for pixel in pixels])
        self.grey = self.write("grey.ppm", [(self.lightness(*pixel),) * 3 for pixel in pixels])

    @staticmethod
    def lightness(red, green, blue):
        return round(0.299 * red + 0.587 * green + 0.114 * blue)

    @classmethod
    def turn(cls, red, green, blue):
        light = cls.lightness(red, green, blue)
        cb, cr = 0.564 * (blue - light), 0.713 * (red - light)
        turned = light + 1.402 * cb, light + 0.344 * cr - 0.714 * cb, light - 1.772 * cr
        return tuple(max(0, min(255, round(value))) for value in turned)

    def write(self, name, pixels):
        path = self.folder / name
        path.write_bytes(b"P6 %d %d 255\n" % (self.side, self.side) +
                         bytes(value for pixel in pixels for value in pixel))
        return path

    def test_compare_query_and_report_tell_of_colours(self):
        self.add(self.original)
        for copy, words in [(self.turned, "same picture, other colours"),
                            (self.grey, "same picture, in grey")]:
            told = [*self.lines("compare", "--format", "jsonl", copy, self.original),
                    *self.query(copy)]
            relations = [result["matches"][0]["relation"] for result in told]
            relations += [pair["relation"] for pair in self.lines("report", "--format", "jsonl", copy)]
            self.assertEqual(relations, [words] * 3)


class EffortTest(ProgramTest):
    features = "1000"

    def setUp(self):
        super().setUp()
        self.add(*SCENES)

    def test_presets(self):
        for preset in ("fast", "balanced", "thorough"):
            result = self.query("--preset", preset, SCENES[0])[0]
            self.assertEqual(result["matches"][0]["path"], str(SCENES[0].resolve()))
        self.run_program("query", "--preset", "perfect", SCENES[0], code=2)

    def test_descriptors_of_a_queried_file_are_a_multiple_of_a_stored_images(self):
        stored = self.query("--query-features", "1", SCENES[0])[0]["descriptors"]
        self.assertEqual(self.query("--query-features", "0.5", SCENES[0])[0]["descriptors"],
                         min(stored, 500))
        self.assertGreaterEqual(self.query(SCENES[0])[0]["descriptors"], stored)
        self.run_program("query", "--query-features", "0", SCENES[0], code=2)

    def test_a_number_of_false_alarms_is_a_threshold(self):
        matches = self.query("--max-false-alarms", "1e-30", SCENES[0])[0]["matches"]
        self.assertEqual(len(matches), 1)
        for match in matches:
            self.assertLessEqual(match["evidence"]["log10_false_alarms"], -30)
        self.run_program("query", "--max-false-alarms", "0", SCENES[0], code=2)


if __name__ == "__main__":
    unittest.main()
