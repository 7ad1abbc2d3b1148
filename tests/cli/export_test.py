"""The exported file gives stock Faiss the same neighbours and distances."""

import unittest

import faiss
import numpy

from program import DATA, SCENES, ProgramTest


class ExportTest(ProgramTest):
    def test_stock_faiss_reads_it(self):
        self.add(DATA / "pictures")
        self.run_program("export", "--faiss", "index.faiss")
        index = faiss.read_index(str(self.folder / "index.faiss"))
        stats = self.lines("stats", "--format", "json")[0]
        self.assertEqual((index.d, index.ntotal), (128, stats["descriptors"]))
        images = {i["content"]: i for i in self.lines("list", "--format", "jsonl")}
        counts = dict(zip(*numpy.unique(faiss.vector_to_array(index.id_map), return_counts=True)))
        self.assertEqual(counts, {c: i["descriptors"] for c, i in images.items()})
        flat = faiss.downcast_index(index.index)
        rows = faiss.vector_to_array(flat.codes).view(numpy.float32).reshape(-1, 128)
        self.assertEqual((rows.min() >= 0, rows.max() <= 255), (True, True))
        self.assertTrue((rows == numpy.round(rows)).all())
        distances, ids = index.search(rows[:50].copy(), 1)
        self.assertEqual(distances.max(), 0)
        self.assertEqual(set(ids.ravel()), {min(counts)})

    def test_not_over_a_folder(self):
        self.add(SCENES[0])
        result = self.run_program("export", "--faiss", self.folder, code=4)
        self.assertIn(str(self.folder), result.stderr)


if __name__ == "__main__":
    unittest.main()
