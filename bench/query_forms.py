#!/usr/bin/env python3
"""Time of a query in all four forms over that in one form, and over a plain vote count.

  bench/query_forms.py BUILD_FOLDER BENCH DB [COUNT]

COUNT (50) queries of a folder that `copybench make` made, spread over all of them, against DB, the
database of its originals that `copybench run` leaves. Each is asked in turn as it is, with
`--form-features 0` (one form), and with `--query-features 1`, too; of the last, decoding, extraction
and search alone are a plain vote count. One process each, twice over all. Prints a JSON object:
milliseconds of the engine's phases (medians), and the ratios of the sums of each round.
"""
import json
import os
import statistics
import subprocess
import sys

WAYS = {"four_forms": [], "one_form": ["--form-features", "0"],
        "plain": ["--form-features", "0", "--query-features", "1"]}


def phases(program, database, path, options):
    output = subprocess.run([program, "--db", database, "query", "--format", "jsonl", *options, path],
                            check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output)["timings_ms"]


def main():
    build, bench, database = sys.argv[1:4]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 50
    program = os.path.join(build, "src/cli/siftsearch")
    folder = os.path.join(bench, "queries")
    names = sorted(os.listdir(folder))
    names = [names[i * len(names) // count] for i in range(min(count, len(names)))]
    taken = {way: [] for way in WAYS}
    ratios = []
    for _ in range(2):
        sums = dict.fromkeys(WAYS, 0.0)
        for name in names:
            for way, options in WAYS.items():
                time = phases(program, database, os.path.join(folder, name), options)
                taken[way].append(time)
                sums[way] += sum(time.values()) - (time["verify"] if way == "plain" else 0)
        ratios.append({"over_one_form": round(sums["four_forms"] / sums["one_form"], 3),
                       "over_plain_votes": round(sums["four_forms"] / sums["plain"], 3)})
    medians = {way: {phase: round(statistics.median(time[phase] for time in times), 1)
                     for phase in times[0]} for way, times in taken.items()}
    print(json.dumps({"queries": len(names), "median_ms": medians, "ratios": ratios}, indent=1))


if __name__ == "__main__":
    main()
