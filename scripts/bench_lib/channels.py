"""Subscribers of one channel beside the same on a bare redis-server.

A run is subscribers.cc: 1,000 clients that have subscribed to one channel and one that publishes messages of 64 bytes, of
which a few are on their way at a time. A repetition runs it on every setup, and begins with another one than the
repetition before; a ratio is taken within a repetition, and the median of the ratios counts.
"""

from __future__ import annotations

import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from .process import BenchError
from .report import Bar
from .setups import Lab, Setup, compile_program

SETUPS = ("redis", "gemel-1", "gemel-2")
SUBSCRIBERS = 1_000
# Messages on their way.
WINDOWS = (1, 16)
MIN_RATIO = 1.0


@dataclass
class Turn:
    window: int
    rep: int
    rates: dict[str, float]  # messages a second, each to all subscribers, by setup

    def ratio(self, setup: str) -> float:
        return self.rates[setup] / self.rates["redis"]


def measure(lab: Lab, folder: Path, reps: int, seconds: float) -> list[Turn]:
    program = compile_program("subscribers", folder)
    setups = [lab.start(name) for name in SETUPS]
    counts = {}
    for window in WINDOWS:
        for setup in setups:
            _run(program, setup, window, 50)
        counts[window] = max(int(_run(program, setups[0], window, 200) * seconds), 50)
    turns = []
    for rep in range(1, reps + 1):
        for window in WINDOWS:
            turn = Turn(window, rep, {})
            for shift in range(len(setups)):
                setup = setups[(rep + shift) % len(setups)]
                turn.rates[setup.name] = _run(program, setup, window, counts[window])
            turns.append(turn)
        lab.check_alive()
    return turns


def _run(program: Path, setup: Setup, window: int, messages: int) -> float:
    done = subprocess.run([str(program), str(setup.port), str(SUBSCRIBERS), str(messages), str(window)],
                          capture_output=True, text=True, timeout=180, check=False)
    if done.returncode != 0:
        raise BenchError(f"the subscribers of {setup.name}: {done.stderr[-500:]}")
    return messages / float(done.stdout)


def bars(turns: list[Turn]) -> list[Bar]:
    return [Bar(f"messages to {SUBSCRIBERS:,} subscribers, {window} on their way: {setup}, a ratio to redis", MIN_RATIO,
                False, median(turn.ratio(setup) for turn in turns if turn.window == window))
            for window in WINDOWS for setup in SETUPS[1:]]


def missed(turns: list[Turn]) -> list[Bar]:
    return [bar for bar in bars(turns) if bar.verdict == "MISS"]


def table(turns: list[Turn]) -> str:
    lines = [f"{'messages a second':<24} " + " ".join(f"{name:>10}" for name in SETUPS)]
    for window in WINDOWS:
        of = [turn for turn in turns if turn.window == window]
        lines.append(f"{f'{window} on their way':<24} "
                     + " ".join(f"{median(turn.rates[name] for turn in of):>10,.0f}" for name in SETUPS))
    return "\n".join([*lines, "", "The bars", *(bar.line() for bar in bars(turns))])


def as_json(turns: list[Turn]) -> dict:
    return {"turns": [asdict(turn) for turn in turns]}
