"""The task of finding copies in a folder, with siftsearch and with what people use: findimagedupes and
a perceptual hash, side by side on the same files.

The workload `folder` of bench/run. Makes twelve copies of each of some pictures (see ATTACKS) in one
folder. Each tool says
which files are copies of one another: siftsearch by its all-pairs report (its groups' pairs), the
others by default settings and, for the hash, by the largest distance without a false alarm among the
originals, too. A copy counts as found when it is paired with its original; a false alarm is a pair of
files of different originals. Needs python3-opencv; findimagedupes is left out where
it is not installed.
"""
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time

import cv2
import numpy as np

random = np.random.default_rng(11)


def crop(picture, share):
    height, width = picture.shape[:2]
    h, w = int(height * share ** 0.5), int(width * share ** 0.5)
    top, left = random.integers(0, height - h), random.integers(0, width - w)
    return picture[top:top + h, left:left + w]


def rotate(picture, degrees):
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.85)
    return cv2.warpAffine(picture, turn, (width, height))


def text(picture):
    marked = picture.copy()
    cv2.putText(marked, "when it is Monday", (20, marked.shape[0] // 2), cv2.FONT_HERSHEY_DUPLEX,
                1.4, (255, 255, 255), 3, cv2.LINE_AA)
    return marked


def covered(picture):
    half = picture.copy()
    half[:, half.shape[1] // 2:] = (40, 90, 160)
    return half


def pasted(picture, backdrop):
    canvas = backdrop.copy()
    height, width = canvas.shape[:2]
    small = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    top, left = random.integers(0, height - small.shape[0]), random.integers(0, width // 2)
    canvas[top:top + small.shape[0], left:left + small.shape[1]] = small
    return canvas


ATTACKS = {
    "jpeg 10": lambda p, b: p,  # The quality is set where it is written.
    "half size": lambda p, b: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "grey": lambda p, b: cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
    "gamma 2": lambda p, b: (255 * (p / 255.0) ** 2).astype(np.uint8),
    "text": lambda p, b: text(p),
    "crop 80 %": lambda p, b: crop(p, 0.8),
    "crop 25 %": lambda p, b: crop(p, 0.25),
    "rotated 15": lambda p, b: rotate(p, 15),
    "mirrored": lambda p, b: p[:, ::-1],
    "inverted": lambda p, b: 255 - p,
    "half covered": lambda p, b: covered(p),
    "pasted at 25 %": pasted,
}


def make_files(pictures, count, folder):
    """Copies of `count` pictures of a folder that has twice as many."""
    paths = [os.path.join(pictures, name) for name in sorted(os.listdir(pictures))]
    for i, path in enumerate(paths[:count]):
        picture, backdrop = cv2.imread(path), cv2.imread(paths[len(paths) // 2 + i])
        cv2.imwrite(f"{folder}/{i:03}-original.jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
        for name, attack in ATTACKS.items():
            copy = np.ascontiguousarray(attack(picture, backdrop))
            quality = 10 if name == "jpeg 10" else 85
            cv2.imwrite(f"{folder}/{i:03}-{name.replace(' ', '_').replace('%', 'p')}.jpg", copy,
                        [cv2.IMWRITE_JPEG_QUALITY, quality])


def score(pairs, seconds):
    """Figures of the pairs of file names that a tool gives."""
    found, false = {name: 0 for name in ATTACKS}, 0
    for a, b in {tuple(sorted(pair)) for pair in pairs}:
        if a[:3] != b[:3]:
            false += 1
        elif b[4:] == "original.jpg" or a[4:] == "original.jpg":
            copy = (a if b[4:] == "original.jpg" else b)[4:-4].replace("_p", "_%").replace("_", " ")
            found[copy] += 1
    return {"seconds": round(seconds, 1), "found": sum(found.values()), "false_pairs": false,
            "found_by_attack": found}


def siftsearch(program, folder, work):
    command = [program, "--db", os.path.join(work, "db"), "--quiet"]
    start = time.monotonic()
    subprocess.run([*command, "add", "--index", "Terms", folder], check=True)
    lines = subprocess.run([*command, "report", "--format", "jsonl"], check=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    seconds = time.monotonic() - start
    pairs = [(p["query"], p["image"]) for p in map(json.loads, lines) if p["copy"]]
    return score([(os.path.basename(a), os.path.basename(b)) for a, b in pairs], seconds)


def findimagedupes(folder):
    start = time.monotonic()
    output = subprocess.run(["findimagedupes", "-R", "--", folder], check=True, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    seconds = time.monotonic() - start
    pairs = []
    for line in output.splitlines():
        names = [os.path.basename(path) for path in line.split()]
        pairs += itertools.combinations(names, 2)
    return score(pairs, seconds)


def perceptual_hash(path):
    """64 bits: signs of the low frequencies of a 32 × 32 DCT about their median (pHash)."""
    grey = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8].flatten()
    return low > np.median(low[1:])


def hashes(folder):
    start = time.monotonic()
    names = sorted(os.listdir(folder))
    bits = np.array([perceptual_hash(os.path.join(folder, name)) for name in names])
    distance = (bits[:, None, :] != bits[None, :, :]).sum(axis=2)
    seconds = time.monotonic() - start
    originals = [i for i, name in enumerate(names) if name.endswith("original.jpg")]
    strangers = distance[np.ix_(originals, originals)] + 64 * np.eye(len(originals), dtype=int)
    results = {}
    for limit in [10, int(strangers.min()) - 1]:
        pairs = [(names[i], names[j]) for i, j in zip(*np.nonzero(distance <= limit)) if i < j]
        results[f"perceptual hash, distance up to {limit}"] = score(pairs, seconds)
    return results


def compare(program, pictures, count, work):
    """Figures of each tool, by its name; of one that is not there, why not."""
    with tempfile.TemporaryDirectory(dir=work) as own:
        folder = os.path.join(own, "files")
        os.makedirs(folder)
        make_files(pictures, count, folder)
        result = {"siftsearch": siftsearch(program, folder, own)}
        if shutil.which("findimagedupes"):
            result["findimagedupes"] = findimagedupes(folder)
        else:
            result["findimagedupes"] = "findimagedupes is not installed (tools/setup --bench)"
        return {**result, **hashes(folder)}
