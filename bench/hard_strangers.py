#!/usr/bin/python3
"""Pictures that share much and are no copies: one form filled in by many people, QR codes of
different content, months of one calendar, left and right of a stereo pair. How many pairs of them
are called copies, and how sure is the surest?

  bench/hard_strangers.py BUILD_FOLDER [COUNT [SIZE…]]

Draws COUNT (40) forms and codes and 8 months at each SIZE (1000, 600) of the longer side, stores
each set in a database of its own, reports all pairs, and queries copies of each set's first eight:
JPEG quality 40, half the size, cropped to 70 % of the area. Compares up to 20 pairs alone, too: without
a database nothing says what others share. Also draws a stereo pair. Needs python3-opencv of
/usr/bin/python3. Prints a JSON object.
"""
import calendar
import json
import os
import subprocess
import sys
import tempfile

import cv2
import numpy as np

FONT = cv2.FONT_HERSHEY_SIMPLEX
LABELS = ["Family name", "Given names", "Date of birth", "Place of birth", "Nationality", "Street",
          "House number", "Postal code", "Town", "Country", "Telephone", "Electronic mail",
          "Identity card", "Issued by", "Valid until", "Employer", "Occupation", "Bank account",
          "Signature"]
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def scaled(picture, longer_side):
    factor = longer_side / max(picture.shape[:2])
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def form(number):
    """A page of 19 labelled boxes with 14 random characters in each."""
    random = np.random.default_rng(1000 + number)
    page = np.full((1400, 1000, 3), 252, np.uint8)
    cv2.putText(page, "Application for a permit", (60, 70), cv2.FONT_HERSHEY_TRIPLEX, 1.4,
                (60, 20, 10), 2, cv2.LINE_AA)
    for i, label in enumerate(LABELS):
        y = 110 + 66 * i
        cv2.putText(page, label, (60, y + 38), FONT, 0.8, (40, 40, 40), 2, cv2.LINE_AA)
        cv2.rectangle(page, (330, y), (940, y + 52), (90, 90, 90), 2)
        text = "".join(random.choice(list(CHARACTERS), 14))
        cv2.putText(page, text, (345, y + 39), FONT, 1.15, (120, 40, 20), 2, cv2.LINE_AA)
    return page


def code(number, modules=25, pitch=32):
    """A QR code of version 2, drawn but not encoded: finder, timing and alignment patterns and random
    modules. Those of the right are the same in all, as where all contents begin with one address."""
    dark = np.random.default_rng(2000 + number).integers(0, 2, (modules, modules)).astype(bool)
    prefix = np.random.default_rng(1999).integers(0, 2, (modules, 8)).astype(bool)
    dark[:, modules - 8:] = prefix
    for top, left in [(0, 0), (0, modules - 7), (modules - 7, 0)]:
        dark[max(0, top - 1):top + 8, max(0, left - 1):left + 8] = False
        dark[top:top + 7, left:left + 7] = True
        dark[top + 1:top + 6, left + 1:left + 6] = False
        dark[top + 2:top + 5, left + 2:left + 5] = True
    dark[6, 8:modules - 8] = dark[8:modules - 8, 6] = np.arange(modules - 16) % 2 == 0
    place = modules - 9
    dark[place:place + 5, place:place + 5] = True
    dark[place + 1:place + 4, place + 1:place + 4] = False
    dark[place + 2, place + 2] = True
    page = np.pad(np.where(dark, 0, 255).astype(np.uint8), 4, constant_values=255)
    page = cv2.resize(page, None, fx=pitch, fy=pitch, interpolation=cv2.INTER_NEAREST)
    return cv2.cvtColor(page, cv2.COLOR_GRAY2BGR)


def month(number):
    """A page of a calendar: its head, the days of the week, the days of one of the months of 2026."""
    page = np.full((800, 1100, 3), 255, np.uint8)
    cv2.rectangle(page, (0, 0), (1100, 110), (90, 60, 160), -1)
    cv2.putText(page, f"{calendar.month_name[number % 12 + 1]} 2026", (40, 78),
                cv2.FONT_HERSHEY_TRIPLEX, 1.8, (255, 255, 255), 2, cv2.LINE_AA)
    for column, day in enumerate(calendar.day_name):
        cv2.putText(page, day, (20 + 153 * column, 160), FONT, 0.75, (90, 60, 160), 2, cv2.LINE_AA)
    for row, week in enumerate(calendar.monthcalendar(2026, number % 12 + 1)):
        for column, day in enumerate(week):
            left, top = 12 + 153 * column, 180 + 100 * row
            cv2.rectangle(page, (left, top), (left + 153, top + 100), (170, 170, 170), 2)
            if day:
                cv2.putText(page, str(day), (left + 12, top + 42), FONT, 1.1, (50, 50, 50), 2,
                            cv2.LINE_AA)
    return page


def stereo_pair():
    """Left and right view of a scene of textured layers; nearer ones are shifted more."""
    random = np.random.default_rng(7)
    height, width = 700, 900

    def texture(scale):
        noise = random.integers(0, 256, (height // scale + 2, (width + 200) // scale + 2, 3))
        return cv2.resize(noise.astype(np.uint8), (width + 200, height), interpolation=cv2.INTER_CUBIC)

    views = [np.zeros((height, width, 3), np.uint8) for _ in range(2)]
    for layer in range(12):
        picture = cv2.addWeighted(texture(24), 0.6, texture(6), 0.4, 0)
        mask = np.zeros((height, width + 200), np.uint8)
        if layer == 0:
            mask[:] = 255
        for _ in range(5):
            centre = (int(random.integers(0, width + 200)), int(random.integers(0, height)))
            axes = (int(random.integers(30, 120)), int(random.integers(60, 260)))
            cv2.ellipse(mask, centre, axes, float(random.integers(0, 180)), 0, 360, 255, -1)
        for view, shift in zip(views, [0, 6 * layer]):
            cut = slice(shift, shift + width)
            inside = mask[:, cut] > 0
            view[inside] = picture[:, cut][inside]
    return views


def copies_of(picture):
    height, width = picture.shape[:2]
    top, left = int(height * 0.08), int(width * 0.08)
    return {"jpeg": picture, "half": cv2.resize(picture, None, fx=0.5, fy=0.5,
                                                interpolation=cv2.INTER_AREA),
            "crop": picture[top:top + int(height * 0.84), left:left + int(width * 0.84)]}


def best_match(program, query, image):
    """Score and decision of the best match of two files, without a database."""
    text = subprocess.run([program, "compare", "--format", "jsonl", query, image], check=True,
                          stdout=subprocess.PIPE).stdout
    matches = json.loads(text)["matches"]
    return (matches[0]["score"], matches[0]["copy"]) if matches else (0, False)


def measure(program, pictures, most_queried=8, most_compared=20):
    """Stores the pictures, reports all pairs, queries copies of the first few of them, and compares
    pairs of neighbours."""
    with tempfile.TemporaryDirectory(prefix="siftsearch-strangers-") as work:
        stored = os.path.join(work, "stored")
        os.makedirs(stored)
        for i, picture in enumerate(pictures):
            cv2.imwrite(f"{stored}/{i:03}.png", picture)
        copies = []
        for i, picture in enumerate(pictures[:most_queried]):
            for kind, copy in copies_of(picture).items():
                copies.append(os.path.join(work, f"{i:03}-{kind}.jpg"))
                cv2.imwrite(copies[-1], copy, [cv2.IMWRITE_JPEG_QUALITY, 40])
        command = [program, "--db", os.path.join(work, "db"), "--quiet"]

        def lines(*words):
            text = subprocess.run([*command, *words], check=True, stdout=subprocess.PIPE).stdout
            return [json.loads(line) for line in text.splitlines()]

        subprocess.run([*command, "add", stored], check=True)
        pairs = lines("report", "--format", "jsonl", "--min-score", "0.001")
        answers = lines("query", "--format", "jsonl", "--top", str(len(pictures)), *copies)
        compared = [best_match(program, f"{stored}/{i:03}.png", f"{stored}/{i + 1:03}.png")
                    for i in range(min(most_compared, len(pictures) - 1))]
    found = wrong = 0
    for answer in answers:
        own = os.path.basename(answer["query"])[:3]
        for match in answer["matches"]:
            right = os.path.basename(match["path"])[:3] == own
            found += right and match["copy"]
            wrong += not right and match["copy"]
    return {"pictures": len(pictures), "pairs": len(pictures) * (len(pictures) - 1) // 2,
            "pairs_called_copies": sum(pair["copy"] for pair in pairs),
            "highest_score": max([pair["score"] for pair in pairs], default=0),
            "copies": len(copies), "copies_found": found, "strangers_called_copies_of_them": wrong,
            "compared_alone": len(compared), "of_them_called_copies": sum(c for _, c in compared),
            "highest_score_alone": max([score for score, _ in compared], default=0)}


def main():
    program = os.path.join(sys.argv[1], "src/cli/siftsearch")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    sizes = [int(size) for size in sys.argv[3:]] or [1000, 600]
    result = {"stereo": measure(program, stereo_pair())}
    for name, draw, number in [("forms", form, count), ("codes", code, count), ("months", month, min(count, 8))]:
        for size in sizes:
            pictures = [scaled(draw(i), size) for i in range(number)]
            result[f"{name}_{size}"] = measure(program, pictures)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
