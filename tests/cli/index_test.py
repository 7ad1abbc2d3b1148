"""--index and what belongs to it."""

import json
import shutil
import subprocess
import unittest

from program import DATA, SCENES, TIMEOUT, ProgramTest


class IndexTest(ProgramTest):
    features = "1000"

    def add_scenes(self, key):
        """All scenes, under an index that this many descriptors can train."""
        self.run_program("add", "--index", key, *SCENES)

    def assert_all_found(self, *options):
        for result, scene in zip(self.query(*options, *SCENES[:2]), SCENES):
            self.assertEqual(result["matches"][0]["path"], str(scene.resolve()))
            self.assertTrue(result["matches"][0]["copy"])

    def stats(self):
        return self.lines("stats", "--format", "json")[0]

    def test_each_kind_finds_every_picture(self):
        for key, option in (("IDMap,Flat", []), ("IDMap,HNSW48", ["--ef-search", "64"]),
                            ("IVF16,Flat", ["--nprobe", "8"]), ("IVF16,SQ8", [])):
            self.database = self.folder / key
            self.add_scenes(key)
            self.assertEqual(self.stats()["index"], key)
            cached = (self.database / "index.cache").exists()
            self.assertEqual(cached, key != "IDMap,Flat")
            self.assert_all_found(*option)
            self.assert_all_found("--no-rerank")
            self.assert_sound()

    def test_terms_report_the_copies_that_the_exact_search_reports(self):
        pairs = {}
        for key in ("IDMap,Flat", "Terms"):
            self.database = self.folder / key
            self.run_program("add", "--index", key, DATA / "pictures", DATA / "copies")
            # The direction with the higher score is listed; both are nearly equal.
            pairs[key] = {frozenset((p["query"], p["image"]))
                          for p in self.lines("report", "--format", "jsonl")}
            self.assert_sound()
        self.assertEqual(len(pairs["Terms"]), 3)
        self.assertEqual(pairs["Terms"], pairs["IDMap,Flat"])
        self.assertEqual(len(list((self.database / "terms").iterdir())),
                         len(list((self.database / "segments").iterdir())))
        result = self.run_program("query", "--nprobe", "4", SCENES[0], code=3)
        self.assertIn("the database's is Terms", result.stderr)

    def test_the_cache_can_be_deleted_or_spoilt(self):
        self.add_scenes("IVF16,Flat")
        cache = self.database / "index.cache"
        cache.unlink()
        self.assert_all_found()
        self.assertTrue(cache.exists())
        for spoilt in (b"", b"no index", cache.read_bytes()[:5000]):
            cache.write_bytes(spoilt)
            self.assert_all_found()

    def test_wrong_keys_are_refused_and_make_nothing(self):
        for key, cause in (("IVF64,PQ7", "divide 128"), ("Nonsense", "Nonsense"),
                           ("IVF0,Flat", "1 to 65536"), ("", "characters")):
            result = self.run_program("add", "--index", key, SCENES[0], code=2)
            self.assertIn("--index: ", result.stderr)
            self.assertIn(cause, result.stderr)
            self.assertFalse(self.database.exists())

    def test_the_key_belongs_to_the_database(self):
        self.run_program("add", "--index", "IVF16,Flat", SCENES[0])
        result = self.run_program("add", "--index", "IVF32,Flat", SCENES[1], code=2)
        self.assertIn("is IVF16,Flat; `siftsearch index IVF32,Flat` changes it", result.stderr)
        self.assertEqual(len(self.paths()), 1)
        self.run_program("add", "--index", "IVF16,Flat", SCENES[1])
        self.run_program("add", SCENES[2])
        self.assertEqual(self.stats()["index"], "IVF16,Flat")

    def index(self):
        """The lines that `index` prints, by their first word."""
        lines = self.run_program("index").stdout.splitlines()
        return dict(line.split(maxsplit=1) for line in lines)

    def test_the_index_can_be_changed_at_any_time(self):
        self.run_program("add", *SCENES, DATA / "copies")
        self.assertEqual(self.index()["index"], "auto (IDMap,Flat)")
        self.assertEqual(self.index()["files"], "0 B")
        self.assertEqual(self.index()["descriptors"], str(self.stats()["descriptors"]))
        for key, files in (("Terms", "terms/*"), ("IVF16,Flat", "index.cache"),
                           ("IDMap,HNSW48", "index.cache"), ("IDMap,Flat", None), ("auto", None)):
            before = self.index()["index"]
            result = self.run_program("index", key)
            self.assertIn(f"before {before}", result.stderr)
            self.assertEqual(result.stdout, "")
            stats = self.stats()
            self.assertEqual((stats["index"], stats["index_in_use"]),
                             (key, "IDMap,Flat" if key == "auto" else key))
            self.assertEqual(stats["index_bytes"] > 0, files is not None)
            for pattern in ("terms/*", "index.cache"):
                self.assertEqual(any(self.database.glob(pattern)), pattern == files, key)
            self.assert_all_found()
        self.assert_sound()

    def test_wrong_uses_of_index_change_nothing(self):
        self.assertIn("no database", self.run_program("index", "Terms", code=3).stderr)
        self.assertIn("no database", self.run_program("index", code=3).stderr)
        self.assertFalse(self.database.exists())
        self.run_program("add", SCENES[0])
        for key, cause in (("IVF64,PQ7", "divide 128"), ("Nonsense", "Nonsense"),
                           ("", "characters")):
            result = self.run_program("index", key, code=2)
            self.assertIn(cause, result.stderr)
        self.run_program("index", "Terms", "auto", code=2)
        self.assertEqual(self.stats()["index"], "auto")

    def test_queries_of_other_processes_go_on_while_the_index_changes(self):
        self.add_scenes("auto")
        queries = [subprocess.Popen(self.command("query", "--format", "jsonl", *SCENES * 3),
                                    stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for key in ("IVF16,SQ8", "Terms", "IVF16,Flat", "auto"):
            self.run_program("index", key)
        for query in queries:
            lines = query.communicate(timeout=TIMEOUT)[0].splitlines()
            self.assertEqual(query.returncode, 0)
            self.assertEqual([json.loads(line)["matches"][0]["path"] for line in lines],
                             [str(scene.resolve()) for scene in SCENES * 3])

    def test_databases_of_earlier_programs(self):
        for name, key in (("exact", "auto"), ("terms", "Terms")):
            self.database = self.folder / name
            shutil.copytree(DATA / "databases" / f"format3-{name}", self.database)
            result = self.run_program("stats", code=3)
            self.assertIn("open it for writing once", result.stderr)
            self.run_program("add", "--features", "30", SCENES[3])
            self.assertEqual(self.stats()["index"], key)
            self.assertEqual(self.query(SCENES[0])[0]["matches"][0]["path"],
                             "/pictures/scene1.jpg")
            self.assert_sound()

    def test_options_of_another_kind_are_refused(self):
        self.run_program("add", SCENES[0])
        result = self.run_program("query", "--nprobe", "4", SCENES[0], code=3)
        self.assertIn("nprobe", result.stderr)
        self.run_program("query", "--nprobe", "0", SCENES[0], code=2)


if __name__ == "__main__":
    unittest.main()
