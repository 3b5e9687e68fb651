"""A full memory, and keys that expire, while nodes die, hang and are promoted.

The usual clients run beside the writers. Where any key may be evicted they may lose what they wrote (but never read
anything old); where only keys with a TTL are, they may lose nothing, for theirs have none.
"""

from __future__ import annotations

from typing import Callable

from .cache import CacheNeeds
from .lab import Needs
from .node import Node
from .row import GEMEL, Row, Stage

_HANG_S = 3.0
_MB = 6


def _nothing(stage: Stage) -> None:
    stage.pause(6)
    stage.over()


def _kill(stage: Stage, node: Node) -> None:
    stage.pause(3)
    stage.note(f"kill -9 {node.name}")
    node.kill()
    stage.pause(2)
    node.empty()
    node.start()
    stage.note("it is up again, empty")
    stage.over()


def _hang(stage: Stage, node: Node) -> None:
    stage.pause(3)
    stage.note(f"SIGSTOP {node.name}")
    node.hang()
    stage.pause(_HANG_S)
    node.wake()
    stage.note("SIGCONT")
    stage.over()


def _promote(stage: Stage) -> None:
    gemel = stage.gemel
    for _ in range(4):
        stage.pause(1.5)
        before = gemel.primary_of(0)
        stage.note(f"PROXY PROMOTE a: {gemel.order('PROMOTE', 'a')}")
        if not stage.until(lambda: gemel.primary_of(0) is not before, 5):
            stage.note("the primary stayed")
    stage.over()


# What happens: its words, what is done, and how many keys the event may leave untold.
_EVENTS: dict[str, tuple[str, Callable[[Stage], None], int]] = {
    "": ("", _nothing, 0),
    "-primary-kill": (", primary killed, back empty", lambda stage: _kill(stage, stage.primary), 2),
    "-primary-hang": (", primary hangs", lambda stage: _hang(stage, stage.primary), 2),
    "-replica-kill": (", replica killed, back empty", lambda stage: _kill(stage, stage.replica), 0),
    "-replica-hang": (", replica hangs", lambda stage: _hang(stage, stage.replica), 0),
    "-promote": (", PROXY PROMOTE", _promote, 0),
}


_NO_AUDIT = {"audit": "interval_s = 0"}  # it would find what differs, but nobody shall wait for it


def _any_copy(sections: dict[str, str] | None) -> bool:
    return "balanced" in (sections or {}).get("read", "")


def _full(policy: str, event: str, maxmemory_mb: tuple[int, ...] = (_MB, _MB), name: str = "", quick: bool = False,
          sections: dict[str, str] | None = None) -> Row:
    words, run, untold = _EVENTS[event]
    needs = CacheNeeds("full", policy, maxmemory_mb, untold, "hang" not in event, _any_copy(sections), run is _nothing)
    unequal = "" if len(set(maxmemory_mb)) == 1 else f" {'/'.join(map(str, maxmemory_mb))} MB"
    return Row(name or f"full-{policy}{event}", f"full, {policy}{unequal}{words}", run, GEMEL, None,
               Needs(cache=needs, sections={**_NO_AUDIT, **(sections or {})}), errors="" if needs.evicts else "^OOM ",
               loses=policy.startswith("allkeys"), quick=quick)


def _expiries(event: str, name: str = "", quick: bool = False, sections: dict[str, str] | None = None) -> Row:
    words, run, untold = _EVENTS[event]
    needs = CacheNeeds("expiries", untold_keys=untold, any_copy=_any_copy(sections), calm=run is _nothing)
    return Row(name or f"expiries{event}", f"keys live 20 to 400 ms{words}", run, GEMEL, None,
               Needs(cache=needs, sections={**_NO_AUDIT, **(sections or {})}), quick=quick)


_REPLICA = {"read": 'from = "replica"'}
_BALANCED_ANY = {"read": 'from = "balanced"', "write": 'ack = "any"'}

ROWS = [
    _full("allkeys-lru", "", quick=True),
    _full("allkeys-lru", "-primary-kill", quick=True),
    _full("allkeys-lru", "-primary-hang"),
    _full("allkeys-lru", "-replica-kill"),
    _full("allkeys-lru", "-replica-hang"),
    _full("allkeys-lru", "-promote"),
    _full("allkeys-lru", "", (6, 4), "full-small-replica"),
    _full("allkeys-lru", "", (4, 6), "full-small-primary"),
    _full("allkeys-lru", "-primary-kill", (6, 4), "full-small-replica-kill"),
    _full("allkeys-lru", "", name="full-read-replica", sections=_REPLICA),
    _full("allkeys-lru", "-primary-kill", name="full-balanced-any", sections=_BALANCED_ANY),
    _full("allkeys-lfu", "-primary-kill"),
    _full("allkeys-random", "-primary-hang"),
    _full("volatile-lru", "-primary-kill"),
    _full("volatile-ttl", "-promote"),
    _full("noeviction", ""),
    _full("noeviction", "-promote"),
    _expiries("", quick=True),
    _expiries("-primary-kill"),
    _expiries("-primary-hang"),
    _expiries("-replica-hang"),
    _expiries("-promote", quick=True),
    _expiries("", "expiries-read-replica", sections=_REPLICA),
    _expiries("-promote", "expiries-balanced-any", sections=_BALANCED_ANY),
]
