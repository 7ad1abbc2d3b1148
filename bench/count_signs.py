#!/usr/bin/python3
"""How well the signs of the shipped vocabulary tell near rows from unrelated ones, and product codes.

  siftsearch --db DB export --faiss rows.faiss
  bench/count_signs.py rows.faiss

Queries are rows of the database. Of each, the nearest row of another image in the eight nearest words is
sought; unrelated are rows there beyond 230 (L2). Printed for each way to compare: what share of the
rows sought differs as little as a given share of the unrelated rows, by the distance sought. Product
codes are of what is left after the word, trained on the rows themselves (Jégou et al. 2011).
"""
import os
import sys

import faiss
import numpy as np

WORDS, GROUPS, SIGNS, BYTES, HEADER = 4096, 256, 64, 128, 32  # schema/vocabulary.md
RANGES = [(40, 100), (100, 130), (130, 160), (160, 190)]
SHARES = [0.05, 0.01, 0.001]
UNRELATED, NEAR_WORDS, QUERIES = 230, 8, 3000
CODES = {"product code, 8 × 8 bits": (8, 8), "product code, 16 × 4 bits": (16, 4),
         "product code, 16 × 8 bits": (16, 8), "product code, 32 × 4 bits": (32, 4)}  # Parts, bits.


def vocabulary():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "vocabulary.bin")
    with open(path, "rb") as file:
        read = file.read()
    directions_at = HEADER + WORDS * BYTES + GROUPS * BYTES + WORDS
    medians_at = directions_at + SIGNS * BYTES
    words = np.frombuffer(read, np.uint8, WORDS * BYTES, HEADER).reshape(WORDS, BYTES)
    directions = np.frombuffer(read, np.int8, SIGNS * BYTES, directions_at).reshape(SIGNS, BYTES)
    medians = np.frombuffer(read, "<i4", WORDS * SIGNS, medians_at).reshape(WORDS, SIGNS)
    return words.astype(np.float32), directions.astype(np.float32), medians.astype(np.float32)


def rows_of(path):
    index = faiss.read_index(path)
    flat = faiss.downcast_index(index.index)
    return flat.reconstruct_n(0, index.ntotal), faiss.vector_to_array(index.id_map)


def weights(residuals):
    """What a differing sign counts, by rule; residuals: of a query, a line for each word."""
    distances = np.abs(residuals)
    mean = np.maximum(distances.mean(1, keepdims=True), 1)
    return {"every sign once": np.ones_like(distances),
            "certain signs twice, as the program": 1.0 + (distances > mean),
            "weighed by the distance from the median": distances / mean}


def by_product_codes(rows, centres):
    """What each product code makes of the rows, by its name; centres: the word of each row."""
    random = np.random.default_rng(1)
    coded = {}
    for name, (parts, bits) in CODES.items():
        code = faiss.ProductQuantizer(BYTES, parts, bits)
        some = random.choice(len(rows), min(100_000, len(rows)), replace=False)
        code.train(rows[some] - centres[some])
        coded[name] = code.decode(code.compute_codes(rows - centres)) + centres
    return coded


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rows, images = rows_of(sys.argv[1])
    words, directions, medians = vocabulary()
    by_word = faiss.IndexFlatL2(BYTES)
    by_word.add(words)
    word = by_word.search(rows, 1)[1][:, 0]
    projected = rows @ directions.T
    signs = projected >= medians[word]
    order = np.argsort(word, kind="stable")
    start = np.searchsorted(word[order], np.arange(WORDS + 1))
    random = np.random.default_rng(0)
    queries = random.choice(len(rows), min(QUERIES, len(rows)), replace=False)
    sought, unrelated = {}, {}
    coded = by_product_codes(rows, words[word])
    for query, near in zip(queries, by_word.search(rows[queries], NEAR_WORDS)[1]):
        lists = [order[start[w]:start[w + 1]] for w in near]
        met, line = np.concatenate(lists), np.repeat(np.arange(NEAR_WORDS), [len(x) for x in lists])
        other = images[met] != images[query]
        met, line = met[other], line[other]
        if len(met) == 0:
            continue
        distances = np.sqrt(((rows[met] - rows[query]) ** 2).sum(1))
        residuals = projected[query] - medians[near]
        differ = (residuals >= 0)[line] != signs[met]
        nearest = distances.argmin()
        ways = {rule: (differ * weight[line]).sum(1) for rule, weight in weights(residuals).items()}
        ways.update((name, ((decoded[met] - rows[query]) ** 2).sum(1)) for name, decoded in coded.items())
        for rule, by in ways.items():
            sought.setdefault(rule, []).append((distances[nearest], by[nearest]))
            unrelated.setdefault(rule, []).append(by[distances > UNRELATED])
    tell(sought, unrelated)


def tell(sought, unrelated):
    print(f"{'':42}{'unrelated':>10}" + "".join(f"{f'{a} to {b}':>12}" for a, b in RANGES))
    for rule, found in sought.items():
        found, others = np.array(found), np.sort(np.concatenate(unrelated[rule]))
        for share in SHARES:
            most = others[int(share * len(others))]
            shares = [np.mean(found[(found[:, 0] >= a) & (found[:, 0] < b), 1] <= most)
                      for a, b in RANGES]
            passing = np.searchsorted(others, most, side="right") / len(others)
            print(f"{rule:42}{passing:10.4f}" + "".join(f"{value:12.3f}" for value in shares))


if __name__ == "__main__":
    main()
