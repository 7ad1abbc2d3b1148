#!/usr/bin/python3
"""Are worn copies found of pictures that are stored many times, saved again and scaled?

  bench/stored_often.py BUILD_FOLDER PICTURE_FOLDER [TIMES…]

For each of TIMES (1, 12 and 40): stores the first 20 pictures of the folder that often, at JPEG
qualities from 40 to 95 and at 80 to 100 % of their size, and the next 80 once, then queries four worn
copies of each of the 20: JPEG quality 3 and 6, noise of standard deviation 60, a fifth of the size.
Needs python3-opencv of /usr/bin/python3. Prints a JSON object: of the pairs of such a copy and a
stored version of its picture, the share called copies, by kind of copy, and how many other pairs are
called so.
"""
import json
import os
import subprocess
import sys
import tempfile

import cv2
import numpy as np

WORN = 20
OTHERS = 80


def saved_again(picture, number, times, path):
    size = 1 - 0.02 * (number % 11)
    scaled = cv2.resize(picture, None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
    cv2.imwrite(path, scaled, [cv2.IMWRITE_JPEG_QUALITY, 95 - 55 * number // max(1, times - 1)])


def worn_copies(picture, seed):
    height, width = picture.shape[:2]
    noise = np.random.default_rng(seed).normal(0, 60, picture.shape)
    return {
        "jpeg 3": (picture, 3),
        "jpeg 6": (picture, 6),
        "noise 60": (np.clip(picture + noise, 0, 255).astype(np.uint8), 90),
        "a fifth": (cv2.resize(picture, (width // 5, height // 5), interpolation=cv2.INTER_AREA), 60),
    }


def write_pictures(paths, times, work):
    """Returns the copies by path: kind and number of the picture."""
    copies = {}
    for i, path in enumerate(paths):
        picture = cv2.imread(path)
        for number in range(times if i < WORN else 1):
            saved_again(picture, number, times, f"{work}/stored/{i:03}_{number}.jpg")
        if i >= WORN:
            continue
        for kind, (copy, quality) in worn_copies(picture, i).items():
            name = f"{work}/copies/{i:03}_{kind.replace(' ', '_')}.jpg"
            cv2.imwrite(name, copy, [cv2.IMWRITE_JPEG_QUALITY, quality])
            copies[name] = (kind, i)
    return copies


def measure(program, paths, times, work):
    for folder in ("stored", "copies"):
        os.makedirs(f"{work}/{folder}")
    copies = write_pictures(paths, times, work)
    command = [program, "--db", f"{work}/db", "--quiet"]
    subprocess.run([*command, "add", f"{work}/stored"], check=True)
    answers = subprocess.run([*command, "query", "--format", "jsonl", "--top", str(2 * times),
                              *copies], check=True, stdout=subprocess.PIPE).stdout.splitlines()
    called = dict.fromkeys((kind for kind, _ in copies.values()), 0)
    right_pairs = times * min(WORN, len(paths))
    wrong = 0
    for line in answers:
        answer = json.loads(line)
        kind, number = copies[answer["query"]]
        found = {match["path"] for match in answer["matches"] if match["copy"]}
        right = {path for path in found if os.path.basename(path).startswith(f"{number:03}_")}
        called[kind] += len(right)
        wrong += len(found - right)
    return {"called": {kind: count / right_pairs for kind, count in called.items()},
            "other_pairs_called": wrong}


def main():
    program = os.path.join(sys.argv[1], "src/cli/siftsearch")
    folder = sys.argv[2]
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))][:WORN + OTHERS]
    paths = [path for path in paths if cv2.imread(path) is not None]
    result = {}
    for times in [int(argument) for argument in sys.argv[3:]] or [1, 12, 40]:
        with tempfile.TemporaryDirectory(prefix="siftsearch-bench-") as work:
            result[f"stored {times} times"] = measure(program, paths, times, work)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
