"""What the shared library exports is the public interface that exports.txt lists, and no more."""

import os
import pathlib
import subprocess
import unittest


class ExportsTest(unittest.TestCase):
    def test_the_library_exports_the_public_interface_only(self):
        command = [os.environ["NM"], "-D", "--defined-only", "-C", os.environ["LIBRARY"]]
        lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        # "0000000000012345 T siftsearch::Version()".
        exported = sorted({line.split(" ", 2)[2] for line in lines.splitlines()})
        listed = pathlib.Path(__file__).with_name("exports.txt").read_text(encoding="utf-8")
        self.assertEqual(listed.splitlines(), exported)


if __name__ == "__main__":
    unittest.main()
