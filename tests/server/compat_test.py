"""The contracts of other servers, with requests as their own clients send them."""
import base64
import json
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

from server import PICTURES, PROGRAM, Server

ONE, OTHER = PICTURES[0].read_bytes(), PICTURES[1].read_bytes()
NOISE = b"these bytes are no picture"


def multipart(*files):
    """A body of (part, file name, bytes), as requests and HTTP::FormData write it."""
    body = b"".join(
        b"--c0ffee\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n\r\n%s\r\n"
        % (name.encode(), path.encode(), data) for name, path, data in files)
    return body + b"--c0ffee--\r\n", "multipart/form-data; boundary=c0ffee"


class CompatTest(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = Server(cls.folder.name, "--compat", "seed,pastec,tineye,iqdb", *cls.options)
        for number, data in ((1, ONE), (2, OTHER)):
            assert cls.request(f"index/images/{number}", "PUT", data)["type"] == "IMAGE_ADDED"

    @classmethod
    def tearDownClass(cls):
        assert cls.server.end() == 0
        cls.folder.cleanup()

    @classmethod
    def request(cls, path, method, data=None):
        """As PastecLib.py asks: urllib calls a body a form."""
        request = urllib.request.Request(f"http://127.0.0.1:{cls.server.port}/{path}", data=data,
                                         method=method)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())

    def rest(self, method, files=None, **params):
        """As tineyeservices asks: parameters stand in the address even beside files."""
        path = f"/rest/{method}/?" + urllib.parse.urlencode(params)
        if files is None:
            return self.server.ask("GET", path)[1]
        body, kind = multipart(*files)
        return self.server.ask("POST", path, body, Content_Type=kind)[1]


class SeedTest(CompatTest):
    def search(self, **fields):
        return self.server.ask("POST", "/faiss/search", json.dumps(fields))

    def test_ping(self):
        self.assertEqual(self.server.ask("GET", "/ping")[:2], (200, b"pong"))

    def test_a_picture_finds_itself_first(self):
        for text in (base64.b64encode(ONE).decode(),
                     "data:image/jpeg;base64," + base64.b64encode(ONE).decode()):
            status, answer, _ = self.search(k=1, image=text)
            self.assertEqual(status, 200)
            self.assertEqual(len(answer), 1)
            self.assertIsNone(answer[0]["id"])
            neighbor = answer[0]["neighbors"][0]
            self.assertEqual(neighbor["file_path"], "1")
            self.assertIsInstance(neighbor["score"], str)
            self.assertGreaterEqual(int(neighbor["score"]), 0)

    def test_ids_come_first_and_an_id_is_no_neighbor_of_itself(self):
        stored = self.search(k=1, image=base64.b64encode(ONE).decode())[1][0]["neighbors"][0]["id"]
        answer = self.search(k=2, ids=[stored], image=base64.b64encode(OTHER).decode())[1]
        self.assertEqual([one["id"] for one in answer], [stored, None])
        self.assertNotIn(stored, [n["id"] for n in answer[0]["neighbors"]])

    def test_what_it_got_wrong_is_refused_with_a_reason(self):
        for fields, words in (({}, "k is"), ({"k": 0, "ids": [1]}, "k is"), ({"k": 1}, "neither"),
                              ({"k": 1, "ids": ["1"]}, "ids is"), ({"k": 1, "image": 3}, "text"),
                              ({"k": 1, "vectors": [[0] * 128]}, "vectors"),
                              ({"k": 1, "image": "/etc/passwd"}, "--image-root")):
            status, answer, _ = self.search(**fields)
            self.assertEqual(status, 400, fields)
            self.assertIn(words, answer.decode())
        self.assertEqual(self.search(k=1, ids=[10 ** 9])[0], 404)
        self.assertEqual(self.server.ask("POST", "/faiss/search", "no json")[0], 400)


class PastecTest(CompatTest):
    def test_ping(self):
        self.assertEqual(self.request("", "POST", b'{"type": "PING"}'), {"type": "PONG"})

    def test_searches_list_ids_and_tags_of_one_length(self):
        self.assertEqual(self.request("index/images/1/tag", "PUT", "seller ü".encode())["type"],
                         "IMAGE_TAG_ADDED")
        found = self.request("index/searcher", "POST", ONE)
        self.assertEqual(found["type"], "SEARCH_RESULTS")
        self.assertEqual((found["image_ids"], found["tags"]), ([1], ["seller ü"]))
        self.assertEqual((len(found["bounding_rects"]), len(found["scores"])), (1, 1))
        self.assertEqual(self.request("index/images/1", "GET")["image_ids"], [])
        self.assertEqual(self.request("index/images/1/tag", "DELETE")["type"], "IMAGE_TAG_REMOVED")
        self.assertEqual(self.request("index/images/1/tag", "DELETE")["type"],
                         "IMAGE_TAG_NOT_FOUND")
        self.assertEqual(self.request("index/images/77/tag", "PUT", b"x")["type"],
                         "IMAGE_NOT_FOUND")

    def test_images_are_added_listed_and_removed(self):
        added = self.request("index/images/33", "PUT", ONE)
        self.assertEqual((added["type"], added["image_id"]), ("IMAGE_ADDED", 33))
        self.assertGreater(added["nb_features_extracted"], 0)
        self.assertIn(33, self.request("index/imageIds", "GET")["image_ids"])
        self.assertEqual(self.request("index/images/33", "DELETE"),
                         {"type": "IMAGE_REMOVED", "image_id": 33})
        self.assertEqual(self.request("index/images/33", "DELETE")["type"], "IMAGE_NOT_FOUND")
        self.assertEqual(self.request("index/images/33", "GET")["type"], "IMAGE_NOT_FOUND")

    def test_failures_have_a_type(self):
        self.assertEqual(self.request("index/images/9", "PUT", NOISE)["type"], "IMAGE_NOT_DECODED")
        self.assertEqual(self.request("index/searcher", "POST", NOISE)["type"],
                         "IMAGE_NOT_DECODED")
        self.assertEqual(self.request("index/images/x", "PUT", ONE)["type"],
                         "MISFORMATTED_REQUEST")
        self.assertEqual(self.request("index/searcher", "POST", b'{"url": "http://a.b/"}')["type"],
                         "IMAGE_DOWNLOADER_HTTP_ERROR")

    def test_loading_and_writing_succeed_and_nothing_is_cleared(self):
        for asked, answered in (("LOAD", "INDEX_LOADED"), ("WRITE", "INDEX_WRITTEN"),
                                ("LOAD_TAGS", "INDEX_TAGS_LOADED"),
                                ("WRITE_TAGS", "INDEX_TAGS_WRITTEN"), ("CLEAR", "ERROR_GENERIC"),
                                ("x", "MISFORMATTED_REQUEST")):
            body = json.dumps({"type": asked, "index_path": ""}).encode()
            self.assertEqual(self.request("index/io", "POST", body)["type"], answered)
        self.assertIn(1, self.request("index/imageIds", "GET")["image_ids"])


class TineyeTest(CompatTest):
    def test_the_seven_calls(self):
        self.assertEqual(self.rest("ping"),
                         {"status": "ok", "error": [], "method": "ping", "result": []})
        added = self.rest("add", [("images[0]", "shop/a.jpg", ONE), ("images[1]", "/b.jpg", OTHER)])
        self.assertEqual(added, {"status": "ok", "error": [], "method": "add", "result": []})
        self.assertEqual(self.rest("count")["result"], [4])
        paths = self.rest("list", offset=0, limit=20)["result"]
        self.assertEqual(paths, ["1", "2", "shop/a.jpg", "b.jpg"])
        self.assertEqual(self.rest("list", offset=1, limit=2)["result"], paths[1:3])
        query = {"min_score": 0, "offset": 0, "limit": 10, "check_horizontal_flip": False}
        found = self.rest("search", [("image", "q.jpg", ONE)], **query)
        self.assertEqual(found["query_image"], {"filepath": "q.jpg"})
        self.assertEqual({one["filepath"] for one in found["result"]}, {"1", "shop/a.jpg"})
        self.assertEqual(found["result"][0]["score"], 100)
        self.assertEqual(found["result"][0]["match_percent"], 100)
        stored = self.rest("search", filepath="shop/a.jpg", **query)
        self.assertNotIn("shop/a.jpg", [one["filepath"] for one in stored["result"]])
        same = self.rest("compare", [("image1", "x", ONE), ("image2", "x", ONE)], min_score=0)
        self.assertEqual([one["score"] for one in same["result"]], [100])
        differ = self.rest("compare", [("image1", "x", ONE), ("image2", "y", OTHER)])
        self.assertEqual(differ["result"], [])
        gone = {"filepaths[0]": "shop/a.jpg", "filepaths[1]": "b.jpg"}
        self.assertEqual(self.rest("delete", **gone)["status"], "ok")
        again = self.rest("delete", **gone)
        self.assertEqual((again["status"], len(again["error"])), ("warn", 2))

    def test_failures_are_told_in_the_envelope(self):
        for answer in (self.rest("search"), self.rest("search", [("image", "q", NOISE)]),
                       self.rest("search", [("image", "q", ONE)], min_score="much"),
                       self.rest("add", []), self.rest("delete"), self.rest("ping", format="xml"),
                       self.rest("search", url="http://a.b/c.jpg"), self.rest("compare")):
            self.assertEqual(answer["status"], "fail", answer)
            self.assertTrue(answer["error"][0])
        bad = self.rest("add", [("images[0]", "ok.jpg", ONE), ("images[1]", "bad.jpg", NOISE),
                                ("images[2]", "../up.jpg", ONE)])
        self.assertEqual((bad["status"], len(bad["error"])), ("warn", 2))
        self.assertIn("ok.jpg", self.rest("list")["result"])
        self.rest("delete", **{"filepaths[0]": "ok.jpg"})

    def test_a_get_that_writes_is_refused_to_other_sites(self):
        status, _, _ = self.server.ask("GET", "/rest/delete/?filepaths[0]=1",
                                       Sec_Fetch_Site="cross-site")
        self.assertEqual(status, 403)


class IqdbTest(CompatTest):
    def put(self, number, data):
        body, kind = multipart(("file", "preview.jpg", data))
        return self.server.ask("POST", f"/images/{number}", body, Content_Type=kind)[:2]

    def test_posts_are_added_found_and_removed(self):
        status, added = self.put(500, ONE)
        self.assertEqual((status, added["post_id"]), (200, 500))
        body, kind = multipart(("file", "q.jpg", ONE))
        status, found, _ = self.server.ask("POST", "/query?limit=20", body, Content_Type=kind)
        self.assertEqual({one["post_id"] for one in found if one["score"] >= 65}, {1, 500})
        self.assertEqual({one["hash"] for one in found[:2]}, {added["hash"]})
        self.assertEqual(self.server.ask("GET", "/status")[1], {"images": 3})
        self.assertEqual(self.server.ask("DELETE", "/images/500")[:2], (200, {"post_id": 500}))
        self.assertEqual(self.server.ask("GET", "/status")[1], {"images": 2})

    def test_failures_are_no_200(self):
        self.assertEqual(self.put(501, NOISE)[0], 400)
        self.assertEqual(self.put("x", ONE)[0], 400)
        status, answer, _ = self.server.ask("POST", "/query?hash=abcd")
        self.assertEqual(status, 400)
        self.assertIn("hash", answer["message"])


class OffTest(unittest.TestCase):
    def test_tokens_count_in_each_clients_form(self):
        with tempfile.TemporaryDirectory() as folder:
            file = folder + "/tokens"

            def make(name, *options):
                return subprocess.run([PROGRAM, "token", "add", name, "--file", file, *options],
                                      capture_output=True, text=True, check=True).stdout.strip()
            writer = make("writer", "--right", "write", "--collection", "shop")
            reader = make("reader", "--right", "read", "--collection", "shop")
            stranger = make("stranger", "--right", "admin", "--collection", "other")
            server = Server(folder + "/root", "--tokens", file, "--compat", "pastec,tineye",
                            "--compat-collection", "shop")
            basic = "Basic " + base64.b64encode(f"company:{writer}".encode()).decode()
            for headers, status in (({}, 401), ({"authkey": "wrong"}, 401),
                                    ({"authkey": stranger}, 403), ({"authkey": reader}, 403),
                                    ({"authkey": writer}, 200), ({"Authorization": basic}, 200)):
                self.assertEqual(server.ask("PUT", "/index/images/1", ONE, **headers)[0], status)
            self.assertEqual(server.ask("GET", "/rest/count/", Authorization=basic)[1]["result"],
                             [1])
            server.end()

    def test_contracts_are_off_unless_named(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(folder)
            self.assertEqual(server.ask("GET", "/ping")[0], 404)
            self.assertEqual(server.ask("GET", "/v1")[1]["compat"], [])
            server.end()


if __name__ == "__main__":
    del CompatTest
    unittest.main()
