#!/usr/bin/env python3
"""Runs the examples to their end, the way the README says they can be used.

    ci/examples.py [N]     N greenlets for `million` (1,000,000: needs 7 GB of free memory)

tour        ends with 0, with moving and with fixed homes
sieve, ring, pipeline, chat, philosophers   end with 0 and the right last line
million     ends with 0 and never holds more than 5,632 bytes a greenlet, as the kernel counts resident memory and page tables
echo        gives 50 clients at once back what they sent
hello_http  under wrk with 64 and with 10,000 connections, with a body of 100 MB, and stopped by SIGINT; both kinds of homes

Needs wrk and curl, and a limit of at least 10,100 descriptors that this process may set.
"""

import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True  # running a check leaves nothing in the tree
import watched

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BYTES_PER_GREENLET = 5632
CONNECTIONS = 10_000
# wrk and the server each hold one descriptor for a connection, and a few more.
DESCRIPTORS = CONNECTIONS + 100
BODY = 100 * 1024 * 1024

passed = failed = 0


def check(what, good, detail=""):
    global passed, failed
    passed, failed = (passed + 1, failed) if good else (passed, failed + 1)
    print(f"{'ok  ' if good else 'FAIL'} {what}{': ' if detail else ''}{detail}", flush=True)
    return good


def shown(command, settings):
    words = [f"{name}={value}" for name, value in settings.items()] + [str(word) for word in command]
    print("+ " + " ".join(words), flush=True)
    return {**os.environ, **settings}


def dump(pid):
    """What a process that should have ended is doing."""
    with tempfile.TemporaryFile() as log:
        watched.describe(pid, log)
        log.seek(0)
        print(log.read().decode(errors="replace"), flush=True)


class Program:
    """A running example. Leaving the `with` block kills it if it has not ended."""

    def __init__(self, name, *arguments, **settings):
        command = [str(TARGET / "release" / "examples" / name), *arguments]
        environment = shown(command, settings)
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()

    def line(self):
        """The next line of its output; nothing if it ended or said nothing for a minute."""
        late = threading.Timer(60, self.child.kill)
        late.start()
        line = self.child.stdout.readline().rstrip("\n")
        late.cancel()
        return line

    def end(self, seconds):
        """Its exit status, or None when it had to be killed."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            print(f"still running after {seconds} s", flush=True)
            dump(self.child.pid)
            return None

    def memory(self):
        """Bytes of resident memory and page tables; 0 when it has ended."""
        try:
            status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        except OSError:
            return 0
        return 1024 * sum(int(kib) for kib in re.findall(r"^(?:VmRSS|VmPTE):\s*(\d+) kB", status, re.MULTILINE))


def tour():
    for homes in ("moving", "fixed"):
        with Program("tour", SWARD_HOMES=homes) as program:
            # Its output is a few lines, which the pipe holds.
            status = program.end(120)
            lines = program.child.stdout.read().splitlines()
            check(f"tour, {homes} homes", status == 0 and lines, f"exit status {status}, {len(lines)} stops")


# What those that share something print as their last line.
SHARING = {
    "sieve": "2 3 5 7 ",
    "ring": "1000000 hops, ",
    "pipeline": "2000 lines, sum 1999000, ",
    "chat": "120 messages passed on, 0 missed",
    "philosophers": "the runtime was shut down: ",
}


def sharing():
    for name, last in SHARING.items():
        for homes in ("moving", "fixed"):
            with Program(name, SWARD_HOMES=homes) as program:
                status = program.end(120)
                lines = program.child.stdout.read().splitlines()
                good = status == 0 and lines and lines[-1].startswith(last)
                check(f"{name}, {homes} homes", good, f"exit status {status}, {lines[-1][:60] if lines else 'silent'}")


def million(count):
    free = int(re.search(r"MemAvailable:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) * 1024
    if not check("memory for million", free > count * 7000, f"{free >> 20} MB free"):
        return
    with Program("million", str(count)) as program:
        peak, began = 0, time.monotonic()
        while program.child.poll() is None and time.monotonic() - began < 180:
            peak = max(peak, program.memory())
            time.sleep(0.02)
        status = program.end(1)
        text = program.child.stdout.read()
        print(text, end="", flush=True)
        check("million ends", status == 0 and f"{count} greenlets woken and joined" in text, f"exit status {status}")
        # Less than 1 KB each would mean that they never existed together.
        each = peak / count
        check("million's memory", 1000 < each <= BYTES_PER_GREENLET, f"{each:.0f} bytes a greenlet at most")


def echo():
    def talk(address, seed, results):
        sent = bytes((seed + at) % 251 for at in range(100_000))
        with socket.create_connection(address, timeout=30) as stream:
            stream.sendall(sent)
            stream.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: stream.recv(65536), b""))
        results[seed] = received == sent

    for homes in ("moving", "fixed"):
        with Program("echo", "127.0.0.1:0", SWARD_HOMES=homes) as program:
            line = program.line()
            host, _, port = line.removeprefix("echoing on ").rpartition(":")
            if not check(f"echo listens, {homes} homes", port.isdigit(), line):
                continue
            results = {}
            clients = [threading.Thread(target=talk, args=((host, int(port)), seed, results)) for seed in range(50)]
            for client in clients:
                client.start()
            for client in clients:
                client.join(60)
            good = sum(results.values())
            if not check(f"echo, {homes} homes", good == len(clients), f"{good} of {len(clients)} clients got theirs back"):
                dump(program.child.pid)


def wrk(program, url, connections):
    command = ["wrk", "-t1", f"-c{connections}", "-d5s", url]
    shown(command, {})
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    except subprocess.TimeoutExpired:
        check(f"wrk with {connections} connections", False, "it did not end")
        dump(program.child.pid)
        return
    print(done.stdout + done.stderr, end="", flush=True)
    errors = [line.strip() for line in done.stdout.splitlines() if re.search("Socket errors|Non-2xx", line)]
    rate = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    good = done.returncode == 0 and not errors and rate and float(rate[1]) > 0
    check(f"wrk with {connections} connections", good, "; ".join(errors) or f"{rate[1] if rate else 0} requests a second")


def curl(*arguments):
    command = ["curl", "-sS", "--max-time", "60", *arguments]
    shown(command, {})
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def hello_http(scratch):
    body = pathlib.Path(scratch) / "body"
    with body.open("wb") as file:
        file.truncate(BODY)
    for homes in ("moving", "fixed"):
        with Program("hello_http", "--addr", "127.0.0.1:0", SWARD_HOMES=homes) as program:
            line = program.line()
            url = line.removeprefix("listening on ")
            if not check(f"hello_http listens, {homes} homes", url.startswith("http://"), line):
                continue
            check("GET /", curl(url + "/") == "Hello, world!")
            wrk(program, url + "/", 64)
            # Most of these connections wait for their first answer while thousands of others are accepted, and none may
            # wait for longer than wrk's two seconds.
            wrk(program, url + "/", CONNECTIONS)
            answer = curl("-H", "Expect:", "--data-binary", f"@{body}", url + "/")
            check("a body of 100 MB", answer == f"{BODY} bytes", answer)
            stats = curl(url + "/stats")
            check("GET /stats", f'"body_bytes":{BODY}' in stats, stats)
            program.child.send_signal(signal.SIGINT)
            status = program.end(20)
            check("SIGINT ends it", status == 0, f"exit status {status}")


def main():
    count = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    for tool in ("wrk", "curl"):
        if not shutil.which(tool):
            sys.exit(f"examples: {tool} is not installed")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        hard = DESCRIPTORS  # only root may
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), hard))

    build = ["cargo", "build", "--release", "-p", "sward-examples", "--examples"]
    shown(build, {})
    subprocess.run(build, cwd=ROOT, check=True)
    tour()
    sharing()
    million(count)
    echo()
    with tempfile.TemporaryDirectory() as scratch:
        hello_http(scratch)
    line = f"{passed} passed, {failed} failed"
    if os.environ.get("CI_TALLY"):
        pathlib.Path(os.environ["CI_TALLY"]).write_text(line + "\n")
    print(line)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
