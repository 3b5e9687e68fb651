"""Nodes that answer, but refuse writes."""

from __future__ import annotations

import time

from bench_lib.resp import Client

from .node import Node
from .row import GEMEL, NONE, Row, Stage

_SECONDS = 3.0


def _full(stage: Stage, *nodes: Node) -> None:
    for node in nodes:
        node.must("CONFIG", "SET", "maxmemory", "1")
    stage.note("OOM begins")
    stage.pause(_SECONDS)
    for node in nodes:
        node.must("CONFIG", "SET", "maxmemory", "0")
    stage.over()


def _cannot_save(stage: Stage, node: Node) -> None:
    """A folder in the place of dump.rdb makes every BGSAVE fail; then writes are answered with MISCONF."""
    if node.rdb.exists():
        node.rdb.unlink()
    node.rdb.mkdir()
    node.must("CONFIG", "SET", "save", "3600 1000000000")
    node.must("BGSAVE")
    began = stage.until(lambda: node.info("persistence")["rdb_last_bgsave_status"] == "err", 10)
    stage.note("MISCONF begins" if began else "the node saves all the same")
    stage.pause(_SECONDS)
    node.must("CONFIG", "SET", "save", "")
    node.rdb.rmdir()
    stage.over()


def _no_replicas(stage: Stage, node: Node) -> None:
    node.must("CONFIG", "SET", "min-replicas-to-write", "1")
    stage.note("NOREPLICAS begins")
    stage.pause(_SECONDS)
    node.must("CONFIG", "SET", "min-replicas-to-write", "0")
    stage.over()


def _read_only(stage: Stage, node: Node, other: Node) -> None:
    """Somebody makes it a REPLICAOF replica of the other copy, and goes away."""
    node.must("REPLICAOF", other.place.host, str(other.place.port))
    stage.note("READONLY begins")
    stage.pause(_SECONDS)
    stage.over()


def _busy(stage: Stage, node: Node) -> None:
    """A script runs for long: BUSY after 100 ms of silence."""
    node.must("CONFIG", "SET", "busy-reply-threshold", "100")
    script: Client = node.client(timeout=30)
    script.send("EVAL", "while true do end", "0")
    stage.note("a script runs")
    stage.pause(_SECONDS)
    end = time.monotonic() + 10
    while str(node.ask("SCRIPT", "KILL")) != "OK" and time.monotonic() < end:
        time.sleep(0.05)
    script.close()
    stage.over()


ROWS = [
    Row("oom-primary", "primary answers OOM for 3 s", lambda s: _full(s, s.primary), GEMEL, NONE),
    Row("oom-replica", "replica answers OOM for 3 s", lambda s: _full(s, s.replica), GEMEL, NONE, quick=True),
    Row("oom-both", "both answer OOM for 3 s", lambda s: _full(s, s.primary, s.replica), GEMEL, None,
        errors="^OOM "),
    Row("misconf-primary", "primary answers MISCONF for 3 s", lambda s: _cannot_save(s, s.primary), GEMEL,
        NONE),
    Row("misconf-replica", "replica answers MISCONF for 3 s", lambda s: _cannot_save(s, s.replica), GEMEL,
        NONE),
    Row("noreplicas-primary", "primary answers NOREPLICAS for 3 s", lambda s: _no_replicas(s, s.primary),
        GEMEL, NONE),
    Row("noreplicas-replica", "replica answers NOREPLICAS for 3 s", lambda s: _no_replicas(s, s.replica),
        GEMEL, NONE),
    Row("readonly-primary", "primary is made READONLY by REPLICAOF",
        lambda s: _read_only(s, s.primary, s.replica), GEMEL, NONE),
    Row("readonly-replica", "replica is made READONLY by REPLICAOF",
        lambda s: _read_only(s, s.replica, s.primary), GEMEL, NONE),
    Row("busy-primary", "primary runs a script for 3 s (BUSY)", lambda s: _busy(s, s.primary), GEMEL, None),
    Row("busy-replica", "replica runs a script for 3 s (BUSY)", lambda s: _busy(s, s.replica), GEMEL, None),
]
