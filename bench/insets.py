#!/usr/bin/python3
"""One photograph over the middle of another, as in a "look at this" post: is the one behind still
called copied, and is anything else?

  bench/insets.py BUILD_FOLDER PICTURE_FOLDER [COUNT]

Stores COUNT (100) pictures of the folder, in the order of their names. Lays pictures that are not
stored over the middle of each, over 50 % and 75 % of its area, saves at JPEG quality 90, and queries
the results. Needs python3-opencv of /usr/bin/python3. Prints a JSON object.
"""
import json
import os
import subprocess
import sys
import tempfile

import cv2

SHARES = (0.5, 0.75)


def with_inset(picture, inset, share):
    height, width = picture.shape[:2]
    across, down = round(width * share ** 0.5), round(height * share ** 0.5)
    left, top = (width - across) // 2, (height - down) // 2
    result = picture.copy()
    result[top:top + down, left:left + across] = cv2.resize(inset, (across, down),
                                                            interpolation=cv2.INTER_AREA)
    return result


def measure(program, stored, insets, share, work):
    queries = os.path.join(work, f"{share}")
    os.makedirs(queries)
    paths = []
    for i, path in enumerate(stored):
        inset = cv2.imread(insets[i % len(insets)])
        paths.append(f"{queries}/{i:03}.jpg")
        cv2.imwrite(paths[-1], with_inset(cv2.imread(path), inset, share), [cv2.IMWRITE_JPEG_QUALITY, 90])
    answers = subprocess.run([program, "--db", os.path.join(work, "db"), "--quiet", "query", "--format",
                              "jsonl", *paths], check=True, stdout=subprocess.PIPE).stdout.splitlines()
    called = first = wrong = 0
    for path, line in zip(stored, answers, strict=True):
        matches = json.loads(line)["matches"]
        right = [os.path.samefile(match["path"], path) for match in matches]
        called += any(is_right and match["copy"] for is_right, match in zip(right, matches))
        first += bool(right) and right[0]
        wrong += sum(match["copy"] for is_right, match in zip(right, matches) if not is_right)
    return {"queries": len(paths), "called_copies": called, "first_of_the_ranking": first,
            "others_called_copies": wrong}


def main():
    build, pictures = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    program = os.path.join(build, "src/cli/siftsearch")
    paths = [os.path.join(pictures, name) for name in sorted(os.listdir(pictures))]
    stored, insets = paths[:count], paths[count:]
    with tempfile.TemporaryDirectory(prefix="siftsearch-bench-") as work:
        subprocess.run([program, "--db", os.path.join(work, "db"), "--quiet", "add", *stored], check=True)
        print(json.dumps({f"{share:.0%}": measure(program, stored, insets, share, work)
                          for share in SHARES}, indent=1))


if __name__ == "__main__":
    main()
