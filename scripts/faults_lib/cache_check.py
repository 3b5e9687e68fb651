"""After a row with writers of a cache: what differs, and what came back."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bench_lib.process import BenchError

from .cache import CacheLoad, CacheNeeds, CacheSeen, look_again
from .setups import Gemel
from .whole import SETTLE_S, Difference, compare

# Above its limit: what gemel may give a copy that follows another, and what Redis does not evict for at once.
_MARGIN = 1 / 8
_MARGIN_MIN_MB = 1.0
_SLACK_MB = 0.5
_LEAVING = ("promotions", "marked_stale", "resyncs", "rejoins")  # figures of PROXY SHARDS; an order is none of them


@dataclass
class CacheResult:
    requests: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    evicted: list[int] = field(default_factory=list)  # of each node, since it was started last
    expired: list[int] = field(default_factory=list)
    gone: int = 0  # additions that were seen to be gone
    came_back: int = 0  # of them, those that were seen again
    came_back_promoted: int = 0  # once the other copy was made the primary in the end
    keys_back: int = 0  # the keys of all that came back
    keys: int = 0
    only_primary: int = 0
    only_replica: int = 0
    differ: int = 0
    used_mb: list[float] = field(default_factory=list)  # of each node, under load
    violations: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def text(self) -> str:
        only = f"{self.only_primary:,}/{self.only_replica:,}"
        used = f", {' and '.join(f'{used:.2f}' for used in self.used_mb)} MB used" if self.used_mb else ""
        return (f"{self.requests:,} requests of writers; evicted {'/'.join(f'{one:,}' for one in self.evicted)}, expired "
                f"{'/'.join(f'{one:,}' for one in self.expired)}{used}; of {self.keys:,} keys only on one copy {only}, "
                f"different {self.differ:,}; {self.gone:,} additions gone, back {self.came_back:,}, after a promotion "
                f"{self.came_back_promoted:,}, of {self.keys_back:,} keys")


def under_load(setup: Gemel, needs: CacheNeeds) -> CacheResult:
    """What the nodes say while the writers still write."""
    result = CacheResult()
    for copy, node in enumerate(setup.shards[0]):
        stats = node.info("stats")
        result.evicted.append(int(stats["evicted_keys"]))
        result.expired.append(int(stats["expired_keys"]))
        if not needs.maxmemory_mb:
            continue
        used = int(node.info("memory")["used_memory"]) / (1 << 20)
        result.used_mb.append(used)
        limit = needs.maxmemory_mb[copy % len(needs.maxmemory_mb)]
        if used > limit + max(limit * _MARGIN, _MARGIN_MIN_MB) + _SLACK_MB:
            result.violations.append(f"{node.name} uses {used:.2f} MB of {limit}")
    if needs.evicts and not any(result.evicted):
        result.violations.append("nothing was evicted")
    if needs.kind == "expiries" and not any(result.expired):
        result.violations.append("nothing expired")
    return result


def once_quiet(setup: Gemel, needs: CacheNeeds, load: CacheLoad, result: CacheResult) -> None:
    """Stops the writers; a second later both copies are compared, and what was gone is looked for: on the primary,
    and once more when the other copy is the primary."""
    seen = load.stop()
    time.sleep(SETTLE_S)
    _take_difference(result, compare(*setup.shards[0][:2]))
    _take_seen(result, seen)
    client = setup.verify_client()
    try:
        back, keys, examples = look_again(client, seen)
        result.came_back += back
        _promote(setup)
        result.came_back_promoted, more, others = look_again(client, seen)
    finally:
        client.close()
    keys_back = set().union(keys, more, *(one.keys_back for one in seen))
    result.keys_back = len(keys_back)
    result.examples += (examples + others)[:6]
    if result.keys_back > needs.untold_keys:
        result.violations.append(f"{result.came_back + result.came_back_promoted} additions to {result.keys_back} keys "
                                 "came back")
    if needs.calm:
        facts = setup.facts()
        busy = {name: facts[name] for name in _LEAVING if facts.get(name, 0)}
        if busy:
            result.violations.append(f"nothing failed, and yet: {busy}")


def _take_difference(result: CacheResult, difference: Difference) -> None:
    result.keys = difference.keys
    result.only_primary, result.only_replica = difference.only_first, difference.only_second
    result.differ = difference.differ
    result.examples += difference.examples
    if difference.any:
        result.violations.append(f"the copies differ {SETTLE_S:g} s after the last write")


def _take_seen(result: CacheResult, seen: list[CacheSeen]) -> None:
    for one in seen:
        result.requests += one.requests
        result.gone += one.gone
        result.came_back += one.came_back
        result.examples += one.examples[:2]
        for text, count in one.errors.items():
            result.errors[text] = result.errors.get(text, 0) + count


def _promote(setup: Gemel) -> None:
    before = setup.primary_of(0)
    reply = setup.order("PROMOTE", "a")
    end = time.monotonic() + 10
    while setup.primary_of(0) is before:
        if time.monotonic() > end:
            raise BenchError(f"PROXY PROMOTE a: {reply}, and the primary stays")
        time.sleep(0.02)
