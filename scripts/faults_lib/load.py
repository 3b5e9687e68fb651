"""Eight clients, each a process of its own, so that no client waits for another."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import RawArray

from bench_lib.process import BenchError, die_with_parent
from bench_lib.resp import Client, encode

from .client import READ, WRITE, Connector, LoadClient, Range, Seen, appended_key, counter_key, set_key, set_value

CLIENTS = 8
_BATCH = 200


@dataclass
class LoadOptions:
    tags: list[str] = field(default_factory=lambda: [""])
    pause_s: float = 0.002  # between two rounds of a client, so that the load is not all that runs
    window: int = 0
    appends: bool = False
    clients: int = CLIENTS


class _Board:
    """Three words of shared memory a client: its requests, its errors, and the flag that stops it."""

    def __init__(self, words: RawArray, index: int) -> None:
        self._words = words
        self._at = 3 * index

    def add(self, requests: int, errors: int) -> None:
        self._words[self._at] += requests
        self._words[self._at + 1] += errors

    @property
    def stop(self) -> bool:
        return self._words[self._at + 2] != 0


class Load:
    """Runs from its construction until stop."""

    def __init__(self, connector: Connector, options: LoadOptions) -> None:
        self.options = options
        self.began = time.monotonic()
        self._words = RawArray("Q", 3 * options.clients)
        self._clients: list[tuple[multiprocessing.Process, Connection]] = []
        context = multiprocessing.get_context("fork")
        for index in range(options.clients):
            ours, theirs = context.Pipe(duplex=False)
            client = self.client(index, connector, _Board(self._words, index))
            process = context.Process(target=_run, args=(client, theirs), daemon=True)
            process.start()
            theirs.close()
            self._clients.append((process, ours))

    def client(self, index: int, connector: Connector, board: _Board) -> LoadClient:
        return LoadClient(index, connector, board, self.options.tags, self.options.pause_s, self.options.window,
                          self.options.appends, self.began)

    @property
    def requests(self) -> int:
        return sum(self._words[3 * index] for index in range(self.options.clients))

    @property
    def errors(self) -> int:
        return sum(self._words[3 * index + 1] for index in range(self.options.clients))

    def check_alive(self) -> None:
        for process, _ in self._clients:
            if not process.is_alive():
                raise BenchError(f"a client of the load ended with {process.exitcode}")

    def stop(self, seconds: float = 30.0) -> Outcome:
        """Lets every client end its round."""
        for index in range(self.options.clients):
            self._words[3 * index + 2] = 1
        end = time.monotonic() + seconds
        seen: list[Seen] = []
        for process, ours in self._clients:
            if not ours.poll(max(0.0, end - time.monotonic())):
                raise BenchError(f"a client of the load does not stop in {seconds:.0f} s")
            try:
                seen.append(ours.recv())
            except EOFError as error:
                raise BenchError("a client of the load died") from error
            process.join(10)
        self.close()
        return Outcome(self.options, seen)

    def close(self) -> None:
        for process, ours in self._clients:
            process.kill()
            process.join(10)
            ours.close()
        self._clients.clear()


def _run(client: LoadClient, result: Connection) -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.disable()  # a collection would look like a stall
    result.send(client.run())
    result.close()
    os._exit(0)  # nothing of the parent's is ours to clean up


class Outcome:
    """What all clients saw, and, after verify, what became of their data."""

    def __init__(self, options: LoadOptions, seen: list[Seen]) -> None:
        self._options = options
        self._seen = seen
        self.requests = sum(one.requests for one in seen)
        self.acknowledged = sum(one.acknowledged for one in seen)
        self.broken = sum(one.broken for one in seen)
        self.errors: Counter = sum((one.errors for one in seen), Counter())
        self.stale = sum(one.stale for one in seen)
        self.missing = sum(one.missing for one in seen)
        self.lost = sum(one.lost for one in seen)
        self.doubled = sum(one.doubled for one in seen)
        self.examples = [text for one in seen for text in one.examples]
        self.first_error = min((one.first_error for one in seen if one.first_error), default=0.0)
        self.last_error = max(one.last_error for one in seen)

    def stall(self, kind: int, tag: int | None = None) -> tuple[float, float]:
        """The longest wait for a good reply in ms, the time it took to find the server again included, and
        when it began, in seconds from the begin of the load."""
        stalls = [value for one in self._seen for (of, where), value in one.stalls.items()
                  if of == kind and tag in (None, where)]
        seconds, when = max(stalls, default=(0.0, 0.0))
        return seconds * 1000, when

    def seen_by(self, index: int) -> Seen:
        """What that client saw."""
        return self._seen[index]

    @property
    def read_stall(self) -> float:
        return self.stall(READ)[0]

    @property
    def write_stall(self) -> float:
        return self.stall(WRITE)[0]

    def verify(self, client: Client) -> None:
        """Reads every key back: what was acknowledged and is not there is lost."""
        for index, one in enumerate(self._seen):
            for start in range(0, len(one.keys), _BATCH):
                self._verify_keys(client, index, one.keys[start:start + _BATCH])
            for tag, known in one.counters.items():
                self._verify_counter(client, known, "GET", counter_key(self._options.tags[tag], index))
            for tag, known in one.appended.items():
                self._verify_counter(client, known, "STRLEN", appended_key(self._options.tags[tag], index))

    def _verify_keys(self, client: Client, index: int, numbers: list[int]) -> None:
        tags = self._options.tags
        names = [set_key(tags[number % len(tags)], index, number) for number in numbers]
        client.send_raw(b"".join(encode("GET", name) for name in names))
        for name, number in zip(names, numbers):
            reply = client.read()
            if reply != set_value(index, number):
                self.lost += 1
                if len(self.examples) < 100:
                    self.examples.append(f"in the end: GET {name} answered {reply}")

    def _verify_counter(self, client: Client, known: Range, *words: str) -> None:
        reply = client.call(*words)
        value = int(reply) if isinstance(reply, (str, int)) else 0
        self.lost += max(0, known.low - value)
        self.doubled += max(0, value - known.high)
        if not known.low <= value <= known.high:
            self.examples.append(
                f"in the end: {' '.join(words)} answered {reply}, expected {known.low} to {known.high}")
