"""The page of the server in a real browser, wide and narrow: searching, comparing, deciding, browsing,
adding, removing, groups, tokens, hostile names."""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

PROGRAM = os.environ["SIFTSEARCH"]
DATA = pathlib.Path(os.environ["DATA"])
CROP = DATA / "copies" / "scene1-crop.jpg"
ROTATED = DATA / "copies" / "scene2-rotated.jpg"
HOSTILE = "<img src=x onerror=document.title='hacked'>\"'&#?%.jpg"


class Server:
    """The program with verb `serve` over a folder, until it is stopped."""

    def __init__(self, root, *words):
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--root", root, "--listen", "127.0.0.1:0", *words],
            stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        self.url = re.search(r"listening on (http://\S+)", line)[1].rstrip("/")
        # The log must not fill its pipe.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()

    def ask(self, method, path, body=None, **headers):
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
            return json.loads(text) if text else None


def browser(width, dark=False):
    options = webdriver.ChromeOptions()
    for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
    return driver


def fill(database, *paths):
    subprocess.run([PROGRAM, "--quiet", "--db", database, "add", "--features", "300", "--attr",
                    "seller=acme", *paths], check=True)


class PageCase(unittest.TestCase):
    """What a class of tests of one server shares."""

    words = ()
    width = 1280
    dark = False

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="siftsearch-serve-")).resolve()
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.root = cls.folder / "root"
        cls.root.mkdir()
        fill(cls.root / "news", DATA / "pictures", DATA / "copies")
        cls.server = Server(cls.root, *cls.words)
        cls.addClassCleanup(cls.server.stop)
        cls.driver = browser(cls.width, cls.dark)
        cls.addClassCleanup(cls.driver.quit)

    def open(self, view="search"):
        self.driver.get("about:blank")
        self.driver.get(f"{self.server.url}/#news/{view}")
        self.until(lambda: self.driver.find_element(By.ID, view).is_displayed())

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def keys(self, *keys):
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def until(self, holds, seconds=30):
        """Waits until it holds, and gives what it gave."""
        end = time.monotonic() + seconds
        while not (value := holds()):
            self.assertLess(time.monotonic(), end, self.text("body"))
            time.sleep(0.05)
        return value

    def choose(self, *files, field="files"):
        self.driver.find_element(By.ID, field).send_keys("\n".join(map(str, files)))

    def search(self, *files):
        self.choose(*files)
        self.until(lambda: "searched for" in self.text("#status"))

    def focus_source(self):
        """Puts the focus on the card of the picture that the crop is from."""
        self.driver.execute_script(
            "[...document.querySelectorAll('.card')].find("
            "c => c.textContent.includes('crop of')).focus()")

    def button(self, words, within=None):
        return (within or self.driver).find_element(By.XPATH, f".//button[text()='{words}']")

    def assert_nothing_went_wrong(self):
        self.assertEqual([e for e in self.driver.get_log("browser") if e["level"] == "SEVERE"], [])


class FilesTest(PageCase):
    def test_files_have_tags_and_a_policy(self):
        for path, kind in [("/", "text/html"), ("/assets/report.css", "text/css"),
                           ("/assets/page.css", "text/css"), ("/assets/page.js", "text/javascript"),
                           ("/assets/compare.js", "text/javascript")]:
            with urllib.request.urlopen(self.server.url + path) as answer:
                headers = answer.headers
                self.assertGreater(len(answer.read()), 100, path)
            self.assertTrue(headers["Content-Type"].startswith(kind), path)
            self.assertRegex(headers["ETag"], '^"[0-9a-f]{32}"$')
            policy = headers["Content-Security-Policy"]
            self.assertTrue(policy.startswith("default-src 'none'; script-src 'self';"), policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
            self.assertEqual(headers["Permissions-Policy"], "camera=(self)")
            request = urllib.request.Request(self.server.url + path,
                                             headers={"If-None-Match": 'W/"x", ' + headers["ETag"]})
            with self.assertRaises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(request)
            self.assertEqual(raised.exception.code, 304)
            self.assertEqual(raised.exception.read(), b"")

    def test_there_is_no_other_file(self):
        for name in ["nothing.js", "..%2fpage.js", ""]:
            with self.assertRaises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(self.server.url + "/assets/" + name)
            self.assertIn(raised.exception.code, [400, 404])


class SearchTest(PageCase):
    def setUp(self):
        self.open()

    def test_a_picture_is_found_and_outlined(self):
        self.search(CROP)
        self.assertIn("2 pictures with copied content", self.text("#status"))
        cards = self.all("#results .cards .card.copy")
        self.assertEqual(len(cards), 2)
        self.assertIn("crop of, 40 % of its area", cards[1].text)
        self.assertRegex(cards[1].text, r"copy, 9\d(\.\d)? %")
        self.until(lambda: self.driver.execute_script(
            "return [...document.querySelectorAll('.card.copy .frame img')].every("
            "i => i.complete && i.naturalWidth > 0)"))
        self.assertTrue(self.all(".card.copy img")[0].get_attribute("src").startswith("blob:"))
        outlines = self.driver.execute_script(
            "return [...document.querySelectorAll('.card.copy .frame')].map(f => {"
            " const p = f.querySelector('polygon').getBoundingClientRect(),"
            " b = f.getBoundingClientRect();"
            " return [p.x - b.x, p.y - b.y, b.right - p.right, b.bottom - p.bottom, b.width]; })")
        self.assertEqual(len(outlines), 4)
        for margins in outlines:
            self.assertTrue(all(margin > -2.5 for margin in margins), margins)
        # The crop lies inside the picture that it is from.
        self.assertTrue(all(margin > 5 for margin in outlines[3]), outlines[3])
        self.assert_fits()
        self.assert_nothing_went_wrong()

    def assert_fits(self):
        wide = self.driver.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        self.assertLessEqual(wide, 0)

    def test_everything_has_a_name_and_contrast(self):
        self.search(CROP)
        unnamed = self.driver.execute_script(
            "return [...document.querySelectorAll('button, input, select, a, img')].filter(e =>"
            " e.offsetParent && !(e.textContent.trim() || e.getAttribute('aria-label') || e.alt ||"
            " (e.labels && e.labels.length))).map(e => e.outerHTML)")
        self.assertEqual(unnamed, [])
        colours = self.driver.execute_script(
            "const back = getComputedStyle(document.body).backgroundColor;"
            "return ['#status', '.sureness', '.facts', '.side', '.path'].map(s =>"
            " [s, getComputedStyle(document.querySelector(s)).color, back])")
        for selector, front, back in colours:
            self.assertGreaterEqual(self.contrast(front, back), 4.5, (selector, front, back))

    @staticmethod
    def contrast(*colours):
        """As WCAG 2 defines it."""
        def light(colour):
            parts = [int(c) / 255 for c in re.findall(r"\d+", colour)[:3]]
            linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        dim, bright = sorted(map(light, colours))
        return (bright + 0.05) / (dim + 0.05)

    def test_several_pictures_and_one_that_is_none(self):
        broken = self.folder / "broken.jpg"
        broken.write_bytes(b"no picture")
        self.search(CROP, broken, ROTATED)
        self.assertIn("3 pictures searched for", self.text("#status"))
        self.assertIn("1 failed", self.text("#status"))
        sections = self.all("#results > section")
        self.assertEqual([s.find_element(By.TAG_NAME, "h2").text for s in sections],
                         [CROP.name, broken.name, ROTATED.name])
        self.assertEqual(len(sections[1].find_elements(By.CSS_SELECTOR, ".error")), 1)
        self.assertEqual(len(sections[2].find_elements(By.CSS_SELECTOR, ".card.copy")), 2)

    def give(self, event, kind):
        """Pastes or drops a file."""
        self.driver.execute_script("""
            const bytes = Uint8Array.from(atob(arguments[0]), c => c.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], 'given.jpg', {type: 'image/jpeg'}));
            document.body.dispatchEvent(arguments[1] === 'paste'
              ? new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})
              : new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
            """, kind, event)
        self.until(lambda: "searched for" in self.text("#status"))
        self.assertEqual(self.text("#results h2"), "given.jpg")
        self.assertEqual(len(self.all(".card.copy")), 2)

    def test_pictures_are_pasted_and_dropped(self):
        picture = base64.b64encode(CROP.read_bytes()).decode()
        self.give("paste", picture)
        self.open()
        self.give("drop", picture)

    def test_comparing(self):
        self.search(CROP)
        self.focus_source()
        self.keys(Keys.ENTER)
        self.until(lambda: len(self.all("#stage image")) == 2)
        self.assertEqual(len(self.all("#stage line")), 0)
        self.keys("p")
        self.until(lambda: len(self.all("#stage line")) > 3)
        self.keys("l")
        self.assertEqual(len(self.all("#overlay img")), 2)
        # Laid over the stored picture, the crop covers what is outlined there: 40 %.
        share = self.driver.execute_script(
            "const a = id => { const b = document.querySelector(id).getBoundingClientRect();"
            " return b.width * b.height; }; return a('#overlay .veil img') / a('#overlay')")
        self.assertAlmostEqual(share, 0.4, delta=0.03)
        before = self.driver.find_element(By.ID, "overlay").size["width"]
        self.keys("+")
        self.assertGreater(self.driver.find_element(By.ID, "overlay").size["width"], 1.4 * before)
        self.keys("b")
        seen = set()
        for _ in range(20):
            seen.add(self.driver.execute_script(
                "return document.querySelector('#overlay .veil').hidden"))
            time.sleep(0.07)
        self.assertEqual(seen, {False, True})
        self.assert_fits()
        self.keys(Keys.ESCAPE)
        self.assertFalse(self.driver.find_element(By.ID, "compare").is_displayed())
        self.assert_nothing_went_wrong()

    def verdicts(self):
        return [v["verdict"] for v in
                self.server.ask("GET", "/v1/collections/news/verdicts")["verdicts"]]

    def test_deciding_and_undoing(self):
        self.search(CROP)
        self.focus_source()
        self.keys("x")
        self.until(lambda: self.verdicts() == ["not_a_copy"])
        pressed = self.until(lambda: self.all(".card [aria-pressed=true]"))
        self.assertEqual([b.text for b in pressed], ["Not a copy"])
        self.keys("c")
        self.until(lambda: self.verdicts() == ["confirmed"])
        self.until(lambda: [b.text for b in self.all(".card [aria-pressed=true]")] == ["Copy"])
        self.keys("z")
        self.until(lambda: self.verdicts() == ["not_a_copy"])
        self.keys("u")
        self.until(lambda: self.verdicts() == [])
        self.until(lambda: not self.all(".card [aria-pressed=true]"))

    def test_nothing_is_asked_for_outside(self):
        self.search(CROP)
        urls = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        self.assertTrue(urls)
        for url in urls:
            self.assertTrue(url.startswith((self.server.url, "blob:", "data:", "about:")), url[:99])


class NarrowSearchTest(SearchTest):
    width = 390
    dark = True


class BrowseTest(PageCase):
    def setUp(self):
        self.open("browse")
        self.until(lambda: self.all("#grid figure"))

    def names(self):
        return self.driver.execute_script(
            "return [...document.querySelectorAll('#grid .path')].filter(e => e.offsetParent)"
            ".map(e => e.textContent.split('/').pop())")

    def keys_stored(self):
        return [i["path"] for i in
                self.server.ask("GET", "/v1/collections/news/images?limit=1000")["images"]]

    def figure_of(self, name):
        return next(f for f in self.all("#grid figure") if name in f.text)

    def test_stored_pictures_are_searched_for(self):
        figure = self.figure_of("scene3.jpg")
        self.button("Find copies", figure).click()
        self.until(lambda: "searched for" in self.text("#status"))
        names = [e.text for e in self.all(".card.copy .path") if "small" in e.text]
        self.assertEqual(len(names), 1)
        # It is not told to be a copy of itself.
        self.assertEqual(len(self.all(".card.copy")), 1)

    def test_conditions(self):
        self.driver.find_element(By.ID, "where").send_keys("path ~ copies", Keys.ENTER)
        self.until(lambda: len(self.names()) == 3)
        box = self.driver.find_element(By.ID, "where")
        box.clear()
        box.send_keys("path ~ (", Keys.ENTER)
        self.until(lambda: self.text("#alert"))
        box.clear()
        box.send_keys("path ~ nowhere", Keys.ENTER)
        self.until(lambda: self.text("#status") == "No picture here.")
        self.assertEqual(self.text("#alert"), "")

    def test_pictures_are_added_and_replaced_and_removed(self):
        picture = self.folder / "added.jpg"
        picture.write_bytes(CROP.read_bytes() + b"1")
        self.driver.find_element(By.CSS_SELECTOR, "#adding summary").click()
        self.choose(picture, field="add-files")
        self.until(lambda: "added.jpg: added" in self.text("#outcomes"))
        self.until(lambda: "added.jpg" in self.names())
        picture.write_bytes(ROTATED.read_bytes() + b"2")
        self.choose(picture, field="add-files")
        self.until(lambda: "already" in self.text("#outcomes"))
        self.button("Replace it").click()
        self.until(lambda: "added.jpg: replaced" in self.text("#outcomes"))
        self.open("browse")
        figure = self.until(lambda: "added.jpg" in self.names() and self.figure_of("added.jpg"))
        self.button("Remove", figure).click()
        self.assertNotIn("added.jpg", self.names())
        self.keys("z")
        self.assertIn("added.jpg", self.names())
        self.button("Remove", self.figure_of("added.jpg")).click()
        time.sleep(2)
        self.assertIn("added.jpg", self.keys_stored())
        self.until(lambda: "added.jpg" not in self.keys_stored())

    def test_names_are_text(self):
        path = "/v1/collections/news/images/" + urllib.parse.quote(HOSTILE)
        self.server.ask("PUT", path, (DATA / "pictures" / "scene4.jpg").read_bytes() + b"3",
                        **{"Content-Type": "image/jpeg"})
        self.addCleanup(self.server.ask, "DELETE", path)
        self.open("browse")
        figure = self.until(lambda: self.all("#grid figure") and self.figure_of("onerror"))
        self.assertIn(HOSTILE, figure.text)
        self.until(lambda: figure.find_element(By.TAG_NAME, "img").get_property("naturalWidth"))
        self.button("Find copies", figure).click()
        self.until(lambda: "searched for" in self.text("#status"))
        self.assertEqual(self.text("#results h2"), HOSTILE)
        self.assertGreaterEqual(len(self.all(".card.copy")), 1)
        self.assertEqual(self.driver.title, "siftsearch")

    def test_pages(self):
        fill_folder = self.folder / "many"
        fill_folder.mkdir()
        for i in range(60):
            (fill_folder / f"{i:02}.jpg").write_bytes(CROP.read_bytes())
        fill(self.root / "many", fill_folder)
        self.driver.get("about:blank")
        self.driver.get(f"{self.server.url}/#many/browse")
        self.until(lambda: len(self.all("#grid figure")) == 48)
        self.driver.execute_script("document.querySelector('figure').focus()")
        self.keys("n")
        self.until(lambda: len(self.all("#grid figure")) == 12)
        self.assertEqual(self.text("#page-words"), "page 2")
        self.assertTrue(self.driver.find_element(By.ID, "next").get_property("disabled"))
        self.keys("p")
        self.until(lambda: len(self.all("#grid figure")) == 48)


class GroupsTest(PageCase):
    def test_groups_are_found_and_kept(self):
        self.open("groups")
        self.button("Find the groups of copies").click()
        self.until(lambda: self.text("#job-words").startswith("done"))
        self.until(lambda: len(self.all("#pairs .card")) == 3)
        self.assertEqual(len(self.all("#pairs section")), 3)
        self.assertFalse(self.driver.find_element(By.ID, "stop").is_displayed())
        address = self.driver.current_url
        self.open("groups")
        link = self.until(lambda: self.all("#jobs a"))[0]
        self.assertEqual(link.get_attribute("href"), address)
        link.click()
        self.until(lambda: len(self.all("#pairs .card")) == 3)
        self.button("Compare", self.all("#pairs .card")[0]).click()
        self.until(lambda: len(self.all("#stage image")) == 2)
        self.keys("p")
        self.until(lambda: len(self.all("#stage line")) > 3)
        self.keys(Keys.ESCAPE)
        self.assert_nothing_went_wrong()


class NarrowGroupsTest(GroupsTest):
    width = 390


class TokenTest(PageCase):
    @classmethod
    def setUpClass(cls):
        tokens = pathlib.Path(tempfile.mkdtemp(prefix="siftsearch-tokens-"))
        cls.addClassCleanup(shutil.rmtree, tokens)
        made = subprocess.run([PROGRAM, "token", "add", "reader", "--file", tokens / "tokens",
                               "--right", "read"], check=True, capture_output=True, text=True)
        cls.token = made.stdout.strip()
        cls.words = ("--tokens", tokens / "tokens")
        super().setUpClass()

    def give(self, token):
        box = self.until(lambda: self.driver.find_element(By.ID, "token").is_displayed() and
                         self.driver.find_element(By.ID, "token"))
        box.send_keys(token, Keys.ENTER)

    def test_the_page_asks_for_a_token_and_keeps_it_in_the_tab(self):
        self.driver.get(self.server.url + "/")
        self.give("sift_wrong")
        self.until(lambda: "not valid" in self.text("#token-note"))
        self.give(self.token)
        self.until(lambda: "11 pictures" in self.text("#status"))
        self.search(CROP)
        self.until(lambda: self.driver.execute_script(
            "return [...document.querySelectorAll('.card.copy img')].length === 4 &&"
            " [...document.querySelectorAll('.card.copy img')].every(i => i.naturalWidth > 0)"))
        kept = self.driver.execute_script(
            "return [Object.values(sessionStorage), localStorage.length, document.cookie]")
        self.assertEqual(kept, [[self.token], 0, ""])
        self.focus_source()
        self.keys("c")  # A token that may only read.
        self.until(lambda: self.text("#alert"))
        self.assertFalse(self.all(".card [aria-pressed=true]"))


if __name__ == "__main__":
    unittest.main()
