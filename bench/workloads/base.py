"""What a workload is, and what it is given."""
import os
import re
import statistics

from workloads import data, process

WORKLOADS = {}


class Workload:
    def __init__(self, name, about, measure):
        self.name, self.about, self.measure = name, about, measure


def workload(name, about):
    """Registers a function of a Run as a workload."""
    def register(measure):
        WORKLOADS[name] = Workload(name, about, measure)
        return measure
    return register


class Skip(Exception):
    """A workload can't be measured here; the text says why."""


class Setting:
    """What all workloads of one call share: the programs, the pictures, a folder to work in."""

    def __init__(self, build, work, quick, pictures):
        self.build, self.work, self.quick = os.path.abspath(build), work, quick
        self.sources = data.Sources(self, pictures)
        self.memo = {}  # What one workload measured and another one needs, too.

    def once(self, key, measure):
        if key not in self.memo:
            self.memo[key] = measure()
        return self.memo[key]

    def program(self, name):
        paths = {"siftsearch": "src/cli/siftsearch", "make_copy": "tools/make_copy"}
        path = os.path.join(self.build, paths.get(name, f"bench/{name}"))
        if not os.path.exists(path):
            cause = "libopencv-imgcodecs-dev is not installed, or " if name == "imread_sift_loop" else ""
            raise Skip(f"{name} is missing: {cause}the build lacks it (tools/setup --bench; "
                       f"tools/build {os.path.relpath(self.build)})")
        return path


class Run:
    """One workload while it runs: takes figures, remembers the commands."""

    def __init__(self, setting):
        self.setting, self.quick, self.work = setting, setting.quick, setting.work
        self.figures, self.commands, self.skipped, self.notes = [], [], [], []

    def size(self, full, quick):
        return quick if self.quick else full

    def figure(self, name, value, unit, spread=None):
        entry = {"name": name, "value": value, "unit": unit}
        if spread:
            entry["spread"] = spread
        self.figures.append(entry)

    def median(self, name, values, unit, digits=3):
        """A figure of several measurements: the median, and the least and the greatest."""
        self.figure(name, rounded(statistics.median(values), digits), unit,
                    [rounded(min(values), digits), rounded(max(values), digits)])

    def ratio(self, name, over, under):
        """The quotients of what was measured in turn."""
        self.median(name, [a / b for a, b in zip(over, under, strict=True)], "ratio")

    def skip(self, reason):
        self.skipped.append(reason)

    def note(self, text):
        self.notes.append(text)

    def command(self, words, **options):
        """Runs a command; exit status 0, or one of `allowed`, is expected."""
        shown = self.shown(words)
        if shown not in self.commands:
            self.commands.append(shown)
        return process.run(words, **options)

    def siftsearch(self, database, *words, **options):
        return self.command([self.setting.program("siftsearch"), "--db", database, *words], **options)

    def shown(self, words):
        """The command line without the places of this machine."""
        text = " ".join("PICTURE" if is_picture(word) else word for word in words)
        text = re.sub(r"(PICTURE )+PICTURE\b", "PICTURE…", text)
        for place, name in [(self.work, "WORK"), (self.setting.build, "build"),
                            (data.ROOT, "."), *self.setting.sources.places()]:
            text = text.replace(place, name)
        return text


def is_picture(word):
    return word.startswith("/") and word.lower().endswith(data.ENDINGS)


def rounded(value, digits=3):
    """To so many significant digits."""
    short = float(f"{value:.{digits}g}") if abs(value) < 10 ** digits else round(value)
    return int(short) if short == int(short) else short


def in_turn(rounds, *measures, warm_up=True):
    """Calls each in turn, round after round; a list for each. A warm-up round is not in it."""
    results = [[measure() for measure in measures] for _ in range(rounds + warm_up)]
    return list(zip(*results[warm_up:]))
