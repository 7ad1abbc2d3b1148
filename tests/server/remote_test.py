"""The command line against a server: the same output as against a database."""
import csv
import io
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from server import PICTURES, PROGRAM, Server

DATA = pathlib.Path(os.environ["DATA"])
CROP = str(DATA / "copies" / "scene1-crop.jpg")


def run(*words, **settings):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, **settings)


class RemoteTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        pictures = self.folder / "pictures"
        pictures.mkdir()
        for picture in PICTURES:
            shutil.copy(picture, pictures)
        (pictures / "notes.txt").write_text("no picture")
        self.server = Server(folder.name + "/root")
        self.addCleanup(self.server.end)
        self.server.ask("PUT", "/v1/collections/news")
        self.url = f"http://127.0.0.1:{self.server.port}/news"
        self.database = folder.name + "/db"

    def both(self, *words, **settings):
        """What a database says, and what the server."""
        return (run("--db", self.database, *words, cwd=self.folder, **settings),
                run("--server", self.url, *words, cwd=self.folder, **settings))

    def add(self):
        return self.both("add", "pictures", "--attr", "seller=ü x", "--format", "jsonl")

    def test_add_tells_the_same(self):
        local, remote = self.add()
        self.assertEqual(remote.returncode, 0, remote.stderr)

        def said(result):
            lines = [json.loads(line) for line in result.stdout.splitlines()]
            return [{**line, "path": line["path"].lstrip("/"), "reason": None} for line in lines]
        self.assertEqual(said(remote), said(local))
        self.assertIn("8 added", remote.stderr)
        self.assertIn("1 ignored", remote.stderr)
        self.assertIn("8 unchanged", run("--server", self.url, "add", "pictures",
                                         cwd=self.folder).stderr)

    def test_query_tells_the_same(self):
        self.add()
        for format in ("jsonl", "csv"):
            local, remote = self.both("query", CROP, "--format", format, "--where",
                                      "seller = \"ü x\"", "--top", "3")
            self.assertEqual(remote.returncode, 0, remote.stderr)
            if format == "csv":
                read = [list(csv.DictReader(io.StringIO(one.stdout))) for one in (local, remote)]
            else:
                read = [json.loads(one.stdout)["matches"] for one in (local, remote)]
            for matches in read:
                for match in matches:
                    for name in ("path", "image"):
                        if name in match:
                            match[name] = match[name].lstrip("/")
            self.assertEqual(read[1], read[0])
        local, remote = self.both("query", CROP)
        self.assertIn("scene1", remote.stdout)
        self.assertEqual(len(remote.stdout.splitlines()), len(local.stdout.splitlines()))
        self.assertEqual(self.both("query", CROP, "--fail-on-copy")[1].returncode, 11)

    def test_list_and_remove(self):
        self.add()
        local, remote = self.both("list", "--format", "csv")
        self.assertEqual(remote.stdout.replace(",home", ",/home").count("\n"),
                         local.stdout.count("\n"))
        paths = run("--server", self.url, "list", "--format", "null").stdout.split("\0")[:-1]
        self.assertEqual(len(paths), 8)
        gone = run("--server", self.url, "remove", "/" + paths[0], "no/such.jpg")
        self.assertEqual(gone.returncode, 1)
        self.assertIn("no/such.jpg", gone.stderr)
        left = run("--server", self.url, "list", "--format", "null").stdout.split("\0")[:-1]
        self.assertEqual(left, paths[1:])

    def test_watch_tells_the_copies_that_come(self):
        first = run("--server", self.url, "watch", "--once", "pictures", cwd=self.folder)
        self.assertEqual((first.returncode, first.stdout), (0, ""), first.stderr)
        shutil.copy(CROP, self.folder / "pictures")
        then = run("--server", self.url, "watch", "--once", "pictures", cwd=self.folder)
        told = [json.loads(line) for line in then.stdout.splitlines()]
        self.assertEqual(len(told), 1, then.stderr)
        self.assertTrue(told[0]["query"].endswith("scene1-crop.jpg"))
        self.assertIn("pictures/scene1", told[0]["matches"][0]["path"])

    def test_bad_pictures_are_named_and_the_rest_goes_on(self):
        self.add()
        bad = self.folder / "bad.jpg"
        bad.write_bytes(b"\xff\xd8\xff no picture")
        result = run("--server", self.url, "query", str(bad), CROP, "no/such.jpg", "--format",
                     "jsonl")
        self.assertEqual(result.returncode, 1)
        self.assertIn("bad.jpg", result.stderr)
        self.assertIn("no/such.jpg", result.stderr)
        self.assertEqual([bool(json.loads(line)["error"]) for line in result.stdout.splitlines()],
                         [True, False, True])

    def test_what_does_not_go_is_refused(self):
        for words, said in ((["report"], "report does not work with --server"),
                            (["query", CROP, "--draw", "x.png"], "--draw does not go"),
                            (["--db", "x", "list"], "--db does not go")):
            result = run("--server", self.url, *words)
            self.assertEqual(result.returncode, 2, words)
            self.assertIn(said, result.stderr)
        for url in ("news", "ftp://a/b", "http://", "http://u:p@a/b", "http://a/b?c"):
            self.assertEqual(run("--server", url, "list").returncode, 2, url)
        nobody = run("--server", "http://127.0.0.1:1/news", "list")
        self.assertEqual(nobody.returncode, 3)
        self.assertIn("127.0.0.1", nobody.stderr)
        none = run("--server", self.url + "x", "list")
        self.assertEqual(none.returncode, 3)
        self.assertIn("newsx", none.stderr)

    def test_the_token_comes_from_the_environment(self):
        file = str(self.folder / "tokens")
        made = run("token", "add", "me", "--file", file, "--right", "write")
        server = Server(str(self.folder / "root2"), "--tokens", file, "--compat", "iqdb")
        self.addCleanup(server.end)
        url = f"http://127.0.0.1:{server.port}"
        self.assertIn("SIFTSEARCH_TOKEN", run("--server", url, "add", CROP).stderr)
        right = run("--server", url, "add", CROP,
                    env={**os.environ, "SIFTSEARCH_TOKEN": made.stdout.strip()})
        self.assertEqual(right.returncode, 0, right.stderr)


if __name__ == "__main__":
    unittest.main()
