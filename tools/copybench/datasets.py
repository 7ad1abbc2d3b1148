"""copybench import: benches from public data sets, in the layouts that their authors ship.

Pictures are linked, not copied; each query's truth names the originals, without boxes.
"""

import csv
import json
import pathlib
import sys

import cv2

import make


def options(parser):
    """The command line of `import`."""
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("folder", type=pathlib.Path, help="the unpacked data set")
    parser.add_argument("--out", required=True, type=pathlib.Path, metavar="DIR",
                        help="a new or empty folder")
    parser.add_argument("--truth", type=pathlib.Path, metavar="FOLDER",
                        help="oxford, paris: the folder of the …_query.txt files [the data set]")


def pictures(folder):
    """All pictures below a folder, by path."""
    if not folder.is_dir():
        sys.exit(f"copybench: no folder {folder}")
    return [path for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in make.ENDINGS and path.is_file()]


class Bench:
    """A bench that grows by links."""

    def __init__(self, out):
        make.new_bench(out)
        self.out, self.lines = out, []

    def original(self, path):
        """Links an original; gives its path in the bench."""
        name = f"originals/{path.name}"
        (self.out / name).symlink_to(path.absolute())
        return name

    def query(self, path, attack, strength, originals, ignored=(), name=None):
        """Links a query; `ignored` originals count neither as right nor as wrong."""
        name = f"queries/{name or path.name}"
        (self.out / name).symlink_to(path.absolute())
        self.truth(name, attack, strength, originals, ignored)

    def truth(self, name, attack, strength, originals, ignored=()):
        """Notes what is right for a query that is there."""
        line = {"query": name, "kind": "copy" if originals else "stranger", "attack": attack,
                "strength": strength, "originals": [{"path": path} for path in originals]}
        if ignored:
            line["ignored"] = list(ignored)
        self.lines.append(line)

    def write(self, kind):
        """Writes truth.jsonl and bench.json."""
        with open(self.out / "truth.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in self.lines)
        (self.out / "bench.json").write_text(json.dumps(
            {"made_by": f"copybench import {kind}", "queries": len(self.lines)}) + "\n")
        print(f"{self.out}: {len(list((self.out / 'originals').iterdir()))} originals, "
              f"{len(self.lines)} queries")


def copydays(bench, options):
    """INRIA Copydays: original/, crops/NN/, jpeg/NN/, strong/; the number / 100 is the picture."""
    originals = {int(path.stem) // 100: bench.original(path)
                 for path in pictures(options.folder / "original")}
    for attack in ("crops", "jpeg", "strong"):
        if not (options.folder / attack).is_dir():
            continue
        for path in pictures(options.folder / attack):
            strength = path.parent.name if path.parent.name != attack else "1"
            original = originals.get(int(path.stem) // 100)
            bench.query(path, attack, strength, [original] if original else [],
                        name=f"{attack}-{strength}-{path.name}")


def holidays(bench, options):
    """INRIA Holidays: jpg/NNNNNN.jpg; xx00 asks for the others of its hundred."""
    folder = options.folder / "jpg"
    found = pictures(folder if folder.is_dir() else options.folder)
    groups = {}
    for path in found:
        groups.setdefault(int(path.stem) // 100, []).append((path, bench.original(path)))
    for members in groups.values():
        for path, own in members:
            if int(path.stem) % 100 == 0:
                bench.query(path, "holidays", 1, [o for _, o in members if o != own], [own])


def ukbench(bench, options):
    """UKBench: full/ukbenchNNNNN.jpg, groups of four; each asks for all four, itself among them."""
    folder = options.folder / "full"
    groups = {}
    for path in pictures(folder if folder.is_dir() else options.folder):
        number = int("".join(c for c in path.stem if c.isdigit()))
        groups.setdefault(number // 4, []).append((path, bench.original(path)))
    for members in groups.values():
        for path, _ in members:
            bench.query(path, "ukbench", 1, [original for _, original in members])


def names_in(path):
    """The names a list file holds, one a line."""
    return path.read_text().split() if path.exists() else []


def buildings(bench, options):
    """Oxford and Paris: X_query.txt (name, then a box), X_good.txt, X_ok.txt, X_junk.txt.

    The query is its box cut out; the picture it comes from is ignored, and so is junk.
    """
    lists = options.truth or options.folder
    originals = {path.stem: (path, bench.original(path)) for path in pictures(options.folder)}
    for file in sorted(lists.rglob("*_query.txt")):
        topic = file.name[:-len("_query.txt")]
        name, *corners = file.read_text().split()[:5]
        name = name if name in originals else name.removeprefix("oxc1_")
        if name not in originals:
            print(f"copybench: no picture of {file.name}: {name}", file=sys.stderr)
            continue
        path, own = originals[name]
        left, top, right, bottom = (int(float(v)) for v in corners)
        image = make.read(path)[max(0, top):bottom, max(0, left):right]
        target = f"queries/{topic}.png"
        cv2.imwrite(str(bench.out / target), image)
        good, junk = ([originals[n][1] for kind in kinds
                       for n in names_in(file.with_name(f"{topic}_{kind}.txt")) if n in originals]
                      for kinds in (("good", "ok"), ("junk",)))
        bench.truth(target, topic.rsplit("_", 1)[0], 1, [o for o in good if o != own],
                    [own] + [o for o in junk if o != own])


def disc21(bench, options):
    """DISC21: references/, queries/, and a CSV of query_id,reference_id; no reference: a stranger."""
    originals = {path.stem: bench.original(path) for path in pictures(options.folder / "references")}
    right = {}
    tables = sorted(options.folder.glob("*ground_truth*.csv"))
    if not tables:
        sys.exit(f"copybench: no …ground_truth….csv in {options.folder}")
    with open(tables[0], newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            if len(row) > 1 and row[1] in originals:
                right.setdefault(row[0], []).append(originals[row[1]])
    for path in pictures(options.folder / "queries"):
        originals_of = right.get(path.stem, [])
        bench.query(path, "disc21" if originals_of else "plain", 1, originals_of)


KINDS = {"copydays": copydays, "holidays": holidays, "ukbench": ukbench, "oxford": buildings,
         "paris": buildings, "disc21": disc21}


def run(options):
    """Imports; gives the exit code."""
    bench = Bench(options.out)
    KINDS[options.kind](bench, options)
    bench.write(options.kind)
    return 0
