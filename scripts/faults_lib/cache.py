"""Clients of a cache: keys that are evicted or expire under them, and what of them comes back.

Each writer, a process of its own, has keys of its own: hashes, sets, sorted sets, lists and strings. What it adds
carries a counter, and it asks for the size of the key behind each addition. A key goes as a whole or not at all, so
the size tells which additions are gone: all but the last so many. What is there all the same, then or later, has come
back. Where the outcome of a request is unknown its key is given up, and another takes its place.
"""

from __future__ import annotations

import heapq
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import RawArray
from typing import Any, Callable

from bench_lib.process import BenchError, die_with_parent
from bench_lib.resp import Client, encode

from .client import AFTER_ERROR_S, Connector

WRITERS = 4
_BATCH = 24
_SLOTS = {"full": 3000, "expiries": 400}
_EXAMPLES = 8
_LONGEST = 100  # additions to a key, then it is deleted
_LEFT_BEHIND = 4000  # keys that are read once more in the end


@dataclass(frozen=True)
class CacheNeeds:
    """What the writers do, and what must come of it."""
    kind: str  # "full": more than there is room for; "expiries": keys that live 20 to 400 ms
    policy: str = "noeviction"
    maxmemory_mb: tuple[int, ...] = ()  # of each copy; empty: no limit
    # What the primary removed in its last moment, and had no time to tell: so many keys may come back.
    untold_keys: int = 0
    reads_whole: bool = True  # False: only requests that are short, so that a node that hangs is no busy one
    # Reads go to any copy, which may hear a moment apart of what is gone: what was gone on one of them must not be
    # there in the end.
    any_copy: bool = False
    calm: bool = False  # nothing fails: no copy may be promoted or leave

    @property
    def evicts(self) -> bool:
        return self.kind == "full" and self.policy != "noeviction"

    @property
    def volatile(self) -> bool:
        return self.policy.startswith("volatile")

    def node_options(self, copy: int) -> tuple[str, ...]:
        if not self.maxmemory_mb:
            return ()
        megabytes = self.maxmemory_mb[copy % len(self.maxmemory_mb)]
        return ("--maxmemory", f"{megabytes}mb", "--maxmemory-policy", self.policy)


@dataclass(frozen=True)
class _Kind:
    """A type of key: what adds to it, what tells its size, what reads all of it."""
    add: Callable[[str, int, str], list[str]]
    count: str
    read: tuple[str, ...]
    more: tuple[str, ...] = ()  # behind the key
    replaces: bool = False  # an addition is all that is there


_KINDS = {
    "h": _Kind(lambda key, n, pad: ["HSET", key, str(n), pad], "HLEN", ("HKEYS",)),
    "s": _Kind(lambda key, n, pad: ["SADD", key, f"{n}.{pad}"], "SCARD", ("SMEMBERS",)),
    "z": _Kind(lambda key, n, pad: ["ZADD", key, str(n), f"{n}.{pad}"], "ZCARD", ("ZRANGE",), ("0", "-1")),
    "l": _Kind(lambda key, n, pad: ["RPUSH", key, f"{n}.{pad}"], "LLEN", ("LRANGE",), ("0", "-1")),
    "v": _Kind(lambda key, n, pad: ["SET", key, f"{n}.{pad}"], "EXISTS", ("GET",), replaces=True),
}


class Slot:
    """One key, and after it the next one of that place."""

    def __init__(self, writer: int, place: int) -> None:
        self.kind = "hszlv"[place % 5]
        self._name = f"e:{writer}:{self.kind}:{place}"
        self.generation = 0
        self.alive: list[int] = []  # the additions that may be there, in their order
        self.tries = 0

    @property
    def of(self) -> _Kind:
        return _KINDS[self.kind]

    @property
    def key(self) -> str:
        return f"{self._name}:{self.generation}"

    def leave(self) -> None:
        self.generation += 1
        self.alive = []
        self.tries = 0


@dataclass
class CacheSeen:
    requests: int = 0
    errors: Counter = field(default_factory=Counter)
    gone: int = 0  # additions that were removed, as far as this was seen
    came_back: int = 0
    keys_back: set[str] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)
    held: dict[str, tuple[str, list[int]]] = field(default_factory=dict)  # key: kind, additions

    def back(self, key: str, what: str, count: int) -> None:
        self.came_back += count
        self.keys_back.add(key)
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{key}: {what}")


def numbers_of(reply: Any) -> set[int]:
    """The counters in a reply that reads a whole key."""
    texts = [] if reply is None else [reply] if isinstance(reply, str) else reply
    return {int(text.partition(".")[0]) for text in texts}


class CacheWriter:
    def __init__(self, index: int, connector: Connector, needs: CacheNeeds, stop: Callable[[], bool]) -> None:
        self.seen = CacheSeen()
        self._index = index
        self._connector = connector
        self._needs = needs
        self._stop = stop
        self._random = random.Random(index)
        self._slots = [Slot(index, place) for place in range(_SLOTS[needs.kind])]
        self._number = 0
        self._client: Client | None = None
        # What is sent and not answered: the words' slot, its generation, and what to do with the reply.
        self._sent: list[tuple[Slot, int, Callable[[Any], None]]] = []
        self._out: list[bytes] = []
        self._due: list[tuple[float, int]] = []
        self._left: list[tuple[str, str, list[int]]] = []

    def run(self) -> CacheSeen:
        if self._needs.kind == "full":
            self._fill()
        fill = self._some_of_many if self._needs.kind == "full" else self._those_that_expire
        while not self._stop():
            fill()
            self._flush()
        for key, kind, alive in self._left[-_LEFT_BEHIND:]:
            self.seen.held[key] = kind, alive
        for slot in self._slots:
            self.seen.held[slot.key] = slot.kind, slot.alive
        return self.seen

    # A full memory

    def _fill(self) -> None:
        """At once, so that the rest is spent with evictions."""
        share = min(self._needs.maxmemory_mb) * 1024 // WRITERS
        slot = Slot(self._index, len(self._slots))  # nobody's
        for number in range(share):
            words = ["SET", f"e:{self._index}:f:{number}", "f" * 900]
            self._ask(slot, words + (["EX", "3600"] if self._needs.volatile else []), lambda reply: None)
            if len(self._sent) >= 4 * _BATCH:
                self._flush()
        self._flush()

    def _some_of_many(self) -> None:
        for _ in range(_BATCH):
            # Some are used often, so that evicting by use has a meaning.
            slot = self._slots[int(len(self._slots) * self._random.random() ** 2)]
            dice = self._random.random()
            if dice < 0.08:
                if self._needs.reads_whole:
                    self._read(slot)
            elif dice < 0.1 or len(slot.alive) > _LONGEST:
                self._delete(slot)
            else:
                self._add(slot, "x" * self._random.randrange(20, 200))
                if self._needs.volatile or dice < 0.2:
                    self._ask(slot, ["EXPIRE", slot.key, str(self._random.randrange(300, 900))], lambda reply: None)

    # Keys that expire

    def _those_that_expire(self) -> None:
        """Additions just before and just after the moment at which a key expires."""
        now = time.monotonic()
        if not self._due:
            for place in range(len(self._slots)):
                heapq.heappush(self._due, (now + self._random.random() * 0.2, place))
        count = 0
        while self._due and self._due[0][0] <= now and count < _BATCH:
            _, place = heapq.heappop(self._due)
            self._live(self._slots[place], place)
            count += 1
        if count == 0:
            time.sleep(0.0005)

    def _live(self, slot: Slot, place: int) -> None:
        now = time.monotonic()
        if not slot.alive:  # a new key
            milliseconds = self._random.randrange(20, 400)
            self._add(slot, "x" * 10)
            self._expire_in(slot, milliseconds)
            slot.tries = 0
            heapq.heappush(self._due, (now + milliseconds / 1000 + self._random.uniform(-0.001, 0.002), place))
            return
        if slot.tries >= 3:  # it was hit, or has no TTL: what is there now stays for ever, on both copies alike
            self._left.append((slot.key, slot.kind, slot.alive))
            slot.leave()
        else:
            slot.tries += 1
            self._add(slot, "x" * 10, keep_ttl=True)
        heapq.heappush(self._due, (now + self._random.uniform(0.0005, 0.003), place))

    def _expire_in(self, slot: Slot, milliseconds: int) -> None:
        if self._random.random() < 0.5:
            words = ["PEXPIRE", slot.key, str(milliseconds)]
        else:
            words = ["PEXPIREAT", slot.key, str(int(time.time() * 1000) + milliseconds)]
        self._ask(slot, words, lambda reply: None)

    # Requests, and what their replies tell

    def _add(self, slot: Slot, pad: str, keep_ttl: bool = False) -> None:
        self._number += 1
        number = self._number
        words = slot.of.add(slot.key, number, pad)
        if slot.kind == "v" and keep_ttl:
            words.append("KEEPTTL")

        def added(reply: Any) -> None:
            if isinstance(reply, Exception):
                return  # out of memory: it is not there
            if slot.of.replaces:
                slot.alive.clear()
            slot.alive.append(number)

        self._ask(slot, words, added)
        self._ask(slot, [slot.of.count, slot.key], lambda reply: self._counted(slot, reply))

    def _counted(self, slot: Slot, count: int) -> None:
        if isinstance(count, Exception):
            return
        if count > len(slot.alive):
            if self._needs.any_copy:
                return
            self.seen.back(slot.key, f"{slot.of.count} answered {count}, of {len(slot.alive)} additions",
                           count - len(slot.alive))
            slot.leave()
            return
        gone = len(slot.alive) - count
        self.seen.gone += gone
        del slot.alive[:gone]

    def _read(self, slot: Slot) -> None:
        self._ask(slot, [*slot.of.read, slot.key, *slot.of.more], lambda reply: self._was_read(slot, reply))

    def _was_read(self, slot: Slot, reply: Any) -> None:
        if isinstance(reply, Exception):
            return
        there = numbers_of(reply)
        back = there - set(slot.alive)
        if back and not self._needs.any_copy:
            self.seen.back(slot.key, f"{sorted(back)[:4]} are there, {slot.alive[-4:]} could be", len(back))
            slot.leave()
            return
        held = [number for number in slot.alive if number in there]
        self.seen.gone += len(slot.alive) - len(held)
        slot.alive = held

    def _delete(self, slot: Slot) -> None:
        self._ask(slot, ["DEL", slot.key], lambda reply: slot.alive.clear())

    def _ask(self, slot: Slot, words: list[str], take: Callable[[Any], None]) -> None:
        self._sent.append((slot, slot.generation, take))
        self._out.append(encode(*words))

    def _flush(self) -> None:
        sent, self._sent = self._sent, []
        data, self._out = b"".join(self._out), []
        taken = 0
        try:
            if self._client is None:
                self._client = self._connector.connect()
            self._client.send_raw(data)
            for slot, generation, take in sent:
                reply = self._client.read()
                taken += 1
                if isinstance(reply, Exception):
                    self._refused(slot, generation, str(reply))
                else:
                    self.seen.requests += 1
                if slot.generation == generation:
                    take(reply)
        except (OSError, ValueError) as error:
            self.seen.errors[f"connection: {error or type(error).__name__}"[:100]] += 1
            if self._client is not None:
                self._client.close()
                self._client = None
            for slot, generation, _ in sent[taken:]:
                if slot.generation == generation:
                    slot.leave()
            time.sleep(AFTER_ERROR_S)

    def _refused(self, slot: Slot, generation: int, text: str) -> None:
        self.seen.errors[text[:100]] += 1
        if not text.startswith("OOM"):
            if slot.generation == generation:
                slot.leave()
        elif slot.generation == generation and self._random.random() < 0.2:
            self._delete(slot)  # so that there is room, now and then


class CacheLoad:
    """Runs from its construction until stop."""

    def __init__(self, connector: Connector, needs: CacheNeeds) -> None:
        self._stop = RawArray("b", 1)
        self._writers: list[tuple[multiprocessing.Process, Connection]] = []
        context = multiprocessing.get_context("fork")
        for index in range(WRITERS):
            ours, theirs = context.Pipe(duplex=False)
            writer = CacheWriter(index, connector, needs, lambda: self._stop[0] != 0)
            process = context.Process(target=_run, args=(writer, theirs), daemon=True)
            process.start()
            theirs.close()
            self._writers.append((process, ours))

    def ask_to_stop(self) -> None:
        self._stop[0] = 1

    def stop(self, seconds: float = 30.0) -> list[CacheSeen]:
        self.ask_to_stop()
        end = time.monotonic() + seconds
        seen: list[CacheSeen] = []
        for _, ours in self._writers:
            if not ours.poll(max(0.0, end - time.monotonic())):
                raise BenchError(f"a writer does not stop in {seconds:.0f} s")
            try:
                seen.append(ours.recv())
            except EOFError as error:
                raise BenchError("a writer died") from error
        self.close()
        return seen

    def close(self) -> None:
        for process, ours in self._writers:
            process.kill()
            process.join(10)
            ours.close()
        self._writers.clear()


def _run(writer: CacheWriter, result: Connection) -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(5)  # what the other clients wait for is gemel, not these
    result.send(writer.run())
    result.close()
    os._exit(0)


def look_again(client: Client, seen: list[CacheSeen]) -> tuple[int, set[str], list[str]]:
    """Reads every key that the writers left: additions that are there and must not be, their keys, examples. What is
    gone by now is forgotten, and must not be there the next time."""
    back, keys, examples = 0, set(), []
    for one in seen:
        held = list(one.held.items())
        for start in range(0, len(held), 100):
            some = held[start:start + 100]
            client.send_raw(b"".join(encode(*_KINDS[kind].read, key, *_KINDS[kind].more) for key, (kind, _) in some))
            for key, (kind, alive) in some:
                reply = client.read()
                there = set() if isinstance(reply, Exception) else numbers_of(reply)
                wrong = there - set(alive)
                if wrong:
                    back += len(wrong)
                    keys.add(key)
                    examples.append(f"{key}: {sorted(wrong)[:4]} are there, {alive[-4:]} could be")
                one.held[key] = kind, [number for number in alive if number in there]
    return back, keys, examples
