"""copybench fit: the constants of the score in src/verify/score.cc, fitted anew.

Logistic regression of "is a copy" on the terms of FittedLogOdds, by Newton's method, with a normal
prior around the constants as they are. Examples are the verified pairs of a bench's answers, or the
pairs of a report that people decided (`report --with-rejected --min-score 1e-9 --format jsonl`).
"""

import itertools
import json
import math
import pathlib
import re
import sys

import numpy as np

import score

SOURCES = [pathlib.Path(__file__).resolve().parents[2] / "src/verify" / name
           for name in ("score.h", "score.cc")]
NAMES = ["kConstant", "kPerRarity", "kPerCloseWithoutPixels", "kPerCoherentPowers",
         "kPerFoundWithoutPixels", "kPerFound", "kPerPowersWithoutPixels",
         "kPerInliersWithoutPixels", "kPerRareRegionLog", "kPerSmallerRegionLog",
         "kPerOwnBackground"]


def options(parser):
    """The command line of `fit`."""
    parser.add_argument("--results", required=True, action="append", type=pathlib.Path,
                        metavar="FILE", help="JSON lines of `query` (with --bench) or of `report`; "
                                             "may be repeated")
    parser.add_argument("--bench", type=pathlib.Path, metavar="DIR", action="append", default=[],
                        help="whose truth says which matches are right, for each --results; "
                             "without it the verdicts in a report's lines do")
    parser.add_argument("--ignore", type=pathlib.Path, metavar="FILE", help="as of score")
    parser.add_argument("--weight", type=float, action="append", default=[], metavar="X",
                        help="how much each --results counts; all the same [1]")
    parser.add_argument("--prior", type=float, default=1.0, metavar="X",
                        help="weight of the constants as they are: each is a normal distribution's "
                             "mean, with variance 1 / X; 0: none [1]")
    parser.add_argument("--without", action="append", default=[], choices=NAMES[1:],
                        metavar="NAME", help="leave a term out, to see what it is worth; may be "
                                             "repeated")


def constants():
    """The values of NAMES, and of the bounds of an overlay, in the sources of the score."""
    text = "".join(source.read_text(encoding="utf-8") for source in SOURCES)
    values = dict(re.findall(r"constexpr double (k\w+) = (-?[\d.e-]+);", text))
    return {name: float(value) for name, value in values.items()}


def is_overlay(match, known):
    """As IsOverlay."""
    evidence, share = match["evidence"], region_shares(match)[0]
    if evidence.get("own_background", 0) > known["kMostOwnBackground"]:
        return True
    outvoted = (evidence["closeness"] < known["kOutvotedCloseness"]
                and evidence["log10_false_alarms"] < known["kManyAgree"]
                and evidence["pixels_coherent"] < known["kCoherentAllOver"])
    denied = (evidence["rarity"] < known["kDeniedRarity"]
              and evidence["pixels_inside"] < known["kDeniedPixels"]
              and evidence["log10_false_alarms"] < known["kManyDenied"])
    small = (evidence["rarity"] < known["kSmallOverlayRarity"]
             and share < known["kSmallOverlayShare"])
    return denied or small or (evidence["rarity"] < known["kOverlayRarity"] and (
        share < known["kOverlayShare"] or outvoted))


def is_chance(match, known):
    """As IsChance."""
    evidence = match["evidence"]
    return (evidence["log10_false_alarms"] > known["kSurelyNoChance"]
            and evidence["pixels_inside"] < known["kPixelsAgree"])


def no_copys(match, known):
    """Whether a rule says that it is no copy: no term of the model decides these."""
    return is_overlay(match, known) or is_chance(match, known)


def region_shares(match):
    """The larger and the smaller share of the two pictures that the shared region covers."""
    return sorted((match["image_overlap_percent"] / 100, match["query_overlap_percent"] / 100),
                  reverse=True)


def beyond_parallax(match, known):
    """What the parallax of two views takes from the score: not fitted."""
    parallax = match["evidence"].get("parallax", 0)
    return known["kPerParallax"] * max(0, parallax - known["kMostParallax"])


def terms(match, known):
    """What each of NAMES is multiplied with, as FittedLogOdds has it."""
    e = match["evidence"]
    all_powers = max(-e["log10_false_alarms"], 0)
    powers, powers_log = min(all_powers, known["kMostPowersOfTen"]), math.log10(1 + all_powers)
    disagreeing = 1 - e["pixels_inside"]
    larger, smaller = region_shares(match)
    region_log = math.log10(min(max(larger, known["kSmallestShare"]), 1))
    return [1, e["rarity"], e["closeness"] * disagreeing, e["pixels_coherent"] * powers / 10,
            min(e["query_found"], e["image_found"]) * disagreeing,
            max(e["query_found"], e["image_found"]),
            powers_log * disagreeing, math.log10(1 + match["inliers"]) * disagreeing,
            e["rarity"] * region_log, smaller * region_log, e.get("own_background", 0)]


def has_pixels(match):
    """Whether there was something to compare; the points alone decide where there was nothing."""
    return any(match["evidence"][name] for name in
               ("pixel_correlation", "pixels_coherent", "pixels_inside"))


def labelled(results, bench, ignore):
    """(match, right) of every pair of a file with a known answer."""
    lines = score.read_lines(results)
    if not bench:
        return [(line, line["verdict"] == "confirmed") for line in lines if line.get("verdict")]
    truth = score.read_lines(bench / "truth.jsonl")
    if ignore:
        truth = score.with_ignored(truth, ignore)
    pairs = score.collect(truth, lines)
    return list(zip(pairs.matches, pairs.right))


def shares(sets, weights):
    """How much the examples of each set count, so that all sets' copies count by their weight."""
    copies = [sum(bool(right) for _, right in pairs) for pairs in sets]
    fewest = min(filter(None, copies), default=1)
    return [weight * fewest / max(1, count) for weight, count in zip(weights, copies)]


def probabilities(rows, weights):
    """Of being a copy, from the linear model."""
    return 1 / (1 + np.exp(-np.clip(rows @ weights, -60, 60)))


def losses(rows, right, weights):
    """-log p of what is so, of each example."""
    return np.logaddexp(0, np.where(right, -1, 1) * (rows @ weights))


def loss(rows, right, weights):
    """Mean of the losses."""
    return float(np.mean(losses(rows, right, weights)))


def fitted(rows, right, counts, mean, prior):
    """The weights of the largest posterior: Newton's method with halved steps. `counts` is how much
    each example counts."""
    def total(weights):
        return (np.sum(counts * losses(rows, right, weights))
                + prior / 2 * np.sum((weights - mean) ** 2))

    weights = mean.copy()
    for _ in range(100):
        p = probabilities(rows, weights)
        gradient = rows.T @ (counts * (p - right)) + prior * (weights - mean)
        curvature = (rows.T * (counts * p * (1 - p))) @ rows + (prior + 1e-9) * np.eye(len(mean))
        step = np.linalg.solve(curvature, gradient)
        while total(weights - step) > total(weights) and np.max(np.abs(step)) > 1e-9:
            step /= 2
        weights = weights - step
        if np.max(np.abs(step)) < 1e-7:
            break
    return weights


def summary(rows, right, weights):
    """Loss, and recall of these examples at 99 % precision and before the first false one."""
    pairs = score.Pairs(rows @ weights, right, right, np.zeros(len(right), int), [right.sum()])
    return {"loss": round(loss(rows, right, weights), 4),
            "recall_at_precision_99": round(score.at_precision(pairs, 0.99)[0], 4),
            "recall_before_first_false": round(
                float(score.recall_before_false(pairs, np.ones((1, 1)))[0]), 4)}


def run(settings):
    """Prints the constants and what they are worth as JSON."""
    known = constants()
    if settings.bench and len(settings.bench) != len(settings.results):
        print("copybench fit: it takes one --bench for each --results", file=sys.stderr)
        return 2
    if settings.weight and len(settings.weight) != len(settings.results):
        print("copybench fit: it takes one --weight for each --results", file=sys.stderr)
        return 2
    sets = [[(match, right) for match, right in labelled(results, bench, settings.ignore)
             if match["inliers"] > 0 and has_pixels(match) and not no_copys(match, known)
             and beyond_parallax(match, known) == 0]
            for results, bench in itertools.zip_longest(settings.results, settings.bench)]
    examples = sum(sets, [])
    right = np.array([answer for _, answer in examples], bool)
    if len(examples) < 2 or right.all() or not right.any():
        print("copybench fit: it takes pairs that are copies and pairs that are none; "
              f"there are {int(right.sum())} and {int((~right).sum())}", file=sys.stderr)
        return 1
    counts = np.concatenate([np.full(len(pairs), share) for pairs, share in
                             zip(sets, shares(sets, settings.weight or [1] * len(sets)))])
    kept = [i for i, name in enumerate(NAMES) if name not in settings.without]
    every = np.array([terms(match, known) for match, _ in examples], float)
    mean = np.array([known[name] for name in NAMES])
    weights = fitted(every[:, kept], right, counts, mean[kept], settings.prior)
    print(json.dumps({
        "copies": int(right.sum()), "others": int((~right).sum()),
        "as_it_is": summary(every, right, mean),
        "fitted": summary(every[:, kept], right, weights),
        "constants": {NAMES[i]: round(float(w), 2) for i, w in zip(kept, weights)}}, indent=1))
    return 0
