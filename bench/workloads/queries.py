"""One query, the whole process."""
import json
import os
import shutil
import statistics

from workloads import process
from workloads.base import workload


def crops(run):
    """Copies of the pictures that made databases hold: cropped to 60 %, JPEG quality 60."""
    import cv2
    folder = os.path.join(run.work, "crops")
    os.makedirs(folder, exist_ok=True)
    copies = {}
    for number, path in enumerate(run.setting.sources.stored()):
        picture = cv2.imread(path)
        if picture is None:
            continue
        height, width = picture.shape[:2]
        top, left = height // 9, width // 9
        copy = f"{folder}/{number:03}.jpg"
        cv2.imwrite(copy, picture[top:height - top, left:width - left],
                    [cv2.IMWRITE_JPEG_QUALITY, 60])
        copies[copy] = path
    return copies


class Times:
    """Of queries and, in turn, of imread and SIFT of the same picture on one thread."""

    def __init__(self, run, database):
        self.run, self.database = run, database
        self.loop = run.setting.program("imread_sift_loop")
        self.query_ms, self.sift_ms, self.one_form_ms, self.phases, self.own_mb = [], [], [], [], []

    def query(self, path, *options):
        asked = self.run.siftsearch(self.database, "query", "--format", "jsonl", *options, path)
        return asked, json.loads(asked.output)

    def measure(self, path):
        asked, answer = self.query(path)
        sift = json.loads(self.run.command([self.loop, path]).output)
        one_form, _ = self.query(path, "--form-features", "0")
        self.query_ms.append(1000 * asked.seconds)
        self.sift_ms.append(1000 * sift["seconds"])
        self.one_form_ms.append(1000 * one_form.seconds)
        self.own_mb.append(asked.own_mb)
        self.phases.append(answer["timings_ms"])
        return answer["matches"]

    def tell(self, kind):
        run = self.run
        run.median(f"{kind}, whole process", self.query_ms, "ms")
        for phase in self.phases[0]:
            run.figure(f"{kind}, {phase}", round(statistics.median(p[phase] for p in self.phases), 1),
                       "ms")
        run.median(f"{kind}, imread and SIFT", self.sift_ms, "ms")
        run.ratio(f"{kind} over imread and SIFT", self.query_ms, self.sift_ms)
        run.ratio(f"{kind}, four forms over one", self.query_ms, self.one_form_ms)


def measure_queries(run, images):
    made = run.setting.sources.database(images)
    hits, misses = Times(run, made.database), Times(run, made.database)
    copies = list(crops(run).items())[:run.size(20, 1)]
    others = run.setting.sources.not_stored()[:len(copies)]
    process.read_files(made.database)
    hits.query(copies[0][0])  # A warm-up.
    found = wrong = 0
    for (copy, original), other in zip(copies, others):
        found += any(m["copy"] and m["path"] == original for m in hits.measure(copy))
        wrong += any(m["copy"] for m in misses.measure(other))
    run.figure("images", made.told()["images"] + run.setting.sources.kept, "images")
    run.figure("descriptors", made.told()["descriptors"], "")
    hits.tell("hit")
    misses.tell("miss")
    run.figure("hits that are called copies", 100 * found / len(copies), "%")
    run.figure("misses with anything called a copy", 100 * wrong / len(copies), "%")
    run.figure("own memory of a query", round(max(hits.own_mb + misses.own_mb), 1), "MB")
    run.figure("disk of the database", round(process.disk_mb(made.database), 1), "MB")


for count, few in [(1000, 20), (10_000, 30), (100_000, 40)]:
    workload(f"query-{count}", f"one query that hits and one that misses, in {count:,} images")(
        lambda run, count=count, few=few: measure_queries(run, run.size(count, few)))


def exact_copy(run, made):
    """A copy of a made database that is searched exactly."""
    database = os.path.join(run.work, "exact")
    shutil.rmtree(database, ignore_errors=True)
    shutil.copytree(made.database, database)
    run.siftsearch(database, "--quiet", "index", "IDMap,Flat")
    return database


@workload("crossover", "one query that misses, exactly and by terms, by the size of the database")
def crossover(run):
    for images in run.size((67, 133, 267, 533, 1067), (20,)):
        made = run.setting.sources.database(images)
        databases = {"exactly": exact_copy(run, made), "by terms": made.database}
        times = {way: Times(run, database) for way, database in databases.items()}
        for database in databases.values():
            process.read_files(database)
        for path in run.setting.sources.not_stored()[:run.size(11, 1)]:
            for each in times.values():
                each.measure(path)
        rows = f"{made.told()['descriptors']:,} descriptors"
        for way, each in times.items():
            run.median(f"{rows}, {way}", each.query_ms, "ms")
        run.ratio(f"{rows}, exactly over by terms", times["exactly"].query_ms,
                  times["by terms"].query_ms)


@workload("cold", "what opening 75,000,000 descriptors and one query read from the disk")
def cold(run):
    made = run.setting.sources.database(run.size(100_000, 40))
    copy = next(iter(crops(run)))
    opened, queried = [], []
    for _ in range(run.size(3, 1)):
        for words, kept in [(["stats"], opened), (["query", "--format", "jsonl", copy], queried)]:
            process.forget_files(made.database)
            kept.append(run.siftsearch(made.database, *words))
    run.figure("descriptors", made.told()["descriptors"], "")
    run.median("open, read", [each.read_mb for each in opened], "MB")
    run.median("open, time", [1000 * each.seconds for each in opened], "ms")
    run.median("query, read", [each.read_mb for each in queried], "MB")
    run.median("query, time", [1000 * each.seconds for each in queried], "ms")
