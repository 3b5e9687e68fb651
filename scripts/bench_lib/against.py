"""Two builds of gemel beside each other, in turns: what writes cost that evict and expire nothing.

Each build has a pair of its own. A repetition runs every write once on each, and begins with the other build than the
one before; a ratio is taken within a repetition, and the median of the ratios counts.
"""

from __future__ import annotations

import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from .evict import Place, add_cost, ask, close, Cost
from .process import BenchError
from .report import Bar
from .setups import find

# Of redis-benchmark; the fields and members are new ones nearly always.
WRITES = {
    "SET": ["SET", "k:__rand_int__", "v" * 64],
    "HSET of a new field": ["HSET", "h:__rand_int__", "f:__rand_int__", "value"],
    "SADD": ["SADD", "s:__rand_int__", "m:__rand_int__"],
}
CLIENTS = 50
DEPTH = 16
KEYS = 100_000
MAX_RATIO = 1.02


@dataclass
class Turn:
    write: str
    rep: int
    proxy_us: tuple[float, float]  # a request: of the build that is measured, of the one it is compared to
    all_us: tuple[float, float]  # with the nodes

    def ratio(self, field: str) -> float:
        here, there = getattr(self, field)
        return here / there


def measure(gemel: Path, against: Path, folder: Path, reps: int, seconds: float) -> list[Turn]:
    places: list[Place] = []
    try:
        for number, program in enumerate((gemel, against)):
            places.append(Place("gemel", folder / f"build{number}", program, []))
        counts = {write: _rate(places[0], write, seconds) for write in WRITES}
        turns = []
        for rep in range(1, reps + 1):
            for write, requests in counts.items():
                costs = [Cost(write, "gemel") for _ in places]
                for shift in range(len(places)):
                    at = (rep + shift) % len(places)
                    _run(places[at], write, requests, costs[at])
                turns.append(Turn(write, rep, _both(cost.us("proxy") or 0.0 for cost in costs),
                                  _both(cost.nodes_us + (cost.us("proxy") or 0.0) for cost in costs)))
        return turns
    finally:
        close(places)


def _both(values) -> tuple[float, float]:
    here, there = values
    if there <= 0:
        raise BenchError("a run was too short for the kernel's clock tick")
    return here, there


def _rate(place: Place, write: str, seconds: float) -> int:
    """How many requests take so long."""
    cost = Cost(write, "gemel")
    for _ in range(2):  # the first warms up
        cost = Cost(write, "gemel")
        _run(place, write, 50 * CLIENTS * DEPTH, cost)
    return int(cost.requests / cost.seconds * seconds) // (CLIENTS * DEPTH) * CLIENTS * DEPTH


def _run(place: Place, write: str, requests: int, cost: Cost) -> None:
    for port in place.ports:
        ask(port, "FLUSHALL")
    before = place.cpu()
    command = [find("redis-benchmark"), "-p", str(place.port), "-c", str(CLIENTS), "-P", str(DEPTH),
               "-n", str(requests), "-r", str(KEYS), "--csv", *WRITES[write]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines or "rror" in done.stdout:
        raise BenchError(f"redis-benchmark: {done.stdout[-500:]}{done.stderr[-500:]}")
    # "the command","rps",...: the command may have commas of its own.
    rate = float(lines[-1].split('","')[1].strip('"'))
    add_cost(cost, before, place.cpu(), requests, requests / rate)


def bars(turns: list[Turn]) -> list[Bar]:
    found = []
    for write in WRITES:
        for field, what in (("proxy_us", "CPU of the proxy"), ("all_us", "CPU of proxy and nodes")):
            found.append(Bar(f"{write}: {what}, a ratio to the other build", MAX_RATIO, True,
                             median(turn.ratio(field) for turn in turns if turn.write == write)))
    return found


def missed(turns: list[Turn]) -> list[Bar]:
    return [bar for bar in bars(turns) if bar.verdict == "MISS"]


def table(turns: list[Turn]) -> str:
    lines = [f"{'writes without evictions, CPU us a request':<44} {'proxy':>7} {'other':>7} {'all':>7} {'other':>7}"]
    for write in WRITES:
        of = [turn for turn in turns if turn.write == write]
        middle = [median(values) for values in zip(*(turn.proxy_us + turn.all_us for turn in of))]
        lines.append(f"{write:<44} " + " ".join(f"{value:>7.3f}" for value in middle))
    return "\n".join([*lines, "", "The bars", *(bar.line() for bar in bars(turns))])


def as_json(turns: list[Turn]) -> dict:
    return {"turns": [asdict(turn) for turn in turns]}
