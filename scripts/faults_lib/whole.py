"""Both copies compared wholly: keys, types, values, and who has a TTL."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bench_lib.resp import Client, encode

from .node import Node

SETTLE_S = 1.0  # so long after the last write copies may differ
_LOOKS = 3
_BETWEEN_S = 0.05
_BATCH = 500
_EXAMPLES = 6


@dataclass
class Difference:
    keys: int = 0  # of the first copy
    only_first: int = 0
    only_second: int = 0
    differ: int = 0  # keys of both
    examples: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return bool(self.only_first or self.only_second or self.differ)


def compare(first: Node, second: Node) -> Difference:
    """What differs in three looks, one after the other: keys expire, and at its limit a node evicts for the sake of
    whoever looks."""
    one, other = _all(first), _all(second)
    found = Difference(keys=len(one))
    wrong = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    for _ in range(_LOOKS - 1):
        if wrong:
            time.sleep(_BETWEEN_S)
            one, other = _of(first, wrong), _of(second, wrong)
            wrong = [key for key in wrong if one.get(key) != other.get(key)]
    for key in wrong:
        here, there = one.get(key), other.get(key)
        if there is None:
            found.only_first += 1
        elif here is None:
            found.only_second += 1
        else:
            found.differ += 1
        if len(found.examples) < _EXAMPLES:
            found.examples.append(f"{key}: {_say(here)} on {first.name}, {_say(there)} on {second.name}")
    return found


_State = tuple[str, str, bool]  # type, digest, whether it has a TTL


def _all(node: Node) -> dict[str, _State]:
    client = node.client()
    keys: set[str] = set()
    cursor = "0"
    while True:
        cursor, some = client.call("SCAN", cursor, "COUNT", "1000")
        keys.update(some)
        if cursor == "0":
            client.close()
            return _of(node, sorted(keys))


def _of(node: Node, keys: list[str]) -> dict[str, _State]:
    """Those of them that are there."""
    client = node.client()
    states: dict[str, _State] = {}
    for start in range(0, len(keys), _BATCH):
        some = keys[start:start + _BATCH]
        client.send_raw(b"".join(encode("TYPE", key) + encode("PTTL", key) for key in some) +
                        encode("DEBUG", "DIGEST-VALUE", *some))
        read = [(client.read(), client.read()) for _ in some]
        for key, (kind, ttl), digest in zip(some, read, client.read()):
            if kind != "none":
                states[key] = kind, digest, ttl != -1
    client.close()
    return states


def _say(state: _State | None) -> str:
    return "nothing" if state is None else f"a {state[0]} {'with' if state[2] else 'without'} a TTL ({state[1][:8]})"
