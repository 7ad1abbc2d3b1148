"""What is found, and what is wrongly called a copy: the scripts that measure it, as workloads."""
import json
import os
import sys

from workloads import data
from workloads.base import workload


@workload("folder", "copies in a folder, beside findimagedupes and a loop that decodes and hashes")
def folder(run):
    import other_tools
    count = run.size(40, 1)
    pictures = run.setting.sources.flat_folder(2 * count)
    count = min(count, len(os.listdir(pictures)) // 2)
    program = run.setting.program("siftsearch")
    for tool, result in other_tools.compare(program, pictures, count, run.work).items():
        if isinstance(result, str):
            run.skip(result)
            continue
        run.figure(f"{tool}: found of {count * len(other_tools.ATTACKS)}", result["found"], "copies")
        run.figure(f"{tool}: pairs of different pictures", result["false_pairs"], "pairs")
        run.figure(f"{tool}: time", result["seconds"], "s")
        for attack, found in result["found_by_attack"].items():
            run.figure(f"{tool}: {attack}", found, f"of {count}")


def script(name, file, about, pictures, full, quick):
    """A script that is given the build folder, a folder of pictures (0: none) and further words, and
    prints JSON."""
    @workload(name, about)
    def measure(run):
        words = [os.path.join(data.BENCH, file), run.setting.build]
        count = run.size(*pictures)
        if count:
            words.append(run.setting.sources.flat_folder(count))
        told = run.command([sys.executable, *words, *run.size(full, quick)]).output
        for figure, value in flattened(json.loads(told)):
            run.figure(figure, value, "")


def flattened(told, above=""):
    """Names and numbers of nested objects and lists."""
    entries = enumerate(told) if isinstance(told, list) else told.items()
    for name, value in entries:
        if isinstance(told, list) and isinstance(value, dict) and "index" in value:
            name = value["index"]
        full = f"{above}, {name}" if above else str(name).replace("_", " ")
        if isinstance(value, (dict, list)):
            yield from flattened(value, full)
        elif isinstance(value, (int, float)):
            yield full.replace("_", " "), value


script("half-crop", "half_crop.py", "copies cropped to half their area at JPEG quality 30",
       (300, 4), [], [])
script("stored-often", "stored_often.py", "worn copies of pictures that are stored many times",
       (100, 4), [], ["1"])
script("shared-overlay", "shared_overlay.py", "one watermark, one form on many strangers",
       (200, 4), [], ["4"])
script("hard-strangers", "hard_strangers.py", "forms, codes, calendars and views that share much",
       (0, 0), [], ["2", "400"])
script("database-size", "database_size.py", "the same copies in ever larger databases",
       (300, 12), [], ["1", "12"])
script("index-kinds", "index_copies.py", "what a kind of index costs in copies found",
       (300, 2), ["300"], ["2", "IDMap,Flat"])
