"""Medians, ratios paired by repetition, the bars, the table and the JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from .load import Case, Run
from .memory import Memory

BASE = "nutcracker"
FLOOR = "floor"
# Depth: the promise as a ratio to nutcracker, and what the floor's ratio was where the promise was made.
GET_BARS = {1: (0.70, 0.55), 16: (0.24, 0.15), 128: (0.07, 0.02)}


@dataclass
class Bar:
    """A promise about one figure."""
    what: str
    limit: float
    at_most: bool
    measured: float | None = None

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "not measured"
        passed = self.measured <= self.limit if self.at_most else self.measured >= self.limit
        return "PASS" if passed else "MISS"

    def line(self) -> str:
        sign = "<=" if self.at_most else ">="
        shown = "-" if self.measured is None else f"{self.measured:.3f}"
        return f"  {self.what:<66} {sign} {self.limit:<5.2f} {shown:>8}  {self.verdict}"


class Results:
    def __init__(self, runs: list[Run], memories: list[Memory]) -> None:
        self.runs = runs
        self.memories = memories

    def cases(self) -> list[Case]:
        return list(dict.fromkeys(run.case for run in self.runs))

    def setups(self) -> list[str]:
        return list(dict.fromkeys(run.setup for run in self.runs))

    def of(self, setup: str, case: Case) -> list[Run]:
        return [run for run in self.runs if run.setup == setup and run.case == case]

    def middle(self, setup: str, case: Case, field: str) -> float | None:
        values = [getattr(run, field) for run in self.of(setup, case)]
        return median(values) if values else None

    def ratio(self, setup: str, base: str, case: Case, field: str) -> float | None:
        """The median of the ratios within each repetition, so that a noisy spell hits both sides."""
        others = {run.rep: getattr(run, field) for run in self.of(base, case)}
        ratios = [getattr(run, field) / others[run.rep]
                  for run in self.of(setup, case) if others.get(run.rep)]
        return median(ratios) if ratios else None

    def bars(self) -> list[Bar]:
        bars = []
        for depth, (limit, _) in GET_BARS.items():
            bars.append(Bar(f"CPU a GET, gemel-1 / nutcracker, depth {depth}", limit, True,
                            self.ratio("gemel-1", BASE, Case("get", depth), "cpu_us")))
        # The same promises, free of how dear this machine's system calls are.
        for depth, (limit, floor) in GET_BARS.items():
            bars.append(Bar(f"CPU a GET, gemel-1 / the floor, depth {depth}", limit / floor, True,
                            self.ratio("gemel-1", FLOOR, Case("get", depth), "cpu_us")))
        bars.append(Bar("CPU a SET to two copies, gemel-2 / nutcracker to one, depth 16", 0.40, True,
                        self.ratio("gemel-2", BASE, Case("set", 16), "cpu_us")))
        bars.append(Bar("CPU a SET to two copies, gemel-2 / the floor, depth 16",
                        0.40 / GET_BARS[16][1], True,
                        self.ratio("gemel-2", FLOOR, Case("set", 16), "cpu_us")))
        for op in ("get", "set"):
            bars.append(Bar(f"throughput of {op.upper()}, gemel-1 / redis directly, depth 1", 0.95,
                            False, self.ratio("gemel-1", "redis", Case(op, 1), "rps")))
        for memory in self.memories:
            if memory.setup.startswith("gemel"):
                bars.append(Bar(f"resident kB an idle connection, {memory.setup}", 2.0, True,
                                memory.per_connection_bytes / 1024))
        return bars

    def table(self) -> str:
        lines = []
        for case in self.cases():
            lines.append("")
            lines.append(f"{case.op.upper()}, pipeline depth {case.depth}")
            lines.append(f"  {'':<12} {'requests/s':>11} {'of redis':>9} {'CPU us/req':>11} "
                         f"{'of nutcr.':>9} {'p50 ms':>8} {'p99 ms':>8}")
            for setup in self.setups():
                runs = self.of(setup, case)
                if not runs:
                    continue
                coarse = " ~" if median(run.cpu_ticks for run in runs) < 20 else ""
                lines.append(
                    f"  {setup:<12} {self.middle(setup, case, 'rps'):>11,.0f}"
                    f" {_number(self.ratio(setup, 'redis', case, 'rps'), 9)}"
                    f" {self.middle(setup, case, 'cpu_us'):>11.3f}"
                    f" {_number(self.ratio(setup, BASE, case, 'cpu_us'), 9)}"
                    f" {self.middle(setup, case, 'p50_ms'):>8.3f}"
                    f" {self.middle(setup, case, 'p99_ms'):>8.3f}{coarse}")
        if any(run.cpu_ticks < 20 for run in self.runs):
            lines.append("")
            lines.append("  ~ fewer than 20 clock ticks of CPU time: coarse; use longer runs (--seconds)")
        if self.memories:
            lines.append("")
            lines.append("Resident memory of a fresh process")
            lines.append(f"  {'':<12} {'idle kB':>11} {'kB an idle connection':>22}")
            for memory in self.memories:
                lines.append(f"  {memory.setup:<12} {memory.idle_bytes / 1024:>11,.0f}"
                             f" {memory.per_connection_bytes / 1024:>22.2f}"
                             f"   ({memory.connections} connections)")
        workers = [(pair, case) for pair in ("gemel-1", "gemel-2") for case in self.cases()
                   if self.of(pair, case) and self.of(f"{pair}-w2", case)]
        if workers:
            lines.append("")
            lines.append("The cost of workers = 2, as a ratio to workers = 1")
            for pair, case in workers:
                cpu = self.ratio(f"{pair}-w2", pair, case, "cpu_us")
                rps = self.ratio(f"{pair}-w2", pair, case, "rps")
                lines.append(f"  {pair:<12} {case.op.upper()} depth {case.depth:<4} "
                             f"CPU {_number(cpu, 6)}   throughput {_number(rps, 6)}")
        lines.append("")
        lines.append("The bars")
        lines.extend(bar.line() for bar in self.bars())
        return "\n".join(lines)

    def missed(self) -> int:
        return sum(bar.verdict == "MISS" for bar in self.bars())

    def write_json(self, path: Path, about: dict) -> None:
        summary = [
            {"setup": setup, **asdict(case),
             **{field: self.middle(setup, case, field)
                for field in ("rps", "cpu_us", "p50_ms", "p99_ms")},
             "cpu_ratio_to_nutcracker": self.ratio(setup, BASE, case, "cpu_us"),
             "rps_ratio_to_redis": self.ratio(setup, "redis", case, "rps")}
            for case in self.cases() for setup in self.setups() if self.of(setup, case)]
        document = {
            "about": about,
            "summary": summary,
            "memory": [asdict(memory) for memory in self.memories],
            "bars": [{**asdict(bar), "verdict": bar.verdict} for bar in self.bars()],
            "runs": [asdict(run) for run in self.runs],
        }
        path.write_text(json.dumps(document, indent=1) + "\n")


def _number(value: float | None, width: int) -> str:
    return f"{'-' if value is None else format(value, '.3f'):>{width}}"
