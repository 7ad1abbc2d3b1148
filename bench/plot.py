#!/usr/bin/env python3
"""Draws the time of exact search against the number of rows, on logarithmic axes, as SVG.

  bench/plot.py RESULTS.json... > bench/search.svg

Reads what `search_bench --workload search --json` wrote: a panel for each k, a line for each variant
and one for Faiss.
"""
import json
import math
import sys
from html import escape

COLOURS = {"faiss IndexFlatL2": "#555555", "portable": "#d55e00", "avx2": "#e69f00",
           "avx512-vnni": "#0072b2", "amx-int8": "#009e73", "neon-dotprod": "#cc79a7"}
WIDTH, HEIGHT, LEFT, TOP, GAP = 300, 260, 70, 60, 50  # Of a panel, and around it.


def read(paths):
    """{k: {series: {n: seconds}}}, machine names, numbers of queries."""
    panels, machines, queries = {}, set(), set()
    for path in paths:
        with open(path) as file:
            report = json.load(file)
        machines.add(f"{report['machine']}, {report['threads']} threads")
        for result in report["results"]:
            if result["workload"] != "search":
                continue
            queries.add(result["queries"])
            panel = panels.setdefault(result["k"], {})
            panel.setdefault(result["variant"], {})[result["n"]] = result["median"]
            if "faiss_median" in result:
                panel.setdefault("faiss IndexFlatL2", {})[result["n"]] = result["faiss_median"]
    return panels, machines, queries


def decades(values):
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def text(x, y, words, anchor="middle", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(words)}</text>'


class Panel:
    def __init__(self, left, xs, ys):
        self.left, self.xs, self.ys = left, xs, ys

    def x(self, n):
        return self.left + WIDTH * (math.log10(n) - self.xs[0]) / (self.xs[1] - self.xs[0])

    def y(self, seconds):
        return TOP + HEIGHT * (self.ys[1] - math.log10(seconds)) / (self.ys[1] - self.ys[0])

    def axes(self, title):
        right, bottom = self.left + WIDTH, TOP + HEIGHT
        parts = [text(self.left + WIDTH / 2, TOP - 10, title, extra=' font-weight="bold"'),
                 text(self.left + WIDTH / 2, bottom + 38, "rows N")]
        for e in range(self.xs[0], self.xs[1] + 1):
            x = self.x(10 ** e)
            parts.append(f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="#dddddd"/>')
            parts.append(text(x, bottom + 18, f"{10 ** e:,}"))
        for e in range(self.ys[0], self.ys[1] + 1):
            y = self.y(10 ** e)
            parts.append(f'<path d="M{self.left} {y:.1f}H{right}" stroke="#dddddd"/>')
            parts.append(text(self.left - 6, y + 4, f"{10.0 ** e:g} s", "end"))
        parts.append(f'<rect x="{self.left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" '
                     'fill="none" stroke="#333333"/>')
        return parts

    def line(self, name, points):
        colour = COLOURS.get(name, "#000000")
        at = [(self.x(n), self.y(s)) for n, s in sorted(points.items())]
        dashes = ' stroke-dasharray="6 4"' if name.startswith("faiss") else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>']
        for x, y in at:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
        return parts


def legend(names, y):
    parts, x = [], LEFT
    for name in names:
        dashes = ' stroke-dasharray="6 4"' if name.startswith("faiss") else ""
        colour = COLOURS.get(name, "#000000")
        parts.append(f'<path d="M{x} {y - 4}h28" stroke="{colour}" stroke-width="2"{dashes}/>')
        parts.append(text(x + 34, y, name, "start"))
        x += 60 + 8 * len(name)
    return parts, x


def draw(panels, machines, queries):
    series = [points for panel in panels.values() for points in panel.values()]
    xs = decades([n for points in series for n in points])
    ys = decades([s for points in series for s in points.values()])
    parts = []
    for i, (k, lines) in enumerate(sorted(panels.items())):
        panel = Panel(LEFT + i * (WIDTH + GAP + 20), xs, ys)
        parts += panel.axes(f"k = {k}")
        for name, points in lines.items():
            parts += panel.line(name, points)
    names = [n for n in COLOURS if any(n in panel for panel in panels.values())]
    keys, legend_width = legend(names, TOP + HEIGHT + 68)
    title = (f"Exact search of {', '.join(map(str, sorted(queries)))} queries, median time: "
             + "; ".join(sorted(machines)))
    width = max(LEFT + len(panels) * (WIDTH + GAP + 20), legend_width, LEFT + 8 * len(title))
    middle = TOP + HEIGHT / 2
    parts += keys + [text(LEFT, 24, title, "start"),
                     text(16, middle, "time", extra=f' transform="rotate(-90 16 {middle})"')]
    height = TOP + HEIGHT + 90
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>', *parts, "</svg>"])


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    panels, machines, queries = read(sys.argv[1:])
    if not panels:
        sys.exit("There is no result of the workload search in these files.")
    print(draw(panels, machines, queries))


if __name__ == "__main__":
    main()
