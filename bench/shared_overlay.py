#!/usr/bin/python3
"""One watermark, or one form, stamped on many strangers: which of them are called copies of one
another, and are real copies among them still found?

  bench/shared_overlay.py BUILD_FOLDER PICTURE_FOLDER [COUNT]

Stamps COUNT (200) pictures, for each of two overlays: a watermark (large letters at 45 % opacity, all
over) and a form (a page with a letterhead, ruled lines and a footer, the picture in its middle at a
quarter of the area). Stores them, reports all pairs, then queries copies of 60 of them: half cropped
to 60 % of the area, half scaled to half their size, JPEG quality 40. Needs python3-opencv of
/usr/bin/python3. Prints a JSON object.
"""
import json
import os
import subprocess
import sys
import tempfile

import cv2
import numpy as np


def watermark(picture):
    layer = np.zeros_like(picture)
    height, width = picture.shape[:2]
    for y in range(40, height, 90):
        cv2.putText(layer, "STOCK PHOTO 2026", (10 + y % 60, y), cv2.FONT_HERSHEY_DUPLEX, 1.1,
                    (255, 255, 255), 2, cv2.LINE_AA)
    mask = layer.astype(np.float32) / 255 * 0.45
    return (picture * (1 - mask) + layer * mask).astype(np.uint8)


def form(picture):
    page = np.full((900, 700, 3), 250, np.uint8)
    cv2.rectangle(page, (0, 0), (700, 90), (120, 60, 20), -1)
    cv2.putText(page, "Department of Records", (30, 58), cv2.FONT_HERSHEY_TRIPLEX, 1.2,
                (255, 255, 255), 2, cv2.LINE_AA)
    for i, line in enumerate(["Applicant: ______________________", "Date of birth: ____ / ____ / ____",
                              "Reference number: _______________", "Please attach one photograph."]):
        cv2.putText(page, line, (40, 140 + 38 * i), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (40, 40, 40), 2,
                    cv2.LINE_AA)
    for y in range(720, 840, 30):
        cv2.line(page, (40, y), (660, y), (90, 90, 90), 1)
    cv2.putText(page, "Form 27b, to be filled in by the applicant", (40, 880),
                cv2.FONT_HERSHEY_SIMPLEX, 0.7, (60, 60, 60), 1, cv2.LINE_AA)
    height, width = picture.shape[:2]
    scale = min(520 / width, 400 / height)
    small = cv2.resize(picture, (int(width * scale), int(height * scale)),
                       interpolation=cv2.INTER_AREA)
    top, left = 290 + (400 - small.shape[0]) // 2, 90 + (520 - small.shape[1]) // 2
    page[top:top + small.shape[0], left:left + small.shape[1]] = small
    return page


def copy_of(picture, number):
    height, width = picture.shape[:2]
    if number % 2:
        return cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    side = 0.6 ** 0.5
    top, left = int(height * (1 - side) / 2), int(width * (1 - side) / 2)
    return picture[top:top + int(height * side), left:left + int(width * side)]


def measure(program, paths, stamp, work):
    stored, copies = os.path.join(work, "stored"), os.path.join(work, "copies")
    os.makedirs(stored)
    os.makedirs(copies)
    for i, path in enumerate(paths):
        stamped = stamp(cv2.imread(path))
        cv2.imwrite(f"{stored}/{i:03}.jpg", stamped, [cv2.IMWRITE_JPEG_QUALITY, 92])
        if i < 60:
            cv2.imwrite(f"{copies}/{i:03}.jpg", copy_of(stamped, i), [cv2.IMWRITE_JPEG_QUALITY, 40])
    command = [program, "--db", os.path.join(work, "db"), "--quiet"]
    subprocess.run([*command, "add", stored], check=True)
    report = subprocess.run([*command, "report", "--format", "jsonl"], check=True,
                            stdout=subprocess.PIPE).stdout.splitlines()
    names = sorted(os.listdir(copies))
    answers = subprocess.run([*command, "query", "--format", "jsonl",
                              *[os.path.join(copies, name) for name in names]], check=True,
                             stdout=subprocess.PIPE).stdout.splitlines()
    found = wrong = overlays = 0
    for name, line in zip(names, answers, strict=True):
        matches = json.loads(line)["matches"]
        found += any(os.path.basename(match["path"]) == name and match["copy"]
                     for match in matches)
        for match in matches:
            right = os.path.basename(match["path"]) == name
            wrong += not right and match["copy"]
            overlays += not right and match["shared_overlay"]
    return {"stamped": len(paths), "pairs_called_copies": len(report), "copies": len(names),
            "copies_found": found, "others_called_copies_of_them": wrong,
            "others_said_to_share_an_overlay": overlays}


def main():
    build, pictures = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    program = os.path.join(build, "src/cli/siftsearch")
    paths = [os.path.join(pictures, name) for name in sorted(os.listdir(pictures))][:count]
    result = {}
    for name, stamp in [("watermark", watermark), ("form", form)]:
        with tempfile.TemporaryDirectory(prefix="siftsearch-bench-") as work:
            result[name] = measure(program, paths, stamp, work)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
