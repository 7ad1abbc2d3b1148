#!/usr/bin/env python3
"""Times `siftsearch query` of one picture, whole process, and says where the time goes.

  bench/query.py BUILD_FOLDER PICTURE_FOLDER [COUNT]

Adds the folder to a new database and queries COUNT of its pictures (30), one process each, after a
warm-up. Prints a JSON object of medians; `rest` is what lies outside the engine's four phases: the
start of the process, opening the database, reading the file, writing the result.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def main():
    build, pictures = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 30
    program = os.path.join(build, "src/cli/siftsearch")
    names = sorted(os.listdir(pictures))
    names = [names[i * len(names) // count] for i in range(min(count, len(names)))]
    walls, phases = [], []
    with tempfile.TemporaryDirectory(prefix="siftsearch-bench-") as work:
        command = [program, "--db", os.path.join(work, "db")]
        subprocess.run([*command, "--quiet", "add", pictures], check=True)
        stats = json.loads(subprocess.run([*command, "stats", "--format", "json"], check=True,
                                          stdout=subprocess.PIPE).stdout)
        for name in [names[0], *names]:
            start = time.monotonic()
            output = subprocess.run([*command, "query", "--format", "jsonl",
                                     os.path.join(pictures, name)], check=True,
                                    stdout=subprocess.PIPE).stdout
            walls.append(1000 * (time.monotonic() - start))
            phases.append(json.loads(output)["timings_ms"])
    walls, phases = walls[1:], phases[1:]
    result = {"images": stats["images"], "descriptors": stats["descriptors"],
              "kernel": stats["kernel"], "queries": len(walls),
              "wall_ms": round(statistics.median(walls), 1)}
    for phase in phases[0]:
        result[phase + "_ms"] = round(statistics.median(p[phase] for p in phases), 1)
    rest = [w - sum(p.values()) for w, p in zip(walls, phases)]
    result["rest_ms"] = round(statistics.median(rest), 1)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
