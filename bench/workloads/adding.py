"""Adding pictures."""
import json
import os
import shutil

from workloads import data, process
from workloads.base import in_turn, workload


def against_loop(run, pictures, rounds):
    """`siftsearch add` and the plain loop over a list of pictures, in turn."""
    loop = run.setting.program("imread_sift_loop")
    database = os.path.join(run.work, "added")

    def add():
        shutil.rmtree(database, ignore_errors=True)
        return run.siftsearch(database, "--quiet", "add", "--index", data.INDEX, *pictures)

    ours, plain = in_turn(rounds, add, lambda: run.command([loop, *pictures]),
                          warm_up=not run.quick)
    looked_at = json.loads(plain[0].output)
    run.figure("pictures", len(pictures), "pictures")
    run.figure("descriptors of a picture", round(looked_at["descriptors"] / len(pictures)), "")
    run.median("add", [len(pictures) / each.seconds for each in ours], "pictures/s")
    run.median("plain loop", [len(pictures) / each.seconds for each in plain], "pictures/s")
    run.ratio("add over plain loop", [each.seconds for each in plain], [each.seconds for each in ours])
    run.figure("own memory of add", round(max(each.own_mb for each in ours)), "MB")
    run.figure("peak memory of add, mapped files included", round(max(e.peak_mb for e in ours)), "MB")
    run.figure("disk of a picture", round(1000 * process.disk_mb(database) / len(pictures), 1), "kB")
    shutil.rmtree(database)


@workload("add", "`siftsearch add` against a loop of imread and OpenCV's SIFT on one thread")
def add(run):
    pictures = run.setting.sources.generated(run.size(200, 8))
    against_loop(run, pictures, run.size(3, 1))


@workload("add-large", "the same with JPEGs of 12 megapixels")
def add_large(run):
    import cv2
    import numpy as np
    folder = os.path.join(run.work, "large")
    os.makedirs(folder, exist_ok=True)
    random = np.random.default_rng(1)
    for number, path in enumerate(run.setting.sources.generated(run.size(24, 2))):
        large = cv2.resize(cv2.imread(path), (4000, 3000), interpolation=cv2.INTER_CUBIC)
        # For the detail that enlarging can't make.
        noise = 6 * random.standard_normal((3000, 4000, 1), np.float32)
        cv2.imwrite(f"{folder}/{number:03}.jpg", np.clip(large + noise, 0, 255).astype(np.uint8),
                    [cv2.IMWRITE_JPEG_QUALITY, 90])
    against_loop(run, data.pictures_below(folder), run.size(2, 1))
    shutil.rmtree(folder)


@workload("add-one", "one picture added to 100,000 images, and to 100")
def add_one(run):
    small = run.setting.sources.database(run.size(100, 20))
    large = run.setting.sources.database(run.size(100_000, 40))
    pictures = run.setting.sources.not_stored()[:run.size(10, 1)]
    seconds = {small.database: [], large.database: []}
    for path in pictures:
        for database in seconds:
            seconds[database].append(
                run.siftsearch(database, "--quiet", "add", path).seconds)
    for database in seconds:  # Other workloads find them as they were.
        run.siftsearch(database, "--quiet", "remove", *pictures)
    run.figure("images in the small one", small.told()["images"], "images")
    run.figure("images in the large one", large.told()["images"], "images")
    run.median("add to the small one", [1000 * each for each in seconds[small.database]], "ms")
    run.median("add to the large one", [1000 * each for each in seconds[large.database]], "ms")
    run.ratio("large over small", seconds[large.database], seconds[small.database])
