"""Runs one row on one setup, from an empty folder to a verdict."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench_lib.process import BenchError

from .cache import CacheLoad
from .cache_check import CacheResult, once_quiet, under_load
from .check import copies_equal, wait_until_healed
from .client import READ, WRITE
from .lab import Lab
from .load import Load, LoadOptions, Outcome
from .network import Ports
from .row import OTHERS_MS, Row, Stage
from .setups import SETUPS, Gemel, NotSupported, Setup

_WARM_S = 1.0
_AFTER_S = 1.0
_HEAL_S = 30.0
_BESIDE_WRITERS_S = 0.02  # the pause of the usual clients: the writers shall have most of the machine


@dataclass
class Options:
    gemel: Path
    folder: Path
    namespaces: bool
    workers: int
    quick: bool
    keep: Path | None


@dataclass
class Result:
    row: str
    title: str
    setup: str
    seconds: float = 0.0
    not_supported: str = ""
    failure: str = ""  # what kept the row from its end
    requests: int = 0
    errors: int = 0  # replies and connections
    broken: int = 0  # of them, connections
    error_texts: dict[str, int] = field(default_factory=dict)
    wrong_errors: int = 0  # those that do not belong to the event
    first_error_s: float = 0.0
    last_error_s: float = 0.0
    read_stall_ms: float = 0.0
    read_stall_at_s: float = 0.0
    write_stall_ms: float = 0.0
    write_stall_at_s: float = 0.0
    read_bar_ms: float | None = None
    write_bar_ms: float | None = None
    other_stall_ms: float | None = None  # of the shards that nothing happened to
    other_bar_ms: float | None = None
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    stale: int = 0
    missing: int = 0  # reads of nothing: stale, too, unless the row says that data may be lost
    equal: bool | None = None
    healed_s: float | None = None
    cache: CacheResult | None = None
    violations: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    kept: str = ""

    @property
    def bars_met(self) -> bool | None:
        """None if there is none."""
        bars = [stall <= bar for stall, bar in ((self.read_stall_ms, self.read_bar_ms),
                                                (self.write_stall_ms, self.write_bar_ms),
                                                (self.other_stall_ms, self.other_bar_ms))
                if stall is not None and bar is not None]
        return all(bars) if bars else None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "bars_met": self.bars_met}


def run_row(row: Row, kind: str, ports: Ports, options: Options) -> Result:
    result = Result(row.name, row.title, kind)
    folder = Path(tempfile.mkdtemp(prefix=f"{row.name}-{kind}-", dir=options.folder))
    lab = Lab(folder, options.gemel, ports, options.namespaces, options.workers)
    began = time.monotonic()
    loads: list[Load | CacheLoad] = []
    try:
        _run(row, result, SETUPS[kind](lab, row.needs), loads, options)
    except NotSupported as error:
        result.not_supported = str(error)
    except (BenchError, OSError) as error:
        result.failure = str(error)
    finally:
        for load in loads:
            load.close()
        lab.close()
    result.seconds = time.monotonic() - began
    if kind == Gemel.name and not result.not_supported:
        result.violations = violations(row, result)
    if options.keep is not None:
        result.kept = str(options.keep / folder.name)
        shutil.copytree(folder, result.kept, dirs_exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return result


def _run(row: Row, result: Result, setup: Setup, loads: list[Load | CacheLoad], options: Options) -> None:
    if isinstance(setup, Gemel) and row.stalls is not None:
        timeout = setup.option("health.timeout_ms", 1000) if row.stalls.timeout else 0
        hedge = setup.option("read.hedge_ms", 50) if row.stalls.hedge else 0
        result.write_bar_ms = row.stalls.write + timeout
        result.read_bar_ms = row.stalls.read + hedge
    if isinstance(setup, Gemel) and row.needs.shards > 1:
        result.other_bar_ms = OTHERS_MS
    cache = row.needs.cache
    load = Load(setup.connector(), LoadOptions(setup.tags(), _BESIDE_WRITERS_S) if cache else
                LoadOptions(setup.tags()))
    loads.append(load)
    writers = CacheLoad(setup.connector(), cache) if cache else None
    if writers is not None:
        loads.append(writers)
    stage = Stage(setup, load, options.quick)
    result.notes = stage.notes
    stage.pause(_WARM_S)
    try:
        row.run(stage)
        if row.heals:
            result.healed_s = wait_until_healed(setup, stage.over_at, _AFTER_S, _HEAL_S)
        else:
            stage.pause(_AFTER_S)
    except (BenchError, OSError) as error:
        result.failure = str(error)
        stage.note(setup.describe())
    if result.read_bar_ms is not None and result.write_bar_ms is not None:
        result.read_bar_ms += stage.event_ms
        result.write_bar_ms += stage.event_ms
    if writers is not None and not result.failure:
        result.cache = under_load(stage.gemel, cache)
        writers.ask_to_stop()
    outcome = load.stop()
    if writers is not None and result.cache is not None:
        once_quiet(stage.gemel, cache, writers, result.cache)
    _verify(result, setup, outcome)
    _take(row, result, outcome)
    if not row.heals and setup.has_copies() and not result.failure:
        # Clients have seen what the death costs; now what is left must be enough for a second copy.
        try:
            result.healed_s = _bring_back(setup, stage)
        except (BenchError, OSError) as error:
            result.failure = str(error)
    if result.cache is not None:
        result.differences = result.cache.examples
        result.equal = not (result.cache.only_primary or result.cache.only_replica or result.cache.differ)
    elif setup.has_copies() and not result.failure:
        result.differences = copies_equal(setup)
        result.equal = not result.differences
    result.facts = setup.facts()


def _bring_back(setup: Setup, stage: Stage) -> float | None:
    for node in (node for nodes in setup.shards for node in nodes if not node.running):
        stage.note(f"{node.name} is started, empty")
        node.empty()
        node.start()
    return wait_until_healed(setup, time.monotonic(), _AFTER_S, _HEAL_S)


def _verify(result: Result, setup: Setup, outcome: Outcome) -> None:
    try:
        client = setup.verify_client()
        outcome.verify(client)
        client.close()
    except OSError as error:
        result.failure = result.failure or f"the data cannot be read back: {error}"


def _take(row: Row, result: Result, outcome: Outcome) -> None:
    result.requests = outcome.requests
    result.acknowledged = outcome.acknowledged
    result.broken = outcome.broken
    for (tag, kind, text), count in outcome.errors.items():
        result.errors += count
        shown = text if tag == 0 else f"{text} (shard {tag})"
        result.error_texts[shown] = result.error_texts.get(shown, 0) + count
        if not row.may_have(tag, kind, text):
            result.wrong_errors += count
    result.first_error_s = outcome.first_error
    result.last_error_s = outcome.last_error
    result.read_stall_ms, result.read_stall_at_s = outcome.stall(READ)
    result.write_stall_ms, result.write_stall_at_s = outcome.stall(WRITE)
    if row.needs.shards > 1:
        result.other_stall_ms = max(outcome.stall(kind, tag)[0] for kind in (READ, WRITE)
                                    for tag in range(1, row.needs.shards))
    result.lost = outcome.lost
    result.doubled = outcome.doubled
    result.stale = outcome.stale
    result.missing = outcome.missing
    # Where any key may be evicted, what is not there any more is no example of anything.
    result.examples = [] if row.needs.cache is not None and row.loses else outcome.examples
    if result.cache is not None:
        result.requests += result.cache.requests
        for text, count in result.cache.errors.items():
            result.errors += count
            result.error_texts[f"{text} (writers)"] = count
            if not row.may_have(0, WRITE, text):
                result.wrong_errors += count


def violations(row: Row, result: Result) -> list[str]:
    """What gemel promised and did not keep. Stalls are not among them: see Result.bars_met."""
    wrong = []
    if result.failure:
        wrong.append(result.failure)
    if result.wrong_errors:
        wrong.append(f"{result.wrong_errors} errors")
    if result.lost and not row.loses:
        wrong.append(f"{result.lost} acknowledged writes lost")
    # Where a key may be evicted and is read from any copy, a counter that began anew on one of them is no old value.
    begins_anew = row.loses and row.needs.cache is not None and row.needs.cache.any_copy
    if result.doubled and not begins_anew:
        wrong.append(f"{result.doubled} applied twice")
    if result.stale and not begins_anew:
        wrong.append(f"{result.stale} stale reads")
    if result.missing and not row.loses:
        wrong.append(f"{result.missing} reads of nothing")
    if result.cache is not None:
        wrong += result.cache.violations
    elif result.equal is False:
        wrong.append("the copies differ")
    return wrong
