"""Random faults under load on two shards, for as long as is asked: errors, lost, doubled and stale data,
and gemel's memory and open files."""

from __future__ import annotations

import os
import random
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from bench_lib.process import BenchError

from .check import copies_equal
from .lab import Lab, Needs
from .load import Load, LoadOptions
from .network import Ports
from .node import Node
from .row import tell
from .setups import Gemel

_WINDOW = 2000  # keys a client keeps, so that the data does not grow
_SAMPLE_S = 2.0
_HEAL_S = 60.0
# After the first tenth, the last quarter may be so much above the first.
_FLAT_RATIO = 1.2
_FLAT_BYTES = 8 << 20


@dataclass
class Soak:
    seed: int
    minutes: float
    faults: dict[str, int] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


def _kill_and_restart(node: Node, dice: random.Random) -> None:
    node.kill()
    time.sleep(dice.choice((0, 0, 0.05, 0.5, 2)) * dice.random())
    node.empty()
    node.start()


def _restart_with_old_data(node: Node, dice: random.Random) -> None:
    node.ask("SAVE")
    time.sleep(dice.random())
    node.kill()
    node.start()


def _hang(node: Node, dice: random.Random) -> None:
    node.hang()
    time.sleep(dice.choice((0.02, 0.2, 1, 4)) * dice.random())
    node.wake()


def _lose_links(node: Node, dice: random.Random) -> None:
    for _ in range(dice.randrange(1, 4)):
        node.ask("CLIENT", "KILL", "TYPE", "normal")
        time.sleep(dice.random() * 0.3)


def _refuse(node: Node, dice: random.Random) -> None:
    option, value, before = dice.choice((("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")))
    node.ask("CONFIG", "SET", option, value)
    time.sleep(dice.random())
    node.ask("CONFIG", "SET", option, before)


def _cut(node: Node, dice: random.Random) -> None:
    node.place.cut()
    time.sleep(3 * dice.random())
    node.place.mend()


_FAULTS: dict[str, Callable[[Node, random.Random], None]] = {
    "killed, back empty": _kill_and_restart,
    "killed, back with old data": _restart_with_old_data,
    "hangs": _hang,
    "loses its connections": _lose_links,
    "refuses writes": _refuse,
    "cut off": _cut,
}


def run_soak(minutes: float, seed: int, lab: Lab) -> Soak:
    soak = Soak(seed, minutes)
    dice = random.Random(seed)
    gemel = Gemel(lab, Needs(shards=2, cuttable=dice.randrange(2)))
    load = Load(gemel.connector(), LoadOptions(tags=gemel.tags(), window=_WINDOW))
    try:
        _torture(soak, dice, gemel, load)
        outcome = load.stop()
    except (BenchError, OSError) as error:
        soak.violations.append(str(error))
        outcome = load.stop()
    finally:
        load.close()
    client = gemel.verify_client()
    outcome.verify(client)
    client.close()
    soak.numbers = {
        "requests": outcome.requests, "errors": sum(outcome.errors.values()),
        "longest_read_stall_ms": round(outcome.read_stall, 1),
        "longest_write_stall_ms": round(outcome.write_stall, 1),
        "acknowledged": outcome.acknowledged, "lost": outcome.lost, "doubled": outcome.doubled,
        "stale": outcome.stale + outcome.missing, **gemel.facts()}
    for name in ("errors", "lost", "doubled", "stale"):
        if soak.numbers[name]:
            soak.violations.append(f"{soak.numbers[name]} {name}")
    soak.violations += [f"{count} x {text}" for (_, _, text), count in outcome.errors.most_common(8)]
    soak.violations += outcome.examples[:20]
    differences = copies_equal(gemel)
    soak.numbers["equal"] = not differences
    soak.violations += differences
    for name, values, slack in (("resident memory", soak.resident, _FLAT_BYTES), ("open files", soak.files, 8)):
        if not is_flat(values, slack):
            soak.violations.append(f"{name} grows: {spread(values)}")
    return soak


def _torture(soak: Soak, dice: random.Random, gemel: Gemel, load: Load) -> None:
    began = time.monotonic()
    end = began + soak.minutes * 60
    told = sampled = began
    while time.monotonic() < end:
        load.check_alive()
        gemel.process.check_alive()
        shard = dice.randrange(2)
        # One node of a shard at a time; the other copy is in sync when it begins.
        node = gemel.shards[shard][dice.randrange(2)]
        names = [name for name in _FAULTS if name != "cut off" or node.place.can_be_cut]
        name = dice.choice(names)
        soak.history.append(f"{time.monotonic() - load.began:.3f} s: {node.name} {name}")
        soak.faults[name] = soak.faults.get(name, 0) + 1
        _FAULTS[name](node, dice)
        time.sleep(0.1)  # gemel has heard of what just happened
        try:
            gemel.wait_until(gemel.healed, _HEAL_S, "the copies are in sync again")
        except BenchError as error:
            raise BenchError(f"after '{soak.history[-1]}': {error}") from error
        time.sleep(dice.random())
        now = time.monotonic()
        if now - sampled >= _SAMPLE_S:
            sampled = now
            soak.resident.append(gemel.process.resident_bytes())
            soak.files.append(len(os.listdir(f"/proc/{gemel.process.pid}/fd")))
        if now - told >= 60:
            told = now
            tell(f"{(now - began) / 60:.0f} min: {sum(soak.faults.values())} faults, "
                 f"{load.requests:,} requests, {load.errors} errors, "
                 f"{gemel.process.resident_bytes() >> 10:,} kB")


def is_flat(values: list[int], slack: int) -> bool:
    settled = values[len(values) // 10:]
    quarter = len(settled) // 4
    if quarter == 0:
        return True
    first, last = statistics.median(settled[:quarter]), statistics.median(settled[-quarter:])
    return last <= max(first * _FLAT_RATIO, first + slack)


def spread(values: list[int]) -> str:
    """The medians of five equal parts of the run, and the highest."""
    if len(values) < 5:
        return ", ".join(map(str, values))
    part = len(values) // 5
    medians = [int(statistics.median(values[at * part:(at + 1) * part])) for at in range(5)]
    return f"{', '.join(f'{value:,}' for value in medians)}; at most {max(values):,}"


def soak_text(soak: Soak) -> str:
    lines = [f"soak of {soak.minutes:g} minutes, seed {soak.seed}: {sum(soak.faults.values())} faults"]
    lines += [f"  {count:>6} {name}" for name, count in soak.faults.items()]
    lines += [f"  {name.replace('_', ' ')}: {value}" for name, value in soak.numbers.items()]
    lines.append(f"  resident kB of gemel, in fifths: {spread([value >> 10 for value in soak.resident])}")
    lines.append(f"  open files of gemel, in fifths: {spread(soak.files)}")
    if soak.violations:
        lines.append("not as promised:")
        lines += [f"  {text}" for text in soak.violations]
        lines.append(f"  again: scripts/faults --soak {soak.minutes:g} --seed {soak.seed}")
    return "\n".join(lines)


def new_lab(folder: Path, gemel: Path, ports: Ports, namespaces: bool, workers: int) -> Lab:
    inner = folder / "soak"
    inner.mkdir()
    return Lab(inner, gemel, ports, namespaces, workers)
