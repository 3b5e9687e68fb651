"""One client's request, a pause of gemel or a name server hurts. What others would not notice with Redis they
must not notice here; where they would wait for a busy server, they wait that long and get no error."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

from bench_lib.process import BenchError
from bench_lib.resp import Client, encode

from .lab import Needs
from .node import Node
from .row import GEMEL, PROMOTION, Row, Stage

_MEMBERS = 500_000  # well within request_ms, also on a busy machine
_BATCH = 5_000
_POISON = "local t={} for i=1,40 do t={t} end return t"
# Some two seconds of one core.
_SPIN = "local n=0 for i=1,tonumber(ARGV[1]) do n=n+i%7 end return n"
_SPINS = "100000000"
_PAUSE_S = 6.5
_BIG = 8 << 20
_GETS = 64
_PATIENCE_S = 10.0  # for an answer to the client that hurts


def _fill_sorted_set(stage: Stage) -> None:
    client = stage.client()
    for start in range(0, _MEMBERS, _BATCH):
        words = [word for member in range(start, start + _BATCH) for word in (str(member % 997), f"m{member}")]
        _expect(client.call("ZADD", "{slow}from", *words), _BATCH)
    client.close()
    stage.note(f"a sorted set of {_MEMBERS:,} members is there")


def _slow_command(stage: Stage, *words: str, copies: bool) -> None:
    """On one connection; the bars are higher by what the nodes' own logs say that it took. `copies`: all run
    it, else one does."""
    for node in (stage.primary, stage.replica):
        node.must("CONFIG", "SET", "slowlog-log-slower-than", "200000")
        node.must("SLOWLOG", "RESET")
    stage.note(words[0])
    client = _patient(stage)
    began = time.monotonic()
    reply = client.call(*words)
    stage.note(f"answered {str(reply)[:60]} after {time.monotonic() - began:.3f} s")
    client.close()
    stage.over()
    times = [_slowest(node) for node in (stage.primary, stage.replica)]
    stage.note(f"the nodes were busy for {', '.join(f'{one:.0f}' for one in times)} ms")
    if isinstance(reply, Exception):
        raise BenchError(f"{words[0]} answered {reply}")
    if not copies and min(times) > 0:
        stage.note("both copies ran the same read")
    stage.event_ms = max(times)


def _slowest(node: Node) -> float:
    """In ms; 0 if nothing took 200."""
    return max((entry[2] for entry in node.must("SLOWLOG", "GET")), default=0) / 1000


def _slow_write(stage: Stage) -> None:
    _fill_sorted_set(stage)
    _slow_command(stage, "ZUNIONSTORE", "{slow}to", "2", "{slow}from", "{slow}from", copies=True)
    client = stage.client()
    client.call("UNLINK", "{slow}from", "{slow}to")
    client.close()


def _slow_read(stage: Stage) -> None:
    _slow_command(stage, "EVAL_RO", _SPIN, "1", "slow", _SPINS, copies=False)


def _patient(stage: Stage) -> Client:
    client = stage.client()
    client.set_timeout(60)
    return client


def _poison(stage: Stage) -> None:
    """The same nested reply for three clients, one after the other, twice each."""
    answers = []
    for _ in range(3):
        for _ in range(2):
            answers.append(_ask(stage, "EVAL_RO", _POISON, "0"))
        stage.pause(0.3)
    stage.note(f"answers: {_short(answers)}")
    stage.over()


def _ask(stage: Stage, *words: str | bytes) -> Any:
    """On a connection of its own; an error and a closed connection are answers, too, silence is not."""
    client = stage.client()
    client.set_timeout(_PATIENCE_S)
    try:
        return client.call(*words)
    except TimeoutError as error:
        raise BenchError(f"{words[0]!r} is not answered in {_PATIENCE_S:.0f} s") from error
    except OSError as error:
        return error
    finally:
        client.close()


def _short(answers: list[Any]) -> str:
    return "; ".join(sorted({str(answer)[:100] for answer in answers}))


def _leave(stage: Stage) -> None:
    """Three clients ask for more than half a gigabyte, read none of it, and leave after a second."""
    _expect(_ask(stage, "SET", "big", b"x" * _BIG), "OK")
    for _ in range(3):
        client = stage.client()
        client.send_raw(encode("GET", "big") * _GETS)
        stage.note(f"{_GETS} GETs of {_BIG >> 20} MB are sent")
        stage.pause(1)
        client.close()
        stage.note("and their client has left")
        stage.pause(1)
    stage.over()


def _too_long_reply(stage: Stage) -> None:
    names = [f"{{long}}{number}" for number in range(8)]
    for name in names:
        _expect(_ask(stage, "SET", name, b"x" * (2 << 20)), "OK")
    answers = []
    for _ in range(5):
        answer = _ask(stage, "MGET", *names)
        answers.append(f"{len(answer)} values" if isinstance(answer, list) else answer)
        stage.pause(0.2)
    stage.note(f"MGET of 16 MB: {_short(answers)}")
    stage.over()


def _too_long_value(stage: Stage) -> None:
    answers = []
    for _ in range(10):
        answers.append(_ask(stage, "SET", "long", b"x" * (3 << 20)))
        stage.pause(0.2)
    stage.note(f"SET of 3 MB: {_short(answers)}")
    stage.over()


def _paused(stage: Stage) -> None:
    """While pipelines are full, so that it is stopped in the middle of its work."""
    stop = threading.Event()
    errors: list[str] = []
    busy = [threading.Thread(target=_keep_busy, args=(stage.client(), f"busy{number}", stop, errors), daemon=True)
            for number in range(4)]
    for thread in busy:
        thread.start()
    try:
        for _ in range(2):
            stage.pause(0.5)
            stage.note("SIGSTOP of gemel")
            began = time.monotonic()
            stage.gemel.process.signal(signal.SIGSTOP)
            stage.pause(_PAUSE_S)
            stage.gemel.process.signal(signal.SIGCONT)
            stage.event_ms = max(stage.event_ms, (time.monotonic() - began) * 1000)
            stage.note("SIGCONT")
        stage.pause(1)
    finally:
        stop.set()
        for thread in busy:
            thread.join(30)
    stage.over()
    if errors:
        raise BenchError(f"{len(errors)} errors to the clients that pipeline, as {errors[0]}")


def _keep_busy(client: Client, key: str, stop: threading.Event, errors: list[str]) -> None:
    client.set_timeout(20)
    batch = (encode("SET", key, b"x" * 20_000) + encode("GET", key)) * 100
    try:
        while not stop.is_set():
            client.send_raw(batch)
            for _ in range(200):
                if isinstance(reply := client.read(), Exception):
                    errors.append(str(reply))
    except OSError as error:
        errors.append(str(error))
    client.close()


def _without_names(stage: Stage, hangs: bool) -> None:
    names = stage.gemel.names
    assert names is not None
    if hangs:
        names.hang()
    else:
        names.fail()
    stage.note("the name server hangs" if hangs else "the name server is dead")
    for _ in range(5):
        for node in (stage.replica, stage.primary):
            stage.note(f"{node.name} closed {_close_probes(node)} connections of probes")
            stage.pause(0.5)
    for _ in range(3):
        for node in (stage.replica, stage.primary):
            stage.note(f"{node.name} closed {node.must('CLIENT', 'KILL', 'TYPE', 'normal')} connections")
            stage.pause(0.5)
            stage.until(lambda: stage.setup.healed() is not False, 5)
    answer = stage.gemel.ask("PROXY", "RELOAD")
    stage.note(f"PROXY RELOAD: {answer}")
    stage.pause(2)
    names.mend()
    stage.over()
    if isinstance(answer, Exception):
        stage.until(lambda: stage.setup.healed() is not False, 10)
        raise BenchError(f"PROXY RELOAD answered {answer}")


def _close_probes(node: Node) -> int:
    lines = node.must("CLIENT", "LIST").splitlines()
    clients = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
    return sum(int(node.must("CLIENT", "KILL", "ID", client["id"])) for client in clients
               if client["cmd"] in ("ping", "role", "info"))


def _expect(reply: Any, wanted: Any) -> None:
    if reply != wanted:
        raise BenchError(f"answered {reply}, not {wanted}")


_NORMAL = "--client-output-buffer-limit"

ROWS = [
    Row("slow-write", "a command is busy for seconds on all copies", _slow_write, GEMEL, PROMOTION,
        quick=True),
    Row("slow-read", "a read is busy for seconds", _slow_read, GEMEL, PROMOTION),
    Row("poison-nested", "replies nested in 40 levels", _poison, GEMEL, PROMOTION, quick=True),
    Row("poison-limit", "64 GETs of 8 MB; nodes' output limit 128 MB", _leave, GEMEL, PROMOTION,
        Needs(node_options=(_NORMAL, "normal 256mb 128mb 60"))),
    Row("poison-evicted", "64 GETs of 8 MB; nodes' maxmemory-clients", _leave, GEMEL, PROMOTION,
        Needs(node_options=("--maxmemory-clients", "100mb"))),
    Row("poison-reply", "MGET of 16 MB; nodes' output limit 8 MB", _too_long_reply, GEMEL, PROMOTION,
        Needs(node_options=(_NORMAL, "normal 8mb 4mb 5"))),
    Row("poison-value", "SET of 3 MB; nodes' proto-max-bulk-len 1 MB", _too_long_value, GEMEL, PROMOTION,
        Needs(node_options=("--proto-max-bulk-len", "1mb"))),
    Row("poison-query", "SET of 3 MB; nodes' client-query-buffer-limit", _too_long_value, GEMEL, PROMOTION,
        Needs(node_options=("--client-query-buffer-limit", "1mb"))),
    Row("proxy-paused", "gemel is paused for 6.5 s (SIGSTOP)", _paused, GEMEL, PROMOTION,
        quick=True),
    Row("resolver-hangs", "host names; the name server hangs", lambda s: _without_names(s, True), GEMEL,
        PROMOTION, Needs(names=True)),
    Row("resolver-dead", "host names; the name server is dead", lambda s: _without_names(s, False), GEMEL,
        PROMOTION, Needs(names=True), quick=True),
]
