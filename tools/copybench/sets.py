"""copybench sets: the benches that the model of the decision is trained on and judged by, and siftsearch's
answers to them.

Each half of the pictures has the same sets with other seeds: photographs, product pictures and
documentation by random operations; pictures that are stored several times; and hard strangers, a set for
each trait, so that what they share is common in it. Half a, which is trained on, has more of them.
"""

import os
import pathlib
import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor

import strangers

PROGRAM = pathlib.Path(__file__).with_name("copybench")
ACCURACY = pathlib.Path(__file__).resolve().parents[2] / "bench/accuracy"
EXACT = ("caption", "form", "template", "typed", "month", "page", "slide")  # Mostly drawn by programs.
VARIED = ["watermark", "logo", "caption", "page", "chart", "brick", "text", "qr", "form", "music", "map",
          "carpet", "template"]


def options(parser):
    """The command line of `sets`."""
    for name, text in [("photographs", "photographs"), ("products", "product pictures"),
                       ("documentation", "Debian's opencv-doc")]:
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path, metavar="DIR", help=text)
    parser.add_argument("--alike", action="append", default=[], type=pathlib.Path, metavar="DIR",
                        help="further pictures that look alike; again")
    parser.add_argument("--half", choices=("a", "b"), required=True)
    parser.add_argument("--siftsearch", required=True, type=pathlib.Path, metavar="PATH", help="the program")
    parser.add_argument("--out", required=True, type=pathlib.Path, metavar="DIR",
                        help="where to make the sets; those that are there are not made again")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="[the processors]")


def some(originals, others, alone, composed, traits):
    """Words of make: how many of what."""
    return ["--originals", originals, "--strangers", others, "--per-operation", alone, "--compositions", composed,
            "--traits", ",".join(traits)]


def planned(folders):
    """{name: (words of make, words of add)}, the slowest first."""
    photographs, products = ["--images", folders.photographs], ["--images", folders.products]
    documentation = ["--images", folders.documentation]
    known = ["--related", ACCURACY / "related.txt", "--same", ACCURACY / "same.tsv"]
    apart = [word for folder in folders.alike for word in ("--apart", folder)]
    found = {
        "photographs": ([*photographs, "--others", *some(120, 130, 6, 200, VARIED),
                         "--distractors", folders.products], []),
        "products": ([*products, *some(200, 250, 4, 200, VARIED), "--distractors", folders.products], []),
        "documentation": ([*documentation, "--others", *some(70, 90, 4, 150, VARIED), *known, *apart,
                           "--distractors", folders.documentation], [])}
    often = ["--others", *some(40, 20, 1, 60, ["text", "form", "typed", "chart"]), "--duplicates", 30,
             "--attacks", "jpeg,crop,text", "--copies-per-attack", 4]
    for name, images, settings in [("photographs", photographs, []), ("products", products, []),
                                   ("documentation", [*documentation, *known], []),
                                   ("few", photographs, ["--features", "300"])]:
        found["often-" + name] = ([*images, *often], settings)
    for trait in strangers.GROUPS:
        for i in range(3):
            found[f"hard-{trait}-{i}"] = ([*photographs, "--others", *some(36, 40, 0, 40, [trait])], [])
    for trait in ("caption", "form", "template", "watermark", "typed"):
        found[f"hard-{trait}-products"] = ([*products, "--others", *some(20, 40, 0, 30, [trait])], [])
    for trait in EXACT:
        for i in range(2):
            found[f"exact-{trait}-{i}"] = (
                [*photographs, "--others", *some(36, 40, 0, 40, [trait]), "--lossless"], [])
    # Each form, scene, … stored once: nothing in the database says what they share.
    for trait in ("stereo", "view", "carpet", "brick", "form", "typed", "template", "month", "page", "chart",
                  "diagram", "caption", "qr", "slide"):
        found["once-" + trait] = ([*products, "--others", *some(100, 36, 0, 20, [trait]), "--themes", 16,
                                   *(["--lossless"] if trait in EXACT else [])], [])
    found["apart-products"] = ([*photographs, "--others", *some(20, 0, 0, 20, ["text"]), "--same",
                                ACCURACY / "same.tsv", "--apart", folders.products], [])
    return {**found, **(more(found, photographs, products) if folders.half == "a" else {})}


def more(found, photographs, products):
    """Sets that only the trained half has: of what is confused most, and of each operation."""
    further = {"once-": {"stereo": 5, "view": 5, "form": 3, "typed": 3, "carpet": 1, "template": 1, "month": 1,
                         "qr": 1},
               "hard-": {"typed": 4, "form": 4}, "exact-": {"slide": 4}}
    added = {}
    for kind, counts in further.items():
        for trait, count in counts.items():
            like = found.get(f"{kind}{trait}", found.get(f"{kind}{trait}-0"))
            first = {"once-": 1, "exact-": 2, "hard-": 3}[kind]  # Behind those of both halves.
            added |= {f"{kind}{trait}-{i}": like for i in range(first, first + count)}
    for name, images in (("photographs", photographs), ("products", products)):
        added["operations-" + name] = (
            [*images, "--others", *some(120, 40, 16, 0, ["caption", "page", "map"])], [])
        added["overlay-" + name] = (
            [*images, "--others", *some(80, 40, 30, 0, ["template", "watermark", "caption", "logo"]),
             "--families", "overlay"], [])
    return added


def seed(name):
    """Of a set; others keep theirs where one is added."""
    return zlib.crc32(name.encode())


def copybench(log, *words):
    """Runs a verb; its output goes to the log."""
    with log.open("ab") as file:
        subprocess.run([PROGRAM, *map(str, words)], stdout=file, stderr=file, check=True)


def answer(choice, name, seed, words, settings):
    """Makes a set and lets siftsearch answer it."""
    bench, work, log = (choice.out / f"{name}-{choice.half}{end}" for end in ("", "-answers", ".log"))
    if not (bench / "bench.json").exists():
        copybench(log, "make", *words, "--half", choice.half, "--seed", seed, "--out", bench)
    if not (work / "scores.json").exists():
        copybench(log, "run", "--bench", bench, "--siftsearch", choice.siftsearch, "--work", work,
                  "--resamples", 2, "--query-args", "--threads 1",
                  "--add-args", " ".join(["--threads", "1", *settings]))
    print(f"{name}-{choice.half}", flush=True)
    return ["--train" if choice.half == "a" else "--test", str(bench), str(work / "results.jsonl")]


def run(choice):
    """Makes the sets; gives the exit code. OUT/HALF.args then names them to `train`."""
    choice.out.mkdir(parents=True, exist_ok=True)
    jobs = [(name, seed(f"{name}-{choice.half}"), *words) for name, words in planned(choice).items()]
    with ThreadPoolExecutor(choice.jobs) as pool:
        words = [word for found in pool.map(lambda job: answer(choice, *job), jobs) for word in found]
    (choice.out / f"{choice.half}.args").write_text("\n".join(words) + "\n")
    return 0
