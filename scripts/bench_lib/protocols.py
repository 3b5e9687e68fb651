"""What clients of RESP3 cost the proxy beside those of RESP2: one gemel with two copies, the same load by clients of
either protocol, and by half of each at the same time.

A repetition runs every load once in each way, and begins with another way than the one before; a ratio is taken within
a repetition, and the median of the ratios counts.
"""

from __future__ import annotations

import subprocess
from dataclasses import asdict, dataclass
from statistics import median

from .process import BenchError
from .report import Bar
from .resp import Client
from .setups import Lab, Setup, find

# Of redis-benchmark, and what is there before.
LOADS = {
    "GET": ["GET", "k:__rand_int__"],
    "GET of nothing": ["GET", "none:__rand_int__"],
    "SET": ["SET", "k:__rand_int__", "v" * 64],
    "HGETALL, 10 fields": ["HGETALL", "hash"],
    "ZRANGE WITHSCORES, 10": ["ZRANGE", "zset", "0", "-1", "WITHSCORES"],
}
DEPTHS = (1, 16)
WAYS = ("RESP2", "RESP3", "half of each")
CLIENTS = 50
KEYS = 10_000
MAX_RATIO = 1.15


@dataclass
class Turn:
    load: str
    depth: int
    rep: int
    cpu_us: dict[str, float]  # of the proxy, a request, by way

    def ratio(self, way: str) -> float:
        return self.cpu_us[way] / self.cpu_us["RESP2"]


def measure(lab: Lab, reps: int, seconds: float) -> list[Turn]:
    setup = lab.start("gemel-2")
    client = Client(setup.port)
    for i in range(10):
        client.call("HSET", "hash", f"field{i}", f"value{i}")
        client.call("ZADD", "zset", str(i + 0.5), f"member{i}")
    client.close()
    cases = [(load, depth) for load in LOADS for depth in DEPTHS]
    _run(setup, "SET", 16, "RESP2", 20 * KEYS)
    counts = {}
    for load, depth in cases:
        _run(setup, load, depth, "RESP2", 100 * CLIENTS * depth)
        rate = _run(setup, load, depth, "RESP2", 200 * CLIENTS * depth)[1]
        counts[load, depth] = max(int(rate * seconds), CLIENTS * depth)
    turns = []
    for rep in range(1, reps + 1):
        for load, depth in cases:
            turn = Turn(load, depth, rep, {})
            for shift in range(len(WAYS)):
                way = WAYS[(rep + shift) % len(WAYS)]
                turn.cpu_us[way] = _run(setup, load, depth, way, counts[load, depth])[0]
            if min(turn.cpu_us.values()) <= 0:
                raise BenchError("a run was too short for the kernel's clock tick")
            turns.append(turn)
        lab.check_alive()
    return turns


def _run(setup: Setup, load: str, depth: int, way: str, requests: int) -> tuple[float, float]:
    """CPU of the proxy in us a request, and requests a second."""
    halves = [["-3"], []] if way == "half of each" else [["-3"] if way == "RESP3" else []]
    clients = CLIENTS // len(halves)
    step = clients * depth
    each = max(requests // len(halves) // step, 1) * step
    before = setup.proxy.cpu_seconds()
    runs = [subprocess.Popen(
        [find("redis-benchmark"), "-p", str(setup.port), "-c", str(clients), "-P", str(depth), "-n", str(each),
         "-r", str(KEYS), "--csv", *options, *LOADS[load]],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for options in halves]
    rate = 0.0
    for run in runs:
        try:
            text, _ = run.communicate(timeout=180)
        except subprocess.TimeoutExpired as error:
            run.kill()
            raise BenchError("redis-benchmark did not end in 180 s") from error
        lines = text.splitlines()
        if run.returncode != 0 or not lines or "rror" in text:
            raise BenchError(f"redis-benchmark: {text[-500:]}")
        # "the command","rps",...: the command may have commas of its own.
        rate += float(lines[-1].split('","')[1].strip('"'))
    cpu = setup.proxy.cpu_seconds() - before
    return cpu / (each * len(halves)) * 1e6, rate


def bars(turns: list[Turn]) -> list[Bar]:
    return [Bar(f"{load} at depth {depth}: {way}, a ratio to RESP2", MAX_RATIO, True,
                median(turn.ratio(way) for turn in turns if (turn.load, turn.depth) == (load, depth)))
            for load in LOADS for depth in DEPTHS for way in WAYS[1:]]


def missed(turns: list[Turn]) -> list[Bar]:
    return [bar for bar in bars(turns) if bar.verdict == "MISS"]


def table(turns: list[Turn]) -> str:
    lines = [f"{'CPU of the proxy, us a request':<34} " + " ".join(f"{way:>12}" for way in WAYS)]
    for load in LOADS:
        for depth in DEPTHS:
            of = [turn for turn in turns if (turn.load, turn.depth) == (load, depth)]
            lines.append(f"{load + f', depth {depth}':<34} " +
                         " ".join(f"{median(turn.cpu_us[way] for turn in of):>12.3f}" for way in WAYS))
    return "\n".join([*lines, "", "The bars", *(bar.line() for bar in bars(turns))])


def as_json(turns: list[Turn]) -> dict:
    return {"turns": [asdict(turn) for turn in turns]}
