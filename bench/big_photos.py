#!/usr/bin/env python3
"""Times `siftsearch add` against the plain imread + SIFT loop on JPEGs of 12 megapixels.

  bench/big_photos.py BUILD_FOLDER PICTURE_FOLDER [COUNT [ROUNDS]]

Makes COUNT (40) pictures of 4000 × 3000 pixels, JPEG quality 90, in a temporary folder: those of
PICTURE_FOLDER, enlarged, with seeded noise for the detail that enlarging can't make. Needs
python3-opencv of /usr/bin/python3. Prints a JSON object.
"""
import json
import os
import subprocess
import sys
import tempfile

from add import compare

MAKE_PICTURES = """
import os, sys
import cv2
import numpy as np
source, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
random = np.random.default_rng(1)
pictures = []
for folder, _, names in sorted(os.walk(source)):
    pictures += [os.path.join(folder, name) for name in sorted(names)]
made = 0
for path in pictures:
    small = cv2.imread(path)
    if made == count or small is None:
        continue
    large = cv2.resize(small, (4000, 3000), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    large += random.standard_normal((3000, 4000, 1), np.float32) * 6
    large = np.clip(large, 0, 255).astype(np.uint8)
    cv2.imwrite(f"{target}/{made:04}.jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 90])
    made += 1
"""


def main():
    build, pictures = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    with tempfile.TemporaryDirectory(prefix="siftsearch-bench-") as folder:
        subprocess.run(["/usr/bin/python3", "-c", MAKE_PICTURES, pictures, folder, str(count)],
                       check=True)
        sizes = [entry.stat().st_size for entry in os.scandir(folder)]
        result = compare(build, folder, rounds)
    result["file_megabytes"] = round(sum(sizes) / len(sizes) / 1e6, 2)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
