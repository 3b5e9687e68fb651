"""A whole shard is lost, or gemel itself fails, or an operator acts."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .lab import Needs
from .row import GEMEL, NONE, PROMOTION, Row, Stage

_DOWN = "^(CLUSTERDOWN|TRYAGAIN) "
_STALE_WITHIN_S = 20.0


def _both_lost(stage: Stage) -> None:
    """The copy that has everything comes back with it, and serves by itself."""
    stage.primary.kill()
    stage.replica.kill()
    stage.note("both copies of shard a are killed")
    stage.pause(2)
    first, second = stage.primary, stage.replica
    if stage.gemel.state_of(first) == "stale":  # the replica was promoted before it was killed, too
        first, second = second, first
    first.start()
    stage.note("the copy in sync is back with its data")
    stage.pause(1)
    second.start()
    stage.over()


def _make_replica_stale(stage: Stage) -> None:
    """It hangs until it has missed writes; then the primary dies, and it wakes up."""
    stage.replica.hang()
    gemel = stage.gemel
    gemel.wait_until(lambda: gemel.state_of(stage.replica) == "stale", _STALE_WITHIN_S,
                     "the replica that hangs is stale")
    stage.note("the replica is stale")
    stage.pause(1)
    stage.primary.kill()
    stage.replica.wake()
    stage.note("the primary is killed, the stale replica is back")


def _only_stale(stage: Stage) -> None:
    _make_replica_stale(stage)
    stage.pause(3)
    stage.primary.start()
    stage.note("the primary is back with its data, and serves by itself")
    stage.over()


def _only_stale_miss(stage: Stage) -> None:
    _make_replica_stale(stage)
    stage.pause(3)
    stage.primary.empty()
    stage.primary.start()
    stage.note("the primary is back, empty")
    stage.over()


def _proxy_kill(stage: Stage) -> None:
    for _ in range(3):
        stage.note("kill -9 of gemel")
        stage.gemel.process.kill()
        stage.pause(0.5)
        stage.gemel.start()
        stage.note("gemel is up again")
        stage.pause(2)
    stage.over()


def _state_full(stage: Stage) -> None:
    full = _Full(stage)
    stage.note(f"the state folder is full: {full.how}")
    stage.replica.kill()
    stage.pause(3)
    stage.note(f"{stage.load.errors} errors so far")
    full.free()
    stage.note("the state folder has room again")
    stage.pause(2)
    stage.replica.start()
    stage.over()


class _Full:
    """Takes all room of the small disk, or, if there is none, puts a folder where gemel writes its state."""

    def __init__(self, stage: Stage) -> None:
        seen = Path(f"/proc/{stage.gemel.process.pid}/root{stage.gemel.state}")
        self._in_the_way: Path | None = None
        self._filler = seen / "filler"
        disk = os.statvfs(seen)
        if disk.f_blocks * disk.f_frsize <= 1 << 20:
            self.how = "a disk of 64 kB"
            self._fill()
            return
        self.how = "its file cannot be written"
        for path in list(seen.iterdir()):
            if path.suffix not in (".lock", ".tmp") and path.is_file() and path.name != "lock":
                self._in_the_way = path.with_name(path.name + ".tmp")
                self._in_the_way.mkdir()

    def _fill(self) -> None:
        with self._filler.open("wb", buffering=0) as filler:
            try:
                while filler.write(b"\0" * 4096):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        if self._in_the_way is not None:
            self._in_the_way.rmdir()
        else:
            self._filler.unlink()


def _promote(stage: Stage) -> None:
    gemel = stage.gemel
    for _ in range(6):
        before = gemel.primary_of(0)
        stage.note(f"PROXY PROMOTE a: {gemel.order('PROMOTE', 'a')}")
        if not stage.until(lambda: gemel.primary_of(0) is not before, 5):
            stage.note("the primary stayed")
        stage.pause(0.4)
    stage.over()


def _drain(stage: Stage) -> None:
    """The primary is taken out, restarted empty and given back."""
    gemel = stage.gemel
    node = stage.primary
    stage.note(f"PROXY DRAIN: {gemel.order('DRAIN', node.address)}")
    drained = stage.until(lambda: gemel.primary_of(0) is not node, 10)
    stage.note("the other copy is the primary" if drained else "it stayed the primary")
    stage.pause(1)
    node.restart_empty()
    stage.pause(1)
    stage.note(f"PROXY UNDRAIN: {gemel.order('UNDRAIN', node.address)}")
    stage.over()


_DURABLE_PAIR = Needs(shards=2, durable=True)
_MISS = Needs(shards=2, sections={"write": 'on_data_loss = "miss"'})

ROWS = [
    Row("both-lost", "both copies of a shard killed, back with data", _both_lost, GEMEL, None, _DURABLE_PAIR,
        errors=_DOWN),
    Row("only-stale", "only a stale copy is left (refuse)", _only_stale, GEMEL, None, _DURABLE_PAIR,
        errors=_DOWN),
    Row("only-stale-miss", "only a stale copy is left (miss)", _only_stale_miss, GEMEL, None, _MISS,
        errors=_DOWN, loses=True),
    Row("proxy-kill", "gemel kill -9, restarted, 3 times", _proxy_kill, GEMEL, None, breaks=True, quick=True),
    Row("state-full", "state folder full for 3 s, a replica dies", _state_full, GEMEL, None,
        Needs(shards=2, small_disk=True), errors=_DOWN, reads_go_on=True),
    Row("promote", "PROXY PROMOTE, 6 times", _promote, GEMEL, PROMOTION),
    Row("drain", "PROXY DRAIN of the primary, and UNDRAIN", _drain, GEMEL, NONE),
]
