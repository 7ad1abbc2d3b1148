"""Stock Faiss finds in the exported file the neighbours, ids and distances that our search gives."""

import subprocess
import sys
import tempfile
import unittest

import faiss
import numpy

PROGRAM = sys.argv.pop(1)


class ExportNeighboursTest(unittest.TestCase):
    def test_same_neighbours_ids_and_distances(self):
        with tempfile.TemporaryDirectory(prefix="siftsearch-test-") as folder:
            subprocess.run([PROGRAM, folder], check=True)
            index = faiss.read_index(f"{folder}/index.faiss")
            queries = numpy.fromfile(f"{folder}/queries", numpy.float32).reshape(-1, index.d)
            distances = numpy.fromfile(f"{folder}/distances", numpy.float32)
            labels = numpy.fromfile(f"{folder}/labels", numpy.int64)
        their_distances, their_labels = index.search(queries, labels.size // len(queries))
        numpy.testing.assert_array_equal(labels, their_labels.ravel())
        numpy.testing.assert_array_equal(distances, their_distances.ravel())


if __name__ == "__main__":
    unittest.main()
