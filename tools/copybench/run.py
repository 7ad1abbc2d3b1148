"""copybench run: lets siftsearch answer the queries of a bench, and scores the answers."""

import json
import pathlib
import resource
import shlex
import shutil
import subprocess
import sys
import time

import score

CHUNK = 50  # queries a command line


def options(parser):
    """The command line of `run`."""
    parser.add_argument("--bench", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--siftsearch", required=True, metavar="PATH", help="the program")
    parser.add_argument("--work", required=True, type=pathlib.Path, metavar="DIR",
                        help="for the database, results.jsonl, times.json and the scores")
    parser.add_argument("--query-args", default="", metavar='"…"', help="more options of query")
    parser.add_argument("--add-args", default="", metavar='"…"', help="more options of add")
    parser.add_argument("--keep-db", action="store_true",
                        help="use the database that an earlier run left in --work")
    parser.add_argument("--resamples", type=int, default=1000, metavar="N")


def program(options, *words):
    """Runs siftsearch; gives its standard output. Exit code 1 (some inputs failed) is a warning."""
    command = [options.siftsearch, "--db", str(options.work / "db"), *words]
    done = subprocess.run(command, capture_output=True)
    if done.returncode not in (0, 1):
        sys.exit(f"copybench: exit code {done.returncode} of {shlex.join(command[:6])} …\n"
                 + done.stderr.decode(errors="replace"))
    if done.returncode == 1:
        sys.stderr.write(done.stderr.decode(errors="replace"))
    return done.stdout


def add(options):
    """Fills a new database with the originals; gives the seconds it took."""
    database = options.work / "db"
    if database.exists():
        shutil.rmtree(database)
    begin = time.monotonic()
    program(options, "--quiet", "add", *shlex.split(options.add_args),
            str(options.bench.absolute() / "originals"))
    return time.monotonic() - begin


def query(options, queries):
    """Writes results.jsonl; gives the seconds it took."""
    begin = time.monotonic()
    with open(options.work / "results.jsonl", "wb") as file:
        for i in range(0, len(queries), CHUNK):
            file.write(program(
                options, "--quiet", "query", "--format", "jsonl", "--top", "30",
                *shlex.split(options.query_args),
                *(str(options.bench.absolute() / name) for name in queries[i:i + CHUNK])))
    return time.monotonic() - begin


def run(options):
    """Runs and scores; gives the exit code."""
    truth = score.read_lines(options.bench / "truth.jsonl")
    originals = len(list((options.bench / "originals").iterdir()))
    times_file = options.work / "times.json"
    options.work.mkdir(parents=True, exist_ok=True)
    if options.keep_db:
        added = json.loads(times_file.read_text())["add_seconds"]
    else:
        added = add(options)
    stored = sum(f.stat().st_size for f in (options.work / "db").rglob("*") if f.is_file())
    queried = query(options, [line["query"] for line in truth])
    times_file.write_text(json.dumps({
        "add_seconds": round(added, 3), "add_seconds_per_image": round(added / originals, 5),
        "query_seconds": round(queried, 3),
        "query_seconds_per_image": round(queried / len(truth), 5),
        "database_bytes": stored, "database_bytes_per_image": round(stored / originals),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "query_args": options.query_args, "add_args": options.add_args}, indent=1) + "\n")
    options.results, options.out = options.work / "results.jsonl", options.work
    return score.run(options)
