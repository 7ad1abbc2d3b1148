"""Stopped in the middle: everything reported is stored, nothing is half there, and the same
command finishes the job."""

import json
import signal
import subprocess
import unittest

from program import TIMEOUT, ProgramTest

PICTURES = 120  # More than one commit holds.


class InterruptTest(ProgramTest):
    features = "1000"

    def setUp(self):
        super().setUp()
        self.pictures = self.many_pictures(PICTURES)

    def add_and_send(self, number):
        """Sends a signal as soon as the first image is reported; gives the process and the paths
        reported as added until its end."""
        process = subprocess.Popen(self.command("add", "--format", "jsonl", self.pictures),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        output = process.stdout.readline()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=TIMEOUT)
        # After a kill the last line may be cut.
        outcomes = [json.loads(line) for line in (output + rest).split(b"\n")[:-1]]
        return (process.returncode, [o["path"] for o in outcomes if o["action"] == "added"],
                errors.decode())

    def assert_stored_and_finish(self, reported):
        self.assertTrue(reported)
        self.assert_sound()
        stored = self.paths()
        self.assertLessEqual(set(reported), set(stored))
        self.assertLess(len(stored), PICTURES, "stopped too late to show anything")
        for path in (reported[0], reported[-1]):
            self.assertTrue(self.query("--top", "1", path)[0]["matches"][0]["copy"])
        outcomes = self.add(self.pictures)
        self.assertEqual(sum(o["action"] == "unchanged" for o in outcomes.values()), len(stored))
        self.assertEqual(len(self.paths()), PICTURES)
        self.assert_sound()

    def test_ctrl_c(self):
        code, reported, errors = self.add_and_send(signal.SIGINT)
        self.assertEqual(code, 130)
        self.assertIn("stopped on request", errors)
        self.assertEqual(sorted(reported), sorted(self.paths()))
        self.assert_stored_and_finish(reported)

    def test_kill(self):
        code, reported, _ = self.add_and_send(signal.SIGKILL)
        self.assertEqual(code, -signal.SIGKILL)
        self.assert_stored_and_finish(reported)
        # A killed writer's unlisted files are gone after the next commit.
        listed = self.lines("stats", "--format", "json")[0]["segments"]
        self.assertEqual(len(list((self.database / "segments").iterdir())), listed)


class ReportInterruptTest(ProgramTest):
    def test_ctrl_c_leaves_a_valid_part_of_a_report(self):
        self.add(self.many_pictures(60))
        report = self.folder / "report.jsonl"
        # The report begins by making its file.
        process = subprocess.Popen(self.command("report", "-o", report), stderr=subprocess.PIPE)
        while not (self.folder / "report.jsonl.part").exists():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 130)
        self.assertIn(b"stopped on request, incomplete", errors)
        for line in report.read_text().splitlines():
            json.loads(line)


if __name__ == "__main__":
    unittest.main()
