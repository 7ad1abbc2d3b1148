"""The page of a report in a real browser, without a network: what is seen, the keyboard, hostile
names, many groups."""

import csv
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

PROGRAM = os.environ["SIFTSEARCH"]
DATA = pathlib.Path(os.environ["DATA"])
SCENES = sorted((DATA / "pictures").iterdir())
NAMES = ["</script><script>document.title='hacked'</script>.jpg", "\"quo'ted\" & <b>bold</b>.jpg",
         "\u202egpj.exe \u05d0\u05d1.jpg", "two\nlines.jpg"]


def browser(downloads):
    options = webdriver.ChromeOptions()
    for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,1000",
                     "--disable-dev-shm-usage"]:
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="siftsearch-page-")).resolve()
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        hostile = cls.folder / "in"
        hostile.mkdir()
        for i, name in enumerate(NAMES):
            name = name.replace("/", "\u2215")
            (hostile / name).write_bytes(SCENES[4].read_bytes() + str(i).encode())
        (hostile / b"not-utf8-\xff.jpg".decode(errors="surrogateescape")).write_bytes(
            SCENES[4].read_bytes() + b"x")
        cls.database = cls.folder / "db"
        cls.run_program("add", "--features", "300", "--attr", "seller=acme", DATA / "pictures",
                        DATA / "copies", hostile)
        cls.page = cls.folder / "report.html"
        cls.run_program("report", "-o", cls.page)
        cls.driver = browser(cls.folder)
        cls.addClassCleanup(cls.driver.quit)

    @classmethod
    def run_program(cls, *words):
        subprocess.run([PROGRAM, "--quiet", "--db", cls.database, *words], check=True,
                       capture_output=True)

    def setUp(self):
        self.driver.get(self.page.as_uri())
        self.driver.execute_script("localStorage.clear()")
        self.driver.get(self.page.as_uri())

    def keys(self, *keys):
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def focus_first(self):
        self.driver.execute_script("document.querySelector('figure').focus()")

    def focused_path(self):
        return self.driver.execute_script(
            "return document.activeElement.querySelector('.path').textContent")

    def test_groups_pictures_and_outlines_are_seen(self):
        self.assertEqual(len(self.all("section.group")), 4)
        self.assertEqual(len(self.all("figure.original")), 4)
        sizes = self.driver.execute_script(
            "return [...document.querySelectorAll('figure image')].map(i => {"
            " const b = i.getBoundingClientRect(); return [b.width, b.height]; })")
        self.assertTrue(sizes and all(w > 50 and h > 50 for w, h in sizes))
        outlines = self.driver.execute_script(
            "return [...document.querySelectorAll('figure svg')].map(s => {"
            " const p = s.querySelector('polygon').getBBox(), v = s.viewBox.baseVal;"
            " return [p.x, p.y, v.width - p.x - p.width, v.height - p.y - p.height]; })")
        for margins in outlines:
            self.assertTrue(all(margin > -1.5 for margin in margins), margins)

    def test_nothing_is_asked_for_outside_and_nothing_goes_wrong(self):
        self.focus_first()
        self.keys("j", Keys.ENTER, "l", "b")
        urls = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        self.assertTrue(urls)
        for url in urls:
            self.assertTrue(url.startswith(("file:", "data:", "blob:")), url[:100])
        self.assertEqual([e for e in self.driver.get_log("browser") if e["level"] == "SEVERE"], [])

    def test_names_are_text(self):
        self.assertEqual(self.driver.title, "Copies")
        paths = [element.get_attribute("textContent") for element in self.all(".path")]
        self.assertTrue(any("</script><script>" in p.replace("\u2215", "/") for p in paths))
        self.assertTrue(any("<b>bold" in p for p in paths))
        self.assertTrue(any("\\u202egpj.exe" in p for p in paths))
        self.assertTrue(any("two\\nlines" in p for p in paths))
        self.assertEqual(self.all("figure b"), [])

    def test_the_keyboard_walks_and_decides(self):
        self.focus_first()
        first = self.focused_path()
        self.keys("j")
        self.assertNotEqual(self.focused_path(), first)
        self.keys("k")
        self.assertEqual(self.focused_path(), first)
        self.keys("o", "c")
        self.assertEqual([e.text for e in self.all(".decision")][:2], ["keep", "copy"])
        self.keys("J", "j", "x")
        self.assertEqual(len(self.all("figure.not-a-copy")), 1)
        self.keys("k", "u")
        self.assertEqual(len(self.all("figure.not-a-copy")), 0)
        self.driver.get(self.page.as_uri())  # Decisions outlast the page.
        self.assertEqual(len(self.all("figure.copy")), 1)

    def test_a_decision_is_not_taken_for_other_bytes(self):
        self.focus_first()
        self.keys("o", "c")
        text = self.page.read_text()
        self.addCleanup(self.page.write_text, text)
        decided = json.loads(re.search(r'class="group">(.*?)</script>', text)[1])["members"][1]
        self.page.write_text(text.replace(decided["sha256"], "0" * 64))
        self.driver.get(self.page.as_uri())
        self.assertEqual([e.text for e in self.all(".decision")][:2], ["keep", ""])

    def test_comparing_shows_both_the_lines_and_one_over_the_other(self):
        self.focus_first()
        self.keys("j", Keys.ENTER)
        self.assertTrue(self.driver.find_element(By.ID, "compare").is_displayed())
        self.assertEqual(len(self.all("#sides image")), 2)
        self.assertEqual(len(self.all("#sides line")), 0)
        self.keys("l")
        self.assertGreater(len(self.all("#sides line")), 5)
        self.assertEqual(len(self.all("#overlay img")), 2)
        # Laid over the original, the copy covers the region that is outlined there.
        overlaid = self.driver.execute_script(
            "const c = document.querySelector('#overlay .veil img').getBoundingClientRect(),"
            " o = document.querySelector('#overlay').getBoundingClientRect();"
            "return [c.width * c.height, o.width * o.height]")
        self.assertGreater(overlaid[0], 0.1 * overlaid[1])
        self.keys("b")
        time.sleep(0.7)
        self.keys("b", Keys.ESCAPE)
        self.assertFalse(self.driver.find_element(By.ID, "compare").is_displayed())

    def test_filters(self):
        box = self.driver.find_element(By.ID, "text")
        box.send_keys("rotated")
        self.assertEqual(len(self.all("section.group")), 1)
        self.assertIn("rotated", self.text("#groups"))
        box.clear()
        box.send_keys("nothing has this")
        self.assertEqual(len(self.all("section.group")), 0)
        self.assertIn("0 groups", self.text(".pages"))

    def test_decisions_are_saved_exactly(self):
        self.focus_first()
        for _ in range(4):
            self.keys("a")
        self.driver.find_element(By.ID, "export").click()
        file = self.folder / "decisions.csv"
        for _ in range(600):  # The browser makes the file before it writes it.
            if file.exists() and file.stat().st_size > 0:
                break
            time.sleep(0.1)
        rows = list(csv.DictReader(io.StringIO(file.read_bytes().decode())))
        file.unlink()
        self.assertEqual(sum(r["decision"] == "keep" for r in rows), 4)
        self.assertEqual(sum(r["decision"] == "copy" for r in rows), 8)
        names = {pathlib.Path(r["path"]).name for r in rows}
        for name in NAMES:
            self.assertIn(name.replace("/", "\u2215"), names)
        odd = [r for r in rows if r["path_base64"]]
        self.assertEqual(len(odd), 1)
        saved = self.folder / "saved.csv"
        with saved.open("w", newline="") as out:
            writer = csv.DictWriter(out, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        result = subprocess.run([PROGRAM, "apply", saved], capture_output=True, text=True)
        self.assertEqual(result.stdout.count("would list"), 7, result.stderr)
        # The corners of the turned copy are in no other picture.
        self.assertRegex(result.stderr, r"scene2-rotated.jpg: only [0-9.]+ % of it is in")
        self.assertEqual(result.returncode, 1)


class EqualFilesTest(unittest.TestCase):
    """Files of equal bytes are one picture of the page, each of them with a decision of its own."""

    count = 300

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="siftsearch-page-")).resolve()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        pictures = self.folder / "in"
        pictures.mkdir()
        for i in range(self.count):
            (pictures / f"{i:03}.jpg").write_bytes(SCENES[0].read_bytes())
        for name in ["one.jpg", "two.jpg"]:
            shutil.copyfile(DATA / "copies" / "scene1-crop.jpg", pictures / name)
        program = [PROGRAM, "--quiet", "--db", self.folder / "db"]
        subprocess.run([*program, "add", "--features", "300", pictures], check=True)
        self.page = self.folder / "report.html"
        subprocess.run([*program, "report", "-o", self.page], check=True)
        self.driver = browser(self.folder)
        self.addCleanup(self.driver.quit)
        self.driver.get(self.page.as_uri())
        self.driver.execute_script("document.querySelector('figure').focus()")

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def keys(self, *keys):
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def saved(self):
        """The decisions, as (decision, path, original) with the names of the files."""
        self.driver.find_element(By.ID, "export").click()
        self.file = self.folder / "decisions.csv"
        for _ in range(600):
            if self.file.exists() and self.file.stat().st_size > 0:
                break
            time.sleep(0.1)
        with self.file.open(newline="") as rows:
            return [(row["decision"], pathlib.Path(row["path"]).name,
                     pathlib.Path(row["original"]).name) for row in csv.DictReader(rows)]

    def test_one_figure_with_a_list_and_apply_keeps_one(self):
        self.assertEqual(len(self.all("figure")), 2)
        self.assertIn(f"{self.count + 2} pictures (2 different)", self.all(".group h2")[0].text)
        self.assertIn(f"{self.count - 1} identical files", self.all("figure")[0].text)
        shown = len(self.all("figure")[0].find_elements(By.CSS_SELECTOR, ".files li"))
        self.assertLess(shown, 20)
        self.all("figure")[0].find_element(By.TAG_NAME, "button").click()
        self.assertEqual(len(self.all("figure.original .files li")), self.count - 1)
        self.driver.execute_script("document.querySelector('figure').focus()")
        self.keys("a")
        self.assertEqual(len(self.all(".files li.copy")), self.count - 1 + 1)
        rows = self.saved()
        self.assertEqual([r for r in rows if r[0] == "keep"], [("keep", "000.jpg", "000.jpg")])
        self.assertEqual(len({path for _, path, _ in rows}), self.count + 2)
        applied = subprocess.run([PROGRAM, "apply", self.file, "--action", "hard-link"],
                                 capture_output=True, text=True)
        self.assertEqual(applied.stdout.count("would hard-link"), self.count - 1)
        self.assertEqual(applied.stderr.count("a hard link would change the picture"), 2)

    def test_each_file_can_be_decided(self):
        self.keys(Keys.TAB, "s")  # The first of the list stays, not the one that was shown.
        self.assertEqual(len(self.all("figure.original.copy")), 1)
        kept = self.all(".files li.keep")
        self.assertEqual([k.find_element(By.CSS_SELECTOR, ".path").text for k in kept], ["001.jpg"])
        self.keys("c")  # The next figure, with all of its files.
        rows = self.saved()
        self.assertEqual(len(rows), self.count + 2)
        copies = {path: original for decision, path, original in rows if decision == "copy"}
        self.assertEqual(copies["000.jpg"], "001.jpg")
        self.assertEqual(copies["299.jpg"], "001.jpg")
        applied = subprocess.run([PROGRAM, "apply", self.file, "--action", "move", "--to",
                                  self.folder / "out", "--yes"], capture_output=True, text=True)
        self.assertEqual(applied.returncode, 0, applied.stderr)
        self.assertEqual([p.name for p in (self.folder / "in").iterdir()], ["001.jpg"])


class PutTogetherTest(unittest.TestCase):
    """Pictures that hold others: no group has two sources, and nobody loses one by deciding."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="siftsearch-page-")).resolve()
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.pictures = cls.folder / "in"
        cls.pictures.mkdir()
        cls.sources = [cls.enlarged(scene) for scene in SCENES]
        for number, source in enumerate(cls.sources, 1):
            cls.save(source, f"source{number}.jpg")
        cls.save(cls.inset(1, 2, 0.5, 0.5), "middle 1 2.jpg")
        cls.save(cls.inset(3, 4, 0.35, 0.95), "corner 3 4.jpg")
        cls.save(cls.inset(5, 6, 0.8, 0.5), "large 5 6.jpg")
        cls.save(cls.collage(1, 3, 7, 8), "collage 1 3 7 8.jpg")
        cls.save(cls.sources[0], "copy 1.jpg", quality=40)
        cls.save(cls.sources[6].resize((320, 240)), "small 7.jpg")
        wide, high = cls.sources[2].size
        cls.save(cls.sources[2].crop((0, 0, wide * 2 // 3, high * 2 // 3)), "crop 3.jpg")
        program = [PROGRAM, "--quiet", "--db", cls.folder / "db"]
        subprocess.run([*program, "add", cls.pictures], check=True)
        cls.page = cls.folder / "report.html"
        subprocess.run([*program, "report", "-o", cls.page], check=True)
        cls.groups = [[{"name": pathlib.Path(m["path"]).stem, **m} for m in json.loads(group)["members"]]
                      for group in re.findall(r'<script type="application/json" class="group">(.*?)'
                                              r'</script>', cls.page.read_text(), re.DOTALL)]

    @staticmethod
    def enlarged(scene):
        picture = Image.open(scene).convert("RGB")
        scale = 640 / max(picture.size)
        return picture.resize([round(side * scale) for side in picture.size], Image.LANCZOS)

    @classmethod
    def save(cls, picture, name, quality=92):
        picture.save(cls.pictures / name, quality=quality)

    @classmethod
    def inset(cls, host, guest, side, place):
        """Source `guest`, its sides `side` times those of `host`, at `place` of the room there is."""
        picture = cls.sources[host - 1].copy()
        laid_in = cls.sources[guest - 1].resize([round(side * s) for s in picture.size])
        picture.paste(laid_in, [round(place * (a - b)) for a, b in zip(picture.size, laid_in.size)])
        return picture

    @classmethod
    def collage(cls, *numbers):
        picture = Image.new("RGB", (800, 600))
        for i, number in enumerate(numbers):
            picture.paste(cls.sources[number - 1].resize((400, 300)), (i % 2 * 400, i // 2 * 300))
        return picture

    def test_no_group_has_two_sources(self):
        for members in self.groups:
            sources = [m["name"] for m in members if m["name"].startswith("source")]
            self.assertLessEqual(len(sources), 1, [m["name"] for m in members])

    def test_copies_are_with_their_sources(self):
        for copy, source in [("copy 1", "source1"), ("small 7", "source7"), ("crop 3", "source3")]:
            together = [members for members in self.groups
                        if {copy, source} <= {m["name"] for m in members}]
            self.assertTrue(together, copy)

    def test_what_holds_others_is_not_the_original(self):
        seen = set()
        for members in self.groups:
            names = [m["name"] for m in members]
            if any(name.startswith("source") for name in names):
                self.assertRegex(names[0], "^source", names)
                self.assertIn("probably the original", members[0]["relation"])
            seen.update(names)
        self.assertIn("collage 1 3 7 8", seen)

    def test_deciding_every_group_and_applying_keeps_every_source(self):
        driver = browser(self.folder)
        self.addCleanup(driver.quit)
        driver.get(self.page.as_uri())
        driver.execute_script("document.querySelector('figure').focus()")
        for _ in self.groups:
            ActionChains(driver).send_keys("a").perform()
        driver.find_element(By.ID, "export").click()
        file = self.folder / "decisions.csv"
        for _ in range(600):
            if file.exists() and file.stat().st_size > 0:
                break
            time.sleep(0.1)
        applied = subprocess.run([PROGRAM, "apply", file, "--action", "move", "--to",
                                  self.folder / "out", "--yes"], capture_output=True, text=True)
        left = {p.stem for p in self.pictures.iterdir()}
        self.assertLessEqual({f"source{n}" for n in range(1, 9)}, left, applied.stdout)
        # A composite has parts that its original lacks; a copy and a crop are whole in theirs.
        for name in ["middle 1 2", "corner 3 4", "large 5 6", "collage 1 3 7 8"]:
            self.assertIn(name, left, applied.stdout)
        self.assertEqual({p.stem for p in (self.folder / "out").iterdir()},
                         {"copy 1", "small 7", "crop 3"}, applied.stderr)


class ManyGroupsTest(unittest.TestCase):
    def test_ten_thousand_groups_are_shown_a_page_at_a_time(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="siftsearch-page-"))
        self.addCleanup(shutil.rmtree, folder)
        database = folder / "db"
        subprocess.run([PROGRAM, "--quiet", "--db", database, "add", DATA / "pictures",
                        DATA / "copies"], check=True)
        lines = subprocess.run([PROGRAM, "--quiet", "--db", database, "report", "--format",
                                "jsonl"], check=True, capture_output=True, text=True).stdout
        pair = json.loads(lines.splitlines()[0])
        with (folder / "many.jsonl").open("w") as out:
            for i in range(10_000):
                pair.update(group=i + 1, query=f"/no/such/{i}-a.jpg", image=f"/no/such/{i}-b.jpg",
                            score=0.5 + i / 20_000)
                out.write(json.dumps(pair) + "\n")
        page = folder / "many.html"
        subprocess.run([PROGRAM, "--quiet", "report", "--from", folder / "many.jsonl", "-o", page],
                       check=True)
        driver = browser(folder)
        self.addCleanup(driver.quit)
        driver.get(page.resolve().as_uri())
        self.assertIn("page 1 of 500, 10000 groups",
                      driver.find_element(By.CSS_SELECTOR, ".pages").text)
        self.assertEqual(len(driver.find_elements(By.CSS_SELECTOR, "section.group")), 20)
        driver.find_element(By.ID, "least").clear()
        driver.find_element(By.ID, "least").send_keys("0.95")
        self.assertIn("1000 groups", driver.find_element(By.CSS_SELECTOR, ".pages").text)
        ActionChains(driver).move_to_element(
            driver.find_element(By.TAG_NAME, "h1")).click().send_keys("n").perform()
        self.assertIn("page 2 of", driver.find_element(By.CSS_SELECTOR, ".pages").text)


if __name__ == "__main__":
    unittest.main()
