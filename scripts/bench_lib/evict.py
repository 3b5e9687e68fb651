"""A cache that is full, and one whose keys expire: what it finds, and what that costs.

Three things are compared, each of the same maxmemory: a redis-server alone, gemel with one pair, and a pair that
Redis's own replication keeps equal (clients at the primary). All get the same trace from the same client
(cache_load.cc): reads of 100,000 keys by a Zipf law (exponent 0.8), a SET of 100 to 499 bytes for each miss, so that
the keys together are three times the memory. Then the primary is taken away (kill -9 under gemel, REPLICAOF NO ONE for
Redis) and the trace goes on. Expiries are SETs of new keys at a steady
rate, each with a PX of 20 to 400 ms.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .process import BenchError, Process, free_port
from .report import Bar
from .resp import Client
from .setups import compile_program, find, wait_in_sync

POLICIES = ("allkeys-lru", "allkeys-lfu")
ALL_POLICIES = (*POLICIES, "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl")
JUDGED = POLICIES  # those whose hit rate depends on which keys go
KINDS = ("redis alone", "gemel", "replication")

MAXMEMORY_MB = 8
READS_PER_S = 20_000  # far below what any of them can
WARM_READS = 240_000
READS = 240_000
AFTER_READS = 10_000
SEED = 8

EXPIRIES_PER_S = 20_000
EXPIRE_S = 8

MAX_POINTS = 1.0
MAX_POINTS_AFTER = 2.0
SETTLE_S = 1.0  # so long after the last write the copies may differ


@dataclass
class Cost:
    """CPU time of one thing under one load."""
    load: str
    setup: str
    requests: int = 0
    seconds: float = 0.0
    cpu_s: dict[str, float] = field(default_factory=dict)  # by process

    def us(self, process: str) -> float | None:
        return self.cpu_s[process] / self.requests * 1e6 if process in self.cpu_s and self.requests else None

    @property
    def nodes_us(self) -> float:
        return sum(self.us(name) or 0.0 for name in self.cpu_s if name != "proxy")


@dataclass
class Hits:
    """What one thing found of one trace."""
    policy: str
    setup: str
    reads: int = 0
    hits: int = 0
    after_reads: int = 0  # once the primary was gone
    after_hits: int = 0
    errors: int = 0
    keys: int = 0  # of the primary, before it was taken away
    only_primary: int | None = None
    only_replica: int | None = None
    used_mb: list[float] = field(default_factory=list)  # of each node, under load
    commands: int = 0  # different ones that the primary was ever asked: Redis keeps 25 kB about each

    @property
    def rate(self) -> float:
        return self.hits / self.reads * 100

    @property
    def after_rate(self) -> float:
        return self.after_hits / self.after_reads * 100


class Place:
    """One of KINDS, started. `port` is where clients go."""

    def __init__(self, kind: str, folder: Path, gemel: Path, options: list[str]) -> None:
        self.kind = kind
        self.folder = folder
        self._options = options
        folder.mkdir()
        self.processes: dict[str, Process] = {}
        self.ports = [self._node("primary")]
        self.port = self.ports[0]
        try:
            if kind != "redis alone":
                self.ports.append(self._node("replica"))
            if kind == "gemel":
                self._start_gemel(gemel)
            elif kind == "replication":
                self._replicate()
        except BaseException:
            self.close()
            raise

    def _node(self, name: str) -> int:
        port = free_port()
        data = self.folder / name
        data.mkdir()
        process = Process(name, [
            find("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(data),
            # What the backlog holds counts against maxmemory: one megabyte of eight, if it is not made small.
            "--repl-backlog-size", "16kb", "--repl-diskless-sync-delay", "0", *self._options], self.folder)
        self.processes[name] = process
        process.wait_for_port(port)
        return port

    def _start_gemel(self, gemel: Path) -> None:
        self.port = free_port()
        config = self.folder / "gemel.toml"
        config.write_text(f'[proxy]\nlisten = ["127.0.0.1:{self.port}"]\nstate_dir = "{self.folder / "state"}"\n'
                          f'[[shard]]\nname = "a"\nprimary = "127.0.0.1:{self.ports[0]}"\n'
                          f'replicas = ["127.0.0.1:{self.ports[1]}"]\n')
        process = Process("gemel", [str(gemel), "-c", str(config)], self.folder)
        self.processes["proxy"] = process
        process.wait_for_port(self.port)
        wait_in_sync(process, self.port)

    def _replicate(self) -> None:
        ask(self.ports[1], "REPLICAOF", "127.0.0.1", str(self.ports[0]))
        end = time.monotonic() + 20
        while info(self.ports[1], "replication").get("master_link_status") != "up":
            if time.monotonic() > end:
                raise BenchError("the replica does not follow")
            time.sleep(0.05)

    def cpu(self) -> dict[str, float]:
        return {name: process.cpu_exact() for name, process in self.processes.items()}

    def lose_primary(self) -> None:
        if self.kind == "gemel":
            self.processes.pop("primary").kill()
        elif self.kind == "replication":
            self.processes.pop("primary").kill()
            ask(self.ports[1], "REPLICAOF", "NO", "ONE")
            self.port = self.ports[1]

    def close(self) -> None:
        for process in reversed(self.processes.values()):
            process.stop()
        self.processes.clear()


class Bench:
    """All three at the same time, at the same pace: it is their CPU time that counts, and the machine's noise is the
    same for all."""

    def __init__(self, gemel: Path, folder: Path) -> None:
        self._gemel = gemel
        self._folder = folder
        self._client = compile_program("cache_load", folder)
        self._count = 0
        self.hits: list[Hits] = []
        self.costs: list[Cost] = []

    def policy(self, policy: str) -> None:
        """The hit rates, and what evictions cost."""
        ttl = int(policy.startswith("volatile"))
        places = self._places("--maxmemory", f"{MAXMEMORY_MB}mb", "--maxmemory-policy", policy)
        hits = [Hits(policy, place.kind) for place in places]
        costs = [Cost(f"Zipf, {policy}", place.kind) for place in places]
        try:
            self._load(places, "zipf", SEED, READS_PER_S, 0, WARM_READS, ttl)
            before = [place.cpu() for place in places]
            counted = self._load(places, "zipf", SEED, READS_PER_S, WARM_READS, READS, ttl)
            for place, one, hit, cost, cpu in zip(places, counted, hits, costs, before):
                add_cost(cost, cpu, place.cpu(), int(one["reads"] + one["sets"]), one["seconds"])
                hit.reads, hit.hits, hit.errors = int(one["reads"]), int(one["hits"]), int(one["errors"])
                hit.used_mb = [int(info(port, "memory")["used_memory"]) / (1 << 20) for port in place.ports]
            time.sleep(SETTLE_S)
            for place, hit in zip(places, hits):
                hit.commands = len(info(place.ports[0], "commandstats"))
                compare(place, hit)
                place.lose_primary()
            counted = self._load(places, "zipf", SEED, READS_PER_S, WARM_READS + READS, AFTER_READS, ttl)
            for one, hit in zip(counted, hits):
                hit.after_reads, hit.after_hits = int(one["reads"]), int(one["hits"])
                hit.errors += int(one["errors"])
        finally:
            close(places)
        self.hits += hits
        self.costs += costs

    def expiries(self) -> None:
        places = self._places()
        try:
            before = [place.cpu() for place in places]
            counted = self._load(places, "expire", SEED, EXPIRIES_PER_S, EXPIRE_S)
            time.sleep(SETTLE_S)  # until the last have expired, which is part of the cost
            for place, one, cpu in zip(places, counted, before):
                cost = Cost(f"{EXPIRIES_PER_S:,} expiries/s", place.kind)
                add_cost(cost, cpu, place.cpu(), int(one["sets"]), one["seconds"])
                self.costs.append(cost)
                left = [ask(port, "DBSIZE") for port in place.ports]
                if one["errors"] or any(left):
                    raise BenchError(f"{place.kind}: {one['errors']:.0f} errors, {left} keys have not expired")
        finally:
            close(places)

    def _places(self, *options: str) -> list[Place]:
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        places: list[Place] = []
        try:
            for kind in KINDS:
                places.append(Place(kind, folder / kind.replace(" ", "-"), self._gemel, list(options)))
        except BaseException:
            close(places)
            raise
        return places

    def _load(self, places: list[Place], mode: str, *numbers: int) -> list[dict[str, float]]:
        """What each client counted, by name."""
        clients = [Process(f"{mode}-{time.monotonic_ns()}", [str(self._client), mode, str(place.port),
                                                            *map(str, numbers)], place.folder) for place in places]
        counted = []
        try:
            for place, client in zip(places, clients):
                if client.wait(120) != 0:
                    raise BenchError(f"{place.kind}, {mode}: {client.log.read_text()[-500:]}")
                line = client.log.read_text().splitlines()[-1]
                counted.append({name: float(value) for name, value in (part.split("=") for part in line.split())})
        finally:
            for client in clients:
                client.stop()
        return counted


def measure(gemel: Path, folder: Path, policies: list[str]) -> Bench:
    bench = Bench(gemel, folder)
    for policy in policies:
        bench.policy(policy)
    bench.expiries()
    return bench


def close(places: list[Place]) -> None:
    for place in places:
        place.close()


def add_cost(cost: Cost, before: dict[str, float], after: dict[str, float], requests: int, seconds: float) -> None:
    cost.requests += requests
    cost.seconds += seconds
    for name, value in after.items():
        cost.cpu_s[name] = cost.cpu_s.get(name, 0.0) + value - before[name]


def compare(place: Place, hits: Hits) -> None:
    keys = [all_keys(port) for port in place.ports]
    hits.keys = len(keys[0])
    if len(keys) == 2:
        hits.only_primary = len(keys[0] - keys[1])
        hits.only_replica = len(keys[1] - keys[0])


def all_keys(port: int) -> set[str]:
    client = Client(port)
    keys: set[str] = set()
    cursor = "0"
    while True:
        cursor, some = client.call("SCAN", cursor, "COUNT", "1000")
        keys.update(some)
        if cursor == "0":
            client.close()
            return keys


def ask(port: int, *words: str) -> object:
    client = Client(port)
    try:
        reply = client.call(*words)
    finally:
        client.close()
    if isinstance(reply, Exception):
        raise BenchError(f"{' '.join(words)}: {reply}")
    return reply


def info(port: int, section: str) -> dict[str, str]:
    lines = str(ask(port, "INFO", section)).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def bars(bench: Bench) -> list[Bar]:
    found: list[Bar] = []
    by_name = {(one.policy, one.setup): one for one in bench.hits}
    for one in bench.hits:
        if one.setup != "gemel":
            continue
        alone = by_name[(one.policy, "redis alone")]
        if one.policy in JUDGED:
            found.append(Bar(f"{one.policy}: points of hits below redis alone", MAX_POINTS, True,
                             alone.rate - one.rate))
            found.append(Bar(f"{one.policy}: the same in {AFTER_READS:,} reads after a promotion",
                             MAX_POINTS_AFTER, True, alone.after_rate - one.after_rate))
        found.append(Bar(f"{one.policy}: keys on one copy alone, {SETTLE_S:g} s after the last write", 0.0, True,
                         float((one.only_primary or 0) + (one.only_replica or 0))))
        found.append(Bar(f"{one.policy}: errors to clients", 0.0, True, float(one.errors)))
    return found


def missed(bench: Bench) -> list[Bar]:
    return [bar for bar in bars(bench) if bar.verdict == "MISS"]


def table(bench: Bench) -> str:
    lines = [f"{'a full cache':<16} {'setup':<12} {'hits':>6} {'after':>6} {'keys':>7} "
             f"{'on primary only':>15} {'on replica only':>15} {'errors':>6} {'commands':>8}  used memory, MB"]
    for one in bench.hits:
        only = ["-" if count is None else f"{count:,}" for count in (one.only_primary, one.only_replica)]
        lines.append(f"{one.policy:<16} {one.setup:<12} {one.rate:>5.1f}% {one.after_rate:>5.1f}% {one.keys:>7,} "
                     f"{only[0]:>15} {only[1]:>15} {one.errors:>6} {one.commands:>8}  "
                     f"{', '.join(f'{used:.2f}' for used in one.used_mb)} of {MAXMEMORY_MB}")
    lines.append("commands: different ones that the primary was asked; each costs 25 kB of its memory (latency-tracking)")
    lines += ["", f"{'CPU us a request':<20} {'setup':<12} {'requests/s':>10} {'proxy':>7} {'primary':>8} "
              f"{'replica':>8} {'nodes':>7} {'all':>7}"]
    for cost in bench.costs:
        each = ["-" if cost.us(name) is None else f"{cost.us(name):.2f}" for name in ("proxy", "primary", "replica")]
        lines.append(f"{cost.load:<20} {cost.setup:<12} {cost.requests / cost.seconds:>10,.0f} {each[0]:>7} "
                     f"{each[1]:>8} {each[2]:>8} {cost.nodes_us:>7.2f} "
                     f"{cost.nodes_us + (cost.us('proxy') or 0.0):>7.2f}")
    lines += ["", "The bars", *(bar.line() for bar in bars(bench))]
    return "\n".join(lines)


def as_json(bench: Bench) -> dict:
    return {"hits": [{**asdict(one), "rate": one.rate, "after_rate": one.after_rate} for one in bench.hits],
            "costs": [{**asdict(cost), "us": {name: cost.us(name) for name in cost.cpu_s}} for cost in bench.costs],
            "bars": [{**asdict(bar), "verdict": bar.verdict} for bar in bars(bench)]}
