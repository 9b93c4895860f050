#!/usr/bin/env python3
"""Runs a command that may hang, and when it does, says where before it is killed.

    ci/watched.py SECONDS LOG COMMAND...

The command's output goes to LOG, its input is empty, and it leads a process group of its own. When it has not ended after
SECONDS, what every thread of every process of that group is doing (the kernel's view, and all stacks where gdb is
installed) is added to LOG and the group is killed. The exit status is the command's, 128 + N for signal N, or 124
when the time was up.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys


def members(group):
    """The processes of a process group."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            # The name in parentheses may hold spaces; the fields count from the parenthesis that closes it.
            if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                found.append(int(entry.name))
        except (OSError, IndexError):
            pass  # it ended meanwhile
    return sorted(found)


def describe(pid, log):
    def say(text):
        log.write(text.encode(errors="replace") + b"\n")

    def read(path):
        try:
            return path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return "?"

    process = pathlib.Path(f"/proc/{pid}")
    say(f"--- process {pid}: {read(process / 'cmdline')}")
    try:
        threads = sorted(process.glob("task/*"), key=lambda thread: int(thread.name))
    except OSError:
        return
    for thread in threads:
        status = read(thread / "stat").rpartition(")")[2].split()[:1]
        say(
            f"thread {thread.name} {read(thread / 'comm')}: state {' '.join(status)}, in {read(thread / 'wchan')}, "
            f"system call {read(thread / 'syscall')}"
        )
    log.flush()
    if shutil.which("gdb"):
        # Without libthread_db: it finds threads by their thread pointer, and a worker may run with a home's.
        command = ["gdb", "-nx", "-batch", "-iex", "set libthread-db-search-path /nowhere", "-p", str(pid)]
        command += ["-ex", "set print frame-arguments none", "-ex", "thread apply all backtrace 40"]
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, timeout=60)
        except subprocess.TimeoutExpired:
            say("gdb did not end within 60 s")


def main():
    if len(sys.argv) < 4:
        print(__doc__, file=sys.stderr)
        return 2
    # Stopped by a signal, it must not leave the group behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seconds, path, command = float(sys.argv[1]), sys.argv[2], sys.argv[3:]
    with open(path, "wb") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            log.seek(0, os.SEEK_END)
            log.write(f"\n=== still running after {seconds:g} s: {' '.join(command)}\n".encode())
            log.flush()
            for pid in members(child.pid):
                describe(pid, log)
            status = None
        finally:
            for pid in members(child.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            child.wait()
    if status is None:
        return 124
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
