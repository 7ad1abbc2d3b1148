"""Commands, with their time, memory and what they read from the disk."""
import os
import subprocess
import tempfile
import threading
import time

SAMPLE_SECONDS = 0.004


class Result:
    def __init__(self, seconds, usage, own_kb, output, errors):
        self.seconds = seconds
        self.peak_mb = usage.ru_maxrss / 1024  # Mapped files included.
        self.own_mb = own_kb / 1024  # Without them: the largest RssAnon that was seen.
        self.read_mb = usage.ru_inblock * 512 / 1e6  # read_bytes of /proc/PID/io.
        self.output, self.errors = output, errors


class OwnMemory(threading.Thread):
    """Samples a process's memory that is no file's."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path, self.kb, self.over = f"/proc/{pid}/status", 0, threading.Event()

    def run(self):
        while not self.over.wait(SAMPLE_SECONDS):
            try:
                with open(self.path, encoding="ascii", errors="replace") as status:
                    for line in status:
                        if line.startswith("RssAnon:"):
                            self.kb = max(self.kb, int(line.split()[1]))
            except OSError:
                return


def run(command, allowed=(0,), text=None):
    """Runs a command to its end, `text` as its input."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write((text or "").encode(errors="surrogateescape"))
        given.seek(0)
        start = time.monotonic()
        child = subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, stderr=errors)
        memory = OwnMemory(child.pid)
        memory.start()
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - start
        memory.over.set()
        child.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    if child.returncode not in allowed:
        last = said.strip().splitlines()[-1:] or ["nothing on stderr"]
        raise RuntimeError(f"{' '.join(command)[:200]} ended with {child.returncode}: {last[0]}")
    return Result(seconds, usage, memory.kb, output.decode(errors="surrogateescape"), said)


def forget_files(folder):
    """Drops the files below a folder from the page cache, so that they are read from the disk."""
    os.sync()
    for top, _, names in os.walk(folder):
        for name in names:
            file = os.open(os.path.join(top, name), os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def read_files(folder):
    """Brings the files into the page cache, as far as that has room."""
    for top, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(top, name), "rb", buffering=0) as file:
                while file.read(1 << 24):
                    pass


def disk_mb(folder):
    """What du says that a folder takes."""
    return int(subprocess.run(["du", "-sk", folder], check=True, stdout=subprocess.PIPE)
               .stdout.split()[0]) * 1024 / 1e6
