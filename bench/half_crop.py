#!/usr/bin/env python3
"""Counts how many copies, cropped to the middle half of their area and saved as JPEG of quality 30,
find their original at rank 1.

  bench/half_crop.py BUILD_FOLDER PICTURE_FOLDER

Adds the folder to a new database, makes one copy of each picture with tools/make_copy, queries them
all in one command. Names the misses on stderr and prints a JSON object.
"""
import json
import os
import subprocess
import sys
import tempfile


def main():
    build, pictures = sys.argv[1:3]
    program = os.path.join(build, "src/cli/siftsearch")
    make_copy = os.path.join(build, "tools/make_copy")
    names = sorted(os.listdir(pictures))
    with tempfile.TemporaryDirectory(prefix="siftsearch-bench-") as work:
        database = os.path.join(work, "db")
        subprocess.run([program, "--db", database, "--quiet", "add", pictures], check=True)
        copies = []
        for name in names:
            copy = os.path.join(work, name + ".copy.jpg")
            subprocess.run([make_copy, os.path.join(pictures, name), copy,
                            "--crop", str(50 ** 0.5 * 10), "--quality", "30"], check=True)
            copies.append(copy)
        output = subprocess.run([program, "--db", database, "query", "--format", "jsonl", *copies],
                                check=True, stdout=subprocess.PIPE).stdout
    found, decided, strangers = 0, 0, 0
    for name, line in zip(names, output.splitlines(), strict=True):
        matches = json.loads(line)["matches"]
        right = bool(matches) and os.path.basename(matches[0]["path"]) == name
        found += right
        decided += right and matches[0]["copy"]
        strangers += sum(m["copy"] for m in matches if os.path.basename(m["path"]) != name)
        if not right:
            print("missed:", name, file=sys.stderr)
    print(json.dumps({"copies": len(names), "original_first": found,
                      "original_first_and_called_copy": decided,
                      "other_pictures_called_copies": strangers}))


if __name__ == "__main__":
    main()
