"""Reports that are stopped, resumed, written once more and shown as a page."""

import csv
import fcntl
import io
import json
import os
import re
import resource
import signal
import stat
import subprocess
import time
import unittest
import xml.etree.ElementTree

from program import DATA, SCENES, TIMEOUT, ProgramTest


class ResumeTest(ProgramTest):
    def stop_early(self, report, *words):
        """Runs a report with Ctrl-C as soon as its journal is there."""
        process = subprocess.Popen(self.command("report", "-o", report, "--batch-memory", "1",
                                                "--preset", "fast", *words),
                                   stderr=subprocess.PIPE)
        while not (self.folder / (report.name + ".journal")).exists():
            self.assertIsNone(process.poll())
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 130)

    def test_gives_the_same_bytes(self):
        self.add(self.many_pictures(24))
        for name, words in [("r.csv", []), ("r.jsonl", []), ("f.jsonl", [self.folder / "many"])]:
            whole, part = self.folder / ("whole-" + name), self.folder / name
            self.run_program("report", "--preset", "fast", *words, "-o", whole)
            self.stop_early(part, *words)
            self.assertNotEqual(part.read_bytes(), whole.read_bytes())
            self.run_program("report", "--preset", "fast", *words, "-o", part, "--resume")
            self.assertEqual(part.read_bytes(), whole.read_bytes())
            self.assertFalse((self.folder / (name + ".journal")).exists())

    def test_a_part_says_that_it_is_one(self):
        self.add(self.many_pictures(24))
        self.stop_early(self.folder / "r.csv")
        rows = list(csv.reader(io.StringIO((self.folder / "r.csv").read_text())))
        self.assertTrue(rows[-1][0].startswith("# stopped before the end"))
        self.assertEqual({len(row) for row in rows}, {9})
        self.stop_early(self.folder / "r.jsonl")
        last = json.loads((self.folder / "r.jsonl").read_text().splitlines()[-1])
        self.assertTrue(last["partial"])
        self.stop_early(self.folder / "r.html")
        self.assertIn('"partial":true', (self.folder / "r.html").read_text())

    def test_a_changed_database_starts_anew(self):
        self.add(self.many_pictures(24))
        self.stop_early(self.folder / "r.csv")
        self.add(SCENES[0])
        result = self.run_program("report", "-o", "r.csv", "--preset", "fast", "--resume", code=3)
        self.assertIn("the database has changed", result.stderr)
        self.run_program("report", "-o", "r.csv")

    def test_other_conditions_start_anew(self):
        self.add(self.many_pictures(24))
        self.stop_early(self.folder / "r.csv")
        result = self.run_program("report", "-o", "r.csv", "--preset", "fast", "--resume",
                                  "--skip-same-folder", code=3)
        self.assertIn("the options are others", result.stderr)

    def test_needs_its_file(self):
        self.add(SCENES[0])
        self.run_program("report", "--resume", code=2)


class OutputTest(ProgramTest):
    """A report is lost by nothing that happens to its output."""

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def start(self, report, *words):
        """A report that is held while it searches."""
        process = subprocess.Popen(self.command("report", "-o", report, "--preset", "fast",
                                                "--batch-memory", "1", *words),
                                   stderr=subprocess.PIPE, cwd=self.folder)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        journal = self.folder / (report + ".journal")
        while not journal.exists() or journal.stat().st_size == 0:  # Begun, and locked.
            self.assertIsNone(process.poll())
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        return process

    def go_on(self, process, code=0):
        process.send_signal(signal.SIGCONT)
        errors = process.communicate(timeout=TIMEOUT)[1]
        self.assertEqual(process.returncode, code, errors)

    def test_a_full_disk_keeps_the_journal_and_resume_searches_nothing(self):
        self.add(DATA / "pictures", DATA / "copies")
        self.run_program("report", "-o", "whole.html")
        whole = (self.folder / "whole.html").read_bytes()
        (self.folder / "r.html").write_text("an earlier report")
        limit = len(whole) - 1
        result = self.run_program(
            "report", "-o", "r.html", code=4,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertIn("r.html.part: can't be written (File too large)", result.stderr)
        self.assertIn("r.html.journal keeps what was compared: the same command with --resume goes "
                      "on", result.stderr)
        self.assertEqual((self.folder / "r.html").read_text(), "an earlier report")
        self.assertEqual(self.names(),
                         sorted(["db", "r.html", "r.html.journal", "whole.html"]))
        result = self.run_program("report", "-o", "r.html", "--resume")
        self.assertIn(" 0.0 s of it searches", result.stderr)
        self.assertEqual((self.folder / "r.html").read_bytes(), whole)
        self.assertEqual(self.names(), ["db", "r.html", "whole.html"])

    def test_a_second_report_to_one_output_is_refused_and_takes_nothing_away(self):
        self.add(self.many_pictures(12))
        first = self.start("r.csv")
        names = self.names()
        for words in [[], ["--resume"], ["--format", "jsonl"]]:
            result = self.run_program("report", "-o", "r.csv", *words, code=4)
            self.assertIn("r.csv is being written by another process", result.stderr)
            self.assertEqual(self.names(), names)
        (self.folder / "old.jsonl").write_text("")
        result = self.run_program("report", "--from", "old.jsonl", "-o", "r.csv", code=4)
        self.assertIn("r.csv is being written by another process", result.stderr)
        second = self.start("s.csv")
        second.send_signal(signal.SIGINT)
        self.go_on(second, 130)
        self.go_on(first)
        self.run_program("report", "-o", "whole.csv", "--preset", "fast")
        self.assertEqual((self.folder / "r.csv").read_text(),
                         (self.folder / "whole.csv").read_text())
        self.assertNotIn("r.csv.journal", self.names())

    def test_two_reports_never_share_a_journal(self):
        self.add(self.many_pictures(12))
        first = self.start("r.csv")
        (self.folder / "r.csv.part").rename(self.folder / "elsewhere")
        result = self.run_program("report", "-o", "r.csv", code=3)
        self.assertIn("r.csv.journal is in use: another report is being made with it",
                      result.stderr)
        (self.folder / "elsewhere").rename(self.folder / "r.csv.part")
        self.go_on(first)

    def test_a_killed_report_leaves_no_lock(self):
        self.add(self.many_pictures(12))
        killed = self.start("r.csv")
        killed.kill()
        killed.communicate(timeout=TIMEOUT)
        self.run_program("report", "-o", "r.csv", "--preset", "fast", "--resume")
        self.assertEqual(self.names(), ["db", "many", "r.csv"])
        killed = self.start("r.csv")
        killed.kill()
        killed.communicate(timeout=TIMEOUT)
        self.run_program("report", "-o", "r.csv", "--preset", "fast")
        self.assertEqual(self.names(), ["db", "many", "r.csv"])

    def test_files_that_it_did_not_make_stay(self):
        self.add(*SCENES)
        part = self.folder / "r.csv.part"
        part.write_text("somebody else's")
        self.run_program("report", "-o", "r.csv")
        self.assertEqual(part.read_text(), "somebody else's")
        with part.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            result = self.run_program("report", "-o", "r.csv", code=4)
            self.assertIn("r.csv is being written by another process", result.stderr)
        journal = self.folder / "r.csv.journal"
        for content in [b"somebody else's", b"SQLite format 3\0" + bytes(84) + b"?" * 4000]:
            journal.write_bytes(content)
            for words in [[], ["--resume"]]:
                result = self.run_program("report", "-o", "r.csv", *words, code=3)
                self.assertIn("r.csv.journal is there and is not the journal of a report",
                              result.stderr)
                self.assertEqual(journal.read_bytes(), content)
        self.assertEqual(self.names(), ["db", "r.csv", "r.csv.journal", "r.csv.part"])

    def test_the_journal_is_its_owners_only(self):
        self.add(self.many_pictures(12))
        process = self.start("r.csv")
        for path in self.folder.glob("r.csv.journal*"):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)
        self.go_on(process)

    def test_without_a_file_it_leaves_none(self):
        self.add(*SCENES)
        temporary = self.folder / "tmp"
        temporary.mkdir()
        self.run_program("report", env={**os.environ, "TMPDIR": str(temporary)})
        self.assertEqual(list(temporary.iterdir()), [])


class FromTest(ProgramTest):
    def test_writes_the_same_again(self):
        self.add(DATA / "pictures", DATA / "copies")
        text = self.run_program("report", "--format", "jsonl").stdout
        (self.folder / "r.jsonl").write_text(text)
        again = self.run_program("report", "--from", "r.jsonl", "--format", "jsonl").stdout
        self.assertEqual(again, text)
        rows = list(csv.DictReader(io.StringIO(
            self.run_program("report", "--from", "r.jsonl").stdout)))
        self.assertEqual([r["query"] for r in rows],
                         [json.loads(line)["query"] for line in text.splitlines()])

    def test_a_wrong_line_is_named(self):
        (self.folder / "r.jsonl").write_text('{"query": 3}\n')
        result = self.run_program("report", "--from", "r.jsonl", code=1)
        self.assertIn('r.jsonl, line 1: the field "query" is missing or wrong', result.stderr)
        self.run_program("report", "--from", "none.jsonl", code=1)
        self.run_program("report", "--from", "r.jsonl", "--where", "a = 1", code=2)


class ContractTest(ProgramTest):
    def groups(self, *words):
        """The groups as sets of names."""
        groups = {}
        for pair in self.lines("report", "--format", "jsonl", *words):
            groups.setdefault(pair["group"], set()).update([pair["query"], pair["image"]])
        return sorted(sorted(group) for group in groups.values())

    def test_order_and_threads_change_no_group(self):
        paths = sorted(self.many_pictures(12).iterdir()) + sorted((DATA / "copies").iterdir())
        self.add(*paths)
        groups = self.groups()
        self.assertEqual(groups, self.groups("--threads", "1"))
        self.database = self.folder / "other"
        self.add(*reversed(paths))
        self.assertEqual(groups, self.groups("--threads", "2", "--batch-memory", "1"))

    def same_folder(self, *words):
        """For each pair of the report, whether its two files lie in one folder."""
        return [p["query"].rsplit("/", 1)[0] == p["image"].rsplit("/", 1)[0]
                for p in self.lines("report", "--format", "jsonl", *words)]

    def test_pairs_inside_a_folder_can_be_left_out(self):
        self.add(*[self.copy(SCENES[0], name) for name in ["b/1.jpg", "b/2.jpg", "c/1.jpg"]])
        self.assertEqual(sorted(self.same_folder()), [False, True])
        self.assertEqual(self.same_folder("--skip-same-folder"), [False, False])

    def test_none_is_lost_when_the_file_alone_in_its_folder_comes_first(self):
        self.add(*[self.copy(SCENES[0], name) for name in ["a/1.jpg", "b/1.jpg", "b/2.jpg"]])
        self.assertEqual(self.same_folder("--skip-same-folder"), [False, False])


def page_groups(text):
    return [json.loads(script) for script in
            re.findall(r'<script type="application/json" class="group">(.*)</script>', text)]


class PageTest(ProgramTest):
    def page(self, *words):
        self.run_program("report", "-o", "r.html", *words)
        return (self.folder / "r.html").read_text()

    def test_the_original_comes_first_with_a_reason_and_the_others_with_their_relation(self):
        self.add(DATA / "pictures", DATA / "copies")
        groups = page_groups(self.page())
        self.assertEqual(len(groups), 3)
        for group in groups:
            original, copy = group["members"]
            self.assertIn("/pictures/", original["path"])
            self.assertTrue(original["original"])
            self.assertIn("probably the original", original["relation"])
            self.assertFalse(copy["original"])
            self.assertTrue(copy["thumbnail"].startswith("data:image/jpeg;base64,"))
        relations = " ".join(group["members"][1]["relation"] for group in groups)
        for words in ["crop of", "rotated", "scaled to"]:
            self.assertIn(words, relations)

    def test_files_are_compared_too(self):
        same = self.copy(SCENES[0], "same.jpg")
        other = self.folder / "other.jpg"
        other.write_bytes(SCENES[0].read_bytes() + b"tail")
        self.add(SCENES[0], same, other)
        members = page_groups(self.page())[0]["members"]
        self.assertEqual([m["relation"] for m in members if not m["original"]],
                         ["identical pixels, other file"])
        paths = sorted(sorted([m["path"], *(f["path"] for f in m["equal_files"])]) for m in members)
        self.assertEqual(paths, sorted([[str(other)], sorted([str(SCENES[0].resolve()), str(same)])]))

    def test_a_name_is_never_markup(self):
        names = ["</script><script>alert(1)</script>.jpg", '"quoted" & <b>.jpg', "\u202egpj.exe.jpg"]
        for name in names:
            (self.folder / "in").mkdir(exist_ok=True)
            (self.folder / "in" / name.replace("/", "\u2215")).write_bytes(SCENES[0].read_bytes())
        self.add(self.folder / "in")
        text = self.page()
        self.assertNotIn("<script>alert", text)
        (member,) = page_groups(text)[0]["members"]
        self.assertEqual(len(member["equal_files"]), 2)
        self.assertNotIn("http", re.sub(r"http://www.w3.org/2000/svg|http-equiv", "", text))

    def test_a_file_that_is_gone_has_its_preview(self):
        copy = self.copy(DATA / "copies" / "scene1-crop.jpg", "crop.jpg")
        self.add(SCENES[0], copy)
        copy.unlink()
        members = page_groups(self.page())[0]["members"]
        gone = [m for m in members if m["path"] == str(copy)][0]
        self.assertEqual(gone["problem"], "there is no such file")
        self.assertTrue(gone["thumbnail"])

    def test_needs_a_file(self):
        self.add(SCENES[0])
        self.run_program("report", "--format", "html", code=2)

    def test_of_queries(self):
        self.add(DATA / "pictures")
        copies = sorted((DATA / "copies").iterdir())
        self.run_program("query", "--html", "q.html", "--min-score", "0.5", *copies)
        groups = page_groups((self.folder / "q.html").read_text())
        self.assertEqual(len(groups), len(copies))
        for group, copy in zip(groups, copies):
            self.assertIn(str(copy), [member["path"] for member in group["members"]])
            self.assertEqual(group["members"][0]["path"], str(copy))
            self.assertIn("asked about", group["members"][0]["relation"])
            # What is decided on the page is about the bytes of both.
            self.assertTrue(all(len(member["sha256"]) == 64 for member in group["members"]))
        for words in [("query", SCENES[0], "--html", "no/q.html"), ("report", "-o", "no/r.html")]:
            self.run_program(*words, code=4)


class DrawTest(ProgramTest):
    def test_svg(self):
        self.add(SCENES[0])
        self.run_program("query", DATA / "copies" / "scene1-crop.jpg", "--draw", "m.svg")
        root = xml.etree.ElementTree.parse(self.folder / "m.svg").getroot()
        kinds = [element.tag.split("}")[1] for element in root]
        self.assertEqual(kinds, ["rect", "image", "image", "path", "polygon", "polygon", "text"])


class ManualTest(ProgramTest):
    def test_completions_and_manual_know_every_verb_and_option(self):
        texts = [self.run_program("completion", shell).stdout for shell in ["bash", "zsh", "fish"]]
        texts.append(self.run_program("man").stdout.replace("\\-", "-"))
        verbs = re.findall(r"^  ([a-z]+)", self.run_program("--help").stdout, re.MULTILINE)
        self.assertIn("verdict", verbs)
        for verb in verbs:
            options = re.findall(r"--([a-z-]+)", self.run_program(verb, "--help").stdout)
            for text in texts:
                self.assertIn(verb, text)
                for option in options:
                    self.assertIn(option, text)

    def test_the_bash_script_completes(self):
        script = self.run_program("completion", "bash").stdout
        ask = script + """
            COMP_WORDS=(siftsearch rep); COMP_CWORD=1; _siftsearch; echo "${COMPREPLY[@]}"
            COMP_WORDS=(siftsearch --db x report --res); COMP_CWORD=4; _siftsearch
            echo "${COMPREPLY[@]}"
        """
        answer = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
        self.assertEqual(answer.stdout.split(), ["report", "--resume"])
        self.run_program("completion", "tcsh", code=2)


if __name__ == "__main__":
    unittest.main()
