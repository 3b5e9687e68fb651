"""The load: redis-benchmark, with the proxy's CPU time read before and after it."""

from __future__ import annotations

import csv
import subprocess
from dataclasses import dataclass

from .process import BenchError
from .setups import Setup, find

CLIENTS = 50
VALUE_BYTES = 64
KEYS = 100_000
MAX_REQUESTS = 30_000_000


@dataclass(frozen=True)
class Case:
    """One kind of load."""
    op: str  # "get" or "set"
    depth: int  # requests a client sends before it reads: redis-benchmark -P


@dataclass
class Run:
    """What one redis-benchmark said of one setup."""
    setup: str
    case: Case
    rep: int
    requests: int
    rps: float
    cpu_us: float  # of the proxy process, a request
    cpu_ticks: float  # the same in whole, in clock ticks of 10 ms: below some 20 it is coarse
    p50_ms: float
    p99_ms: float


def run_load(setup: Setup, case: Case, requests: int, rep: int) -> Run:
    requests = max(case.depth * CLIENTS, min(requests, MAX_REQUESTS))
    requests -= requests % (case.depth * CLIENTS)
    command = [find("redis-benchmark"), "-h", "127.0.0.1", "-p", str(setup.port), "-t", case.op,
               "-c", str(CLIENTS), "-P", str(case.depth), "-n", str(requests),
               "-d", str(VALUE_BYTES), "-r", str(KEYS), "--csv"]
    before = setup.proxy.cpu_seconds()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"redis-benchmark against {setup.name} did not end in 180 s") from error
    cpu = setup.proxy.cpu_seconds() - before
    setup.proxy.check_alive()
    rows = [row for row in csv.DictReader(done.stdout.splitlines())] if done.stdout else []
    if done.returncode != 0 or len(rows) != 1:
        raise BenchError(f"redis-benchmark against {setup.name} failed ({done.returncode}): "
                         f"{done.stdout[-500:]}{done.stderr[-500:]}")
    row = rows[0]
    return Run(setup.name, case, rep, requests, float(row["rps"]), cpu / requests * 1e6, cpu * 100,
               float(row["p50_latency_ms"]), float(row["p99_latency_ms"]))
