#!/usr/bin/env python3
"""Times `siftsearch report` of a folder, the whole command, against its searches alone by stock
Faiss: all rows of the database as queries of IndexFlatL2, in turn, in one run.

  bench/report.py BUILD_FOLDER PICTURE_FOLDER [ROUNDS]

Faiss runs in a process of /usr/bin/python3 (python3-faiss) over the file of `siftsearch export`; only
index.search is timed, at the setting of its threads that is best for the first 5,000 rows. It looks for 8 rows more than the vote's
10, since a row finds those of its own picture, too. Of the command there are two times: with its
mirrored and inverted forms, which Faiss is not asked for, and without. Prints a JSON object.
"""
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile

from add import run

NEIGHBOURS = 10 + 8

# Reads "OMP BLAS ROWS" lines, answers each with the seconds of one search of so many rows. OpenBLAS has no
# name of its own in Python: its function is found in the process, where Faiss has loaded it.
FAISS_SERVER = """
import ctypes, sys, time
import faiss
index = faiss.read_index(sys.argv[1])
flat = faiss.downcast_index(index.index) if hasattr(index, "index") else index
rows = flat.reconstruct_n(0, flat.ntotal)
libraries = {l.split()[-1] for l in open("/proc/self/maps") if "openblas" in l}
blas = [ctypes.CDLL(path) for path in libraries]
print(flat.ntotal, flush=True)
for line in sys.stdin:
    omp, threads, count = map(int, line.split())
    faiss.omp_set_num_threads(omp)
    for library in blas:
        library.openblas_set_num_threads(threads)
    start = time.monotonic()
    flat.search(rows[:count], int(sys.argv[2]))
    print(time.monotonic() - start, flush=True)
"""


class Faiss:
    def __init__(self, file):
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-c", FAISS_SERVER, file, str(NEIGHBOURS)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rows = int(self.process.stdout.readline())

    def search(self, setting, rows):
        """Seconds of one search of `rows` with a setting of (OpenMP threads, OpenBLAS threads)."""
        print(*setting, rows, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    build, pictures = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    cores = len(os.sched_getaffinity(0))
    forms, plain, theirs = [], [], []
    with tempfile.TemporaryDirectory(prefix="siftsearch-bench-") as work:
        command = [os.path.join(build, "src/cli/siftsearch"), "--db", os.path.join(work, "db"),
                   "--quiet"]
        run([*command, "add", pictures])
        exported = os.path.join(work, "rows.faiss")
        run([*command, "export", "--faiss", exported])
        faiss = Faiss(exported)
        settings = list(itertools.product(range(1, cores + 1), repeat=2))
        turns = [[faiss.search(setting, 5000) for setting in settings] for _ in range(3)]
        trials = dict(zip(settings, map(min, zip(*turns))))
        best = min(trials, key=trials.get)
        run([*command, "report"])  # Warm-up.
        for _ in range(rounds):
            forms.append(run([*command, "report"])[0])
            theirs.append(faiss.search(best, faiss.rows))
            plain.append(run([*command, "report", "--form-features", "0"])[0])
        rows = faiss.rows
        faiss.close()
    print(json.dumps({
        "processors": cores, "descriptors": rows, "neighbours": NEIGHBOURS,
        "faiss_settings": [{"omp": o, "openblas": b, "seconds": round(s, 3)}
                           for (o, b), s in trials.items()],
        "faiss_search_seconds": round(statistics.median(theirs), 3),
        "report_seconds": round(statistics.median(forms), 3),
        "report_without_forms_seconds": round(statistics.median(plain), 3),
        "ratio_per_round": [round(b / a, 2) for a, b in zip(forms, theirs)],
        "ratio_without_forms_per_round": [round(b / a, 2) for a, b in zip(plain, theirs)],
    }, indent=1))


if __name__ == "__main__":
    main()
