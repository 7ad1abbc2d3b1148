"""All pairs of copies in a database."""
import itertools
import json
import os
import re
import shutil

from workloads import data, process
from workloads.base import rounded, workload


def pairs_of(file):
    with open(file, encoding="utf-8") as lines:
        return {frozenset((p["query"], p["image"])) for p in map(json.loads, lines) if p["copy"]}


def add_seconds_per_picture(run):
    """Of `siftsearch add` of generated pictures, in this call of bench/run."""
    def measure():
        pictures = run.setting.sources.generated(run.size(200, 8))
        database = os.path.join(run.work, "added")
        seconds = run.siftsearch(database, "--quiet", "add", "--index", data.INDEX, *pictures).seconds
        shutil.rmtree(database)
        return seconds / len(pictures)
    return run.setting.once("add", measure)


def report(run, made):
    """The report of a made database, once in a call of bench/run."""
    def measure():
        file = os.path.join(made.folder, "report.jsonl")
        return run.siftsearch(made.database, "report", "-o", file), pairs_of(file)
    return run.setting.once(("report", made.folder), measure)


def searches_seconds(result):
    said = re.search(r"([\d.]+) s of it searches", result.errors)
    return float(said.group(1)) if said else None


def measure_report(run, images, smaller=None):
    made = run.setting.sources.database(images)
    result, found = report(run, made)
    truth, told = made.true_pairs(), made.told()
    adding = add_seconds_per_picture(run) * images
    page = os.path.join(made.folder, "report.html")
    shown = run.command([run.setting.program("siftsearch"), "--quiet", "report", "--from",
                         page.replace(".html", ".jsonl"), "-o", page])
    run.figure("images", told["images"] + run.setting.sources.kept, "images")
    run.figure("descriptors", told["descriptors"], "")
    run.figure("report", rounded(result.seconds), "s")
    run.figure("searches of it", searches_seconds(result), "s")
    run.figure("adding as many pictures, reckoned", rounded(adding), "s")
    run.figure("report over adding", rounded(result.seconds / adding), "ratio")
    if smaller:
        less = report(run, run.setting.sources.database(smaller))[0]
        run.figure("report over that of a tenth", rounded(result.seconds / less.seconds), "ratio")
    run.figure("known pairs", len(truth), "pairs")
    run.figure("known pairs that are found", rounded(100 * len(found & truth) / len(truth), 4), "%")
    run.figure("other pairs", len(found - truth), "pairs")
    run.figure("own memory", round(result.own_mb), "MB")
    run.figure("peak memory, mapped files included", round(result.peak_mb), "MB")
    run.figure("disk of the database", round(process.disk_mb(made.database), 1), "MB")
    run.figure("page, time", rounded(shown.seconds), "s")
    run.figure("page, size", round(os.path.getsize(page) / 1e6, 1), "MB")
    near = told["distance_to_nearest_of_others"]
    run.note(f"Features are made (make_database). Distance to the nearest of {near['rows']:,} rows of "
             f"other images at 5, 25, 50, 75 and 95 %: real {near['real']}, made {near['made']}.")
    run.note("Adding is that of generated pictures in the same run, times the number of images.")


for count, few, tenth, few_tenth in [(1000, 20, None, None), (10_000, 30, 1000, 20),
                                     (100_000, 40, 10_000, 30)]:
    workload(f"report-{count}", f"the report of {count:,} images")(
        lambda run, full=(count, tenth), quick=(few, few_tenth):
            measure_report(run, *run.size(full, quick)))


@workload("report-pictures", "adding and reporting all pictures of a folder")
def report_pictures(run):
    paths = run.setting.sources.real_pictures(run.size(None, 12))
    database, file = os.path.join(run.work, "pictures.db"), os.path.join(run.work, "pictures.jsonl")
    # 1: some can't be read.
    add = run.siftsearch(database, "--quiet", "add", "--index", data.INDEX, "-", "-0", allowed=(0, 1),
                         text="\0".join(paths))
    result = run.siftsearch(database, "report", "-o", file)
    stats = json.loads(run.siftsearch(database, "stats", "--format", "json").output)
    run.figure("pictures", stats["images"], "pictures")
    run.figure("descriptors", stats["descriptors"], "")
    run.figure("add", rounded(add.seconds), "s")
    run.figure("report", rounded(result.seconds), "s")
    run.figure("searches of it", searches_seconds(result), "s")
    run.figure("report over adding", rounded(result.seconds / add.seconds), "ratio")
    run.figure("pairs", len(pairs_of(file)), "pairs")
    run.figure("own memory of the report", round(result.own_mb), "MB")
    run.figure("disk of the database", round(process.disk_mb(database), 1), "MB")
    shutil.rmtree(database)


def copies_for(run, paths, count):
    """A crop to a quarter, a turn and a half-sized copy of each of the first few pictures."""
    import cv2
    import other_tools
    folder = os.path.join(run.work, "exact-copies")
    os.makedirs(folder, exist_ok=True)
    made = 0
    for path in paths:
        picture = cv2.imread(path)
        if picture is None or min(picture.shape[:2]) < 200 or made >= count:
            continue
        for kind in ["crop 25 %", "rotated 15", "half size"]:
            copy = other_tools.ATTACKS[kind](picture, None)
            cv2.imwrite(f"{folder}/{made:03}-{kind[:4].strip()}.jpg", copy,
                        [cv2.IMWRITE_JPEG_QUALITY, 85])
        made += 1
    return data.pictures_below(folder)


def pairs_of_one_picture(copies):
    """The copies of one picture, as copies_for names them, are pairs."""
    number = lambda path: os.path.basename(path).split("-")[0]
    return {frozenset(pair) for pair in itertools.combinations(copies, 2)
            if number(pair[0]) == number(pair[1])}


@workload("report-exact", "copies that the exact report finds and that of terms does not")
def report_exact(run):
    paths = run.setting.sources.real_pictures(run.size(600, 8))
    copies = copies_for(run, paths, run.size(60, 2))
    paths += copies
    found, seconds = {}, {}
    for index in ["IDMap,Flat", "Terms"]:
        database, file = (os.path.join(run.work, f"exact{end}") for end in (".db", ".jsonl"))
        shutil.rmtree(database, ignore_errors=True)
        run.siftsearch(database, "--quiet", "add", "--index", index, "-", "-0", allowed=(0, 1),
                       text="\0".join(paths))
        seconds[index] = run.siftsearch(database, "report", "-o", file).seconds
        found[index] = pairs_of(file)
        os.remove(file)
    exact, terms = found["IDMap,Flat"], found["Terms"]
    known = pairs_of_one_picture(copies)
    run.figure("pictures", len(paths), "pictures")
    run.figure("exact report", rounded(seconds["IDMap,Flat"]), "s")
    run.figure("report by terms", rounded(seconds["Terms"]), "s")
    run.figure("pairs of the exact report", len(exact), "pairs")
    run.figure("of them missed by terms", rounded(100 * len(exact - terms) / max(1, len(exact))), "%")
    run.figure("pairs by terms alone", len(terms - exact), "pairs")
    run.figure("known pairs of copies", len(known), "pairs")
    run.figure("of them found by the exact report", len(known & exact), "pairs")
    run.figure("of them found by terms", len(known & terms), "pairs")
    run.figure("found by the exact report and missed by terms", len(known & exact - terms), "pairs")
