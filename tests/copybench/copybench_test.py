"""Checks tools/copybench: its geometry, its measures on rankings with known answers, its verbs."""

import csv
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import cv2
import numpy as np

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "copybench"
sys.path.insert(0, str(TOOL))

import attacks  # noqa: E402
import geometry  # noqa: E402
import make  # noqa: E402
import page  # noqa: E402
import score  # noqa: E402
import sets  # noqa: E402
import strangers  # noqa: E402
import train  # noqa: E402

PROGRAM = os.environ["SIFTSEARCH"]
PICTURES = pathlib.Path(os.environ["DATA"]) / "pictures"


class FolderTest(unittest.TestCase):
    """Each test has an empty folder, `self.folder`."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="copybench-test-")).resolve()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def copybench(self, *words, code=0):
        """Runs the tool; gives its standard output."""
        done = subprocess.run([sys.executable, "-B", TOOL / "copybench", *map(str, words)],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, (words, done.stdout, done.stderr))
        return done.stdout

    def make(self, name, *words, seed=1):
        """A small bench; gives its folder."""
        out = self.folder / name
        self.copybench("make", "--images", PICTURES, "--out", out, "--seed", seed, "--originals", 3,
                       "--strangers", 2, "--copies-per-attack", 1, *words)
        return out


def content(folder):
    """{name: bytes} of all files below."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def page_of_noise(seed):
    """A PNG file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def scene():
    """An original of 64 x 48 pixels with a bright spot that is centred on (20, 10)."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[9:12, 19:22] = 200
    return geometry.whole("originals/a.jpg", image)


class Backdrops:
    """A pool of grey pictures and of further originals."""

    def backdrop(self, rng):
        return np.full((200, 300, 3), 90, np.uint8)

    def others(self, rng, count, without):
        return [geometry.whole(f"originals/{i}.jpg", scene().image) for i in range(count)]


def attacked(name, strength, seed=1):
    return attacks.ATTACKS[name][0](scene(), strength, np.random.default_rng(seed), Backdrops())


def centre_of_spot(image):
    """The mean place of what is bright, in pixels."""
    y, x = np.nonzero(image[..., 0] > 128)
    return np.array([x.mean(), y.mean()])


class GeometryTest(unittest.TestCase):
    def test_whole_picture_reaches_half_a_pixel_beyond_the_centres(self):
        self.assertEqual(scene().parts[0].record()["box"], [-0.5, -0.5, 64, 48])

    def test_rotation_by_90_is_exact(self):
        done = attacked("rotate", 90)
        self.assertEqual((done.width, done.height), (48, 64))
        np.testing.assert_array_equal(done.image, np.rot90(scene().image, -1))
        np.testing.assert_allclose(done.parts[0].record()["box"], [-0.5, -0.5, 48, 64], atol=1e-6)

    def test_corners_land_on_the_box(self):
        corners = geometry.rectangle(0, 0, 64, 48)
        for name, strength in (("rotate", 17), ("rotate", "any"), ("paste", 25), ("border", 0.2),
                               ("mirror", "horizontal"), ("mirror", "vertical"), ("scale", 0.5),
                               ("perspective", "strong"), ("meme", 1), ("screenshot", "phone")):
            with self.subTest(name, strength=strength):
                truth = attacked(name, strength).parts[0].record()
                landed = geometry.moved_points(np.array(truth["transform"]), corners)
                np.testing.assert_allclose(geometry.box(landed), truth["box"], atol=0.01)
                np.testing.assert_allclose(truth["original_box"], [-0.5, -0.5, 64, 48], atol=0.01)

    def test_crop_names_the_block_that_is_left(self):
        done = attacked("crop", 25)
        truth = done.parts[0].record()
        self.assertEqual(truth["box"], [-0.5, -0.5, done.width, done.height])
        self.assertEqual(truth["original_box"][2:], [done.width, done.height])
        self.assertAlmostEqual(done.width * done.height / (64 * 48), 0.25, delta=0.02)

    def test_transform_follows_the_pixels(self):
        for name, strength in (("rotate", 45), ("mirror", "horizontal"), ("mirror", "vertical"),
                               ("perspective", "mild"), ("border", 0.05)):
            with self.subTest(name, strength=strength):
                done = attacked(name, strength, seed=2)
                done.image[np.all(done.image == done.image[0, 0], axis=2)] = 0
                inside = geometry.moved_points(done.parts[0].matrix, np.array([[20.0, 10.0]]))[0]
                x, y = np.rint(inside).astype(int)
                self.assertGreater(done.image[y, x].max(), 128)

    def test_scaling_keeps_edges_on_edges(self):
        done = geometry.resized(scene(), 128, 96)
        expected = geometry.moved_points(done.parts[0].matrix, np.array([[20.0, 10.0]]))[0]
        np.testing.assert_allclose(centre_of_spot(done.image), expected, atol=0.1)

    def test_cover_leaves_the_uncovered_share(self):
        part = attacked("cover", 75).parts[0]
        self.assertAlmostEqual(geometry.area(part.region) / (64 * 48), 0.25, delta=0.01)

    def test_collage_names_every_original(self):
        done = attacked("collage", 4)
        self.assertEqual(len({part.path for part in done.parts}), 4)
        for part in done.parts:
            self.assertAlmostEqual(geometry.area(part.region), 320 * 240, delta=1)

    def test_flags(self):
        self.assertTrue(attacked("mirror", "vertical").parts[0].mirrored)
        self.assertLess(np.linalg.det(attacked("mirror", "vertical").parts[0].matrix), 0)
        self.assertTrue(attacked("invert", 1).parts[0].inverted)

    def test_a_part_outside_is_empty(self):
        self.assertEqual(geometry.area(geometry.clipped(geometry.rectangle(50, 50, 9, 9), 0, 0, 9, 9)),
                         0)

    def test_every_attack_gives_a_picture(self):
        for name, (_, strengths) in attacks.ATTACKS.items():
            for strength in strengths:
                with self.subTest(name, strength=strength):
                    done = attacked(name, strength, seed=3)
                    self.assertEqual(done.image.dtype, np.uint8)
                    self.assertEqual(done.image.shape[2], 3)


def pairs(rows, positives):
    """Pairs from (query, score, right) with scores from 0.5 called copies."""
    query, value, right = zip(*rows)
    return score.Pairs(value, right, [v >= 0.5 for v in value], query, positives)


class MeasuresTest(unittest.TestCase):
    def test_perfect_ranking(self):
        ranking = pairs([(0, 0.9, True), (1, 0.8, True), (0, 0.2, False)], [1, 1])
        self.assertAlmostEqual(float(score.micro_ap(ranking)), 1)

    def test_one_false_alarm_first(self):
        ranking = pairs([(2, 0.95, False), (0, 0.9, True), (1, 0.8, True)], [1, 1, 0])
        self.assertAlmostEqual(float(score.micro_ap(ranking)), (1 / 2 + 2 / 3) / 2)

    def test_what_is_not_listed_is_lost(self):
        self.assertAlmostEqual(float(score.micro_ap(pairs([(0, 0.9, True)], [1, 3]))), 0.25)

    def test_ties_count_against_the_program(self):
        ranking = pairs([(0, 0.9, True), (1, 0.9, False)], [1, 0])
        self.assertAlmostEqual(float(score.micro_ap(ranking)), 0.5)
        self.assertEqual(score.first_right(pairs([(0, 0.9, True), (0, 0.9, False)], [1]))[0], 0)
        self.assertEqual(float(score.recall_before_false(ranking, np.ones((1, 2)))[0]), 0)

    def test_recall_at_precision(self):
        ranking = pairs([(0, 0.9, True), (1, 0.8, True), (2, 0.7, False), (3, 0.6, True)],
                        [1, 1, 0, 1, 1])
        self.assertEqual(score.at_precision(ranking, 0.99), (0.5, 0.8))
        self.assertEqual(score.at_precision(ranking, 0.75), (0.75, 0.6))
        self.assertEqual(score.at_precision(ranking, 0.0)[0], 0.75)
        self.assertEqual(list(score.recall_at_precision(ranking, 0.99, np.ones((1, 5)))), [0.5])

    def test_a_threshold_takes_all_of_a_score(self):
        ranking = pairs([(0, 0.9, True), (1, 0.5, True), (2, 0.5, False)], [1, 1, 0])
        self.assertEqual(score.at_precision(ranking, 0.99), (0.5, 0.9))
        self.assertEqual(score.at_precision(pairs([(0, 0.9, False)], [1]), 0.9), (0.0, None))

    def test_recall_before_the_first_false_alarm(self):
        ranking = pairs([(0, 0.9, True), (1, 0.8, True), (2, 0.7, False), (3, 0.6, True)], [1, 1, 0, 1])
        self.assertAlmostEqual(float(score.recall_before_false(ranking, np.ones((1, 4)))[0]), 2 / 3)

    def test_average_precision_of_each_query(self):
        ranking = pairs([(0, 0.9, False), (0, 0.8, True), (1, 0.1, True), (1, 0.05, True)], [1, 2, 1])
        np.testing.assert_allclose(score.each_ap(ranking), [0.5, 1, 0])

    def test_weights_repeat_queries(self):
        ranking = pairs([(2, 0.95, False), (0, 0.9, True), (1, 0.8, True)], [1, 1, 0])
        twice = pairs([(2, 0.95, False), (3, 0.95, False), (0, 0.9, True), (1, 0.8, True)],
                      [1, 1, 0, 0])
        weighted = score.measures(ranking, np.array([[1.0, 1.0, 2.0]]))
        repeated = score.measures(twice, np.ones((1, 4)))
        for name in weighted:
            self.assertAlmostEqual(float(weighted[name][0]), float(repeated[name][0]), msg=name)

    def test_empty_results(self):
        truth = [{"query": "queries/a.jpg", "kind": "copy", "attack": "crop", "strength": 5,
                  "originals": [{"path": "originals/o.jpg"}]}]
        scores, _ = score.score_all(truth, [], 1, 10)
        self.assertEqual(scores["measures"]["micro_ap"]["value"], 0)
        self.assertEqual(scores["unanswered"], 1)

    def test_top_four(self):
        ranking = pairs([(0, 0.9 - i / 10, i != 1) for i in range(6)], [5])
        self.assertEqual(list(score.top_four(ranking)), [3])

    def test_box_overlap(self):
        self.assertEqual(score.box_overlap([0, 0, 2, 2], [0, 0, 2, 2]), 1)
        self.assertAlmostEqual(score.box_overlap([0, 0, 2, 2], [1, 0, 2, 2]), 1 / 3)
        self.assertEqual(score.box_overlap([0, 0, 2, 2], [2, 0, 2, 2]), 0)


def match(path, value, **more):
    return {"path": f"/x/originals/{path}", "score": value, "copy": value >= 0.5, **more}


class ScoreTest(unittest.TestCase):
    """score_all on hand-made truth and results."""

    def setUp(self):
        box = {"box": [0, 0, 10, 10], "original_box": [0, 0, 10, 10]}
        self.truth = [
            {"query": "queries/1.jpg", "kind": "copy", "attack": "collage", "strength": 2,
             "originals": [{"path": "originals/a.jpg", **box}, {"path": "originals/b.jpg", **box}]},
            {"query": "queries/2.jpg", "kind": "copy", "attack": "crop", "strength": 5,
             "originals": [{"path": "originals/a.jpg", **box}], "ignored": ["originals/d.jpg"]},
            {"query": "queries/3.jpg", "kind": "stranger", "attack": "plain", "strength": 1,
             "originals": []}]
        self.results = [
            {"query": "1.jpg", "matches": [
                match("a.jpg", 0.9, query_box=[0, 0, 10, 10], image_box=[5, 0, 10, 10]),
                match("a.jpg", 0.7), match("c.jpg", 0.6)]},
            {"query": "2.jpg", "matches": [match("d.jpg", 0.99), match("a.jpg", 0.4)]},
            {"query": "3.jpg", "matches": [match("b.jpg", 0.3)]}]
        self.scores, self.pairs = score.score_all(self.truth, self.results, 4, 50)

    def test_counts(self):
        self.assertEqual(self.scores["true_pairs"], 3)
        self.assertEqual(self.scores["false_alarms"], 1)
        self.assertAlmostEqual(self.scores["false_alarms_per_million_pairs"], 1e6 / (12 - 1 - 3))
        value = {name: entry["value"] for name, entry in self.scores["measures"].items()}
        self.assertAlmostEqual(value["micro_ap"], (1 + 2 / 3) / 3, places=4)
        self.assertAlmostEqual(value["copy_recall"], 1 / 3, places=4)
        self.assertAlmostEqual(value["copy_precision"], 1 / 2)
        self.assertAlmostEqual(value["recall_at_1"], 1)

    def test_overlap_is_that_of_the_best_match(self):
        self.assertEqual(self.scores["overlap"]["query_box"]["median"], 1)
        self.assertAlmostEqual(self.scores["overlap"]["image_box"]["median"], 1 / 3, places=4)

    def test_pairs_that_were_looked_at_are_passed_over(self):
        with tempfile.TemporaryDirectory() as folder:
            listed = pathlib.Path(folder) / "list"
            listed.write_text("1.jpg\tc.jpg\n")
            truth = score.with_ignored(self.truth, listed)
        self.assertEqual(score.score_all(truth, self.results, 4, 0)[0]["false_alarms"], 0)

    def test_collage(self):
        self.assertEqual(self.scores["collages"], {"queries": 1, "f1": 0.5})

    def test_calibration(self):
        found = self.scores["calibration"]
        self.assertEqual(found["right_of_0.9_to_1"], 1)
        self.assertEqual(found["right_of_0.5_to_0.9"], 0)
        self.assertAlmostEqual(found["expected_calibration_error"], (0.1 + 0.6 + 0.6 + 0.3) / 4)

    def test_bootstrap_repeats(self):
        again, _ = score.score_all(self.truth, self.results, 4, 50)
        self.assertEqual(again, self.scores)
        for entry in self.scores["measures"].values():
            self.assertLessEqual(entry["interval_95"][0], entry["interval_95"][1])

    def test_page_escapes_names(self):
        with tempfile.TemporaryDirectory() as folder:
            bench = pathlib.Path(folder)
            (bench / "originals").mkdir()
            self.truth[1]["query"] = "queries/<script>&.jpg"
            text = page.html(bench, self.truth, self.scores, self.pairs)
        self.assertIn("&lt;script&gt;&amp;.jpg", text)
        self.assertNotIn("<script>", text)


class TrainTest(unittest.TestCase):
    """On made-up evidence: copies have more of what speaks for one, with noise."""

    @classmethod
    def setUpClass(cls):
        rng = np.random.default_rng(3)
        directions = np.array([direction for _, direction in train.terms()])
        cls.right = rng.random(1500) < 0.4
        cls.evidence = rng.normal(size=(1500, len(directions))) + (
            np.where(cls.right, 1, -1)[:, None] * 0.4 * directions)
        cls.settings = argparse.Namespace(trees=40, leaves=6, rate=0.1, seed=1)
        cls.trees = train.boosted(cls.evidence, cls.right, np.zeros(1500, bool), cls.settings)

    def test_the_terms_are_those_of_the_header(self):
        names = [name for name, _ in train.terms()]
        self.assertEqual(len(names), len(set(names)))
        self.assertIn("rarity", names)
        self.assertEqual(set(direction for _, direction in train.terms()), {-1, 0, 1})

    def test_the_written_trees_are_those_of_the_library(self):
        written = train.exported([self.trees])
        for row in self.evidence[:50]:
            self.assertAlmostEqual(train.evaluated(written, row),
                                   float(self.trees.decision_function(row[None])[0]), delta=1e-3)

    def test_of_several_fits_the_mean_is_written(self):
        once, twice = train.exported([self.trees]), train.exported([self.trees, self.trees])
        for row in self.evidence[:50]:
            self.assertAlmostEqual(train.evaluated(once, row), train.evaluated(twice, row), delta=1e-3)

    def test_an_inner_node_has_the_mean_of_its_leaves(self):
        for tree in train.exported([self.trees])["trees"]:
            for node, term in enumerate(tree["term"]):
                if term >= 0:
                    children = [tree["value"][tree[side][node]] for side in ("left", "right")]
                    self.assertLessEqual(min(children) - 1e-5, tree["value"][node])
                    self.assertGreaterEqual(max(children) + 1e-5, tree["value"][node])

    def test_a_calibration_keeps_the_order_and_tells_the_share(self):
        rng = np.random.default_rng(4)
        raw = rng.normal(size=20000) * 3
        right = rng.random(20000) < 1 / (1 + np.exp(-(0.5 * raw - 1)))
        knots = train.calibration(raw, right)
        found = train.calibrated(knots, np.linspace(-20, 20, 500))
        self.assertTrue((np.diff(found) > 0).all())
        self.assertAlmostEqual(float(train.calibrated(knots, np.array([2.0]))[0]), 0, delta=0.25)
        self.assertLess(train.calibration_error(train.calibrated(knots, raw), right), 0.02)


class SetsTest(unittest.TestCase):
    """What the model is trained on and judged by."""

    def test_every_trait_of_strangers_has_a_set_of_its_own(self):
        folders = argparse.Namespace(photographs=PICTURES, products=PICTURES, documentation=PICTURES,
                                     alike=[], half="b")
        alone = [words[words.index("--traits") + 1] for words, _ in sets.planned(folders).values()]
        self.assertLessEqual(set(strangers.GROUPS), set(alone))

    def test_every_set_of_every_half_has_a_seed_of_its_own(self):
        seeds = []
        for half in "ab":
            folders = argparse.Namespace(photographs=PICTURES, products=PICTURES,
                                         documentation=PICTURES, alike=[PICTURES], half=half)
            seeds += [sets.seed(f"{name}-{half}") for name in sets.planned(folders)]
        self.assertEqual(len(seeds), len(set(seeds)))


class MakeTest(FolderTest):
    def test_equal_seeds_give_equal_bytes(self):
        words = ("--attacks", "jpeg,rotate,paste,chain,text,noise")
        first = content(self.make("one", *words))
        self.assertEqual(first, content(self.make("two", *words)))
        self.assertNotEqual(first, content(self.make("three", *words, seed=2)))

    def test_halves_are_disjoint_and_complete(self):
        halves = [set(make.photographs([PICTURES], half, 1)) for half in ("a", "b", "all")]
        self.assertFalse(halves[0] & halves[1])
        self.assertEqual(halves[0] | halves[1], halves[2])

    def test_truth_names_files_that_are_there(self):
        bench = self.make("bench", "--attacks", "crop,collage")
        lines = score.read_lines(bench / "truth.jsonl")
        self.assertEqual({line["query"] for line in lines},
                         {f"queries/{path.name}" for path in (bench / "queries").iterdir()})
        for line in lines:
            self.assertEqual(line["kind"] == "copy", bool(line["originals"]))
            for original in line["originals"]:
                self.assertTrue((bench / original["path"]).exists())

    def test_distractors_and_alike_pictures_are_stored_beside_the_originals(self):
        alike = self.folder / "alike"
        alike.mkdir()
        for i in range(4):
            (alike / f"{i}.png").write_bytes(page_of_noise(i))
        names = sorted(PICTURES.iterdir())
        listed = self.folder / "related.txt"
        listed.write_text("".join(f"{path.name}\n" for path in names[:2]))
        bench = self.make("bench", "--attacks", "jpeg", "--related", listed, "--distractors",
                          PICTURES, "--alike", alike, "--originals", 2, "--strangers", 1)
        about = json.loads((bench / "bench.json").read_text())
        self.assertEqual(about["distractors"], 2 + 2)  # Those related, and every second one alike.
        self.assertEqual(sum(path.is_symlink() for path in (bench / "originals").iterdir()), 4)
        lines = score.read_lines(bench / "truth.jsonl")
        self.assertEqual(sum(line["attack"] == "alike alike" for line in lines), 2)
        left = score.without_alike(bench, lines)
        self.assertEqual(len(left), len(lines) - 2)
        self.assertEqual(len(left[0]["ignored"]), 2)

    def test_apart_pictures_are_those_of_the_half(self):
        asked = []
        for half in "ab":
            bench = self.make(half, "--attacks", "jpeg", "--half", half, "--others", "--originals", 1,
                              "--strangers", 0, "--apart", PICTURES)
            stored = {path.resolve() for path in (bench / "originals").iterdir() if path.is_symlink()}
            self.assertLessEqual(stored, set(make.photographs([PICTURES], half, 1).values()))
            lines = score.read_lines(bench / "truth.jsonl")
            asked.append(len(stored) + sum(line["attack"].startswith("alike") for line in lines))
        self.assertEqual(sum(asked), len(make.photographs([PICTURES], "all", 1)))

    def test_lossless_sets_are_read_as_they_were_drawn(self):
        bench = self.make("bench", "--attacks", "jpeg", "--traits", "typed", "--lossless")
        endings = {path.suffix for path in (bench / "queries").iterdir()}
        self.assertEqual(endings, {".png"})
        drawn = json.loads((bench / "bench.json").read_text())["sources"]
        self.assertEqual({pathlib.Path(path).suffix for path, folder in drawn.items() if folder is None}, {".png"})

    def test_pictures_of_one_theme_are_every_nth(self):
        one, three = (argparse.Namespace(seed=1, themes=n) for n in (1, 3))
        self.assertEqual(len({make.theme(one, "form", i) for i in range(6)}), 1)
        self.assertEqual(len({make.theme(three, "form", i) for i in range(6)}), 3)
        self.assertEqual(make.theme(three, "form", 0), make.theme(three, "form", 3))

    def test_a_related_picture_that_is_nowhere_is_named(self):
        listed = self.folder / "related.txt"
        listed.write_text("nowhere.jpg\n")
        with self.assertRaises(SystemExit) as stopped:
            make.related(listed, [PICTURES])
        self.assertIn("nowhere.jpg", str(stopped.exception))

    def test_duplicates_are_right_answers(self):
        bench = self.make("bench", "--attacks", "jpeg", "--duplicates", 3)
        for line in score.read_lines(bench / "truth.jsonl"):
            if line["kind"] == "copy":
                self.assertGreater(len(line["originals"]), 1)
            for original in line["originals"]:
                self.assertTrue((bench / original["path"]).exists())
            if line["attack"] == "again":
                first = make.read(bench / line["originals"][0]["path"])
                self.assertTrue(np.array_equal(make.read(bench / line["query"]), first))

    def test_strangers_may_come_from_the_other_half(self):
        bench = self.make("bench", "--attacks", "jpeg", "--half", "a", "--others", "--originals", 2)
        about = json.loads((bench / "bench.json").read_text())
        self.assertEqual(about["strangers"], 2)

    def test_transparent_pictures_are_read_as_viewers_show_them(self):
        bgra = np.zeros((4, 4, 4), np.uint8)
        bgra[0, 0] = (10, 20, 30, 255)
        bgra[1, 1] = (0, 0, 0, 128)
        path = self.folder / "a.png"
        path.write_bytes(cv2.imencode(".png", bgra)[1].tobytes())
        shown = make.read(path)
        self.assertEqual(shown.shape, (4, 4, 3))
        self.assertEqual(shown[0, 0].tolist(), [10, 20, 30])
        self.assertEqual(shown[1, 1].tolist(), [127] * 3)
        self.assertEqual(shown[2, 2].tolist(), [255] * 3)

    def test_a_copy_shows_something_of_its_original(self):
        image = np.zeros((40, 60, 3), np.uint8)
        image[:, 30:] = np.arange(30, dtype=np.uint8)[:, None] * 8
        self.assertTrue(make.shows_something(image, geometry.rectangle(30, 0, 30, 40)))
        self.assertFalse(make.shows_something(image, geometry.rectangle(0, 0, 29, 40)))
        self.assertFalse(make.shows_something(image, geometry.rectangle(30, 0, 5, 5)))

    def test_traits_can_be_chosen(self):
        bench = self.make("bench", "--attacks", "jpeg", "--traits", "caption,text",
                          "--originals", 2, "--strangers", 4)
        found = {line["attack"] for line in score.read_lines(bench / "truth.jsonl")
                 if line["kind"] == "stranger"}
        self.assertEqual(found, {"caption", "text", "plain"})
        self.copybench("make", "--images", PICTURES, "--seed", 1, "--out", self.folder / "new",
                       "--traits", "captions", code=1)

    def test_a_folder_in_use_and_too_few_photographs_are_refused(self):
        (self.folder / "used").mkdir()
        (self.folder / "used" / "file").touch()
        words = ("make", "--images", PICTURES, "--seed", 1)
        self.copybench(*words, "--out", self.folder / "used", "--originals", 2, "--strangers", 1,
                       code=1)
        self.copybench(*words, "--out", self.folder / "new", "--originals", 50, code=1)
        self.copybench(*words, "--out", self.folder / "new", "--originals", 2, "--strangers", 1,
                       "--alike", self.folder / "nowhere", code=1)


class RunTest(FolderTest):
    def test_make_and_run(self):
        bench, work = self.make("bench", "--attacks", "jpeg,crop"), self.folder / "work"
        self.copybench("run", "--bench", bench, "--siftsearch", PROGRAM, "--work", work,
                       "--query-args", "--threads 1")
        scores = json.loads((work / "scores.json").read_text())
        self.assertEqual(scores["queries"], 11)
        self.assertEqual(scores["unanswered"], 0)
        self.assertGreater(scores["measures"]["recall_at_1"]["value"], 0.5)
        self.assertGreater(scores["times"]["database_bytes_per_image"], 0)
        with open(work / "per_attack.csv", encoding="utf-8") as file:
            self.assertIn("jpeg", {row["attack"] for row in csv.DictReader(file)})
        page_text = (work / "report.html").read_text()
        self.assertIn("<svg", page_text)
        self.copybench("score", "--bench", bench, "--results", work / "results.jsonl", "--out",
                       self.folder / "again")
        self.assertEqual((self.folder / "again" / "per_attack.csv").read_bytes(),
                         (work / "per_attack.csv").read_bytes())
        self.a_model_can_be_trained(bench, self.with_strangers(work / "results.jsonl"))

    def with_strangers(self, results):
        """The answers, each with one more match of a stranger that no rule decides."""
        answers = self.folder / "answers.jsonl"
        with open(answers, "w", encoding="utf-8") as out:
            for line in score.read_lines(results):
                line["matches"] += [
                    {**found, "path": "stranger.jpg", "score": 0.1, "evidence": {
                        **found["evidence"], "rarity": 0.5, "pixels_inside": 0.4,
                        "pixels_coherent": 0.1}} for found in line["matches"][:1]]
                out.write(json.dumps(line) + "\n")
        return answers

    def a_model_can_be_trained(self, bench, results):
        """From the program's own answers, and it says what that is worth."""
        model, report = self.folder / "decision-9.json", self.folder / "report.json"
        self.copybench("train", "--train", bench, results, "--test", bench, results, "--trees", 5,
                       "--out", model, "--report", report)
        written = json.loads(model.read_text())
        self.assertEqual(written["name"], "decision-9")
        self.assertEqual(written["terms"], [name for name, _ in train.terms()])
        self.assertEqual(len(written["copy"]["trees"]), 5 * train.FOLDS)
        self.assertEqual(len(written["trained"]["sets"]), 1)
        worth = json.loads(report.read_text())
        self.assertEqual(worth["families"], {})  # Attacks are of none.
        self.assertEqual(set(worth["all"]), {"before", "model"})
        self.verdicts_count_as_well(bench, results, written["trained"]["copies"])

    def verdicts_count_as_well(self, bench, results, copies):
        pairs, model = self.folder / "pairs.jsonl", self.folder / "decision-8.json"
        found = [found for line in score.read_lines(results) for found in line["matches"]]
        confirmed = sum(match["score"] > 0.5 for match in found)
        with open(pairs, "w", encoding="utf-8") as out:
            for match in found:
                decided = "confirmed" if match["score"] > 0.5 else "not_a_copy"
                out.write(json.dumps({**match, "verdict": decided}) + "\n")
                out.write(json.dumps({**match, "verdict": None}) + "\n")
        self.copybench("train", "--train", bench, results, "--verdicts", pairs, "--trees", 5, "--out", model)
        self.assertEqual(json.loads(model.read_text())["trained"]["copies"], copies + confirmed)


class ImportTest(FolderTest):
    def put(self, *names):
        """A picture under each of these names of the data set."""
        for name in names:
            path = self.folder / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PICTURES / "scene1.jpg", path)

    def imported(self, kind, *words):
        """{query: line of the truth}."""
        out = self.folder / "bench"
        self.copybench("import", kind, self.folder / "set", "--out", out, *words)
        lines = score.read_lines(out / "truth.jsonl")
        for line in lines:
            for name in [line["query"], *(o["path"] for o in line["originals"])]:
                self.assertTrue((out / name).exists(), name)
        return {line["query"].removeprefix("queries/"): line for line in lines}

    def originals(self, line):
        return [o["path"].removeprefix("originals/") for o in line["originals"]]

    def test_copydays(self):
        self.put("original/200000.jpg", "original/200100.jpg", "crops/50/200001.jpg",
                 "jpeg/3/200102.jpg", "strong/200003.jpg")
        lines = self.imported("copydays")
        self.assertEqual(len(lines), 3)
        self.assertEqual(self.originals(lines["crops-50-200001.jpg"]), ["200000.jpg"])
        self.assertEqual(self.originals(lines["jpeg-3-200102.jpg"]), ["200100.jpg"])
        self.assertEqual(lines["strong-1-200003.jpg"]["attack"], "strong")

    def test_holidays(self):
        self.put("jpg/100000.jpg", "jpg/100001.jpg", "jpg/100002.jpg", "jpg/100100.jpg")
        lines = self.imported("holidays")
        self.assertEqual(set(lines), {"100000.jpg", "100100.jpg"})
        self.assertEqual(self.originals(lines["100000.jpg"]), ["100001.jpg", "100002.jpg"])
        self.assertEqual(lines["100000.jpg"]["ignored"], ["originals/100000.jpg"])

    def test_ukbench(self):
        self.put(*(f"full/ukbench{i:05}.jpg" for i in range(8)))
        lines = self.imported("ukbench")
        self.assertEqual(len(lines), 8)
        self.assertEqual(self.originals(lines["ukbench00005.jpg"]),
                         [f"ukbench{i:05}.jpg" for i in range(4, 8)])

    def test_oxford(self):
        self.put("images/all_souls_000013.jpg", "images/all_souls_000026.jpg",
                 "images/oxford_002985.jpg", "images/radcliffe_000001.jpg")
        lists = self.folder / "lists"
        lists.mkdir()
        for kind, text in (("query", "oxc1_all_souls_000013 36.5 20.0 136.5 120.0"),
                           ("good", "all_souls_000026\nall_souls_000013"),
                           ("ok", "oxford_002985"), ("junk", "radcliffe_000001")):
            (lists / f"all_souls_1_{kind}.txt").write_text(text + "\n")
        line = self.imported("oxford", "--truth", lists)["all_souls_1.png"]
        self.assertEqual(self.originals(line), ["all_souls_000026.jpg", "oxford_002985.jpg"])
        self.assertEqual(line["ignored"], ["originals/all_souls_000013.jpg",
                                           "originals/radcliffe_000001.jpg"])
        cut = make.read(self.folder / "bench" / line["query"])
        self.assertEqual(cut.shape[:2], (100, 100))

    def test_disc21(self):
        self.put("references/R000001.jpg", "references/R000002.jpg", "queries/Q00001.jpg",
                 "queries/Q00002.jpg")
        (self.folder / "set" / "dev_ground_truth.csv").write_text(
            "query_id,reference_id\nQ00001,R000002\nQ00002,\n")
        lines = self.imported("disc21")
        self.assertEqual(self.originals(lines["Q00001.jpg"]), ["R000002.jpg"])
        self.assertEqual(lines["Q00002.jpg"]["kind"], "stranger")


if __name__ == "__main__":
    unittest.main()
