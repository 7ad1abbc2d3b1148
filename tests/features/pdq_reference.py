#!/usr/bin/python3
"""Prints the PDQ hashes that PyPI's pdqhash gives the pictures in data/, for data/pdq.csv.

  pip install pdqhash==0.2.8; tests/features/pdq_reference.py > data/pdq.csv
"""
import glob
import os

import numpy as np
import pdqhash
from PIL import Image

PICTURES = ["pictures/*.*", "copies/*.jpg", "formats/grey.*", "formats/grey8.png"]


def main():
    data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data")
    print("file,pdq,quality,grey")
    for path in sorted(path for pattern in PICTURES for path in glob.glob(os.path.join(data, pattern))):
        picture = Image.open(path)
        bits, quality = pdqhash.compute(np.asarray(picture.convert("RGB")).astype(np.uint8))
        number = int("".join(map(str, bits)), 2)
        print(f"{os.path.relpath(path, data)},{number:064x},{quality},{int(picture.mode == 'L')}")


if __name__ == "__main__":
    main()
