"""What happens to a server over time: reloads, backups, a full disk, collections that go."""
import http.client
import json
import resource
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from server import PICTURES, PROGRAM, Server

NEWS = "/v1/collections/news"


class OperationTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.root = folder.name + "/root"

    def serve(self, *options, **settings):
        server = Server(self.root, *options, **settings)
        self.addCleanup(server.end)
        return server

    def token(self, *words):
        return subprocess.run([PROGRAM, "token", *words, "--file", self.folder + "/tokens"],
                              capture_output=True, text=True, check=True).stdout.strip()

    def test_tokens_are_read_again_on_sighup(self):
        first = self.token("add", "first", "--right", "admin")
        server = self.serve("--tokens", self.folder + "/tokens")

        def status(token):
            return server.ask("GET", "/v1/collections", Authorization=f"Bearer {token}")[0]
        second = self.token("add", "second", "--right", "admin")
        self.token("remove", "first")
        self.assertEqual((status(first), status(second)), (200, 401))
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 20
        while status(second) != 200 and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual((status(first), status(second)), (401, 200))

    def certificate(self, name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                        self.folder + "/key.pem", "-out", self.folder + "/cert.pem"],
                       check=True, capture_output=True)

    def served_certificate(self, port):
        context = ssl.create_default_context(cafile=self.folder + "/cert.pem")
        client = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
        client.request("GET", "/livez")
        self.assertEqual(client.getresponse().status, 200)
        subject = client.sock.getpeercert()["subject"]
        client.close()
        return subject[0][0][1]

    def test_certificates_are_read_again_on_sighup(self):
        self.certificate("first")
        server = self.serve("--tls-cert", self.folder + "/cert.pem", "--tls-key",
                            self.folder + "/key.pem")
        self.assertEqual(self.served_certificate(server.port), "first")
        self.certificate("second")
        server.process.send_signal(signal.SIGHUP)
        end, seen = time.monotonic() + 20, ""
        while seen != "second" and time.monotonic() < end:
            try:
                seen = self.served_certificate(server.port)
            except ssl.SSLError:  # The old one, which the new file does not vouch for.
                time.sleep(0.02)
        self.assertEqual(seen, "second")

    def test_a_copy_made_while_it_runs_is_whole(self):
        server = self.serve()
        server.ask("PUT", NEWS)
        over, stored = threading.Event(), []

        def write():
            while not over.is_set():
                key, data = f"{len(stored)}.jpg", PICTURES[len(stored) % 8].read_bytes()
                server.ask("PUT", f"{NEWS}/images/{key}", data + b" " * len(stored))
                stored.append(key)
        writer = threading.Thread(target=write)
        writer.start()
        while len(stored) < 3:
            time.sleep(0.01)
        # As schema/operating.md says.
        before, database, copy = list(stored), self.root + "/news", self.folder + "/copy"
        subprocess.run(
            ["flock", database, "sh", "-ec",
             'mkdir "$2" && cp -a "$1/segments" "$2" && sqlite3 "$1/catalog.sqlite" '
             '".backup \'$2/catalog.sqlite\'"', "sh", database, copy], check=True)
        over.set()
        writer.join()
        subprocess.run([PROGRAM, "--db", copy, "check"], check=True, capture_output=True)
        listed = subprocess.run([PROGRAM, "--db", copy, "list", "--format", "jsonl"], check=True,
                                capture_output=True, text=True).stdout
        paths = {json.loads(line)["path"] for line in listed.splitlines()}
        self.assertLessEqual(set(before), paths)

    def test_a_collection_may_go_while_it_is_queried(self):
        server = self.serve()
        server.ask("PUT", NEWS)
        server.ask("PUT", f"{NEWS}/images/a.jpg", PICTURES[0].read_bytes())
        answers, body = [], PICTURES[0].read_bytes()

        def query():
            for _ in range(5):
                answers.append(server.ask("POST", NEWS + "/query", body)[0])
        clients = [threading.Thread(target=query) for _ in range(4)]
        for client in clients:
            client.start()
        while not answers:
            time.sleep(0.005)
        self.assertEqual(server.ask("DELETE", NEWS)[0], 204)
        for client in clients:
            client.join()
        self.assertLessEqual(set(answers), {200, 404})
        self.assertEqual(server.ask("GET", NEWS)[0], 404)
        self.assertEqual(server.ask("PUT", NEWS)[0], 201)
        self.assertEqual(server.ask("GET", NEWS)[1]["images"], 0)

    def test_two_writers_of_one_key_end_with_one_of_them(self):
        server = self.serve()
        server.ask("PUT", NEWS)
        statuses = []

        def write(picture):
            for _ in range(5):
                statuses.append(server.ask("PUT", f"{NEWS}/images/k.jpg", picture)[0])
        pictures = [PICTURES[0].read_bytes(), PICTURES[1].read_bytes()]
        writers = [threading.Thread(target=write, args=(picture,)) for picture in pictures]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        self.assertLessEqual(set(statuses), {200, 201})
        images = server.ask("GET", f"{NEWS}/images")[1]["images"]
        self.assertEqual([image["path"] for image in images], ["k.jpg"])
        self.assertIn(images[0]["file_bytes"], [len(picture) for picture in pictures])

    def test_a_full_disk_loses_nothing_that_was_acknowledged(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000))
        server = Server(self.root, preexec_fn=limit)
        server.ask("PUT", NEWS)
        stored, refused = [], []
        for number in range(60):
            data = PICTURES[number % 8].read_bytes() + b" " * number
            status, answer, _ = server.ask("PUT", f"{NEWS}/images/{number}.jpg", data)
            (stored if status == 201 else refused).append((number, status))
        self.assertTrue(stored)
        self.assertTrue(refused, "the limit was not reached")
        self.assertLessEqual({status for _, status in refused}, {500, 503, 507})
        self.assertEqual(server.ask("GET", "/livez")[0], 200)
        self.assertEqual(server.end(), 0)
        again = self.serve()
        for number, _ in stored:
            self.assertEqual(again.ask("GET", f"{NEWS}/images/{number}.jpg")[0], 200)
        self.assertEqual(again.ask("PUT", f"{NEWS}/images/new.jpg", PICTURES[0].read_bytes())[0],
                         201)


if __name__ == "__main__":
    unittest.main()
