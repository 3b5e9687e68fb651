"""scripts/faults --fleet: the rows on a fleet and, of the same nodes and load, on Sentinel; the table."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Callable

from bench_lib.process import BenchError

from .check import copies_of_all, wait_until_healed
from .client import WRITE
from .connect import ThroughSentinel
from .fleet_engines import ENGINES
from .fleet_load import CLIENTS, FleetLoad, check_shared
from .fleet_parts import arrange, choose_parts
from .fleet_rows import LEADER, NODE, SERVER, FleetRow
from .fleet_setup import Fleet, Member, SentinelServer
from .lab import Lab, Needs
from .load import Outcome
from .network import Ports
from .setups import Sentinel

_WARM_S = 1.0
_AFTER_S = 1.5
_HEAL_S = 60.0
FLEET, SENTINEL = "fleet", "sentinel"


class Skipped(Exception):
    """Why the row is not run here."""


@dataclass
class FleetResult:
    row: str
    title: str
    setup: str
    skipped: str = ""
    failure: str = ""
    requests: int = 0
    acknowledged: int = 0
    others_wait_ms: float = 0.0  # of the clients of members that nothing happened to
    others_wait_at_s: float = 0.0
    own_wait_ms: float | None = None  # of the clients of the one that was struck
    bar_ms: float | None = None
    others_errors: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)  # to them by right
    own_errors: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    doubled: int = 0
    stale: int = 0
    equal: bool | None = None
    healed_s: float | None = None
    examples: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        """Of a fleet. Waits are not among them: a busy machine adds its own."""
        if self.setup == SENTINEL or self.skipped:
            return []
        wrong = [self.failure] if self.failure else []
        for count, what in ((sum(self.others_errors.values()), "errors of the other members' clients"),
                            (self.lost, "acknowledged writes lost"), (self.doubled, "applied twice"),
                            (self.stale, "stale reads")):
            if count:
                wrong.append(f"{count} {what}")
        if self.equal is False:
            wrong.append("the copies differ")
        return wrong


@dataclass
class FleetOptions:
    gemel: Path
    folder: Path
    engine: str
    namespaces: bool
    keep: Path | None


def run_fleet_row(row: FleetRow, setup: str, ports: Ports, options: FleetOptions) -> FleetResult:
    result = FleetResult(row.name, row.title, setup)
    folder = Path(tempfile.mkdtemp(prefix=f"{row.name}-{setup}-", dir=options.folder))
    try:
        if row.way.cuts and row.parts and not options.namespaces:
            raise Skipped("no network namespace can be made here")
        if setup == SENTINEL and LEADER in row.parts:
            raise Skipped("there is no leader to strike")
        if setup == FLEET and (reason := row.why_not(ENGINES[options.engine])):
            raise Skipped(reason)
        if setup == FLEET:
            _on_fleet(row, result, folder, ports, options)
        else:
            _on_sentinel(row, result, folder, ports, options)
    except Skipped as reason:
        result.skipped = str(reason)
    except (BenchError, OSError) as error:
        result.failure = str(error)
    if options.keep is not None:
        shutil.copytree(folder, options.keep / folder.name, dirs_exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return result


def _on_fleet(row: FleetRow, result: FleetResult, folder: Path, ports: Ports, options: FleetOptions) -> None:
    engine = ENGINES[options.engine]
    result.bar_ms = row.bar_ms(engine)
    fleet = Fleet(folder, options.gemel, ports, engine, row.members(engine), row.way.cuts and bool(row.parts))
    try:
        arrange(fleet, row)
        load = FleetLoad([fleet.connector(index) for index in range(len(fleet.members))], fleet.tags())
        try:
            parts = _strike(row, result, load, lambda: choose_parts(fleet, row), lambda: _heal(fleet, result))
            outcome = load.stop()
        finally:
            load.close()
        struck = [fleet.members.index(part) for part in parts if isinstance(part, Member)]
        own = [index for index in range(CLIENTS) if index % len(fleet.members) in struck]
        _take(result, outcome, own, lambda text: row.may_be_told(engine, text))
        client = fleet.verify_client()
        _verify(result, outcome, load, client.call, client)
        client.close()
        if not result.failure:
            result.differences = copies_of_all(fleet.shards, registers_beside=engine.by_nodes)
            result.equal = not result.differences
        if result.violations:
            result.logs = [f"{member.name}: {line}" for member in fleet.members for line in member.log_tail()]
    finally:
        fleet.close()


def _heal(fleet: Fleet, result: FleetResult) -> None:
    result.healed_s = fleet.wait_until(fleet.healed, _HEAL_S, "every member is back, and the copies are in sync")


def _on_sentinel(row: FleetRow, result: FleetResult, folder: Path, ports: Ports, options: FleetOptions) -> None:
    wanted = row.with_sentinel()
    if wanted is None:
        raise Skipped("there are no proxies to strike")
    lab = Lab(folder, options.gemel, ports, options.namespaces, 1)
    try:
        setup = Sentinel(lab, Needs(cuttable=0 if row.way.cuts and NODE in wanted else None))
        if row.way.cuts and SERVER in wanted:
            raise Skipped("sentinels are not cut off here")
        connectors: list[ThroughSentinel] = [setup.connector()]
        load = FleetLoad(list(connectors), setup.tags())
        try:
            _strike(row, result, load, lambda: [setup.primary() if what == NODE else SentinelServer(lab, setup, 0)
                                                for what in wanted],
                    lambda: _keep_healed(result, wait_until_healed(setup, time.monotonic(), 0.5, _HEAL_S)))
            outcome = load.stop()
        finally:
            load.close()
        _take(result, outcome, [], lambda text: False)
        client = setup.verify_client()
        _verify(result, outcome, load, client.call, client)
        client.close()
        if not result.failure:
            result.differences = copies_of_all(setup.shards)
            result.equal = not result.differences
    finally:
        lab.close()


def _keep_healed(result: FleetResult, seconds: float | None) -> None:
    result.healed_s = seconds


def _strike(row: FleetRow, result: FleetResult, load: FleetLoad, choose: Callable[[], list],
            heal: Callable[[], None]) -> list:
    """The parts that it chose."""
    def note(text: str) -> None:
        result.notes.append(f"{time.monotonic() - load.began:.3f} s: {text}")

    time.sleep(_WARM_S)
    parts = choose()
    for part in parts:
        note(f"{part.name}: {row.way.name}")
        row.way.strike(part)
    time.sleep(row.way.seconds if parts else 2.0)
    for part in parts:
        row.way.mend(part)
        note(f"{part.name} is back")
    try:
        heal()
    except (BenchError, OSError) as error:
        result.failure = str(error)
    time.sleep(_AFTER_S)
    load.check_alive()
    return parts


def _take(result: FleetResult, outcome: Outcome, own: list[int],
          may_be_told: Callable[[str], bool]) -> None:
    result.requests = outcome.requests
    result.acknowledged = outcome.acknowledged
    for index in range(CLIENTS):
        seen = outcome.seen_by(index)
        for (_, kind, text), count in seen.errors.items():
            others = result.told if may_be_told(text) else result.others_errors
            errors = result.own_errors if index in own else others
            shown = f"{'a write' if kind == WRITE else 'a read'}: {text}"
            errors[shown] = errors.get(shown, 0) + count
        for seconds, when in seen.stalls.values():
            if index in own:
                result.own_wait_ms = max(result.own_wait_ms or 0.0, seconds * 1000)
            elif seconds * 1000 > result.others_wait_ms:
                result.others_wait_ms, result.others_wait_at_s = seconds * 1000, when


def _verify(result: FleetResult, outcome: Outcome, load: FleetLoad, ask: Callable, client: Any) -> None:
    outcome.verify(client)
    check_shared(outcome, load.options.tags, ask)
    result.lost, result.doubled = outcome.lost, outcome.doubled
    result.stale = outcome.stale + outcome.missing
    result.examples = outcome.examples


def as_json(result: FleetResult) -> dict[str, Any]:
    return {**asdict(result), "violations": result.violations}


_HEAD = (f"{'event':<64} {'setup':<9} {'requests':>8} {'wait ms':>8} {'bar':>6} {'its own':>8} {'errors':>7} "
         f"{'told':>5} {'its own':>8} {'lost':>5} {'doubled':>7} {'stale':>6} {'equal':>5} {'healed s':>8}")


def head() -> str:
    return (f"{_HEAD}\n{'-' * len(_HEAD)}")


def line(result: FleetResult) -> str:
    start = f"{result.title:<64} {result.setup:<9}"
    if result.skipped:
        return f"{start} skipped: {result.skipped}"
    if not result.requests:
        return f"{start} failed: {result.failure}"
    own_wait = "-" if result.own_wait_ms is None else f"{result.own_wait_ms:,.0f}"
    own_errors = "-" if result.own_wait_ms is None else f"{sum(result.own_errors.values()):,}"
    bar = "-" if result.bar_ms is None else f"{result.bar_ms:,.0f}"
    equal = {None: "-", True: "yes", False: "NO"}[result.equal]
    healed = "-" if result.healed_s is None else f"{result.healed_s:.1f}"
    return (f"{start} {result.requests:>8,} {result.others_wait_ms:>8,.0f} {bar:>6} {own_wait:>8} "
            f"{sum(result.others_errors.values()):>7,} {sum(result.told.values()):>5,} {own_errors:>8} {result.lost:>5,} "
            f"{result.doubled:>7,} {result.stale:>6,} {equal:>5} {healed:>8}{'  <--' if result.violations else ''}")


def details(result: FleetResult, engine: str) -> list[str]:
    lines = [f"{result.row}, {result.setup}: " + "; ".join(result.violations or ["as promised"])]
    for whose, errors in (("others", result.others_errors), ("others, by right", result.told),
                          ("its own", result.own_errors)):
        often = sorted(errors.items(), key=lambda one: -one[1])[:5]
        lines += [f"  {count:>6} {whose}: {text}" for text, count in often]
    if result.bar_ms is not None and result.others_wait_ms > result.bar_ms:
        lines.append(f"  the longest wait, {result.others_wait_ms:,.0f} ms, began at {result.others_wait_at_s:.3f} s")
    lines += [f"  {text}" for text in (*result.examples[:6], *result.differences[:6], *result.notes, *result.logs)]
    lines.append(f"  again: scripts/faults --fleet --engine {engine} --rows {result.row}")
    return lines


def summary(results: list[FleetResult], engine: str) -> str:
    lines = ["", "wait: the longest of the clients of members that nothing happened to, and what the design allows; its "
             "own: of the struck member's clients, which go to another one. errors: replies, and connections lost; told: "
             "those that belong to the event, of a write on its way to an owner, or while nobody may own a shard."]
    fleet = [one for one in results if one.setup == FLEET and not one.skipped]
    shown = [one for one in fleet if one.violations or one.others_wait_ms > (one.bar_ms or 0)]
    if shown:
        lines += ["", "What was not as it should be"]
        for one in shown:
            lines += details(one, engine)
    wrong = sum(bool(one.violations) for one in fleet)
    within = sum(one.others_wait_ms <= (one.bar_ms or 0) for one in fleet)
    lines += ["", f"{engine}: {len(fleet) - wrong} of {len(fleet)} events without error, loss, doubled or stale data; the "
              f"longest wait within its bar in {within}"]
    return "\n".join(lines)
