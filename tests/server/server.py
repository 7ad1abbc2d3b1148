"""A server of a folder of collections, for tests."""
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess

PROGRAM = os.environ["SIFTSEARCH"]
PICTURES = sorted((pathlib.Path(os.environ["DATA"]) / "pictures").iterdir())


class Server:
    def __init__(self, root, *options, **settings):
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--root", root, "--listen", "127.0.0.1:0", "--quiet", *options],
            stderr=subprocess.PIPE, text=True, **settings)
        line = self.process.stderr.readline()
        if "listening" not in line:
            raise RuntimeError(line + self.process.stderr.read())
        self.port = int(line.rsplit(":", 1)[1])

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body,
                           {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        is_json = "json" in (answer.getheader("Content-Type") or "") and \
            "ndjson" not in answer.getheader("Content-Type")
        return answer.status, json.loads(data) if is_json and data else data, answer

    def send(self, data):
        """Bytes as they are; what comes back until the server closes or for five seconds."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
            got = b""
            try:
                client.sendall(data)
                while chunk := client.recv(65536):
                    got += chunk
            except (TimeoutError, ConnectionError):
                pass
            return got

    def end(self):
        """Its exit status; again the same."""
        if self.process.returncode is not None:
            return self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process.stderr.close()
        return code

    def resident_mib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0
