"""After a row: whether the copies healed and are equal, and if not, in which keys they differ."""

from __future__ import annotations

import time

from bench_lib.process import BenchError

from .node import Node
from .setups import Setup

_EXAMPLES = 10


def wait_until_healed(setup: Setup, since: float, settle: float, seconds: float) -> float | None:
    """Seconds from `since` until every copy takes part again, and still does `settle` seconds later: a copy
    may not look lost yet. None if the setup knows no healing. Raises BenchError if it takes longer than
    `seconds` from now."""
    end = time.monotonic() + seconds
    lost = since  # when a copy was last seen missing
    while True:
        healed = setup.healed()
        if healed is None:
            time.sleep(settle)
            return None
        now = time.monotonic()
        if not healed:
            lost = now
        elif now - lost > settle:
            return lost - since
        if now > end:
            raise BenchError(f"not healed after {seconds:.0f} s")
        time.sleep(0.02)


def copies_equal(setup: Setup, seconds: float = 5.0) -> list[str]:
    """Empty if the copies of every shard are equal, at the latest after `seconds`; else how they differ."""
    return copies_of_all(setup.shards, seconds)


def copies_of_all(shards: list[list[Node]], seconds: float = 5.0, registers_beside: bool = False) -> list[str]:
    """`registers_beside`: the nodes also keep what a fleet agrees on, each its own, in another database than 0."""
    end = time.monotonic() + seconds
    while True:
        unequal = [nodes for nodes in shards if _unequal(nodes, registers_beside)]
        if not unequal:
            return []
        if time.monotonic() > end:
            return [text for nodes in unequal for text in _differences(*nodes[:2])]
        time.sleep(0.1)


def _unequal(nodes: list[Node], only_first_database: bool) -> bool:
    if only_first_database:
        first, *others = [_digests(node) for node in nodes]
        return any(other != first for other in others)
    return len({node.must("DEBUG", "DIGEST") for node in nodes}) > 1


def _differences(one: Node, other: Node) -> list[str]:
    first, second = _digests(one), _digests(other)
    wrong = [key for key in sorted(first.keys() | second.keys()) if first.get(key) != second.get(key)]
    texts = [f"{one.name} has {len(first)} keys, {other.name} {len(second)}; {len(wrong)} differ"]
    for key in wrong[:_EXAMPLES]:
        texts.append(f"{key}: {_value(one, key)} on {one.name}, {_value(other, key)} on {other.name}")
    return texts


def _digests(node: Node) -> dict[str, str]:
    client = node.client()
    digests: dict[str, str] = {}
    cursor = "0"
    while True:
        cursor, keys = client.call("SCAN", cursor, "COUNT", "500")
        if keys:
            digests.update(zip(keys, client.call("DEBUG", "DIGEST-VALUE", *keys)))
        if cursor == "0":
            client.close()
            return digests


def _value(node: Node, key: str) -> str:
    reply = node.ask("GET", key)
    return "nothing" if reply is None else repr(reply)[:60]
