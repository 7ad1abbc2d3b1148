"""Attributes from tables, conditions on them, pictures from the web, and watching folders."""

import functools
import http.server
import json
import signal
import subprocess
import threading
import time
import unittest

from program import DATA, SCENES, TIMEOUT, ProgramTest


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith("/redirect/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/redirect"))
            self.end_headers()
        elif self.path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
        elif self.path == "/slow":
            time.sleep(3)
        else:
            super().do_GET()


def serve(test, folder):
    """The address of a server of a folder."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    test.addCleanup(server.server_close)
    test.addCleanup(server.shutdown)
    return f"http://127.0.0.1:{server.server_port}"


class TableTest(ProgramTest):
    def test_columns_become_attributes(self):
        self.copy(SCENES[0], "in/a.jpg")
        (self.folder / "items.csv").write_text(
            f"path,seller,price\nin/a.jpg,\"acme, inc\",9.5\n{SCENES[1]},bob,\n")
        self.add("--from", "items.csv", "--attr", "batch=7")
        attributes = {image["path"]: image["attributes"]
                      for image in self.lines("list", "--format", "jsonl")}
        self.assertEqual(attributes, {
            str(self.folder / "in/a.jpg"): {"seller": "acme, inc", "price": "9.5", "batch": "7"},
            str(SCENES[1]): {"seller": "bob", "batch": "7"}})
        match = self.query(SCENES[0])[0]["matches"][0]
        self.assertEqual(match["attributes"]["seller"], "acme, inc")

    def test_of_json_lines(self):
        rows = [{"path": str(SCENES[0]), "price": 3, "sold": True, "note": None}]
        (self.folder / "items.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        self.add("--from", "items.jsonl")
        self.assertEqual(self.lines("list", "--format", "jsonl")[0]["attributes"],
                         {"price": "3", "sold": "true"})

    def test_a_wrong_row_is_one_failed_input(self):
        (self.folder / "items.csv").write_text(
            f"path,url,seller\nmissing.jpg,,x\n,ftp://x/y.jpg,x\n,,x\ntoo,few\n{SCENES[0]},,ok\n")
        outcomes = self.lines("add", "--format", "jsonl", "--from", "items.csv", code=1)
        self.assertEqual([o["action"] for o in outcomes], ["failed"] * 4 + ["added"])
        reasons = [o["reason"] for o in outcomes[:4]]
        self.assertEqual(reasons[0], "there is no such file")
        self.assertIn("neither http", reasons[1])
        self.assertIn("neither a path nor a url", reasons[2])
        self.assertIn("line 5: has 2 fields", reasons[3])

    def test_an_unknown_attribute_is_told(self):
        self.add("--attr", "seller=acme", SCENES[0])
        result = self.run_program("list", "--where", "sellr = acme or width > 1")
        self.assertIn("no stored image has an attribute sellr", result.stderr)
        result = self.run_program("query", SCENES[0], "--where", "seller = acme and width > 1")
        self.assertEqual(result.stderr, "")

    def test_an_address_is_told_where_it_belongs(self):
        outcome = self.add("http://127.0.0.1/x.jpg", code=1)["http://127.0.0.1/x.jpg"]
        self.assertIn("a column url", outcome["reason"])

    def test_a_path_with_a_nul_byte_is_one_failed_input(self):
        (self.folder / "t.jsonl").write_text("".join(
            json.dumps({"path": path}) + "\n"
            for path in [str(SCENES[0]), str(SCENES[1]) + "\0x", str(SCENES[2])]))
        outcomes = self.add("--from", "t.jsonl", code=1)
        self.assertEqual(sorted(o["action"] for o in outcomes.values()),
                         ["added", "added", "failed"])

    def test_a_wrong_table_is_told(self):
        (self.folder / "items.csv").write_text("name,seller\na,b\n")
        for words in [["--from", "items.csv"], ["--from", "none.csv"],
                      ["--from", "items.csv", SCENES[0]]]:
            self.run_program("add", *words, code=2)


class WhereTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.add("--attr", "seller=acme", SCENES[0], SCENES[1])
        self.add("--attr", "seller=bob", DATA / "copies")

    def test_query_report_and_list(self):
        self.assertEqual(len(self.lines("list", "--format", "jsonl", "--where", "seller = bob")), 3)
        best = self.query(SCENES[0], "--where", "seller != acme")[0]["matches"][0]
        self.assertTrue(best["path"].endswith("scene1-crop.jpg"))
        self.assertEqual(len(self.lines("report", "--format", "jsonl")), 2)
        self.assertEqual(self.lines("report", "--format", "jsonl", "--where", "seller = bob"), [])
        found = self.lines("report", "--format", "jsonl", "--where", "seller = bob", SCENES[0])
        self.assertEqual(len(found), 1)

    def test_a_wrong_condition_is_told(self):
        result = self.run_program("list", "--where", "seller >", code=2)
        self.assertIn("where a value should be", result.stderr)


class UrlTest(ProgramTest):
    def table(self, *urls):
        file = self.folder / "items.csv"
        file.write_text("url,seller\n" + "".join(f"{url},s{i}\n" for i, url in enumerate(urls)))
        return file

    def test_pictures_are_fetched(self):
        server = serve(self, DATA / "pictures")
        urls = [f"{server}/{SCENES[0].name}", f"{server}/redirect/{SCENES[1].name}"]
        outcomes = self.add("--allow-private", "--from", self.table(*urls))
        self.assertEqual({o["action"] for o in outcomes.values()}, {"added"})
        self.assertEqual(self.query(SCENES[1])[0]["matches"][0]["path"], urls[1])
        again = self.add("--allow-private", "--from", self.table(*urls))
        self.assertEqual({o["action"] for o in again.values()}, {"unchanged"})
        found = self.query("--allow-private", urls[0])[0]
        self.assertEqual(found["matches"][0]["path"], urls[0])

    def test_a_failing_url_is_one_failed_input(self):
        server = serve(self, DATA / "pictures")
        urls = [f"{server}/none.jpg", f"{server}/loop", f"{server}/slow", "http://127.0.0.1:1/x.jpg",
                f"{server}/{SCENES[0].name}", f"{server}/"]
        outcomes = self.add("--allow-private", "--fetch-seconds", "1", "--max-file-bytes", "200000",
                            "--from", self.table(*urls), code=1)
        actions = [outcomes[url]["action"] for url in urls]
        self.assertEqual(actions, ["failed"] * 4 + ["added", "failed"])
        self.assertEqual(outcomes[urls[0]]["reason"], "the server answers 404")
        self.assertIn("redirects", outcomes[urls[1]]["reason"])
        self.assertIn("timed out", outcomes[urls[2]]["reason"].lower())
        small = self.add("--allow-private", "--max-file-bytes", "100", "--from",
                         self.table(urls[4] + "?again"), code=1)
        self.assertIn("has more than 100 bytes", list(small.values())[0]["reason"])

    def test_private_addresses_are_refused(self):
        server = serve(self, DATA / "pictures")
        port = server.split(":")[-1]
        urls = [f"{server}/{SCENES[0].name}", f"http://localhost:{port}/a", f"http://[::1]:{port}/a",
                f"http://[::ffff:127.0.0.1]:{port}/a", f"http://0.0.0.0:{port}/a",
                "http://10.0.0.1/a", "http://192.168.1.1/a", "http://169.254.169.254/latest",
                f"http://2130706433:{port}/a"]
        outcomes = self.add("--from", self.table(*urls), code=1)
        self.assertEqual({o["action"] for o in outcomes.values()}, {"failed"})
        for url in urls:
            self.assertIn("its address is private", outcomes[url]["reason"], url)


class WatchTest(ProgramTest):
    def test_new_and_changed_images_are_told(self):
        inbox = self.folder / "inbox"
        inbox.mkdir()
        self.add(SCENES[0])
        process = subprocess.Popen(self.command("watch", inbox, "--interval", "0.1"), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        self.copy(DATA / "copies" / "scene1-crop.jpg", "inbox/new.jpg")
        line = json.loads(process.stdout.readline())
        self.assertEqual(line["query"], str(inbox / "new.jpg"))
        self.assertEqual([m["path"] for m in line["matches"]], [str(SCENES[0])])
        # The file becomes another picture, which has a copy since.
        self.add(DATA / "copies" / "scene2-rotated.jpg")
        self.copy(SCENES[1], "inbox/new.jpg")
        line = json.loads(process.stdout.readline())
        self.assertTrue(line["matches"][0]["path"].endswith("scene2-rotated.jpg"))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 130)

    def test_once(self):
        self.add(SCENES[0])
        self.copy(DATA / "copies" / "scene1-crop.jpg", "inbox/new.jpg")
        self.copy(SCENES[3], "inbox/other.jpg")
        lines = self.lines("watch", "--once", self.folder / "inbox")
        self.assertEqual(len(lines), 1)
        self.assertEqual(self.lines("watch", "--once", "--all", self.folder / "inbox"), [])
        self.assertEqual(len(self.paths()), 3)

    def test_every_image_of_a_large_folder_is_told(self):
        self.add(SCENES[0])
        for i in range(40):  # More than are stored at a time.
            path = self.copy(DATA / "copies" / "scene1-crop.jpg", f"inbox/{i}.jpg")
            path.write_bytes(path.read_bytes() + bytes([i]))
        self.copy(SCENES[0], "inbox/broken.jpg").write_bytes(SCENES[0].read_bytes()[:700])
        lines = self.lines("watch", "--once", self.folder / "inbox", code=1)
        self.assertEqual(len({line["query"] for line in lines}), 40)

    def test_ends_when_nobody_can_be_told(self):
        self.add(SCENES[0])
        self.copy(DATA / "copies" / "scene1-crop.jpg", "inbox/new.jpg")
        with open("/dev/full", "wb") as full:
            result = subprocess.run(self.command("watch", self.folder / "inbox", "--interval",
                                                 "0.1"), stdout=full, stderr=subprocess.PIPE,
                                    timeout=TIMEOUT, text=True)
        self.assertEqual(result.returncode, 4)
        self.assertIn("can't be written", result.stderr)

    def test_wrong_use(self):
        self.run_program("watch", "inbox", "--min-score", "70", code=2)


if __name__ == "__main__":
    unittest.main()
