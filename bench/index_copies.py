#!/usr/bin/python3
"""What does a kind of index cost in copies found?

  bench/index_copies.py BUILD_FOLDER PICTURE_FOLDER [IMAGES [KEY...]]

For each factory key a new database of IMAGES (1,000) pictures, the first of PICTURE_FOLDER
(folders below it, too), and ten copies (those of database_size.py) of each of ten
pictures of PICTURE_FOLDER, queried in one command with the defaults. The time to add includes
building the index. Needs python3-opencv of /usr/bin/python3. Prints a JSON list.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

from database_size import measure, pictures_below, write_copies

KEYS = ["IDMap,Flat", "IVF1024,Flat", "IVF1024,SQ8", "IVF1024,PQ16", "IDMap,HNSW48", "Terms"]


def main():
    build, pictures = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    own = pictures_below(pictures)
    paths = own[:count]
    results = []
    with tempfile.TemporaryDirectory(prefix="siftsearch-bench-") as work:
        truth = write_copies(own[::max(1, len(own) // 10)][:10], os.path.join(work, "copies"), 10)
        for number, key in enumerate(sys.argv[4:] or KEYS):
            database = os.path.join(work, f"db{number}")
            command = [os.path.join(build, "src/cli/siftsearch"), "--db", database, "--quiet"]
            start = time.monotonic()
            # 1: some can't be read.
            subprocess.run([*command, "add", "--index", key, "-", "-0"], check=False,
                           input="\0".join(paths).encode(), stderr=subprocess.DEVNULL)
            added = time.monotonic()
            found = measure(command, truth)
            cache = os.path.join(database, "index.cache")
            results.append({"index": key, "add_seconds": round(added - start, 1),
                            "query_ms": round((time.monotonic() - added) * 1000 / len(truth)),
                            "index_mb": round(os.path.getsize(cache) / 1e6, 1)
                            if os.path.exists(cache) else 0, "copies": len(truth), **found})
            print(results[-1], file=sys.stderr, flush=True)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
