#!/usr/bin/python3
"""A report of many images with few copies each: time, memory, the page's size, and the time until the
page can be used.

  bench/many_images.py BUILD_FOLDER [IMAGES [REPORT_OPTION ...]]

Generates IMAGES (20,000) pictures of 320 × 240 pixels: every group is a picture of its own (seeded
heaps of shaded ellipses and noise) with no, one or two copies (cropped to 70 %, or scaled to 60 % with
JPEG quality 35). Stores 50 descriptors of each, reports all pairs as JSON lines with the options
given, and makes the page of it; loads the page in headless Chromium, if python3-selenium is there.
Needs python3-opencv of /usr/bin/python3. Prints a JSON object.
"""
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np

from add import run

WIDTH, HEIGHT = 320, 240


def picture(seed):
    random = np.random.default_rng(seed)
    canvas = np.full((HEIGHT, WIDTH, 3), random.integers(0, 255, 3), np.uint8)
    for _ in range(90):
        centre = (int(random.integers(0, WIDTH)), int(random.integers(0, HEIGHT)))
        axes = (int(random.integers(4, 50)), int(random.integers(4, 50)))
        colour = tuple(int(c) for c in random.integers(0, 255, 3))
        cv2.ellipse(canvas, centre, axes, int(random.integers(0, 180)), 0, 360, colour, -1,
                    cv2.LINE_AA)
    noise = cv2.resize(random.standard_normal((HEIGHT // 3, WIDTH // 3, 1)).astype(np.float32),
                       (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(canvas + noise[..., None] * 18, 0, 255).astype(np.uint8)


def write_group(job):
    """Writes one picture and its copies; their names."""
    folder, number, copies = job
    original = picture(number)
    names = [f"{folder}/{number:05}.jpg"]
    cv2.imwrite(names[0], original, [cv2.IMWRITE_JPEG_QUALITY, 92])
    for i in range(copies):
        if (number + i) % 2:
            dy, dx = HEIGHT * 8 // 100, WIDTH * 8 // 100
            copy, quality = original[dy:-dy, dx:-dx], 80
        else:
            copy, quality = cv2.resize(original, None, fx=0.6, fy=0.6,
                                       interpolation=cv2.INTER_AREA), 35
        names.append(f"{folder}/{number:05}-{i}.jpg")
        cv2.imwrite(names[-1], copy, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return names


def seconds_until_usable(page):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    options = webdriver.ChromeOptions()
    for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]:
        options.add_argument(argument)
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    start = time.monotonic()
    driver.get("file://" + page)
    assert driver.find_elements("css selector", "section.group")
    seconds = time.monotonic() - start
    driver.quit()
    return seconds


def main():
    build = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    program = os.path.join(build, "src/cli/siftsearch")
    with tempfile.TemporaryDirectory(prefix="siftsearch-bench-") as work:
        images = os.path.join(work, "images")
        os.makedirs(images)
        jobs, total = [], 0
        while total < count:
            copies = min(len(jobs) % 3, count - total - 1)
            jobs.append((images, len(jobs), copies))
            total += 1 + copies
        with multiprocessing.Pool() as pool:
            groups = pool.map(write_group, jobs, chunksize=32)
        command = [program, "--db", os.path.join(work, "db"), "--quiet"]
        added = run([*command, "add", "--features", "50", images])
        report, page = os.path.join(work, "r.jsonl"), os.path.join(work, "r.html")
        reported = run([*command, "report", "-o", report, *sys.argv[3:]])
        shown = run([program, "--quiet", "report", "--from", report, "-o", page])
        truth = {frozenset((a, b)) for names in groups for a in names for b in names if a < b}
        with open(report, encoding="utf-8") as lines:
            found = {frozenset((p["query"], p["image"])) for p in map(json.loads, lines)}
        pictures = page.removesuffix(".html") + "_pictures"
        thumbnails = [entry.stat().st_size for entry in os.scandir(pictures)] \
            if os.path.isdir(pictures) else []
        result = {
            "images": total, "report_options": sys.argv[3:],
            "add_seconds": round(added[0], 1), "add_peak_mb": round(added[1]),
            "report_seconds": round(reported[0], 1), "report_peak_mb": round(reported[1]),
            "pairs": len(found), "true_pairs": len(truth),
            "true_pairs_found": len(found & truth), "false_pairs": len(found - truth),
            "page_seconds": round(shown[0], 1), "page_peak_mb": round(shown[1]),
            "page_mb": round(os.path.getsize(page) / 1e6, 1),
            "thumbnail_files": len(thumbnails), "thumbnail_mb": round(sum(thumbnails) / 1e6, 1)}
        try:
            result["seconds_until_usable"] = round(seconds_until_usable(page), 2)
        except ImportError:
            result["seconds_until_usable"] = None
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
