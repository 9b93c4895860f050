"""What the two Python peers share: arguments, figures, the line of JSON they print."""

import json
import os
import sys
import threading
import time


def tell(**figures):
    print(json.dumps(figures), flush=True)


def main(workloads):
    """WORKLOAD WORKERS N, as the driver gives them. There is one worker whatever WORKERS says."""
    name, _, n = sys.argv[1:]
    for prefix, workload in workloads.items():
        if name == prefix or name.startswith(prefix + "-"):
            workload(name, int(n))
            return
    sys.exit(f"no workload {name}")


def tell_ns(begun, count):
    tell(ns=(time.perf_counter() - begun) * 1e9 / count)


def greenlets_of(name):
    """How many greenlets yield-2 and yield-1000 have."""
    return int(name.rpartition("-")[2])


def end_with_input(end):
    """Ends the server when the driver closes its standard input."""

    def watch():
        while os.read(0, 4096):
            pass
        end(0)

    threading.Thread(target=watch, daemon=True).start()


class Nights:
    """The sleepers' beds: how long each sleeps, how late each wakes."""

    def __init__(self, n):
        self.shortest = 0.02 if n < 10_000 else 1.0
        self.late = [0.0] * n
        self.begun = time.perf_counter()
        self.cpu = time.process_time()

    def night(self, i):
        n = len(self.late)
        return self.shortest + self.shortest * 2 * (i * 7919 % n) / n

    def wake(self, i, lay_down):
        self.late[i] = max(0.0, time.perf_counter() - lay_down - self.night(i))

    def morning(self):
        wall = time.perf_counter() - self.begun
        cpu = time.process_time() - self.cpu
        late = sorted(self.late)
        p99 = late[-(-len(late) * 99 // 100) - 1]
        tell(**{"wall s": wall, "CPU s": cpu, "late p99 ms": p99 * 1e3})
