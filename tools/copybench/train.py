"""copybench train: the model of the decision, data/models/decision-N.json, from answers to benches.

Examples are the pairs whose pixels were compared. Boosted trees that are monotonic in the direction of
each term (include/siftsearch/evidence.h) are fitted to them, and a calibration to what trees say of
queries that they were not fitted to. Left out one by one, families of operations and domains of pictures
say what the model is worth on what it has not seen.
"""

import datetime
import hashlib
import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression

import score

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = ROOT / "include/siftsearch/evidence.h"
# Groups of hard strangers that are one thing taken twice; the others share a part.
SCENES = {"carpet", "brick", "stereo", "view"}
FOLDS = 5
KNOTS = 12
GOLDEN = 50
HARD_COUNT = 30  # So much a wrong pair counts that agrees in many points: they are few, and what decides.
HARD_INLIERS = 20
FLATTEST = 0.05  # Slope of the calibration, so that it keeps the order.


def options(parser):
    """The command line of `train`."""
    parser.add_argument("--train", required=True, nargs=2, action="append", metavar=("BENCH", "RESULTS"),
                        type=pathlib.Path, help="answers to fit to; again")
    parser.add_argument("--test", nargs=2, action="append", default=[], metavar=("BENCH", "RESULTS"),
                        type=pathlib.Path, help="answers to judge by, of other pictures; again")
    parser.add_argument("--verdicts", action="append", default=[], metavar="FILE", type=pathlib.Path,
                        help="lines of a report about which people decided, to fit to as well; again")
    parser.add_argument("--ignore", type=pathlib.Path, metavar="FILE", help="as of score")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE", help="where to write the model")
    parser.add_argument("--report", type=pathlib.Path, metavar="FILE",
                        help="where to write what it is worth, what it gains and loses")
    parser.add_argument("--trees", type=int, default=200, metavar="N", help="of each of five fits")
    parser.add_argument("--leaves", type=int, default=16, metavar="N", help="of a tree, at most")
    parser.add_argument("--rate", type=float, default=0.15, metavar="X", help="learning rate")
    parser.add_argument("--seed", type=int, default=1, metavar="N")


def terms():
    """[(name, direction)] of the evidence, as the header has them."""
    found = re.findall(r'EvidenceTerm\{"(\w+)", &Evidence::\w+, [-\d.]+, [-\d.]+, (-?\d)\}',
                       HEADER.read_text(encoding="utf-8"))
    return [(name, int(direction)) for name, direction in found]


class Answers:
    """The pairs of the answers to a bench, and which of them are right.

    One value a pair: `evidence` (rows of the terms), `compared` (its pixels were), `right`, `before` (the
    score as it was), `query` (row of the truth).
    """

    def __init__(self, bench, results, ignore):
        truth = score.read_lines(bench / "truth.jsonl")
        self.truth = score.with_ignored(truth, ignore) if ignore else truth
        pairs = score.collect(self.truth, score.read_lines(results))
        names = [name for name, _ in terms()]
        self.name = bench.name
        self.evidence = np.array([[match["evidence"][name] for name in names]
                                  for match in pairs.matches]).reshape(-1, len(names))
        self.compared = self.evidence[:, names.index("textured")] > 0
        self.right, self.before, self.query = pairs.right, pairs.score, pairs.query
        self.positives = pairs.positives
        self.matches = pairs.matches
        self.stored = len(list((bench / "originals").iterdir()))
        sources = json.loads((bench / "bench.json").read_text()).get("sources", {})
        self.families = [{o["family"] for o in line.get("operations", [])} for line in self.truth]
        self.domains = [{sources.get(o["path"]) for o in line["originals"]} | {line.get("source")}
                        for line in self.truth]
        self.groups = [line["attack"] if line["kind"] == "stranger" else "" for line in self.truth]

    def of(self, rows):
        """Whether each pair is of one of these rows of the truth."""
        return np.isin(self.query, np.flatnonzero(rows))


class Verdicts:
    """The pairs of a report about which people decided, as Answers of a query each."""

    def __init__(self, lines):
        decided = [line for line in score.read_lines(lines) if line.get("verdict")]
        names = [name for name, _ in terms()]
        self.truth = decided
        self.evidence = np.array([[line["evidence"][name] for name in names]
                                  for line in decided]).reshape(-1, len(names))
        self.right = np.array([line["verdict"] == "confirmed" for line in decided], bool)
        self.compared = self.evidence[:, names.index("textured")] > 0
        self.query = np.arange(len(decided))
        self.families = self.domains = [set()] * len(decided)
        self.groups = [""] * len(decided)

    def of(self, rows):
        """Whether each pair is of one of these rows."""
        return rows


def boosted(evidence, right, hard, settings):
    """The trees."""
    model = HistGradientBoostingClassifier(
        max_iter=settings.trees, max_leaf_nodes=settings.leaves, learning_rate=settings.rate,
        min_samples_leaf=40, l2_regularization=1.0, early_stopping=False, random_state=settings.seed,
        monotonic_cst=[direction for _, direction in terms()])
    return model.fit(evidence, right, sample_weight=balanced(right) * np.where(hard, HARD_COUNT, 1))


def balanced(right):
    """Weights that let copies and others count the same."""
    share = np.mean(right)
    return np.where(right, 0.5 / share, 0.5 / (1 - share))


def calibration(raw, right):
    """Knots (raw, log-odds) of a monotonic line through what raw log-odds turned out to be."""
    order = np.argsort(raw)
    raw, right = raw[order], right[order].astype(float)
    # Half a copy and half another at each end: no share is 0 or 1.
    rates = IsotonicRegression(y_min=0.5 / len(raw), y_max=1 - 0.5 / len(raw)).fit_transform(raw, right)
    odds = np.log(rates / (1 - rates))
    edges = np.unique(np.quantile(raw, np.linspace(0, 1, 4 * KNOTS)))
    at = np.interp(np.linspace(0, 1, KNOTS), np.linspace(0, 1, len(edges)), edges)
    inner = (rates > 0.02) & (rates < 0.98)
    if inner.any():
        at = np.unique(np.concatenate([at, np.quantile(raw[inner], np.linspace(0, 1, KNOTS))]))
    if len(at) < 2:  # Trees that say the same of all.
        at = np.array([at[0] - 1, at[0] + 1])
    width = max(1e-3, (at[-1] - at[0]) / (4 * KNOTS))
    value = np.array([np.mean(odds[np.abs(raw - x) <= max(width, np.min(np.abs(raw - x)))]) for x in at])
    for i in range(1, len(at)):
        value[i] = max(value[i], value[i - 1] + FLATTEST * (at[i] - at[i - 1]))
    return at, value


def calibrated(knots, raw):
    """As DecisionModel::Calibrated."""
    at, value = knots
    i = np.clip(np.searchsorted(at[1:-1], raw, side="right") + 1, 1, len(at) - 1)
    return value[i - 1] + (raw - at[i - 1]) / (at[i] - at[i - 1]) * (value[i] - value[i - 1])


class Model:
    """The mean of trees that were fitted to all but a fold of the queries each, and its calibration: to what
    those trees say of the fold. The mean moves less than one fit does where a few examples come or go."""

    def __init__(self, examples, settings):
        raw = np.zeros(len(examples.right))
        self.folds = []
        for fold in range(FOLDS):
            held = examples.query % FOLDS == fold
            trees = boosted(examples.evidence[~held], examples.right[~held], examples.hard[~held], settings)
            raw[held] = trees.decision_function(examples.evidence[held])
            self.folds.append(trees)
        self.knots = calibration(raw, examples.right)

    def log_odds(self, evidence):
        return calibrated(self.knots, np.mean([trees.decision_function(evidence) for trees in self.folds], axis=0))


class Examples:
    """All compared pairs of the queries for which keep(set) is true; a value each."""

    def __init__(self, sets, keep):
        rows = [(s, s.compared & s.of(keep(s))) for s in sets]
        offsets = np.cumsum([0] + [len(s.truth) for s in sets])
        self.evidence = np.concatenate([s.evidence[r] for s, r in rows])
        self.right = np.concatenate([s.right[r] for s, r in rows])
        names = [name for name, _ in terms()]
        self.hard = ~self.right & (self.evidence[:, names.index("inliers")] >= HARD_INLIERS)
        self.query = np.concatenate([s.query[r] + offset for (s, r), offset in zip(rows, offsets)])


def every(answers):
    return np.ones(len(answers.truth), bool)


def scored(answers, model):
    """The log-odds of each pair; of one whose pixels were not compared, of its score."""
    clipped = np.clip(answers.before, 1e-9, 1 - 1e-9)
    odds = np.log(clipped / (1 - clipped))
    if model is not None:
        odds[answers.compared] = model.log_odds(answers.evidence[answers.compared])
    return odds


def measured(sets, model, rows):
    """What a decision is worth on the queries for which rows(set) is true; None: as it was."""
    parts, offset, compared_pairs = [], 0, 0
    for s in sets:
        kept = s.of(rows(s))
        parts.append((scored(s, model)[kept], s.right[kept], s.query[kept] + offset,
                      np.where(rows(s), s.positives, 0)))
        compared_pairs += s.stored * int(rows(s).sum())
        offset += len(s.truth)
    odds, right, query, positives = (np.concatenate(column) for column in zip(*parts))
    pairs = score.Pairs(odds, right, odds >= 0, query, positives)
    total = max(1.0, positives.sum())
    wrong = int(np.sum((odds >= 0) & ~right))
    return {"copies": int(positives.sum()), "micro_ap": float(score.micro_ap(pairs)),
            "recall_at_precision_99": score.at_precision(pairs, 0.99)[0],
            "recall_before_first_false": float(
                score.recall_before_false(pairs, np.ones((1, len(positives))))[0]),
            "called": float(np.sum((odds >= 0) & right) / total), "wrong": wrong,
            "wrong_per_million": 1e6 * wrong / max(1, compared_pairs),
            "calibration_error": calibration_error(odds, right),
            "right_of_half_sure": share_right(odds, right, 0, np.log(9))}


def calibration_error(odds, right):
    """Expected calibration error over ten bins of the score, of pairs that are listed at 0.01 on."""
    p = 1 / (1 + np.exp(-np.clip(odds, -60, 60)))
    kept = p >= 0.01
    bins = np.minimum((10 * p[kept]).astype(int), 9)
    gaps = [abs(np.sum(p[kept][bins == b] - right[kept][bins == b])) for b in range(10)]
    return float(sum(gaps) / max(1, kept.sum()))


def share_right(odds, right, least, most):
    kept = (odds >= least) & (odds < most)
    return float(np.mean(right[kept])) if kept.any() else None


def left_out(train, test, settings, kinds):
    """Of each name that kinds(set) has: the model without its copies in training, on them and on all
    strangers of `test`."""
    names = sorted({name for s in train + test for row in kinds(s) for name in row if name})
    table = {}
    for name in names if len(names) > 1 else []:
        has = lambda s: np.array([name in row for row in kinds(s)], bool)
        strange = lambda s: np.array([line["kind"] == "stranger" for line in s.truth], bool)
        model = Model(Examples(train, lambda s: ~has(s)), settings)
        rows = lambda s: has(s) | strange(s)
        table[name] = {"before": measured(test, None, rows), "left_out": measured(test, model, rows)}
    return table


def scene_trees(sets, settings):
    """Trees that tell one scene taken twice from a shared part, among hard strangers."""
    evidence, scene = [], []
    for s in sets:
        plain = np.array([group != "" and not group.startswith("alike") for group in s.groups], bool)
        kept = s.compared & ~s.right & s.of(plain) & (s.evidence[:, 0] < -14)
        evidence.append(s.evidence[kept])
        scene.append([s.groups[q] in SCENES or s.groups[q] == "plain" for q in s.query[kept]])
    evidence, scene = np.concatenate(evidence), np.concatenate(scene).astype(bool)
    if scene.all() or not scene.any():
        return [], len(scene), int(scene.sum())
    model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=4, learning_rate=0.2,
                                           min_samples_leaf=10, l2_regularization=1.0,
                                           early_stopping=False, random_state=settings.seed)
    return [model.fit(evidence, scene, sample_weight=balanced(scene))], len(scene), int(scene.sum())


def exported(fits):
    """The mean of fits as DecisionModel reads it: the trees of all, nodes in the order parent, left, right."""
    trees = [written_tree(predictor.nodes, len(fits)) for fit in fits for (predictor,) in fit._predictors]
    return {"bias": float(np.mean([np.ravel(fit._baseline_prediction)[0] for fit in fits])) if fits else 0.0,
            "trees": trees}


def written_tree(nodes, fits):
    """One of the trees of so many fits, of which the mean is taken; an inner node has the mean of its leaves."""
    value = nodes["value"].astype(float) / fits
    for i in range(len(nodes) - 1, -1, -1):
        if nodes["is_leaf"][i]:
            continue
        left, right = int(nodes["left"][i]), int(nodes["right"][i])
        counts = float(nodes["count"][left]), float(nodes["count"][right])
        value[i] = (value[left] * counts[0] + value[right] * counts[1]) / sum(counts)
    inner = nodes["is_leaf"] == 0
    return {"term": [int(t) if on else -1 for t, on in zip(nodes["feature_idx"], inner)],
            "threshold": [float(f"{t:.6g}") if on else 0.0 for t, on in zip(nodes["num_threshold"], inner)],
            "left": [int(x) for x in nodes["left"]], "right": [int(x) for x in nodes["right"]],
            "value": [float(f"{v:.5g}") for v in value]}


def evaluated(ensemble, row):
    """As DecisionModel::Ensemble::Sum."""
    total = ensemble["bias"]
    for tree in ensemble["trees"]:
        node = 0
        while tree["term"][node] >= 0:
            below = row[tree["term"][node]] <= tree["threshold"][node]
            node = tree["left" if below else "right"][node]
        total += tree["value"][node]
    return total


def golden(written, evidence, right, settings):
    """Evidence, half of it of copies, and the log-odds that the written model gives it."""
    rng = np.random.default_rng(settings.seed)
    order = rng.permutation(len(right))
    half = GOLDEN // 2
    chosen = evidence[np.concatenate([order[right[order]][:half], order[~right[order]][:GOLDEN - half]])]
    knots = np.array(written["calibration"]["raw"]), np.array(written["calibration"]["log_odds"])
    return [{"evidence": {name: float(v) for (name, _), v in zip(terms(), row)},
             "log_odds": round(float(calibrated(knots, evaluated(written["copy"], row))), 6),
             "scene_log_odds": round(evaluated(written["scene"], row), 6)} for row in chosen]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def commit():
    """Of the tree that this is part of."""
    return subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
                          capture_output=True, text=True).stdout.strip()


def write_model(path, model, train, settings):
    fitted = Examples(train, every)
    scene, strangers, scenes = scene_trees(train, settings)
    written = {
        "format": 1, "name": path.stem,
        "trained": {"tool": "copybench train", "scikit-learn": sklearn.__version__, "commit": commit(),
                    "trees": settings.trees, "leaves": settings.leaves, "rate": settings.rate,
                    "seed": settings.seed, "copies": int(fitted.right.sum()), "others": int((~fitted.right).sum()),
                    "hard_strangers": strangers, "scenes": scenes,
                    "sets": [{"name": bench.name, "bench": json.loads((bench / "bench.json").read_text())
                              .get("seed"), "truth_sha256": digest(bench / "truth.jsonl"),
                              "results_sha256": digest(results)} for bench, results in settings.train]},
        "terms": [name for name, _ in terms()],
        "copy": exported(model.folds), "scene": exported(scene),
        "calibration": {"raw": [round(float(x), 6) for x in model.knots[0]],
                        "log_odds": [round(float(x), 6) for x in model.knots[1]]}}
    written["golden"] = golden(written, fitted.evidence, fitted.right, settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_lines(written))


def as_lines(written):
    """JSON with a line for each tree and golden vector."""
    def block(values):
        return "[\n" + ",\n".join("  " + json.dumps(v, separators=(",", ":")) for v in values) + "\n ]"
    parts = []
    for key, value in written.items():
        if key in ("copy", "scene"):
            parts.append(f' "{key}": {{"bias": {value["bias"]!r}, "trees": {block(value["trees"])}}}')
        elif key == "golden":
            parts.append(f' "{key}": {block(value)}')
        else:
            parts.append(f' "{key}": {json.dumps(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def report(train, test, model, settings):
    """What the model is worth, and what it gains and loses against the decision as it was."""
    result = {"commit": commit(), "date": datetime.date.today().isoformat(),
              "trained": {"sets": len(train), "pairs": sum(len(s.right) for s in train)},
              "judged": {"sets": len(test), "queries": sum(len(s.truth) for s in test)},
              "families": left_out(train, test, settings, lambda s: s.families),
              "domains": left_out(train, test, settings, lambda s: s.domains),
              "sets": {s.name: {"before": measured([s], None, every), "model": measured([s], model, every)}
                       for s in test},
              "all": {"before": measured(test, None, every), "model": measured(test, model, every)}}
    return rounded(result)


def run(settings):
    """Trains, writes and reports; gives the exit code."""
    train = [Answers(*files, settings.ignore) for files in settings.train]
    train += [Verdicts(lines) for lines in settings.verdicts]
    test = [Answers(*files, settings.ignore) for files in settings.test]
    model = Model(Examples(train, every), settings)
    if settings.out:
        write_model(settings.out, model, train, settings)
    if test:
        text = json.dumps(report(train, test, model, settings), indent=1)
        if settings.report:
            settings.report.write_text(text + "\n")
        else:
            print(text)
    return 0
