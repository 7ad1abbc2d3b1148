"""Checks the operations of tools/copybench, the benches that `make` makes of them, and the groups of
strangers that are made on request."""

import argparse
import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile
import unittest

import cv2
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "copybench"))

import geometry  # noqa: E402
import make  # noqa: E402
import operations  # noqa: E402
import strangers  # noqa: E402

PICTURES = pathlib.Path(os.environ["DATA"]) / "pictures"


def photo(width=120, height=90, seed=4):
    """Soft spots of colour."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


class Others:
    """A pool of soft pictures and of further originals."""

    def backdrop(self, rng):
        return photo(160, 130, int(rng.integers(0, 9)))

    def others(self, rng, count, without):
        return [geometry.whole(f"originals/{i}.jpg", photo(seed=i)) for i in range(count)]


def scene():
    return geometry.whole("originals/a.jpg", photo())


def operated(name, strength, seed=1):
    return operations.OPERATIONS[name][1](scene(), strength, np.random.default_rng(seed), Others())


class OperationsTest(unittest.TestCase):
    def check(self, done, again):
        self.assertEqual((done.image.dtype, done.image.ndim, done.image.shape[2]), (np.uint8, 3, 3))
        np.testing.assert_array_equal(done.image, again.image)
        self.assertIn("originals/a.jpg", {part.path for part in done.parts})
        for part in done.parts:
            self.assertGreater(geometry.area(part.region), make.SMALLEST_REGION)
            self.assertTrue((part.region >= -0.51).all())
            self.assertTrue((part.region <= np.array([done.width, done.height]) - 0.49).all())

    def test_every_operation_gives_a_picture_and_where_the_original_is(self):
        for name in operations.OPERATIONS:
            for strength in (0, 0.5, 1):
                for seed in (1, 2):
                    with self.subTest(name, strength=strength, seed=seed):
                        self.check(operated(name, strength, seed), operated(name, strength, seed))

    def test_an_operation_belongs_to_one_family(self):
        self.assertEqual(len(operations.OPERATIONS), sum(map(len, operations.FAMILIES.values())))

    def test_a_bent_picture_is_near_its_transform(self):
        dots, places = np.zeros((90, 120, 3), np.uint8), np.array([[30, 25], [60, 45], [85, 60]])
        for i, (x, y) in enumerate(places):
            dots[y - 2:y + 3, x - 2:x + 3, i] = 255
        for name in ("lens", "wave", "stretch"):
            done = operations.OPERATIONS[name][1](geometry.whole("a", dots), 0.5,
                                                  np.random.default_rng(3), None)
            expected = geometry.moved_points(done.parts[0].matrix, places.astype(float))
            for i in range(3):
                y, x = np.nonzero(done.image[..., i] > 128)
                with self.subTest(name, dot=i):
                    self.assertLess(np.hypot(*(expected[i] - [x.mean(), y.mean()])), 5)

    def test_a_cutout_shows_the_share_it_says(self):
        for strength, share in ((0, 0.8), (1, 0.4)):
            part = operated("cutout", strength).parts[0]
            original = geometry.moved_points(np.linalg.inv(part.matrix), part.region)
            self.assertAlmostEqual(geometry.area(original) / (120 * 90), share, delta=0.2)

    def test_compositions_keep_to_their_families(self):
        names, counts = set(), set()
        for seed in range(40):
            drawn = operations.drawn(["tone", "overlay"], np.random.default_rng(seed))
            self.assertEqual(len({name for name, _, _ in drawn}), len(drawn))
            self.assertLessEqual({family for _, family, _ in drawn}, {"tone", "overlay"})
            self.assertLessEqual(max(strength for _, _, strength in drawn),
                                 operations.MILDER[len(drawn) - 1])
            names |= {name for name, _, _ in drawn}
            counts.add(len(drawn))
        self.assertEqual(counts, {1, 2, 3})
        self.assertGreater(len(names), 15)

    def test_a_composition_repeats(self):
        for seed in range(12):
            first, again = (operations.compose(scene(), list(operations.FAMILIES),
                                               np.random.default_rng(seed), Others()) for _ in range(2))
            np.testing.assert_array_equal(first[0].image, again[0].image)
            self.assertEqual(first[1], again[1])


class StrangersTest(unittest.TestCase):
    def test_members_of_every_group_differ_and_repeat(self):
        for group in strangers.GROUPS:
            with self.subTest(group):
                own = photo(300, 220) if group in strangers.NEEDS_PHOTO else None
                first, again, other = (strangers.member(group, own, np.random.default_rng(seed), 5)
                                       for seed in (1, 1, 2))
                self.assertEqual((first.dtype, first.shape[2]), (np.uint8, 3))
                np.testing.assert_array_equal(first, again)
                if group in strangers.GROUPS.keys() - {"watermark", "logo", "caption"}:
                    self.assertFalse(np.array_equal(first, other))


class MakeTest(unittest.TestCase):
    def make(self, *words):
        """(lines of the truth, bench.json) of a bench of three originals."""
        parser, folder = argparse.ArgumentParser(), tempfile.TemporaryDirectory(prefix="operations-test-")
        self.addCleanup(folder.cleanup)
        make.options(parser)
        options = parser.parse_args(["--images", str(PICTURES), "--out", folder.name, "--seed", "1",
                                     "--originals", "3", "--strangers", "3", "--traits", "text", *words])
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(make.run(options), 0)
        out = pathlib.Path(folder.name)
        lines = [json.loads(line) for line in (out / "truth.jsonl").read_text().splitlines()]
        return lines, json.loads((out / "bench.json").read_text())

    def test_compositions(self):
        lines, about = self.make("--compositions", "4", "--families", "tone,camera")
        copies = [line for line in lines if line["kind"] == "copy"]
        self.assertEqual([line["attack"] for line in copies], ["composition"] * 4)
        for line in copies:
            self.assertEqual(line["strength"], len(line["operations"]))
            self.assertLessEqual({done["family"] for done in line["operations"]}, {"tone", "camera"})
        self.assertEqual(len(about["sources"]), 3)
        self.assertLessEqual(set(about["sources"].values()), {"pictures", None})
        self.assertEqual({line.get("source") for line in lines if line["attack"] == "plain"}, {"pictures"})

    def test_each_operation_and_attacks_beside(self):
        lines, _ = self.make("--per-operation", "1", "--families", "tone", "--attacks", "jpeg",
                             "--copies-per-attack", "1")
        made = {line["attack"] for line in lines if line["kind"] == "copy"}
        self.assertEqual(made, {function.__name__ for function in operations.FAMILIES["tone"]} | {"jpeg"})
        for line in lines:
            if "operations" in line:
                self.assertEqual([done["name"] for done in line["operations"]], [line["attack"]])

    def test_an_unknown_family_is_refused(self):
        with self.assertRaises(SystemExit) as stopped:
            self.make("--compositions", "1", "--families", "tones")
        self.assertIn("tones", str(stopped.exception))


if __name__ == "__main__":
    unittest.main()
