"""One client of the load, and what it knows of its own data.

In a loop it sets a new key, increments its counter, reads both back and an older key of its own (first or
last, by chance, so that a server that stops does not meet all clients in the same request). What was
acknowledged must be read from then on; a counter lies between what was acknowledged and that plus the
increments whose outcome is unknown (an error reply, a connection that broke under the request).
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench_lib.resp import Client

READ, WRITE = 0, 1
AFTER_ERROR_S = 0.01  # before a client tries again
_EXAMPLES = 8


class Connector(Protocol):
    def connect(self) -> Client: ...


class Board(Protocol):
    """What the parent sees of a running client, and what stops it."""
    stop: bool

    def add(self, requests: int, errors: int) -> None: ...


@dataclass
class Range:
    """Where a counter may be: `low` is certain, up to `high` is possible."""
    low: int = 0
    high: int = 0


@dataclass
class Seen:
    """What one client saw. Keys of dictionaries are tags: indices of the shards that keys are put on."""
    requests: int = 0
    acknowledged: int = 0  # writes
    broken: int = 0  # connections lost or refused, and requests that were not answered in time
    errors: Counter = field(default_factory=Counter)  # (tag, kind, text): replies
    stalls: dict = field(default_factory=dict)  # (kind, tag): (seconds, when)
    first_error: float = 0.0
    last_error: float = 0.0
    stale: int = 0  # reads of an older value
    missing: int = 0  # reads that found nothing where something was acknowledged
    lost: int = 0  # acknowledged writes that a later write showed to be gone
    doubled: int = 0
    keys: list[int] = field(default_factory=list)  # acknowledged, and not deleted since
    counters: dict[int, Range] = field(default_factory=dict)
    appended: dict[int, Range] = field(default_factory=dict)  # empty unless the load appends
    examples: list[str] = field(default_factory=list)
    # Increments of counters that all clients share: low were acknowledged, high are unknown.
    shared: dict[int, Range] = field(default_factory=dict)


FAILED = object()


def set_key(tag: str, index: int, number: int) -> str:
    return f"{tag}s:{index}:{number}"


def set_value(index: int, number: int) -> str:
    return f"{index}.{number}"


def counter_key(tag: str, index: int) -> str:
    return f"{tag}c:{index}"


def appended_key(tag: str, index: int) -> str:
    return f"{tag}a:{index}"


class LoadClient:
    """tags: the prefixes that put a key on each shard. window: keys kept at most, older ones are deleted
    (0: all are kept). appends: it also lengthens a value, by a byte each time, and reads its length."""

    def __init__(self, index: int, connector: Connector, board: Board, tags: list[str], pause: float,
                 window: int, appends: bool, began: float) -> None:
        self.seen = Seen(counters={tag: Range() for tag in range(len(tags))},
                         appended={tag: Range() for tag in range(len(tags) if appends else 0)})
        self._index = index
        self._connector = connector
        self._board = board
        self._tags = tags
        self._pause = pause
        self._window = window
        self._began = began
        self._client: Client | None = None
        self._number = 0
        self._waits: dict[tuple[int, int], float] = {}  # since when a kind of request gets no answer
        self._random = random.Random(index)

    def run(self) -> Seen:
        while not self._board.stop:
            self._round()
            if self._pause:
                time.sleep(self._pause)
        for place in list(self._waits):
            self._stall(place)
        return self.seen

    def _round(self) -> None:
        self._number += 1
        number = self._number
        tag = self._tag(number)
        reads_first = self._random.random() < 0.5
        if reads_first:
            self._read_older()
        value = set_value(self._index, number)
        is_set = self._ask(WRITE, tag, "SET", self._key(number), value) is not FAILED
        if is_set:
            self.seen.acknowledged += 1
            self.seen.keys.append(number)
        counter = self._counter(tag)
        self._increment(tag, self.seen.counters[tag], "INCR", counter)
        if is_set:
            self._read_key(number)
        self._read_counter(tag, self.seen.counters[tag], "GET", counter)
        if self.seen.appended:
            self._append(tag)
        if not reads_first:
            self._read_older()
        if self._window and len(self.seen.keys) > self._window:
            self._delete_one()

    def _read_older(self) -> None:
        if self.seen.keys:
            self._read_key(self._random.choice(self.seen.keys))

    def _tag(self, number: int) -> int:
        return number % len(self._tags)

    def _key(self, number: int) -> str:
        return set_key(self._tags[self._tag(number)], self._index, number)

    def _counter(self, tag: int) -> str:
        return counter_key(self._tags[tag], self._index)

    def _append(self, tag: int) -> None:
        """Its length is a counter, too."""
        key = appended_key(self._tags[tag], self._index)
        known = self.seen.appended[tag]
        self._increment(tag, known, "APPEND", key, "x")
        self._read_counter(tag, known, "STRLEN", key)

    def _increment(self, tag: int, known: Range, *words: str) -> None:
        reply = self._ask(WRITE, tag, *words)
        if reply is FAILED:
            known.high += 1
            return
        self.seen.acknowledged += 1
        if reply > known.high + 1:
            self.seen.doubled += reply - known.high - 1
            self._example(f"{words[0]} {words[1]} answered {reply}, at most {known.high + 1} is possible")
        if reply <= known.low:
            # The counter was set back. From nothing: its writes are lost; from an old value: that is stale too.
            self.seen.lost += known.low + 1 - reply
            if reply != 1:
                self.seen.stale += 1
            self._example(f"{words[0]} {words[1]} answered {reply}, {known.low} were acknowledged before")
            known.high = reply + known.high - known.low
        else:
            known.high = max(known.high + 1, reply)
        known.low = reply

    def _read_counter(self, tag: int, known: Range, *words: str) -> None:
        reply = self._ask(READ, tag, *words)
        if reply is FAILED:
            return
        value = int(reply or 0)
        if value < known.low:
            if reply in (None, 0):
                self.seen.missing += 1
            else:
                self.seen.stale += 1
            self._example(f"{words[0]} {words[1]} answered {reply}, {known.low} is acknowledged")
        elif value > known.high:
            self.seen.doubled += value - known.high
            self._example(f"{words[0]} {words[1]} answered {reply}, at most {known.high} is possible")
            known.low = known.high = value
        else:
            known.low = value

    def _read_key(self, number: int) -> None:
        key = self._key(number)
        reply = self._ask(READ, self._tag(number), "GET", key)
        if reply is FAILED or reply == set_value(self._index, number):
            return
        if reply is None:
            self.seen.missing += 1
        else:
            self.seen.stale += 1
        self._example(f"GET {key} answered {reply}, {set_value(self._index, number)} is acknowledged")

    def _delete_one(self) -> None:
        keys = self.seen.keys
        at = self._random.randrange(len(keys))
        keys[at], keys[-1] = keys[-1], keys[at]
        number = keys.pop()
        reply = self._ask(WRITE, self._tag(number), "DEL", self._key(number))
        if reply is FAILED:
            return
        self.seen.acknowledged += 1
        if reply != 1:
            self.seen.lost += 1
            self._example(f"DEL {self._key(number)} answered {reply}, it was acknowledged")

    def _ask(self, kind: int, tag: int, *words: str) -> Any:
        """The reply, or FAILED: an error, and for a write that its outcome is unknown."""
        place = (kind, tag)
        self._waits.setdefault(place, time.monotonic())
        try:
            if self._client is None:
                self._client = self._connector.connect()
            reply = self._client.call(*words)
        except (OSError, ValueError) as error:
            self.seen.broken += 1
            self.seen.errors[(tag, kind, f"connection: {_short(error)}")] += 1
            if self._client is not None:
                self._client.close()
                self._client = None
            self._failed()
            return FAILED
        if isinstance(reply, Exception) or not _fits(words, reply):
            text = _short(reply) if isinstance(reply, Exception) else f"unexpected reply {reply!r}"[:200]
            self.seen.errors[(tag, kind, text)] += 1
            self._failed()
            return FAILED
        self.seen.requests += 1
        self._board.add(1, 0)
        self._stall(place)
        return reply

    def _stall(self, place: tuple[int, int]) -> None:
        began = self._waits.pop(place)
        waited = time.monotonic() - began
        if waited > self.seen.stalls.get(place, (0.0, 0.0))[0]:
            self.seen.stalls[place] = (waited, began - self._began)

    def _failed(self) -> None:
        self._board.add(0, 1)
        self.seen.last_error = time.monotonic() - self._began
        self.seen.first_error = self.seen.first_error or self.seen.last_error
        time.sleep(AFTER_ERROR_S)

    def _example(self, text: str) -> None:
        if len(self.seen.examples) < _EXAMPLES:
            self.seen.examples.append(f"at {time.monotonic() - self._began:.3f} s: {text}")


def _fits(words: tuple[str, ...], reply: Any) -> bool:
    """Whether it can be the reply to that command at all, and not to another."""
    if words[0] == "SET":
        return reply == "OK"
    if words[0] in ("INCR", "DEL", "APPEND", "STRLEN"):
        return isinstance(reply, int)
    is_counter = "c:" in words[1]
    return reply is None or (isinstance(reply, str) and reply.isdigit() == is_counter)


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
