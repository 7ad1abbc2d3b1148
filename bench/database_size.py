#!/usr/bin/python3
"""Does the recall of the same copies fall as the database grows?

  bench/database_size.py BUILD_FOLDER PICTURE_FOLDER [EACH [SIZE…]]

The copies are of the first ten pictures of PICTURE_FOLDER, EACH (20) of each (crops, scales, turns, mirrors,
JPEG, noise, covered parts; seeded). The database holds those ten, then also others up to each SIZE
(100, 1,000 and 5,000 images): the rest of PICTURE_FOLDER, and tiles cut from it. Needs python3-opencv of /usr/bin/python3. Prints a JSON object.
"""
import itertools
import json
import os
import subprocess
import sys
import tempfile

import cv2
import numpy as np

SIZES = [100, 1000, 5000]
ENDINGS = (".jpg", ".jpeg", ".png")


def attack(picture, number, random):
    height, width = picture.shape[:2]
    kind = number % 10
    if kind in (0, 1):  # A crop of 25 or 12 % of the area.
        side = 0.5 if kind == 0 else 0.35
        h, w = int(height * side), int(width * side)
        top, left = random.integers(0, height - h), random.integers(0, width - w)
        return picture[top:top + h, left:left + w]
    if kind == 2:
        return cv2.resize(picture, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    if kind in (3, 4):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(5, 175), 0.8)
        return cv2.warpAffine(picture, turn, (width, height))
    if kind == 5:
        return picture[:, ::-1]
    if kind == 6:
        return 255 - picture
    if kind == 7:
        noise = random.standard_normal(picture.shape) * 40
        return np.clip(picture + noise, 0, 255).astype(np.uint8)
    if kind == 8:
        covered = picture.copy()
        covered[:, :int(width * 0.55)] = random.integers(0, 255, 3)
        return covered
    return cv2.GaussianBlur(picture, (0, 0), 3)


def write_copies(paths, folder, each=20):
    os.makedirs(folder)
    random = np.random.default_rng(5)
    truth = {}
    for path in paths:
        picture = cv2.imread(path)
        for number in range(each):
            copy = os.path.join(folder, f"{len(truth):04}.jpg")
            cv2.imwrite(copy, np.ascontiguousarray(attack(picture, number, random)),
                        [cv2.IMWRITE_JPEG_QUALITY, 30 if number >= 10 else 85])
            truth[copy] = path
    return truth


def pictures_below(top):
    """Absolute paths of the pictures in a folder and below it."""
    return [os.path.join(folder, name) for folder, _, names in sorted(os.walk(os.path.abspath(top)))
            for name in sorted(names) if name.lower().endswith(ENDINGS)]


def fillers(paths, work):
    """Paths of further pictures: those given, then tiles of them."""
    yield from paths
    os.makedirs(work)
    made = 0
    for path in paths:
        picture = cv2.imread(path)
        if picture is None or min(picture.shape[:2]) < 300:
            continue
        height, width = picture.shape[:2]
        for top, left in [(0, 0), (0, width // 2), (height // 2, 0), (height // 2, width // 2)]:
            tile = os.path.join(work, f"{made:05}.jpg")
            cv2.imwrite(tile, picture[top:top + height // 2, left:left + width // 2])
            made += 1
            yield tile


def measure(command, truth):
    answers = subprocess.run([*command, "query", "--format", "jsonl", *truth], check=True,
                             stdout=subprocess.PIPE).stdout.splitlines()
    first = called = wrong = 0
    for (copy, original), line in zip(truth.items(), answers, strict=True):
        matches = json.loads(line)["matches"]
        first += bool(matches) and matches[0]["path"] == original
        called += any(m["copy"] and m["path"] == original for m in matches)
        wrong += sum(m["copy"] and m["path"] != original for m in matches)
    return {"recall_at_1": round(first / len(truth), 4), "copy_recall": round(called / len(truth), 4),
            "others_called_copies": wrong}


def main():
    build, pictures = sys.argv[1:3]
    each = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    sizes = [10, *([int(size) for size in sys.argv[4:]] or SIZES)]
    program = os.path.join(build, "src/cli/siftsearch")
    own = [os.path.join(os.path.abspath(pictures), name) for name in sorted(os.listdir(pictures))]
    further = own[10:]
    results = []
    with tempfile.TemporaryDirectory(prefix="siftsearch-bench-") as work:
        truth = write_copies(own[:10], os.path.join(work, "copies"), each)
        command = [program, "--db", os.path.join(work, "db"), "--quiet"]
        subprocess.run([*command, "add", *own[:10]], check=True)
        stored, rest = 10, fillers(further, os.path.join(work, "tiles"))
        for size in sizes:
            more = list(itertools.islice(rest, size - stored))
            if more:  # 1: some can't be read.
                subprocess.run([*command, "add", "-", "-0"], input="\0".join(more).encode(),
                               stderr=subprocess.DEVNULL, check=False)
            stats = subprocess.run([*command, "stats", "--format", "json"], check=True,
                                   stdout=subprocess.PIPE).stdout
            stored = json.loads(stats)["images"]
            results.append({"images": stored, "copies": len(truth), **measure(command, truth)})
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
