"""copybench score: how good answers are, from truth.jsonl and the program's JSON lines.

A pair is a query and an original. Pairs that the program does not list rank below all others. Pairs
of equal score count in the worst order: wrong ones first.
"""

import csv
import json
import os
import pathlib

import numpy as np

import page

DIGITS = 5


def options(parser):
    """The command line of `score`."""
    parser.add_argument("--bench", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--results", required=True, type=pathlib.Path, metavar="FILE",
                        help="what `siftsearch query --format jsonl` printed")
    parser.add_argument("--out", required=True, type=pathlib.Path, metavar="DIR",
                        help="for scores.json, per_attack.csv and report.html")
    parser.add_argument("--ignore", type=pathlib.Path, metavar="FILE",
                        help="lines of a query's and a stored picture's name, with a tab between: "
                             "looked at, and copies after all; neither right nor wrong")
    parser.add_argument("--without-alike", action="store_true",
                        help="as if the pictures of make --alike were not there")
    parser.add_argument("--resamples", type=int, default=1000, metavar="N",
                        help="of the bootstrap [1000]")


def with_ignored(truth, file):
    """The truth with pairs passed over that a list of looked-at copies names."""
    pairs = [line.split("\t")[:2] for line in file.read_text().splitlines() if line]
    return [{**line, "ignored": line.get("ignored", []) + [
        stored for query, stored in pairs if query == os.path.basename(line["query"])]}
            for line in truth]


def without_alike(bench, truth):
    """The truth without the pictures of `make --alike`, stored and asked for."""
    stored = json.loads((bench / "bench.json").read_text()).get("alike", [])
    return [{**line, "ignored": line.get("ignored", []) + stored} for line in truth
            if not line["attack"].startswith("alike ")]


def read_lines(path):
    """The objects of a file of JSON lines."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


class Pairs:
    """The listed pairs as arrays, sorted by descending score, wrong ones first among equals.

    `score`, `right` (bool), `called` (copy: true), `query` (row of the truth) and `match` (row of
    `matches`) have one value a pair; `positives` has the number of true pairs of each query.
    """

    def __init__(self, score, right, called, query, positives, matches=None):
        order = np.lexsort((right, -np.asarray(score, float)))
        self.score = np.asarray(score, float)[order]
        self.right = np.asarray(right, bool)[order]
        self.called = np.asarray(called, bool)[order]
        self.query = np.asarray(query, int)[order]
        self.positives = np.asarray(positives, float)
        self.matches = [matches[i] for i in order] if matches else []

    def part(self, rows):
        """Only the queries of these rows of the truth; the rows keep their numbers."""
        kept = np.isin(self.query, rows)
        positives = np.zeros_like(self.positives)
        positives[rows] = self.positives[rows]
        return Pairs(self.score[kept], self.right[kept], self.called[kept], self.query[kept],
                     positives, [m for m, keep in zip(self.matches, kept) if keep])

    def group_ends(self):
        """Whether a pair is the last of its score: only there can a threshold cut."""
        return np.append(self.score[1:] != self.score[:-1], True) if len(self.score) else (
            np.zeros(0, bool))


def collect(truth, results):
    """Pairs of the answers; of several matches of one pair the best counts."""
    answers = {os.path.basename(line["query"]): line for line in results}
    columns, matches = [], []
    for row, line in enumerate(truth):
        expected = {os.path.basename(o["path"]) for o in line["originals"]}
        passed = {os.path.basename(path) for path in line.get("ignored", [])}
        best = {}
        for match in answers.get(os.path.basename(line["query"]), {}).get("matches") or []:
            name = os.path.basename(match["path"])
            if name not in passed and (name not in best
                                       or match["score"] > best[name]["score"]):
                best[name] = match
        for name, match in best.items():
            columns.append((match["score"], name in expected, match["copy"], row))
            matches.append(match)
    positives = [len({os.path.basename(o["path"]) for o in line["originals"]}) for line in truth]
    score, right, called, query = zip(*columns) if columns else ((),) * 4
    return Pairs(score, right, called, query, positives, matches)


def curve(pairs, weights=None):
    """(precision, recall) behind each pair of the ranking, queries weighted."""
    weights = np.ones(len(pairs.positives)) if weights is None else weights
    weight = weights[..., pairs.query]
    right = np.cumsum(weight * pairs.right, axis=-1)
    listed = np.cumsum(weight, axis=-1)
    total = (weights @ pairs.positives)[..., None] if weights.ndim > 1 else weights @ pairs.positives
    return right / np.maximum(listed, 1e-300), right / np.maximum(total, 1e-300)


def micro_ap(pairs, weights=None):
    """Average precision of one ranking of all pairs; each true pair adds its precision."""
    precision, recall = curve(pairs, weights)
    steps = np.diff(recall, axis=-1, prepend=0)
    return np.sum(precision * steps, axis=-1)


def at_precision(pairs, floor):
    """(largest recall, its threshold) among thresholds of at least this precision; (0, None)."""
    precision, recall = curve(pairs)
    fit = np.flatnonzero(pairs.group_ends() & (precision >= floor) & (recall > 0))
    return (float(recall[fit[-1]]), float(pairs.score[fit[-1]])) if len(fit) else (0.0, None)


def recall_at_precision(pairs, floor, weights):
    """As at_precision, the recall only, for each row of weights."""
    precision, recall = curve(pairs, weights)
    fit = pairs.group_ends() & (precision >= floor)
    return np.max(np.where(fit, recall, 0), axis=-1, initial=0)


def recall_before_false(pairs, weights):
    """Share of the true pairs that score above every wrong pair."""
    weight = weights[..., pairs.query]
    wrong = np.where(~pairs.right & (weight > 0), pairs.score, -np.inf)
    top = np.max(wrong, axis=-1, initial=-np.inf, keepdims=True)
    found = np.sum(weight * pairs.right * (pairs.score > top), axis=-1)
    return found / np.maximum(weights @ pairs.positives, 1e-300)


def first_right(pairs):
    """For each query, whether its best pair is right; among equals a wrong one is best."""
    rows, firsts = np.unique(pairs.query, return_index=True)
    hit = np.zeros(len(pairs.positives))
    hit[rows] = pairs.right[firsts]
    return hit


def each_ap(pairs):
    """Average precision of each query's own ranking; 0 where nothing is expected."""
    result = np.zeros(len(pairs.positives))
    order = np.argsort(pairs.query, kind="stable")
    rows, begins = np.unique(pairs.query[order], return_index=True)
    for row, places in zip(rows, np.split(order, begins[1:])):
        right = pairs.right[places]
        precision = np.cumsum(right) / np.arange(1, len(right) + 1)
        result[row] = np.sum(precision * right) / max(1, pairs.positives[row])
    return result


def share(part, whole):
    """part / whole, elementwise; 0 where there is no whole."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0)


def measures(pairs, weights):
    """The headline measures for each row of weights (resamples x queries)."""
    called, has = pairs.called, (pairs.positives > 0).astype(float)
    weight = weights[:, pairs.query]
    right_called = weight @ (called & pairs.right).astype(float)
    return {
        "micro_ap": micro_ap(pairs, weights),
        "map": share(weights @ (each_ap(pairs) * has), weights @ has),
        "recall_at_1": share(weights @ (first_right(pairs) * has), weights @ has),
        "recall_at_precision_99": recall_at_precision(pairs, 0.99, weights),
        "recall_at_precision_90": recall_at_precision(pairs, 0.90, weights),
        "recall_before_first_false": recall_before_false(pairs, weights),
        "copy_recall": share(right_called, weights @ pairs.positives),
        "copy_precision": share(right_called, weight @ called.astype(float)),
    }


def bootstrap(pairs, truth, resamples, seed=1):
    """[2.5 %, 97.5 %] of the measures over resampled originals.

    Copies go with the first original they show; a stranger stands for itself.
    """
    keys = [line["originals"][0]["path"] if line["originals"] else line["query"] for line in truth]
    names, cluster = np.unique(keys, return_inverse=True)
    rng = np.random.default_rng(seed)
    block = max(1, min(resamples, 2_000_000 // max(1, len(pairs.score))))
    found = []
    for begin in range(0, resamples, block):
        counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)),
                                 size=min(block, resamples - begin)).astype(float)
        found.append(measures(pairs, counts[:, cluster]))
    return {name: [round(float(v), DIGITS) for v in np.percentile(
        np.concatenate([part[name] for part in found]), (2.5, 97.5))] for name in found[0]}


def box_overlap(a, b):
    """Intersection over union of two [x, y, width, height]."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(0, width) * max(0, height)
    return both / (a[2] * a[3] + b[2] * b[3] - both) if both else 0.0


def overlaps(pairs, truth):
    """Of the called, right pairs with a truth: IoU in the query and in the original."""
    result = {"query_box": [], "image_box": []}
    for match, right, called, row in zip(pairs.matches, pairs.right, pairs.called, pairs.query):
        if not (right and called):
            continue
        name = os.path.basename(match["path"])
        part = next(o for o in truth[row]["originals"] if os.path.basename(o["path"]) == name)
        for field, known in (("query_box", "box"), ("image_box", "original_box")):
            if known in part:
                result[field].append(box_overlap(match[field], part[known]) if match.get(field)
                                     else 0.0)
    return result


def overlap_summary(pairs, truth):
    """Median and share above one half of the overlaps."""
    return {field: {"pairs": len(values), "median": rounded(np.median(values)) if values else None,
                    "above_half": rounded(np.mean(np.array(values) > 0.5)) if values else None}
            for field, values in overlaps(pairs, truth).items()}


def calibration(pairs, bins=10):
    """Scores against the share that is right: by tenths, and the expected calibration errors."""
    rows = []
    place = np.minimum((pairs.score * bins).astype(int), bins - 1)
    for i in range(bins):
        here = place == i
        if here.any():
            rows.append({"from": i / bins, "to": (i + 1) / bins, "pairs": int(here.sum()),
                         "mean_score": rounded(pairs.score[here].mean()),
                         "right": rounded(pairs.right[here].mean())})

    def error(rows):
        total = sum(row["pairs"] for row in rows)
        return rounded(sum(row["pairs"] * abs(row["mean_score"] - row["right"])
                           for row in rows) / total) if total else None

    high = pairs.right[pairs.score >= 0.9]
    middle = pairs.right[(pairs.score >= 0.5) & (pairs.score < 0.9)]
    return {"right_of_0.9_to_1": rounded(high.mean()) if len(high) else None,
            "pairs_of_0.9_to_1": len(high),
            "right_of_0.5_to_0.9": rounded(middle.mean()) if len(middle) else None,
            "pairs_of_0.5_to_0.9": len(middle),
            "expected_calibration_error": error(rows),
            "expected_calibration_error_from_0.5": error([r for r in rows if r["from"] >= 0.5]),
            "bins": rows}


def rounded(value):
    """A float for JSON."""
    return round(float(value), DIGITS)


def in_place(match, line):
    """Whether a match's box in the query overlaps the truth's by more than half (IoU)."""
    name = os.path.basename(match["path"])
    known = [o["box"] for o in line["originals"]
             if os.path.basename(o["path"]) == name and "box" in o]
    return not known or bool(match.get("query_box")) and any(
        box_overlap(match["query_box"], box) > 0.5 for box in known)


def collage_f1(pairs, truth):
    """Mean F1 between the originals named with copy: true, each in its place, and the collage's."""
    rows = [i for i, line in enumerate(truth)
            if sum("box" in original for original in line["originals"]) > 1]
    named = np.bincount(pairs.query[pairs.called], minlength=len(truth))
    placed = np.array([in_place(match, truth[row]) for match, row in
                       zip(pairs.matches, pairs.query)], bool) if pairs.matches else pairs.right
    right = np.bincount(pairs.query[pairs.called & pairs.right & placed], minlength=len(truth))
    values = [2 * right[i] / (named[i] + pairs.positives[i]) for i in rows]
    return {"queries": len(rows), "f1": rounded(np.mean(values)) if rows else None}


def per_attack(pairs, truth, threshold):
    """One row for each kind, attack and strength, in the truth's order of attacks."""
    groups = {}
    for row, line in enumerate(truth):
        groups.setdefault((line["kind"], line["attack"], str(line["strength"])), []).append(row)
    table = []
    for (kind, attack, strength), rows in sorted(groups.items(), key=lambda g: order_key(g[0])):
        here = pairs.part(np.array(rows))
        total, right = here.positives.sum(), here.right
        query, image = (overlap_summary(here, truth)[f]["median"] for f in ("query_box", "image_box"))
        sure = here.score >= threshold if threshold is not None else np.zeros(len(right), bool)
        copy = kind == "copy"
        table.append({
            "kind": kind, "attack": attack, "strength": strength, "queries": len(rows),
            "pairs": int(total),
            "recall": rounded((here.called & right).sum() / total) if copy else None,
            "recall_at_precision_99": rounded((sure & right).sum() / total) if copy else None,
            "recall_at_1": rounded(first_right(here).sum() / len(rows)) if copy else None,
            "found": rounded(right.sum() / total) if copy else None,
            "false_alarms": int((here.called & ~right).sum()),
            "query_iou": query, "image_iou": image})
    return table


def order_key(group):
    """Copies before strangers; strengths as numbers where they are numbers."""
    kind, attack, strength = group
    try:
        return kind, attack, 0, float(strength), ""
    except ValueError:
        return kind, attack, 1, 0.0, strength


def score_all(truth, results, originals, resamples):
    """(what scores.json holds, Pairs)."""
    pairs = collect(truth, results)
    one = {name: rounded(v[0]) for name, v in measures(pairs, np.ones((1, len(truth)))).items()}
    limits = bootstrap(pairs, truth, resamples) if resamples else {}
    ignored = sum(len(line.get("ignored", [])) for line in truth)
    wrong_pairs = len(truth) * originals - ignored - pairs.positives.sum()
    false = int((pairs.called & ~pairs.right).sum())
    thresholds = {str(p): at_precision(pairs, p / 100)[1] for p in (99, 90)}
    answered = {os.path.basename(line["query"]) for line in results if not line.get("error")}
    return {
        "queries": len(truth), "originals": originals, "true_pairs": int(pairs.positives.sum()),
        "unanswered": sum(os.path.basename(line["query"]) not in answered for line in truth),
        "measures": {name: {"value": value, "interval_95": limits.get(name)}
                     for name, value in one.items()},
        "threshold_at_precision": thresholds,
        "false_alarms": false,
        "false_alarms_per_million_pairs": rounded(1e6 * false / wrong_pairs) if wrong_pairs else None,
        "top_4": rounded(np.mean(top_four(pairs))),
        "overlap": overlap_summary(pairs, truth), "collages": collage_f1(pairs, truth),
        "calibration": calibration(pairs),
        "per_attack": per_attack(pairs, truth, thresholds["99"]),
    }, pairs


def top_four(pairs):
    """Right pairs among each query's best four, at most 4 (UKBench's measure)."""
    order = np.argsort(pairs.query, kind="stable")
    sizes = np.bincount(pairs.query, minlength=len(pairs.positives))
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    best = order[place < 4]
    return np.bincount(pairs.query[best], weights=pairs.right[best], minlength=len(pairs.positives))


def write_table(path, rows):
    """Dictionaries of equal keys as CSV."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def run(options):
    """Scores and reports; gives the exit code."""
    truth, results = (read_lines(p) for p in (options.bench / "truth.jsonl", options.results))
    if getattr(options, "ignore", None):
        truth = with_ignored(truth, options.ignore)
    if getattr(options, "without_alike", False):
        truth = without_alike(options.bench, truth)
    originals = len(list((options.bench / "originals").iterdir()))
    scores, pairs = score_all(truth, results, originals, options.resamples)
    times = options.results.parent / "times.json"
    if times.exists():
        scores["times"] = json.loads(times.read_text())
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    write_table(options.out / "per_attack.csv", scores["per_attack"])
    (options.out / "report.html").write_text(page.html(options.bench, truth, scores, pairs),
                                             encoding="utf-8")
    for name, entry in scores["measures"].items():
        low, high = entry["interval_95"] or (float("nan"),) * 2
        print(f"{name:28} {entry['value']:.4f}  [{low:.4f}, {high:.4f}]")
    print(f"{'false alarms':28} {scores['false_alarms']}")
    print(f"report: {options.out / 'report.html'}")
    return 0
