"""The server under load, made on loopback by this process."""
import http.client
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time

from workloads.base import Skip, in_turn, rounded, workload
from workloads.queries import crops


class Server:
    """`siftsearch serve` of a folder of collections, or of a database."""

    def __init__(self, run, *options, before=()):
        words = [run.setting.program("siftsearch"), "serve", "--listen", "127.0.0.1:0", "--quiet",
                 *options]
        if run.shown(words) not in run.commands:
            run.commands.append(run.shown(words))
        self.process = subprocess.Popen([*before, *words], stderr=subprocess.PIPE, text=True)
        self.said = self.process.stderr.readline()
        if "listening" not in self.said:
            raise RuntimeError("siftsearch serve: " + self.said)
        self.port = int(self.said.rsplit(":", 1)[1])

    def resident_mb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) / 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait()
        self.process.stderr.close()


class Client:
    """A connection that stays open."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)

    def ask(self, method, path, body=None):
        self.connection.request(method, path, body)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def timed(self, method, path, body=None, expected=(200, 201)):
        start = time.monotonic()
        status, data = self.ask(method, path, body)
        if status not in expected:
            raise RuntimeError(f"{method} {path}: {status} {data[:200]}")
        return 1000 * (time.monotonic() - start)


QUERY = "/v1/collections/default/query"


def load(server, clients, seconds, bodies):
    """The times, ms, of queries by so many clients at once, and queries a second."""
    times, end = [], time.monotonic() + seconds

    def work(number):
        client, at = Client(server), number
        while time.monotonic() < end:
            times.append(client.timed("POST", QUERY, bodies[at % len(bodies)]))
            at += 1
    start = time.monotonic()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, len(times) / (time.monotonic() - start)


def p99(times):
    return sorted(times)[min(len(times) - 1, int(0.99 * len(times)))]


def read(paths):
    bodies = []
    for path in paths:
        with open(path, "rb") as file:
            bodies.append(file.read())
    return bodies


def copy_of(run, database):
    """A database that may be written to."""
    copy = os.path.join(run.work, "served")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(database, copy)
    return copy


def measure_overhead(run, database, paths):
    """A query over HTTP, and in turn the same in a process of its own."""
    loop = subprocess.Popen([run.setting.program("query_loop"), "--db", database],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def in_process(path):
        loop.stdin.write(path + "\n")
        loop.stdin.flush()
        return float(loop.stdout.readline())
    over, inside = [], []
    with Server(run, "--db", database) as server, loop:
        client = Client(server)
        for path, body in zip(paths, read(paths), strict=True):
            pairs = in_turn(run.size(3, 1), lambda: client.timed("POST", QUERY, body),
                            lambda: in_process(path))
            over += pairs[0]
            inside += pairs[1]
        loop.stdin.close()
    run.median("query over HTTP", over, "ms")
    run.median("query in a process", inside, "ms")
    run.figure("median over HTTP over that in a process",
               rounded(statistics.median(over) / statistics.median(inside)), "ratio")


def measure_throughput(run, database, bodies, seconds):
    with Server(run, "--db", database, "--threads", "1", before=("taskset", "-c", "0")) as one:
        load(one, 1, min(3, seconds), bodies)
        _, alone = load(one, 1, seconds, bodies)
    with Server(run, "--db", database) as server:
        load(server, 2, min(3, seconds), bodies)
        times, together = load(server, 32, seconds, bodies)
    run.figure("one client, one core", rounded(alone), "queries/s")
    run.figure("32 clients, all cores", rounded(together), "queries/s")
    run.figure("32 clients over one", rounded(together / alone), "ratio")
    run.figure("32 clients, p99", rounded(p99(times)), "ms")


def write_at(server, rate, bodies, over, added):
    """Adds so many pictures a second until told to end; those that the server has no room for, too,
    wait."""
    client, number, start = Client(server), 0, time.monotonic()
    while not over.is_set():
        client.timed("PUT", f"/v1/collections/default/images/written/{number}.jpg",
                     bodies[number % len(bodies)])
        number += 1
        added[0] = number
        time.sleep(max(0, start + number / rate - time.monotonic()))


def measure_writer(run, database, bodies, written, seconds):
    over, added = threading.Event(), [0]
    with Server(run, "--db", copy_of(run, database)) as server:
        load(server, 2, min(3, seconds), bodies)
        idle, _ = load(server, 32, seconds, bodies)
        writer = threading.Thread(target=write_at, args=(server, 20, written, over, added))
        start = time.monotonic()
        writer.start()
        busy, _ = load(server, 32, seconds, bodies)
        over.set()
        writer.join()
        took = time.monotonic() - start
    run.figure("32 clients without a writer, p99", rounded(p99(idle)), "ms")
    run.figure("32 clients with a writer, p99", rounded(p99(busy)), "ms")
    run.figure("p99 with a writer over without", rounded(p99(busy) / p99(idle)), "ratio")
    run.figure("pictures written", rounded(added[0] / took), "a second")


def slow_client(server):
    """A connection that has sent a part of a header."""
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(b"POST " + QUERY.encode() + b" HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    return client


def dribble(clients, over):
    """A byte a second of each."""
    while not over.wait(1):
        for client in clients:
            client.sendall(b"x")


def measure_connections(run, database, bodies, seconds):
    over = threading.Event()
    with Server(run, "--db", database, "--connections", "2000", "--header-seconds", "600") as server:
        load(server, 2, min(3, seconds), bodies)
        alone, _ = load(server, 1, seconds, bodies)
        before = server.resident_mb()
        idle = [Client(server) for _ in range(run.size(1000, 50))]
        for client in idle:
            client.timed("GET", "/livez")
        slow = [slow_client(server) for _ in range(run.size(200, 10))]
        dribbler = threading.Thread(target=dribble, args=(slow, over))
        dribbler.start()
        among, _ = load(server, 1, seconds, bodies)
        memory = server.resident_mb() - before
        over.set()
        dribbler.join()
        for client in slow:
            client.close()
    run.figure("memory for 1,000 idle and 200 slow connections", rounded(max(0, memory)), "MB")
    run.figure("p99 beside them over p99 alone", rounded(p99(among) / p99(alone)), "ratio")


def small_pictures(run, count):
    """Pictures of 160 × 120 pixels."""
    import cv2
    bodies = []
    for path in run.setting.sources.not_stored()[:count]:
        picture = cv2.imread(path)
        small = cv2.resize(picture, (160, 120), interpolation=cv2.INTER_AREA)
        bodies.append(cv2.imencode(".jpg", small)[1].tobytes())
    return bodies


def mixed_request(client, bodies, number):
    """One request in ten writes, three query, the others read."""
    kind, body = number % 10, bodies[number % len(bodies)]
    key = f"/v1/collections/default/images/k/{number // 10 % 50}.jpg"
    if kind == 0:
        client.timed("PUT", key, body)
    elif kind < 4:
        client.timed("POST", QUERY, body)
    elif kind < 7:
        client.timed("GET", "/v1/collections/default/images?limit=50")
    else:
        client.timed("GET", "/v1/collections/default")


def measure_memory(run, database, bodies):
    memory, fewer, more = {}, run.size(5_000, 50), run.size(50_000, 200)
    with Server(run, "--db", copy_of(run, database)) as server:
        client = Client(server)
        for number in range(more + 1):
            if number in (fewer, more):
                memory[number] = server.resident_mb()
            mixed_request(client, bodies, number)
    run.figure("memory after 5,000 requests", rounded(memory[fewer]), "MB")
    run.figure("memory after 50,000 requests", rounded(memory[more]), "MB")
    run.figure("memory after 50,000 over after 5,000", rounded(memory[more] / memory[fewer]), "ratio")


@workload("serve", "the server under load: over HTTP, 32 clients, a writer, idle and slow connections")
def serve(run):
    made = run.setting.sources.database(run.size(1_000, 20))
    paths = list(crops(run))[:run.size(20, 2)]
    seconds = run.size(30, 1)
    run.figure("images", made.told()["images"] + run.setting.sources.kept, "images")
    measure_overhead(run, made.database, paths)
    bodies = read(paths)
    measure_throughput(run, made.database, bodies, seconds)
    measure_writer(run, made.database, bodies, read(run.setting.sources.not_stored()), seconds)
    measure_connections(run, made.database, bodies, seconds)


@workload("serve-memory", "memory of the server over 50,000 requests")
def serve_memory(run):
    made = run.setting.sources.database(run.size(1_000, 20))
    measure_memory(run, made.database, small_pictures(run, 20))


class Writer(threading.Thread):
    """Puts and deletes keys of its own while servers come and go, and remembers what was
    acknowledged. A write whose answer did not come may stand or not."""

    def __init__(self, number, bodies, port, over):
        super().__init__()
        self.number, self.bodies, self.port, self.over = number, bodies, port, over
        self.stored, self.unsure, self.acknowledged = {}, set(), 0

    def run(self):
        chance = random.Random(self.number)
        while not self.over.is_set():
            key = f"w{self.number}/{chance.randrange(40)}.jpg"
            body = chance.choice(self.bodies)
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port[0], timeout=30)
                self.write(connection, key, body, chance.random())
            except (OSError, http.client.HTTPException):
                self.unsure.add(key)
                time.sleep(0.05)

    def write(self, connection, key, body, what):
        path = "/v1/collections/news/images/" + key
        if what < 0.6:
            connection.request("PUT", path, body)
            wanted, stored = (200, 201), body
        elif what < 0.8:
            connection.request("DELETE", path)
            wanted, stored = (204, 404), None
        else:
            connection.request("POST", "/v1/collections/news/query", body)
            wanted, stored = (), None
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status in wanted:
            self.acknowledged += 1
            self.unsure.discard(key)
            self.stored[key] = stored


def lost_writes(server, writers):
    """Acknowledged writes that the server does not have, or has otherwise."""
    import hashlib
    client, lost = Client(server), []
    for writer in writers:
        for key, body in writer.stored.items():
            if key in writer.unsure:
                continue
            status, data = client.ask("GET", "/v1/collections/news/images/" + key)
            if body is None:
                right = status == 404
            else:
                right = status == 200 and (json.loads(data)["sha256"] ==
                                           hashlib.sha256(body).hexdigest())
            if not right:
                lost.append(key)
    return lost


@workload("serve-kill", "puts, deletes, queries and reports while the server is killed each 20 s")
def serve_kill(run):
    root = os.path.join(run.work, "killed")
    shutil.rmtree(root, ignore_errors=True)
    server, port, over = Server(run, "--root", root), [0], threading.Event()
    port[0] = server.port
    Client(server).timed("PUT", "/v1/collections/news")
    bodies = small_pictures(run, 20)
    writers = [Writer(number, bodies, port, over) for number in range(4)]
    for writer in writers:
        writer.start()
    kills, lost, slowest = 0, set(), 0
    end = time.monotonic() + run.size(600, 6)
    while time.monotonic() < end:
        time.sleep(run.size(10, 1))
        Client(server).ask("POST", "/v1/collections/news/reports", b"{}")
        time.sleep(run.size(10, 1))
        server.end(signal.SIGKILL)
        start = time.monotonic()
        server = Server(run, "--root", root)
        slowest = max(slowest, time.monotonic() - start)
        port[0] = server.port
        kills += 1
    over.set()
    for writer in writers:
        writer.join()
    lost.update(lost_writes(server, writers))
    server.end()
    run.figure("kills", kills, "")
    run.figure("acknowledged writes", sum(writer.acknowledged for writer in writers), "writes")
    run.figure("acknowledged writes lost", len(lost), "writes")
    run.figure("longest start after a kill", rounded(slowest), "s")


def shown_after(driver, url):
    """Seconds until the page lists pictures of the collection."""
    driver.get("about:blank")
    start = time.monotonic()
    driver.get(url)
    while not driver.execute_script("return document.querySelector('#grid').children.length"):
        time.sleep(0.005)
    return time.monotonic() - start


@workload("serve-page", "the page over a collection of 100,000 images, in headless Chromium")
def serve_page(run):
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError as error:
        raise Skip("python3-selenium is not installed (tools/setup --browser)") from error
    if not os.path.exists("/usr/bin/chromedriver"):
        raise Skip("chromium-driver is not installed (tools/setup --browser)")
    root = os.path.join(run.work, "page")
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    images = run.size(100_000, 200)
    run.command([run.setting.program("make_database"), "--pictures",
                 os.path.dirname(run.setting.sources.generated(40)[0]), "--pool", "40", "--images", str(images),
                 "--descriptors", "12", "--db", root + "/big", "--truth", root + "/truth.csv"])
    os.remove(root + "/truth.csv")
    run.note("Images of 12 descriptors: the page reads the catalogue, not them.")
    options = webdriver.ChromeOptions()
    for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]:
        options.add_argument(argument)
    with Server(run, "--root", root) as server:
        driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        try:
            url = f"http://127.0.0.1:{server.port}/#big/browse"
            (seconds,) = in_turn(run.size(10, 1), lambda: shown_after(driver, url))
        finally:
            driver.quit()
    run.figure("images", images, "images")
    run.median("page shows pictures after", seconds, "s")
