"""What happens to a fleet, and to Sentinel beside it: one thing, or two at once, strikes for some seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

OWNER, BYSTANDER, SERVER, LEADER, NODE = "owner", "bystander", "server", "leader", "node"
MEMBER_PARTS = (OWNER, BYSTANDER)

# Of the longest wait of the other members' clients, in ms.
TAKE_OVER_MS = 1000.0
DEATH_OF_NODE_MS = 100.0
SILENCE_OF_NODE_MS = 1100.0  # [health] timeout_ms, and a promotion
CALM_MS = 50.0


@dataclass(frozen=True)
class Way:
    """How a part is struck, how long for, and how it comes back."""
    name: str
    said: str
    seconds: float
    strike: Callable
    mend: Callable
    silent: bool = False  # it only does not answer: nobody is told
    cuts: bool = False


def _start_again(part) -> None:
    if hasattr(part, "empty"):
        part.empty()  # a node that died has lost its data
    part.start()


KILL = Way("kill", "killed", 3.0, lambda part: part.kill(), _start_again)
HANG = Way("hang", "stopped for 2 s", 2.0, lambda part: part.hang(), lambda part: part.wake(), silent=True)
STOP = Way("stop", "ended in order", 3.0, lambda part: part.stop(), _start_again)
CUT = Way("cut", "cut off for 3 s", 3.0, lambda part: part.place.cut(), lambda part: part.place.mend(), silent=True,
          cuts=True)
WAYS = (KILL, HANG, STOP, CUT)

_SAID = {OWNER: "the owner", BYSTANDER: "a member that owns nothing", SERVER: "a server of the coordinator",
         LEADER: "the coordinator's leader", NODE: "the primary"}


@dataclass(frozen=True)
class FleetRow:
    parts: tuple[str, ...] = ()
    way: Way = KILL
    quick: bool = False

    @property
    def name(self) -> str:
        return "-".join((*self.parts, self.way.name)) if self.parts else "none"

    @property
    def title(self) -> str:
        return f"{' and '.join(_SAID[part] for part in self.parts)}: {self.way.said}" if self.parts else "nothing"

    @property
    def bar_ms(self) -> float:
        """What the clients of other members may wait; with two parts, the sum."""
        if not self.parts or self.parts == (BYSTANDER,):
            return CALM_MS
        bar = TAKE_OVER_MS if OWNER in self.parts or LEADER in self.parts else 0.0
        if SERVER in self.parts:
            bar += CALM_MS
        if NODE in self.parts:
            bar += SILENCE_OF_NODE_MS if self.way.silent else DEATH_OF_NODE_MS
        return bar

    def with_sentinel(self) -> tuple[str, ...] | None:
        """What is struck of Sentinel's, which has no proxies: nodes and sentinels alone; None if that is nothing."""
        parts = tuple(part for part in self.parts if part not in MEMBER_PARTS)
        return parts if parts or not self.parts else None


ROWS = [
    FleetRow(),
    *(FleetRow((part,), way, quick=way in (KILL, HANG) and part in (OWNER, NODE))
      for part in (OWNER, BYSTANDER, SERVER, LEADER, NODE) for way in WAYS),
    *(FleetRow((OWNER, other), way, quick=way is KILL and other == NODE)
      for other in (NODE, SERVER) for way in (KILL, HANG, CUT)),
]
