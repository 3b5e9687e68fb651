"""Nodes that die, restart, hang, are cut off or lose their connections."""

from __future__ import annotations

from .lab import Needs
from .node import Node
from .row import ALL, GEMEL, HANG, NONE, PAIRS, PROMOTION, REPLICA_HANG, SHORT, Row, Stage

_HANG_S = 5.0


def _nothing(stage: Stage) -> None:
    stage.pause(2)
    stage.over()


def _kill(stage: Stage, node: Node) -> None:
    stage.note(f"kill -9 {node.name}")
    node.kill()
    stage.pause(4)
    stage.over()


def _restart_empty(stage: Stage, node: Node) -> None:
    stage.note(f"kill -9 {node.name}")
    node.kill()
    stage.pause(2)
    node.empty()
    node.start()
    stage.note("it is up again, empty")
    stage.over()


def _restart_at_once(stage: Stage, node: Node) -> None:
    stage.note(f"kill -9 {node.name}, and a new process at once")
    node.restart_empty()
    stage.over()


def _restart_old(stage: Stage) -> None:
    stage.primary.must("SAVE")
    stage.note("SAVE is done; what comes now is not in it")
    stage.pause(1)
    stage.primary.kill()
    stage.primary.start()
    stage.note("killed, and up again with the data of the SAVE")
    stage.over()


def _loading(stage: Stage) -> None:
    stage.primary.must("SAVE")
    keys = max(1, int(stage.primary.must("DBSIZE")))
    stage.pause(0.5)
    stage.primary.kill()
    # Slow enough to answer LOADING for some two seconds.
    stage.primary.start("--key-load-delay", str(int(2_000_000 / keys)),
                        "--loading-process-events-interval-bytes", "1024", wait=False)
    stage.note("killed, and up again; it answers LOADING")
    stage.pause(1)
    stage.primary.wait_until_up()
    stage.primary.must("CONFIG", "SET", "key-load-delay", "0")
    stage.note("loaded")
    stage.over()


def _hang(stage: Stage, node: Node) -> None:
    stage.note(f"SIGSTOP {node.name}")
    node.hang()
    stage.pause(_HANG_S)
    node.wake()
    stage.over()


def _cut(stage: Stage, node: Node) -> None:
    stage.note(f"{node.name} is cut off")
    node.place.cut()
    stage.pause(_HANG_S)
    node.place.mend()
    stage.over()


_FLAPS = 10  # of 1 s down and 1 s up: 20 s


def _flap_kill(stage: Stage) -> None:
    for _ in range(3 if stage.quick else _FLAPS):
        node = stage.setup.primary()
        stage.note(f"kill -9 {node.name}")
        node.kill()
        stage.pause(1)
        node.empty()
        node.start()
        stage.note("it is up again, empty")
        _stay_up(stage)
    stage.over()


def _flap_hang(stage: Stage) -> None:
    for _ in range(3 if stage.quick else _FLAPS):
        node = stage.setup.primary()
        stage.note(f"SIGSTOP {node.name}")
        node.hang()
        stage.pause(1)
        stage.note("SIGCONT")
        node.wake()
        _stay_up(stage)
    stage.over()


def _stay_up(stage: Stage) -> None:
    """For a second, and until there are two copies again: the next blow would hit the only one."""
    stage.pause(1)
    if not stage.until(lambda: stage.setup.healed() is not False, 10):
        stage.note("there is still only one copy")


def _lose_links(stage: Stage, node: Node) -> None:
    for _ in range(10):
        stage.note(f"{node.name} closed {node.must('CLIENT', 'KILL', 'TYPE', 'normal')} connections")
        stage.pause(0.4)
    stage.over()


ROWS = [
    Row("none", "nothing happens (the machine's own noise)", _nothing, ALL, NONE),
    Row("primary-kill", "primary kill -9", lambda s: _kill(s, s.primary), ALL, PROMOTION, heals=False,
        quick=True),
    Row("primary-restart", "primary killed, back empty after 2 s",
        lambda s: _restart_empty(s, s.primary), ALL, PROMOTION, quick=True),
    Row("primary-at-once", "primary killed, back empty at once",
        lambda s: _restart_at_once(s, s.primary), ALL, PROMOTION, quick=True),
    Row("primary-old", "primary killed, back at once with old data", _restart_old, ALL, PROMOTION),
    Row("primary-loading", "primary killed, back and LOADING for 2 s", _loading, GEMEL, PROMOTION),
    Row("primary-hang", "primary hangs for 5 s (SIGSTOP)", lambda s: _hang(s, s.primary), ALL, HANG,
        quick=True),
    Row("primary-cut", "primary cut off for 5 s (packets dropped)", lambda s: _cut(s, s.primary), ALL, HANG,
        Needs(cuttable=0)),
    Row("replica-kill", "replica kill -9", lambda s: _kill(s, s.replica), PAIRS, PROMOTION, heals=False),
    Row("replica-restart", "replica killed, back empty after 2 s",
        lambda s: _restart_empty(s, s.replica), PAIRS, PROMOTION),
    Row("replica-at-once", "replica killed, back empty at once",
        lambda s: _restart_at_once(s, s.replica), GEMEL, PROMOTION),
    Row("replica-hang", "replica hangs for 5 s (SIGSTOP)", lambda s: _hang(s, s.replica), PAIRS,
        REPLICA_HANG),
    Row("replica-cut", "replica cut off for 5 s (packets dropped)", lambda s: _cut(s, s.replica), GEMEL,
        REPLICA_HANG, Needs(cuttable=1)),
    Row("flap-kill", "whoever is primary: 1 s dead, 1 s up, 20 s", _flap_kill, ALL, PROMOTION),
    Row("flap-hang", "whoever is primary: 1 s hung, 1 s up, 20 s", _flap_hang, ALL, HANG),
    Row("link-primary", "primary closes its connections, 10 times",
        lambda s: _lose_links(s, s.primary), ALL, SHORT, quick=True),
    Row("link-replica", "replica closes its connections, 10 times",
        lambda s: _lose_links(s, s.replica), GEMEL, SHORT),
]
