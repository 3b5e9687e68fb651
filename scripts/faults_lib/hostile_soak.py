"""Hostile clients beside polite ones, in rounds: the polite ones see no error and wait for no longer than a
second, and gemel's memory stays under what its config says."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from bench_lib.process import BenchError

from .check import copies_equal, wait_until_healed
from .hostile import HTTP_KEY, KINDS, Target
from .lab import Lab, Needs
from .load import Load, LoadOptions
from .setups import Gemel
from .zoo import Zoo

_ROUND_S = 20.0
_KINDS_A_ROUND = 5
_WINDOW = 2000
_WAIT_MS = 1000.0
_ABOVE_BUFFERED = 64 << 20
_SAMPLE_S = 0.05
_HEAL_S = 30.0
_PASSWORD = "a-password-of-the-soak"
# Memory is given back this long after the last hostile client has left: to 1.5 times of what it was before, and
# what an allocator keeps of small blocks.
_GIVE_BACK_S = 10.0
_GIVEN_BACK_RATIO = 1.5
_GIVEN_BACK_BYTES = 8 << 20


@dataclass(frozen=True)
class Nodes:
    """What the nodes are told, and the bytes of the largest value that they take."""
    title: str
    options: tuple[str, ...] = ()
    large: int = 8 << 20


_OUTPUT_LIMIT = ("--client-output-buffer-limit", "normal 256mb 128mb 60")
NODES = (
    Nodes("plain"),
    Nodes("output limit", _OUTPUT_LIMIT),
    Nodes("maxmemory-clients", ("--maxmemory-clients", "100mb")),
    Nodes("bulk 1mb", ("--proto-max-bulk-len", "1mb"), 1 << 20),
    Nodes("all limits", (*_OUTPUT_LIMIT, "--maxmemory-clients", "100mb", "--proto-max-bulk-len", "1mb"), 1 << 20),
)


@dataclass
class Round:
    number: int
    seed: int
    nodes: Nodes
    buffered_mb: int
    password: str
    kinds: list[str]
    visits: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    errors: int = 0
    read_wait_ms: float = 0.0
    write_wait_ms: float = 0.0
    before: int = 0  # bytes resident
    highest: int = 0
    after: int = 0
    promotions: int = 0
    wrong_data: int = 0  # lost, doubled or stale
    equal: bool | None = None
    violations: list[str] = field(default_factory=list)


def plan_round(number: int, seed: int, kinds: list[str]) -> Round:
    dice = random.Random(f"{seed} {number}")
    nodes = dice.choice(NODES)
    chosen = sorted(dice.sample(kinds, min(_KINDS_A_ROUND, len(kinds))))
    return Round(number, seed, nodes, dice.choice((64, 256)), dice.choice(("", _PASSWORD)), chosen)


def run_round(round_: Round, lab: Lab) -> None:
    needs = Needs(shards=2, node_options=round_.nodes.options, password=round_.password, sections={
        "limits": f'buffered = "{round_.buffered_mb}mb"\nclient_output = "4mb"'})
    gemel = Gemel(lab, needs)
    target = Target(gemel.port, round_.password, round_.nodes.large)
    target.fill()
    load = Load(gemel.connector(), LoadOptions(tags=gemel.tags(), window=_WINDOW, appends=True))
    memory = _Memory(gemel.process.resident_bytes)
    zoo: Zoo | None = None
    try:
        _pause(load, 2)
        memory.settle()
        zoo = Zoo(round_.kinds, target, round_.seed * 1000 + round_.number)
        _pause(load, _ROUND_S)
    except (BenchError, OSError) as error:
        round_.violations.append(str(error))
    finally:
        if zoo is not None:
            zoo.stop()
            round_.visits = zoo.visits
    try:
        gemel.process.check_alive()
        _pause(load, 2)  # what a visit leaves behind is seen, too
        memory.wait_until_given_back(_GIVE_BACK_S)
        memory.stop()
        _judge(round_, gemel, load, memory)
    except (BenchError, OSError) as error:
        round_.violations.append(str(error) or type(error).__name__)
    finally:
        memory.stop()
        load.close()


def _pause(load: Load, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        load.check_alive()
        time.sleep(0.2)


class _Memory:
    """Looks at gemel's resident bytes all the time."""

    def __init__(self, resident: Callable[[], int]) -> None:
        self._resident = resident
        self.before = self.highest = self.now = resident()
        self._stop = False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop:
            try:
                self.now = self._resident()
            except BenchError:
                return
            self.highest = max(self.highest, self.now)
            time.sleep(_SAMPLE_S)

    def settle(self) -> None:
        """What it takes now is what the polite clients cost."""
        self.before = self.highest = self.now

    def is_given_back(self) -> bool:
        return self.now <= self.before * _GIVEN_BACK_RATIO + _GIVEN_BACK_BYTES

    def wait_until_given_back(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.is_given_back() and time.monotonic() < end:
            time.sleep(_SAMPLE_S)

    def stop(self) -> None:
        self._stop = True
        self._thread.join(10)


def _judge(round_: Round, gemel: Gemel, load: Load, memory: _Memory) -> None:
    wrong = round_.violations
    outcome = load.stop()
    round_.requests = outcome.requests
    round_.errors = sum(outcome.errors.values())
    round_.read_wait_ms = outcome.read_stall
    round_.write_wait_ms = outcome.write_stall
    round_.before, round_.highest, round_.after = memory.before, memory.highest, memory.now
    wrong += [f"{count} x {text}" for (_, _, text), count in outcome.errors.most_common(5)]
    _judge_costs(round_, memory)
    client = gemel.verify_client()
    outcome.verify(client)
    http = client.call("GET", HTTP_KEY)
    client.close()
    if http is not None:
        wrong.append("a command in the body of an HTTP request was executed")
    wrong += outcome.examples[:5]
    round_.wrong_data = outcome.lost + outcome.doubled + outcome.stale + outcome.missing
    round_.promotions = gemel.facts().get("promotions", 0)
    wait_until_healed(gemel, time.monotonic(), 0.5, _HEAL_S)
    differences = copies_equal(gemel)
    round_.equal = not differences
    wrong += differences[:5]


def _judge_costs(round_: Round, memory: _Memory) -> None:
    wrong = round_.violations
    waited = max(round_.read_wait_ms, round_.write_wait_ms)
    if waited > _WAIT_MS:
        wrong.append(f"a polite client waited for {waited:,.0f} ms")
    allowed = (round_.buffered_mb << 20) + _ABOVE_BUFFERED
    if round_.highest > allowed:
        wrong.append(f"{_megabytes(round_.highest)} MB resident, {_megabytes(allowed)} are allowed")
    if not memory.is_given_back():
        wrong.append(f"{_megabytes(round_.after)} MB resident {_GIVE_BACK_S:.0f} s after the hostile clients left, "
                     f"{_megabytes(round_.before)} before they came")


def _megabytes(count: int) -> str:
    return f"{count / (1 << 20):.0f}"


_HEAD = (f"{'round':>5} {'nodes':<17} {'buffered':>8} {'password':<8} {'requests':>8} {'errors':>6} "
         f"{'wait ms read/write':>18} {'MB before/most/after':>20} {'promoted':>8} {'wrong':>5} {'equal':>5}  visits")


def round_line(round_: Round) -> str:
    waits = f"{round_.read_wait_ms:,.0f} / {round_.write_wait_ms:,.0f}"
    memory = " / ".join(_megabytes(value) for value in (round_.before, round_.highest, round_.after))
    equal = {None: "-", True: "yes", False: "NO"}[round_.equal]
    visits = ", ".join(f"{kind} {count}" for kind, count in round_.visits.items())
    return (f"{round_.number:>5} {round_.nodes.title:<17} {round_.buffered_mb:>6}mb "
            f"{'yes' if round_.password else 'no':<8} {round_.requests:>8,} {round_.errors:>6,} {waits:>18} "
            f"{memory:>20} {round_.promotions:>8} {round_.wrong_data:>5} {equal:>5}  {visits}"
            f"{'  <--' if round_.violations else ''}")


def run_hostile_soak(minutes: float, seed: int, kinds: list[str], new_lab: Callable[[str], Lab]) -> int:
    """Prints a line a round, and what was not as promised; returns the exit code."""
    print(f"{_HEAD}\n{'-' * len(_HEAD)}", flush=True)
    end = time.monotonic() + minutes * 60
    number = bad = 0
    while time.monotonic() < end:
        round_ = plan_round(number, seed, kinds)
        lab = new_lab(f"round-{number}")
        try:
            run_round(round_, lab)
        finally:
            lab.close()
        print(round_line(round_), flush=True)
        for text in round_.violations:
            print(f"        {text[:400]}", flush=True)
        bad += bool(round_.violations)
        number += 1
    print(f"\n{number - bad} of {number} rounds in which nobody polite saw an error, waited for more than "
          f"{_WAIT_MS / 1000:g} s or lost data, and memory stayed within `buffered` + {_ABOVE_BUFFERED >> 20} MB")
    if bad:
        print(f"again: scripts/faults --soak {minutes:g} --hostile --seed {seed}")
    return 1 if bad else 0


def known_kinds() -> list[str]:
    return list(KINDS)


def new_folder_lab(folder: Path, lab: Callable[[Path], Lab]) -> Callable[[str], Lab]:
    """Labs in folders of their own under `folder`."""
    def make(name: str) -> Lab:
        inner = folder / name
        inner.mkdir(parents=True)
        return lab(inner)
    return make
