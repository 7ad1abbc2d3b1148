"""report.html: one file with tables, drawn curves and the worst failures as small pictures."""

import base64
import html as markup
import os
import pathlib

import cv2
import numpy as np

SIDE = 200  # pixels of a thumbnail
WORST = 30
STYLE = """body{font:15px sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{padding:2px 10px;text-align:right;
border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}
svg{font:12px sans-serif}.pair{display:flex;gap:8px;margin:1em 0;align-items:flex-start}
.pair p{margin:0;max-width:600px;overflow-wrap:anywhere}img{border:1px solid #ccc}"""


def safe(text):
    """For HTML text and attributes; bytes that are no UTF-8 become U+FFFD."""
    return markup.escape(str(text).encode("utf-8", "replace").decode())


def shown(value):
    """A table cell's text."""
    if value is None:
        return "–"
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def table(rows, columns):
    """An HTML table of dictionaries; `columns` maps keys to headings."""
    head = "".join(f"<th>{safe(text)}</th>" for text in columns.values())
    body = "".join("<tr>" + "".join(f"<td>{safe(shown(row[key]))}</td>" for key in columns) + "</tr>"
                   for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def axes(width, height, x_name, y_name, content):
    """An SVG with x and y from 0 to 1; `content` draws in a plane of width x height, y down."""
    ticks = "".join(
        f'<text x="{width * i / 5}" y="{height + 16}" text-anchor="middle">{i / 5:g}</text>'
        f'<text x="-6" y="{height * (1 - i / 5) + 4}" text-anchor="end">{i / 5:g}</text>'
        f'<path d="M0 {height * (1 - i / 5)}h{width}" stroke="#eee"/>' for i in range(6))
    return (f'<svg width="{width + 70}" height="{height + 60}"><g transform="translate(50 15)">{ticks}'
            f'<rect width="{width}" height="{height}" fill="none" stroke="#888"/>{content}'
            f'<text x="{width / 2}" y="{height + 36}" text-anchor="middle">{safe(x_name)}</text>'
            f'<text transform="translate(-36 {height / 2}) rotate(-90)" text-anchor="middle">'
            f'{safe(y_name)}</text></g></svg>')


def line(points, width, height, stroke="#2060c0"):
    """A polyline through (x, y) in [0, 1]."""
    text = " ".join(f"{x * width:.1f},{(1 - y) * height:.1f}" for x, y in points)
    return f'<polyline points="{text}" fill="none" stroke="{stroke}" stroke-width="2"/>'


def precision_recall(pairs):
    """The curve over all pairs, one point for each threshold."""
    import score  # Not above: score imports this module.
    precision, recall = score.curve(pairs)
    ends = np.flatnonzero(pairs.group_ends())
    if len(ends) > 2000:
        ends = ends[np.unique(np.linspace(0, len(ends) - 1, 2000).astype(int))]
    points = [(recall[i], precision[i]) for i in ends]
    return axes(420, 300, "recall", "precision", line(points, 420, 300))


def calibration(bins):
    """The share that is right against the mean score, a circle for each tenth."""
    marks = "".join(
        f'<circle cx="{b["mean_score"] * 300:.1f}" cy="{(1 - b["right"]) * 300:.1f}" r="'
        f'{3 + np.log10(b["pairs"]) * 2:.1f}" fill="#2060c0"><title>{b["pairs"]} pairs</title></circle>'
        for b in bins)
    return axes(300, 300, "mean score", "share that is right",
                line([(0, 0), (1, 1)], 300, 300, "#bbb") + marks)


def bars(rows):
    """Recall of `copy: true` for each attack and strength."""
    rows = [row for row in rows if row["recall"] is not None]
    parts = []
    for i, row in enumerate(rows):
        y = 18 * i
        parts.append(f'<text x="190" y="{y + 13}" text-anchor="end">{safe(row["attack"])} '
                     f'{safe(row["strength"])}</text><rect x="200" y="{y + 2}" width="400" height="13" '
                     f'fill="#eee"/><rect x="200" y="{y + 2}" width="{400 * row["recall"]:.1f}" '
                     f'height="13" fill="#2060c0"/><text x="606" y="{y + 13}">{row["recall"]:.2f} of '
                     f'{row["pairs"]}</text>')
    return f'<svg width="700" height="{18 * len(rows) + 5}">{"".join(parts)}</svg>'


def thumbnail(path):
    """An <img> with the picture inside the page; a note where it can't be read."""
    try:
        data = np.frombuffer(pathlib.Path(path).read_bytes(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        factor = SIDE / max(image.shape[:2])
        size = [max(1, round(side * factor)) for side in image.shape[1::-1]]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        code = base64.b64encode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 70])[1])
        return f'<img alt="" src="data:image/jpeg;base64,{code.decode()}">'
    except (OSError, AttributeError, cv2.error):
        return "<p>(not readable)</p>"


def failures(truth, scores, pairs):
    """(badness, kind, row of the truth, name of the original, score) of wrong calls and misses.

    A wrong call is as bad as its score is high, a miss as bad as its attack's recall is high.
    """
    found = [(value, "called a copy, is none", row, os.path.basename(match["path"]), value)
             for match, value, right, called, row in zip(
                 pairs.matches, pairs.score, pairs.right, pairs.called, pairs.query)
             if called and not right]
    recall = {(row["attack"], row["strength"]): row["recall"] for row in scores["per_attack"]}
    listed = {(row, os.path.basename(match["path"])): (value, called) for match, value, called, row
              in zip(pairs.matches, pairs.score, pairs.called, pairs.query)}
    for row, query in enumerate(truth):
        for original in query["originals"]:
            name = os.path.basename(original["path"])
            value, called = listed.get((row, name), (None, False))
            if not called:
                badness = recall[query["attack"], str(query["strength"])] or 0
                found.append((badness, "a copy, not called one", row, name, value))
    return sorted(found, key=lambda f: (-f[0], f[2], f[3]))


def worst(bench, truth, scores, pairs):
    """The worst failures side by side, wrong calls and misses in turn."""
    found = failures(truth, scores, pairs)
    wrong = [f for f in found if f[1].startswith("called")]
    missed = [f for f in found if not f[1].startswith("called")]
    kept = wrong[:max(WORST // 2, WORST - len(missed))]
    kept += missed[:WORST - len(kept)]
    paths = {path.name: path for path in (bench / "originals").iterdir()}
    parts = []
    for _, kind, row, name, value in kept:
        query = truth[row]
        score = "not listed" if value is None else f"score {value:.4f}"
        parts.append(f'<div class="pair">{thumbnail(bench / query["query"])}'
                     f'{thumbnail(paths.get(name, bench / name))}<p>{safe(kind)}, {score}<br>'
                     f'{safe(query["attack"])} {safe(query["strength"])}<br>'
                     f'{safe(query["query"])}<br>{safe(name)}</p></div>')
    return f"<p>{len(wrong)} wrong calls, {len(missed)} misses.</p>" + "".join(parts)


def headline(scores):
    """The measures with their intervals, and what else is one number."""
    rows = [{"name": name.replace("_", " "), "value": entry["value"],
             "interval": " – ".join(map(shown, entry["interval_95"] or ()))}
            for name, entry in scores["measures"].items()]
    single = {"false alarms": scores["false_alarms"],
              "false alarms per million wrong pairs": scores["false_alarms_per_million_pairs"],
              "score for 99 % precision": scores["threshold_at_precision"]["99"],
              "score for 90 % precision": scores["threshold_at_precision"]["90"],
              "median overlap in the query": scores["overlap"]["query_box"]["median"],
              "median overlap in the original": scores["overlap"]["image_box"]["median"],
              "F1 of queries with several originals": scores["collages"]["f1"],
              "expected calibration error": scores["calibration"]["expected_calibration_error"]}
    for name, value in scores.get("times", {}).items():
        single[name.replace("_", " ")] = value
    rows += [{"name": name, "value": value, "interval": ""} for name, value in single.items()]
    return table(rows, {"name": "", "value": "value", "interval": "95 % interval"})


def html(bench, truth, scores, pairs):
    """The whole page."""
    columns = {"attack": "attack", "strength": "strength", "queries": "queries", "pairs": "pairs",
               "recall": "recall", "recall_at_precision_99": "recall at 99 % precision",
               "recall_at_1": "recall@1", "found": "listed", "false_alarms": "false alarms",
               "query_iou": "query IoU", "image_iou": "original IoU"}
    copies = [row for row in scores["per_attack"] if row["kind"] == "copy"]
    alone = [row for row in scores["per_attack"] if row["kind"] != "copy"]
    counts = (f'{scores["queries"]} queries, {scores["originals"]} originals, '
              f'{scores["true_pairs"]} true pairs, {scores["unanswered"]} queries unanswered')
    parts = [
        "<h1>Copy detection</h1>", f"<p>{counts}</p>", headline(scores),
        "<h2>Precision and recall</h2>", precision_recall(pairs),
        "<h2>Calibration</h2>", calibration(scores["calibration"]["bins"]),
        "<h2>Recall by attack</h2>", bars(copies), table(copies, columns),
        "<h2>Strangers</h2>",
        table(alone, {k: columns[k] for k in ("attack", "queries", "false_alarms")}),
        "<h2>Worst failures</h2><p>The query left, the original right.</p>",
        worst(bench, truth, scores, pairs)]
    return (f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>copybench</title>'
            f"<style>{STYLE}</style>{''.join(parts)}</html>\n")
