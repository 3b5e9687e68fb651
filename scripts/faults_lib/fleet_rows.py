"""What happens to a fleet, and to Sentinel beside it: one thing, or two at once, strikes for some seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from .fleet_engines import Engine

OWNER, BYSTANDER, SERVER, LEADER, NODE = "owner", "bystander", "server", "leader", "node"
LEADING_OWNER = "leading-owner"  # where the members are the coordinator: one that is both
MOST_SERVERS = "servers"  # more of them than the coordinator can do without
MEMBER_PARTS = (OWNER, BYSTANDER, LEADING_OWNER)

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
DEAF = Way("deaf", "hears nothing for 3 s", 3.0, lambda part: part.place.deafen(), lambda part: part.place.mend(),
           silent=True, cuts=True)
MUTE = Way("mute", "is not heard for 3 s", 3.0, lambda part: part.place.silence(), lambda part: part.place.mend(),
           silent=True, cuts=True)
# Of a member alone, and clients still reach it.
APART = Way("apart", "cut off from the coordinator alone for 3 s", 3.0,
            lambda part: part.place.part_from(part.parts_from), lambda part: part.place.rejoin(), silent=True,
            cuts=True)
AWAY = Way("away", "cut off from the owner alone for 3 s", 3.0, APART.strike, APART.mend, silent=True, cuts=True)

_SAID = {OWNER: "the owner", BYSTANDER: "a member that owns nothing", SERVER: "a server of the coordinator",
         LEADER: "the coordinator's leader", NODE: "the primary", LEADING_OWNER: "an owner that leads",
         MOST_SERVERS: "most servers of the coordinator"}


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

    def bar_ms(self, engine: Engine) -> float:
        """What the clients of other members may wait; with two parts, the sum."""
        if not self.parts or self.parts == (BYSTANDER,):
            return CALM_MS
        if MOST_SERVERS in self.parts:  # nobody may own anything meanwhile
            return self.way.seconds * 1000 + TAKE_OVER_MS
        bar = TAKE_OVER_MS * sum(part in self.parts for part in (OWNER, LEADER, LEADING_OWNER))
        nodes = sum(part == NODE or part == SERVER and engine.by_nodes for part in self.parts)
        bar += nodes * (SILENCE_OF_NODE_MS if self.way.silent else DEATH_OF_NODE_MS)
        if SERVER in self.parts and not engine.by_nodes:
            bar += CALM_MS
        if LEADER in self.parts and self.way.silent:
            bar += engine.silent_leader_ms
        return bar

    def why_not(self, engine: Engine) -> str:
        """Why there is no such row with that engine; empty: there is."""
        if LEADER in self.parts and not engine.leads:
            return "there is no leader to strike"
        if LEADING_OWNER in self.parts and not engine.by_members:
            return "no member leads the coordinator"
        if self.parts == (SERVER,) and engine.by_members:
            return "the servers are the members: as a member that owns nothing"
        if self.way is APART and engine.by_nodes:
            return "the coordinator is the nodes"
        return ""

    def members(self, engine: Engine) -> int:
        """How many the fleet has. Where the members agree by themselves, a majority is left when two are struck."""
        struck = sum(part in (OWNER, SERVER, LEADER) for part in self.parts)
        return 5 if engine.by_members and struck > 1 else 3

    def may_be_told(self, engine: Engine, text: str) -> bool:
        """Whether it is an error that clients of other members get by right when this happens."""
        if MOST_SERVERS in self.parts and text.startswith("CLUSTERDOWN"):
            return True
        # Of what was on its way to an owner that is lost, or lost its lease since it took longer than that to have
        # another leader: etcd and ZooKeeper may, and raft where the leader is still heard.
        lost = self.way is not STOP and not {OWNER, LEADING_OWNER, MOST_SERVERS}.isdisjoint(self.parts)
        lost = lost or LEADER in self.parts and (not engine.by_members or self.way is DEAF)
        return lost and "may or may not have been" in text

    def with_sentinel(self) -> tuple[str, ...] | None:
        """What is struck of Sentinel's, which has no proxies: nodes and sentinels alone; None if that is nothing."""
        parts = tuple(part for part in self.parts if part not in MEMBER_PARTS and part != MOST_SERVERS)
        return parts if parts or not self.parts else None


_QUICK = (KILL, HANG)

ROWS = [
    FleetRow(),
    *(FleetRow((part,), way, quick=way in _QUICK and part in (OWNER, LEADER, NODE))
      for part in (OWNER, BYSTANDER, SERVER, LEADER, NODE) for way in WAYS),
    *(FleetRow((LEADING_OWNER,), way, quick=way in _QUICK) for way in WAYS),
    *(FleetRow((part,), way) for part in (OWNER, LEADER, LEADING_OWNER, NODE) for way in (DEAF, MUTE)),
    *(FleetRow((part,), APART, quick=True) for part in (OWNER, LEADING_OWNER)),
    FleetRow((BYSTANDER,), AWAY, quick=True),
    FleetRow((MOST_SERVERS,), HANG, quick=True),
    *(FleetRow((OWNER, other), way, quick=way is KILL and other != SERVER)
      for other in (NODE, SERVER, LEADER) for way in (KILL, HANG, CUT)),
]
