"""The server as its clients see it: the native API, and what bad requests get."""
import base64
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import unittest

from server import PICTURES, PROGRAM, Server

SCHEMA = pathlib.Path(os.environ["SCHEMA"])


class ServiceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = Server(cls.folder.name)
        cls.ask = cls.server.ask
        cls.ask("PUT", "/v1/collections/news")
        for picture in PICTURES:
            status, _, _ = cls.ask("PUT", f"/v1/collections/news/images/p/{picture.name}",
                                   picture.read_bytes())
            assert status == 201, status

    @classmethod
    def tearDownClass(cls):
        assert cls.server.end() == 0
        cls.folder.cleanup()

    def test_collections_are_made_listed_and_removed(self):
        self.assertEqual(self.ask("PUT", "/v1/collections/other")[0], 201)
        self.assertEqual(self.ask("PUT", "/v1/collections/other")[0], 409)
        names = [c["name"] for c in self.ask("GET", "/v1/collections")[1]["collections"]]
        self.assertLess({"news", "other"}, {*names, ""})
        self.assertEqual(self.ask("DELETE", "/v1/collections/other")[0], 204)
        self.assertEqual(self.ask("GET", "/v1/collections/other")[0], 404)
        self.assertFalse((pathlib.Path(self.folder.name) / "other").exists())
        self.assertEqual(self.ask("PUT", "/v1/collections/Bad.Name")[0], 400)

    def test_a_put_is_idempotent_and_a_delete_removes(self):
        path, data = "/v1/collections/news/images/new.jpg", PICTURES[0].read_bytes()
        status, outcome, _ = self.ask("PUT", path, data, Siftsearch_Attributes='{"seller": "x"}')
        self.assertEqual((status, outcome["action"]), (201, "added"))
        status, outcome, answer = self.ask("PUT", path, data)
        self.assertEqual((status, outcome["action"]), (200, "unchanged"))
        status, image, answer = self.ask("GET", path)
        self.assertEqual(image["attributes"], {"seller": "x"})
        tag = answer.getheader("ETag")
        self.assertEqual(self.ask("GET", path, If_None_Match=tag)[0], 304)
        self.assertEqual(self.ask("PUT", path, data, If_None_Match="*")[0], 412)
        self.assertEqual(self.ask("DELETE", path, If_Match='"0"')[0], 412)
        self.assertEqual(self.ask("DELETE", path, If_Match=tag)[0], 204)
        self.assertEqual(self.ask("DELETE", path)[0], 404)

    def test_a_query_finds_what_is_stored(self):
        data = PICTURES[1].read_bytes()
        text = base64.b64encode(data).decode()
        key = f"p/{PICTURES[1].name}"
        for body, kind in ((data, "image/jpeg"),
                           (json.dumps({"image": text}), "application/json"),
                           (json.dumps({"images": [{"image": text}]}), "application/json")):
            status, answer, _ = self.ask("POST", "/v1/collections/news/query?top=1&points=1", body,
                                         Content_Type=kind)
            self.assertEqual(status, 200)
            match = answer["results"][0]["matches"][0]
            self.assertEqual((match["path"], match["score"]), (key, 1))
        status, answer, _ = self.ask("POST", "/v1/collections/news/query",
                                     json.dumps({"key": key}), Content_Type="application/json")
        self.assertEqual(status, 200)
        self.assertNotIn(key, [m["path"] for m in answer["results"][0]["matches"]])
        status, problem, _ = self.ask("POST", "/v1/collections/news/query", b"no picture")
        self.assertEqual((status, problem["code"]), (422, "unreadable_image"))

    def test_lists_come_in_pages(self):
        seen, after = [], 0
        while after is not None:
            page = self.ask("GET", f"/v1/collections/news/images?limit=3&after={after}"
                                   "&where=path~p/")[1]
            seen += [image["path"] for image in page["images"]]
            after = page["next"]
        self.assertEqual(seen, [f"p/{picture.name}" for picture in PICTURES])

    def test_bulk_adds_tell_of_each_input(self):
        self.ask("PUT", "/v1/collections/bulk")
        text = base64.b64encode(PICTURES[0].read_bytes()).decode()
        lines = [json.dumps({"key": "a", "image": text}), "{", json.dumps({"key": "../b"}),
                 json.dumps({"key": "c", "url": "http://127.0.0.1/"})]
        status, data, _ = self.ask("POST", "/v1/collections/bulk/images", "\n".join(lines),
                                   Content_Type="application/x-ndjson")
        actions = [json.loads(line)["action"] for line in data.splitlines()]
        self.assertEqual((status, actions), (200, ["added", "failed", "failed", "failed"]))

    def test_a_report_is_a_job(self):
        status, job, answer = self.ask("POST", "/v1/collections/news/reports", "{}")
        self.assertEqual(status, 202)
        path = answer.getheader("Location")
        deadline = time.monotonic() + 120
        while self.ask("GET", path)[1]["state"] in ("queued", "running"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.assertEqual(self.ask("GET", path)[1]["state"], "done")
        self.assertIn(b"event: end", self.ask("GET", path + "/events")[1])
        self.assertEqual(self.ask("GET", path + "/results")[1]["next"], None)
        self.assertEqual(self.ask("DELETE", path)[0], 204)

    def test_ten_thousand_verdicts_are_one_commit(self):
        verdicts = [{"a": f"{i + 1:064x}", "b": None, "verdict": "not_a_copy"}
                    for i in range(10_000)]
        before = self.ask("GET", "/v1/collections/news")[1]["generation"]
        status, answer, _ = self.ask("POST", "/v1/collections/news/verdicts",
                                     json.dumps({"verdicts": verdicts}))
        self.assertEqual((status, answer["stored"]), (200, 10_000))
        self.assertEqual(self.ask("GET", "/v1/collections/news")[1]["generation"], before + 1)

    def test_keys_of_every_script_are_kept_and_bad_ones_refused(self):
        data = PICTURES[0].read_bytes()
        for key in ("%E6%97%A5%E6%9C%AC.jpg", "%D8%B5%D9%88%D8%B1%D8%A9", "a%20b%3Fc"):
            self.assertEqual(self.ask("PUT", "/v1/collections/news/images/s/" + key, data)[0], 201)
            self.assertEqual(self.ask("DELETE", "/v1/collections/news/images/s/" + key)[0], 204)
        for key in ("..%2Fx/..", "a%00b", "a%0Ab", "x" * 8192, "a//b", "%ff"):
            status = self.ask("PUT", "/v1/collections/news/images/" + key, data)[0]
            self.assertEqual(status, 400, key[:20])

    def test_a_page_of_another_site_changes_nothing(self):
        for headers in ({"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
            self.assertEqual(self.ask("PUT", "/v1/collections/forged", **headers)[0], 403)
        self.assertEqual(self.ask("GET", "/v1", Host="evil.example")[0], 421)

    def test_hostile_requests_are_refused_and_cost_little(self):
        before = self.server.resident_mib()
        head = b"PUT /v1/collections/news/images/x HTTP/1.1\r\nHost: localhost\r\n"
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
        cases = {
            "a body above the limit": (head + b"Content-Length: 99999999999\r\n\r\n", 413),
            "no body": (head + b"Content-Length: 0\r\nConnection: close\r\n\r\n", 400),
            "both lengths": (head + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            "a chunk below zero": (chunked + b"-2\r\nxx", 400),
            "a body in gzip": (head + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n", 415),
            "many headers": (head + b"A: b\r\n" * 1_000_000, 431),
            "a large chunked body": (chunked + (b"100000\r\n" + bytes(1 << 20) + b"\r\n") * 80, 413),
            "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
            "an unknown method": (b"BREW / HTTP/1.1\r\nHost: localhost\r\n"
                                  b"Connection: close\r\n\r\n", 405),
            "a token in the address": (b"GET /v1?token=x HTTP/1.1\r\nHost: localhost\r\n"
                                       b"Connection: close\r\n\r\n", 400),
        }
        for name, (data, status) in cases.items():
            with self.subTest(name):
                self.assertIn(f"HTTP/1.1 {status} ".encode(), self.server.send(data)[:64])
        self.assertEqual(self.ask("GET", "/livez")[0], 200)
        self.assertLess(self.server.resident_mib() - before, 150)

    def test_slow_clients_hold_up_nobody(self):
        slow = [socket.create_connection(("127.0.0.1", self.server.port)) for _ in range(200)]
        for client in slow:
            client.sendall(b"GET / HT")
        start = time.monotonic()
        self.assertEqual(self.ask("GET", "/v1/collections")[0], 200)
        self.assertLess(time.monotonic() - start, 2)
        for client in slow:
            client.close()

    def test_the_document_describes_the_routes(self):
        printed = subprocess.run([PROGRAM, "serve", "--root", self.folder.name, "--routes"],
                                 capture_output=True, text=True, check=True).stdout.split("\n")
        routes = {line.replace("...}", "}") for line in printed
                  if line and not line.split()[1].startswith("/assets") and line != "GET /"}
        document = json.loads((SCHEMA / "openapi.json").read_text())
        described = {f"{method.upper()} {path}" for path, item in document["paths"].items()
                     for method in item if method in ("get", "put", "post", "delete")}
        self.assertEqual(routes, described)
        self.assertEqual(self.ask("GET", "/openapi.json")[1], document)


class TokensTest(unittest.TestCase):
    def test_rights_are_kept(self):
        with tempfile.TemporaryDirectory() as folder:
            file = folder + "/tokens"

            def make(name, *options):
                return subprocess.run([PROGRAM, "token", "add", name, "--file", file, *options],
                                      capture_output=True, text=True, check=True).stdout.strip()
            reader = make("reader", "--right", "read", "--collection", "news")
            admin = make("admin", "--right", "admin")
            self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
            server = Server(folder + "/root", "--tokens", file)
            try:
                def ask(method, path, token):
                    return server.ask(method, path, Authorization=f"Bearer {token}")[0]
                self.assertEqual(server.ask("PUT", "/v1/collections/news")[0], 401)
                self.assertEqual(ask("PUT", "/v1/collections/news", "wrong"), 401)
                self.assertEqual(ask("PUT", "/v1/collections/news", reader), 403)
                self.assertEqual(ask("PUT", "/v1/collections/news", admin), 201)
                self.assertEqual(ask("PUT", "/v1/collections/other", admin), 201)
                self.assertEqual(ask("GET", "/v1/collections/news", reader), 200)
                self.assertEqual(ask("GET", "/v1/collections/other", reader), 403)
                self.assertEqual(ask("GET", "/metrics", reader), 403)
                self.assertEqual(ask("GET", "/metrics", admin), 200)
            finally:
                self.assertEqual(server.end(), 0)


class DurabilityTest(unittest.TestCase):
    def test_acknowledged_writes_outlive_a_kill(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(folder)
            server.ask("PUT", "/v1/collections/news")
            for picture in PICTURES[:3]:
                server.ask("PUT", f"/v1/collections/news/images/{picture.name}",
                           picture.read_bytes())
            server.process.kill()
            server.process.wait()
            server.process.stderr.close()
            server = Server(folder)
            try:
                images = server.ask("GET", "/v1/collections/news/images")[1]["images"]
                self.assertEqual([i["path"] for i in images], [p.name for p in PICTURES[:3]])
            finally:
                self.assertEqual(server.end(), 0)


if __name__ == "__main__":
    unittest.main()
