"""A row of the table: one event under load, and what it may cost."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Callable

from bench_lib.resp import Client

from .client import WRITE
from .lab import Needs
from .load import Load
from .node import Node
from .setups import Gemel, Setup

ALL = ("gemel", "sentinel", "nutcracker")
PAIRS = ("gemel", "sentinel")
GEMEL = ("gemel",)


@dataclass(frozen=True)
class Stalls:
    """The longest stall in ms that the design allows. Printed as met or not, no failure without --check-stalls:
    a busy machine adds its own. `timeout`: plus what [health] timeout_ms says; `hedge`: plus [read] hedge_ms."""
    read: float = 100
    write: float = 100
    timeout: bool = False
    hedge: bool = False


# "None" and "50 ms" of the design are both within what a scheduler with two busy cores adds.
NONE = Stalls(50, 50)
OTHERS_MS = 50.0  # on shards that nothing happened to
SHORT = Stalls(50, 50)
PROMOTION = Stalls(100, 100)
# A read is answered by the other copy at once when it is sent there: 10 ms for that.
HANG = Stalls(10, 100, timeout=True, hedge=True)
REPLICA_HANG = Stalls(50, 100, timeout=True)


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    run: Callable[[Stage], None]
    setups: tuple[str, ...] = GEMEL
    stalls: Stalls | None = PROMOTION
    needs: Needs = field(default_factory=Needs)
    errors: str = ""  # a pattern of the errors that are right here, on the first shard ("": none are)
    reads_go_on: bool = False  # of these, only those of writes
    breaks: bool = False  # clients lose their connections, rightly
    loses: bool = False  # what was acknowledged may be missing, rightly (but never old)
    heals: bool = True  # in the end both copies are there again; else only once the load has ended
    quick: bool = False

    def may_have(self, tag: int, kind: int, text: str) -> bool:
        """Whether an error is one that belongs to the event."""
        if tag != 0:
            return False
        if text.startswith("connection:"):
            return self.breaks
        if self.reads_go_on and kind != WRITE:
            return False
        return bool(self.errors) and re.search(self.errors, text) is not None


class Stage:
    """What a row acts on."""

    def __init__(self, setup: Setup, load: Load, quick: bool) -> None:
        self.setup = setup
        self.load = load
        self.quick = quick
        self.primary: Node = setup.shards[0][0]
        self.replica: Node = setup.shards[0][1]
        self.over_at = time.monotonic()
        self.notes: list[str] = []
        self.event_ms = 0.0  # what the event itself costs whoever waits: the bars are that much higher

    @property
    def gemel(self) -> Gemel:
        assert isinstance(self.setup, Gemel)
        return self.setup

    def pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.25))
            self.load.check_alive()

    def note(self, text: str) -> None:
        when = time.monotonic() - self.load.began
        self.notes.append(f"{when:.3f} s: {text}")

    def client(self) -> Client:
        """One more client, beside those of the load."""
        return self.setup.connector().connect()

    def over(self) -> None:
        """The event is over: from now on the copies heal."""
        self.over_at = time.monotonic()
        self.note("the event is over")

    def until(self, condition: Callable[[], Any], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
