#!/usr/bin/env python3
"""Times `siftsearch add FOLDER` against the plain imread + SIFT loop, in turn, in one run.

  bench/add.py BUILD_FOLDER PICTURE_FOLDER [ROUNDS]

Whole processes, wall time; a warm-up round is not counted. Prints a JSON object.
"""
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def run(command):
    """Wall seconds, peak memory in MB and standard output of a command."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{command[0]} failed")
    return seconds, usage.ru_maxrss / 1024, output


def compare(build, pictures, rounds):
    """The figures of `siftsearch add` and of the plain loop over the pictures of a folder."""
    program = os.path.join(build, "src/cli/siftsearch")
    loop = os.path.join(build, "bench/imread_sift_loop")
    work = tempfile.mkdtemp(prefix="siftsearch-bench-")
    ours, plain = [], []
    try:
        for turn in range(rounds + 1):
            database = os.path.join(work, f"db{turn}")
            ours.append(run([program, "--db", database, "--quiet", "add", pictures])[:2])
            plain.append(run([loop, pictures])[:2])
            shutil.rmtree(database)
        images = json.loads(run([loop, pictures])[2])["images"]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    ours, plain = ours[1:], plain[1:]
    return {
        "machine": platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "images": images,
        "add_images_per_second": round(images / statistics.median(t for t, _ in ours), 1),
        "loop_images_per_second": round(images / statistics.median(t for t, _ in plain), 1),
        "ratio_per_round": [round(b[0] / a[0], 2) for a, b in zip(ours, plain)],
        "add_peak_mb": round(max(m for _, m in ours), 1),
        "loop_peak_mb": round(max(m for _, m in plain), 1),
    }


def main():
    build, pictures = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    print(json.dumps(compare(build, pictures, rounds), indent=1))


if __name__ == "__main__":
    main()
