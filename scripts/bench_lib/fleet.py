"""What a request costs that its member forwards to the owner of the shard, beside one that comes to the owner; and what
a fleet of three costs beside one gemel alone.

One shard of two copies, three members, so that one of them owns it. The load is redis-benchmark at the owner ("direct"),
at another member ("forwarded"), and at a gemel of no fleet with nodes of its own ("alone"). What counts is the CPU time
of all gemels together, a request: of a forwarded one its member's and the owner's, and what the third does beside. What
a fleet burns while nobody asks anything is measured too, and is in all figures of the fleet. A repetition begins with
another setup than the one before; a ratio is taken within a repetition, and the median of the ratios counts.
"""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from .load import KEYS, VALUE_BYTES, Case, Run, run_load
from .process import BenchError, Process, free_port
from .report import Bar
from .resp import Client, fill
from .setups import Lab, Setup, find, wait_in_sync

MEMBERS = 3
ACCEPTORS = 3
DEPTHS = (1, 16)
OPS = ("get", "set")
SETUPS = ("alone", "direct", "forwarded")
MAX_MORE = 0.6  # of a forwarded request at depth 16: CPU time beyond that of a direct one
_SETTLE_S = 30.0
_IDLE_S = 3.0
# The names of an owner's connections to its nodes end with its turn and its own name.
_OWNER = re.compile(r" name=gemel:\S*;(\d+);([^\s;:]+)")


class Together:
    """Several processes whose CPU time counts as one."""

    def __init__(self, processes: list[Process]) -> None:
        self._processes = processes

    def cpu_seconds(self) -> float:
        return sum(process.cpu_exact() for process in self._processes)

    def check_alive(self) -> None:
        for process in self._processes:
            process.check_alive()


@dataclass
class Idle:
    """CPU time of a second in which nobody asks anything, of all gemels."""
    alone_ms: float
    fleet_ms: float


def owner_of(node_port: int) -> str:
    """The member that owns the shard of that node; "" if nobody has connected to it yet."""
    client = Client(node_port)
    try:
        found = [(int(turn), member) for turn, member in _OWNER.findall(client.call("CLIENT", "LIST"))]
    finally:
        client.close()
    return max(found, default=(0, ""))[1]


class FleetLab:
    """Three members and one gemel alone, on servers of a Lab's that ends them all."""

    def __init__(self, lab: Lab, gemel: Path, folder: Path) -> None:
        self._lab = lab
        self._gemel = gemel
        self._folder = folder
        self.nodes = self._servers("fleet-primary", "fleet-replica")
        acceptors = self._servers(*(f"acceptor-{number}" for number in range(ACCEPTORS)))
        servers = ", ".join(f'"127.0.0.1:{port}"' for port in acceptors)
        ports = [free_port() for _ in range(MEMBERS)]
        members = [self._start(f"m{number}", port, self.nodes,
                               f'[fleet]\ncoordinator = "paxos"\nmember = "m{number}"\n'
                               'secret = "of the benchmark alone"\n'
                               f'listen = "127.0.0.1:{free_port()}"\nservers = [{servers}]\n')
                   for number, port in enumerate(ports)]
        for process, port in zip(members, ports):
            process.wait_for_port(port, _SETTLE_S)
        self.fleet = Together(members)
        owner = self._settled_owner()
        wait_in_sync(members[owner], ports[owner])
        port = free_port()
        alone = self._start("alone", port, self._servers("alone-primary", "alone-replica"), "")
        alone.wait_for_port(port)
        wait_in_sync(alone, port)
        self.alone = Together([alone])
        self.setups = {"alone": Setup("alone", port, self.alone),
                       "direct": Setup("direct", ports[owner], self.fleet),
                       "forwarded": Setup("forwarded", ports[(owner + 1) % MEMBERS], self.fleet)}
        self._owner = f"m{owner}"

    def check_owner(self) -> None:
        """BenchError if the shard has moved: what was measured would be something else."""
        owner = owner_of(self.nodes[0])
        if owner != self._owner:
            raise BenchError(f"the shard has moved from {self._owner} to {owner or 'nobody'}")

    def _servers(self, *names: str) -> list[int]:
        return [self._lab.fresh_redis(name).port for name in names]

    def _start(self, name: str, port: int, nodes: list[int], fleet: str) -> Process:
        folder = self._folder / name
        folder.mkdir()
        config = folder / "gemel.toml"
        config.write_text(
            f'[proxy]\nlisten = ["127.0.0.1:{port}"]\nworkers = 1\nstate_dir = "{folder / "state"}"\n'
            f'{fleet}'
            f'[[shard]]\nname = "a"\nprimary = "127.0.0.1:{nodes[0]}"\nreplicas = ["127.0.0.1:{nodes[1]}"]\n')
        return self._lab.add(Process(name, [str(self._gemel), "-c", str(config)], folder))

    def _settled_owner(self) -> int:
        """Once it has been the same for two seconds: shards move while members come."""
        end = time.monotonic() + _SETTLE_S
        seen, since = "", time.monotonic()
        while time.monotonic() < end:
            self.fleet.check_alive()
            owner = owner_of(self.nodes[0])
            if owner != seen:
                seen, since = owner, time.monotonic()
            elif owner and time.monotonic() - since > 2:
                return int(owner[1:])
            time.sleep(0.1)
        raise BenchError(f"nobody owns the shard for good after {_SETTLE_S:.0f} s")


def measure(lab: Lab, gemel: Path, folder: Path, reps: int, seconds: float) -> tuple[list[Run], Idle]:
    find("redis-benchmark")
    fleet = FleetLab(lab, gemel, folder)
    for name in ("alone", "direct"):
        fill(fleet.setups[name].port, KEYS, VALUE_BYTES)
    idle = Idle(_burnt(fleet.alone), _burnt(fleet.fleet))
    cases = [Case(op, depth) for op in OPS for depth in DEPTHS]
    rates = {(name, case): 10_000.0 for name in SETUPS for case in cases}

    def one(name: str, case: Case, length: float, rep: int) -> Run:
        run = run_load(fleet.setups[name], case, int(min(rates[name, case], 2_000_000) * length), rep)
        rates[name, case] = run.rps
        return run

    for name in SETUPS:
        for case in cases:
            one(name, case, 0.3, 0)
    runs = []
    for rep in range(1, reps + 1):
        for case in cases:
            for shift in range(len(SETUPS)):
                runs.append(one(SETUPS[(rep + shift) % len(SETUPS)], case, seconds, rep))
        fleet.check_owner()
        lab.check_alive()
    return runs, idle


def _burnt(processes: Together) -> float:
    before = processes.cpu_seconds()
    time.sleep(_IDLE_S)
    return (processes.cpu_seconds() - before) / _IDLE_S * 1000


def _of(runs: list[Run], name: str, case: Case) -> list[Run]:
    return sorted((run for run in runs if run.setup == name and run.case == case), key=lambda run: run.rep)


def ratio(runs: list[Run], name: str, base: str, case: Case) -> float:
    return median(run.cpu_us / other.cpu_us for run, other in zip(_of(runs, name, case), _of(runs, base, case)))


def bars(runs: list[Run]) -> list[Bar]:
    return [Bar(f"CPU of a forwarded {op.upper()} beyond a direct one, depth 16, a ratio to it", MAX_MORE, True,
                ratio(runs, "forwarded", "direct", Case(op, 16)) - 1) for op in OPS]


def missed(runs: list[Run]) -> list[Bar]:
    return [bar for bar in bars(runs) if bar.verdict == "MISS"]


def table(runs: list[Run], idle: Idle) -> str:
    head = (f"{'':<14} {'at':<10} {'CPU us a request':>16} {'to direct':>10} {'to alone':>9} {'requests/s':>11} "
            f"{'p50 ms':>8} {'p99 ms':>8}")
    lines = [head, "-" * len(head)]
    for case in dict.fromkeys(run.case for run in runs):
        for name in SETUPS:
            of = _of(runs, name, case)
            cells = [median(getattr(run, field) for run in of) for field in ("cpu_us", "rps", "p50_ms", "p99_ms")]
            direct = f"{ratio(runs, name, 'direct', case):.2f}" if name == "forwarded" else ""
            alone = f"{ratio(runs, name, 'alone', case):.2f}" if name != "alone" else ""
            lines.append(f"{case.op.upper() + f', depth {case.depth}':<14} {name:<10} {cells[0]:>16.2f} {direct:>10} "
                         f"{alone:>9} {cells[1]:>11,.0f} {cells[2]:>8.3f} {cells[3]:>8.3f}")
    lines += ["", f"while nobody asks anything: {idle.alone_ms:.1f} ms of CPU a second of one gemel alone, "
              f"{idle.fleet_ms:.1f} of the three of the fleet"]
    return "\n".join([*lines, "", "The bars", *(bar.line() for bar in bars(runs))])


def as_json(runs: list[Run], idle: Idle) -> dict:
    return {"runs": [asdict(run) for run in runs], "idle": asdict(idle)}
