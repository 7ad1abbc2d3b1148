"""Pictures and databases that workloads measure on; each is made once in a call of bench/run."""
import csv
import json
import os
import shutil
import sys

from workloads import process

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(BENCH)
ENDINGS = (".jpg", ".jpeg", ".png", ".gif")
INDEX = "Terms"  # Of databases that are made.


def opencv_doc():
    """The pictures of Debian's package opencv-doc, installed or fetched by tools/demo; or None."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    for folder in ["/usr/share/doc/opencv-doc",
                   f"{cache}/siftsearch-demo/opencv-doc/usr/share/doc/opencv-doc"]:
        if pictures_below(folder):
            return folder
    return None


def pictures_below(top):
    return [os.path.join(folder, name) for folder, _, names in sorted(os.walk(top))
            for name in sorted(names) if name.lower().endswith(ENDINGS)]


class Sources:
    def __init__(self, setting, pictures):
        self.setting = setting
        self.given = os.path.abspath(pictures) if pictures else None
        self.real = self.given or opencv_doc()
        # Generated pictures that each made database holds beside its images, for queries that hit.
        self.kept = 4 if setting.quick else 20

    def places(self):
        return [(self.real, "PICTURES")] if self.real else []

    def said(self):
        if self.given:
            return "pictures of a folder that was given"
        if not self.real:
            return "generated pictures"
        return "speed on generated pictures, accuracy on those of Debian's opencv-doc"

    def generated(self, count):
        """Paths of generated pictures without copies; of the folder given, if there is one."""
        if self.given:
            paths = pictures_below(self.given)
            return [paths[i * len(paths) // count] for i in range(min(count, len(paths)))]
        folder = self.setting.once(("generated", count), lambda: self.generate(count))
        return pictures_below(folder)

    def generate(self, count):
        folder = os.path.join(self.setting.work, f"generated-{count}")
        if not os.path.exists(f"{folder}/truth.csv"):
            process.run([sys.executable, f"{BENCH}/make_pictures", folder, str(count),
                         "--copy-every", "0"])
        return folder

    def real_pictures(self, most=None):
        """Paths of real pictures, all or so many spread over them; generated ones where there are
        none."""
        if not self.real:
            return self.generated(most or 500)
        paths = pictures_below(self.real)
        most = min(most or len(paths), len(paths))
        return [paths[i * len(paths) // most] for i in range(most)]

    def flat_folder(self, count, least_side=200):
        """A folder with so many real pictures that are not tiny, all of them directly in it."""
        folder = os.path.join(self.setting.work, f"flat-{count}")
        if os.path.exists(folder):
            return folder
        import cv2
        os.makedirs(folder)
        made = 0
        for path in self.real_pictures(20 * count):
            if made == count:
                break
            picture = cv2.imread(path)
            if picture is not None and min(picture.shape[:2]) >= least_side:
                shutil.copyfile(path, f"{folder}/{made:05}{os.path.splitext(path)[1].lower()}")
                made += 1
        return folder

    def database(self, images):
        """A database of so many images that do not exist, and `kept` generated pictures."""
        return self.setting.once(("database", images), lambda: self.make_database(images))

    def make_database(self, images):
        work = self.setting.work
        made = MadeDatabase(os.path.join(work, f"made-{images}"))
        if not os.path.exists(made.done):
            shutil.rmtree(made.folder, ignore_errors=True)
            os.makedirs(made.folder)
            pictures = self.real or self.generate(8 if self.setting.quick else 40)
            told = process.run([self.setting.program("make_database"), "--pictures", pictures,
                                "--images", str(images), "--db", made.database,
                                "--truth", made.truth, "--index", INDEX,
                                "--pool", "20" if self.setting.quick else "600"]).output
            process.run([self.setting.program("siftsearch"), "--db", made.database, "--quiet", "add",
                         *self.stored()])
            with open(made.done, "w", encoding="utf-8") as file:
                file.write(told)
        return made

    def stored(self):
        """Pictures that made databases hold."""
        return self.generated(2 * self.kept)[:self.kept]

    def not_stored(self):
        return self.generated(2 * self.kept)[self.kept:]


class MadeDatabase:
    def __init__(self, folder):
        self.folder, self.database = folder, os.path.join(folder, "db")
        self.truth, self.done = os.path.join(folder, "truth.csv"), os.path.join(folder, "made.json")

    def told(self):
        with open(self.done, encoding="utf-8") as file:
            return json.load(file)

    def true_pairs(self):
        """Each pair of images that show the same: copies with their original and one another."""
        families = {}
        with open(self.truth, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                families.setdefault(row["original"], [row["original"]]).append(row["copy"])
        return {frozenset((a, b)) for family in families.values() for a in family for b in family
                if a < b}
