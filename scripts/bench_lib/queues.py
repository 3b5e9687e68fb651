"""A queue whose workers wait with BLPOP, beside the same on a bare redis-server; and what clients cost that wait.

A run is two redis-benchmark at the same time, of workers that ask BLPOP and of those who push, as many elements. In one
load the workers are many, so that they wait and each push wakes one; in the other those who push are, so that there is
mostly something in the queue. A repetition runs every load on every setup, and begins with another setup than the one
before; a ratio is taken within a repetition, and the median of the ratios counts. haproxy, which forwards bytes as they are,
says what a further process on the way costs on this machine.
"""

from __future__ import annotations

import resource
import subprocess
import time
from dataclasses import asdict, dataclass
from statistics import median

from .memory import settled
from .process import BenchError
from .report import Bar
from .resp import Client
from .setups import Lab, Setup, find

SETUPS = ("redis", "haproxy", "gemel-1", "gemel-2")
MEASURED = ("gemel-1", "gemel-2")  # the others say what the machine makes of a hop
# Workers and those who push.
LOADS = {"workers wait": (50, 10), "elements wait": (10, 50)}
WAITING = 9_000
MIN_RATIO = 0.9
MAX_BYTES = 1024


@dataclass
class Turn:
    load: str
    rep: int
    rates: dict[str, float]  # elements a second, by setup

    def ratio(self, setup: str) -> float:
        return self.rates[setup] / self.rates["redis"]


@dataclass
class Waiting:
    """What clients cost a gemel that wait, beyond what they cost it idle."""
    clients: int
    bytes_each: float
    node_connections: int  # more than before


def measure(lab: Lab, reps: int, seconds: float) -> tuple[list[Turn], Waiting]:
    setups = [lab.start(name) for name in SETUPS]
    counts = {}
    for load in LOADS:
        for setup in setups:
            _run(setup, load, 2_000)
        counts[load] = max(int(_run(setups[0], load, 5_000) * seconds), 1_000)
    turns = []
    for rep in range(1, reps + 1):
        for load in LOADS:
            turn = Turn(load, rep, {})
            for shift in range(len(setups)):
                setup = setups[(rep + shift) % len(setups)]
                turn.rates[setup.name] = _run(setup, load, counts[load])
            turns.append(turn)
        lab.check_alive()
    return turns, _measure_waiting(lab)


def _run(setup: Setup, load: str, elements: int) -> float:
    """Elements a second, from the first push to the last answer."""
    workers, pushers = LOADS[load]
    step = workers * pushers
    elements = max(elements // step, 1) * step
    started = time.monotonic()
    runs = [subprocess.Popen(
        [find("redis-benchmark"), "-p", str(setup.port), "-c", str(clients), "-n", str(elements), "--csv", *command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for clients, command in ((workers, ["BLPOP", "queue", "0"]), (pushers, ["RPUSH", "queue", "v" * 64]))]
    for run in runs:
        try:
            text, _ = run.communicate(timeout=180)
        except subprocess.TimeoutExpired as error:
            for each in runs:
                each.kill()
            raise BenchError(f"the queue on {setup.name} did not come to its end in 180 s") from error
        if run.returncode != 0 or "rror" in text:
            raise BenchError(f"redis-benchmark: {text[-500:]}")
    took = time.monotonic() - started
    client = Client(setup.port)
    left = client.call("LLEN", "queue")
    client.close()
    if left != 0:
        raise BenchError(f"{left} elements are left of the queue on {setup.name}")
    return elements / took


def _measure_waiting(lab: Lab) -> Waiting:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = WAITING if hard == resource.RLIM_INFINITY else min(WAITING, hard - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 500, hard))
    setup = lab.start("gemel-2")
    act = Client(setup.port)
    clients = [Client(setup.port) for _ in range(count)]
    try:
        for client in clients:
            client.call("PING")
        idle, connections = settled(setup.proxy), _node_connections(act)
        for i, client in enumerate(clients):
            client.send("BLPOP", f"queue:{i % 1000}", "0")
        for _ in range(600):
            if _field(act, "clients", "blocked_clients") == count:
                break
            time.sleep(0.1)
        else:
            raise BenchError("the clients do not wait after 60 s")
        waiting = settled(setup.proxy)
        more = _node_connections(act) - connections
        for i, client in enumerate(clients):
            act.call("RPUSH", f"queue:{i % 1000}", str(i))
        for i, client in enumerate(clients):
            if client.read() != [f"queue:{i % 1000}", str(i)]:
                raise BenchError("a client got what was another's")
    finally:
        for client in clients:
            client.close()
        act.close()
    return Waiting(count, (waiting - idle) / count, more)


def _field(client: Client, section: str, name: str) -> int:
    for line in client.call("INFO", section).splitlines():
        if line.startswith(name + ":"):
            return int(line.partition(":")[2])
    raise BenchError(f"INFO {section} has no {name}")


def _node_connections(client: Client) -> int:
    """Of the primary."""
    shard = client.call("PROXY", "SHARDS")[0]
    primary = dict(zip(shard[::2], shard[1::2]))["primary"]
    node = Client(int(primary.rpartition(":")[2]))
    connections = _field(node, "clients", "connected_clients")
    node.close()
    return connections


def bars(turns: list[Turn], waiting: Waiting) -> list[Bar]:
    all_bars = [Bar(f"a queue with BLPOP, {load}: {setup}, a ratio to redis", MIN_RATIO, False,
                    median(turn.ratio(setup) for turn in turns if turn.load == load))
                for load in LOADS for setup in MEASURED]
    all_bars.append(Bar(f"bytes of memory of each of {waiting.clients} that wait", MAX_BYTES, True, waiting.bytes_each))
    all_bars.append(Bar("connections of the primary for them", 0, True, waiting.node_connections))
    return all_bars


def missed(turns: list[Turn], waiting: Waiting) -> list[Bar]:
    return [bar for bar in bars(turns, waiting) if bar.verdict == "MISS"]


def table(turns: list[Turn], waiting: Waiting) -> str:
    lines = [f"{'elements a second':<24} " + " ".join(f"{name:>10}" for name in SETUPS)]
    for load in LOADS:
        of = [turn for turn in turns if turn.load == load]
        lines.append(f"{load:<24} " + " ".join(f"{median(turn.rates[name] for turn in of):>10,.0f}" for name in SETUPS))
        lines.append(f"{'  of redis':<24} " + " ".join(f"{median(turn.ratio(name) for turn in of):>10.3f}" for name in SETUPS))
    return "\n".join([*lines, "", "The bars", *(bar.line() for bar in bars(turns, waiting))])


def as_json(turns: list[Turn], waiting: Waiting) -> dict:
    return {"turns": [asdict(turn) for turn in turns], "waiting": asdict(waiting)}
