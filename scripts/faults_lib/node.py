"""A redis-server that fails in many ways."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from bench_lib.process import BenchError, Process
from bench_lib.resp import Client
from bench_lib.setups import find

from .network import Place
from .struck import Struck


class Node(Struck):
    """Keeps its address, whatever happens to its process. Saves nothing unless `durable`: then every write
    is on disk before it is answered (appendfsync always)."""

    def __init__(self, folder: Path, name: str, place: Place, durable: bool = False,
                 options: tuple[str, ...] = ()) -> None:
        self.name = name
        self.place = place
        self.address = f"{place.host}:{place.port}"
        self._folder = folder / name
        self._data = self._folder / "data"
        self._durable = durable
        self._options = list(options)
        self._process: Process | None = None
        self._starts = 0
        self._folder.mkdir()
        self._data.mkdir()
        self.start()

    @property
    def rdb(self) -> Path:
        return self._data / "dump.rdb"

    def start(self, *options: str, wait: bool = True) -> None:
        """With what its folder holds. Waits until it answers, unless told otherwise."""
        self._starts += 1
        command = [
            *self.place.prefix, find("redis-server"), "--port", str(self.place.listen_port),
            "--bind", *self.place.bind.split(), "--protected-mode", "no", "--save", "",
            "--appendonly", "yes" if self._durable else "no", "--appendfsync", "always",
            "--dir", str(self._data), "--enable-debug-command", "yes",
            "--repl-diskless-sync-delay", "0", *self.place.options, *self._options, *options]
        self._process = Process(f"{self.name}-{self._starts}", command, self._folder)
        if wait:
            self.wait_until_up()

    def remember(self, *options: str) -> None:
        """Of all starts from now on, as if its config file said so."""
        self._options += options

    def wait_until_up(self, seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self._process is not None
            self._process.check_alive()
            try:
                if self.ask("PING") == "PONG":
                    return
            except OSError:
                pass
            time.sleep(0.005)
        raise BenchError(f"{self.name} does not answer after {seconds:.0f} s")

    def empty(self) -> None:
        """Removes what a new process would load. It must not run."""
        shutil.rmtree(self._data)
        self._data.mkdir()

    def restart_empty(self) -> None:
        self.kill()
        self.empty()
        self.start()

    def client(self, timeout: float = 10.0) -> Client:
        """A connection of our own, past the gate if there is one."""
        return Client(self.place.listen_port, timeout, self.place.host)

    def ask(self, *words: str) -> Any:
        """One command on a connection of its own. An error reply is returned as an Exception."""
        client = self.client()
        try:
            return client.call(*words)
        finally:
            client.close()

    def must(self, *words: str) -> Any:
        reply = self.ask(*words)
        if isinstance(reply, Exception):
            raise BenchError(f"{self.name}: {' '.join(words)}: {reply}")
        return reply

    def info(self, section: str) -> dict[str, str]:
        lines = self.must("INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def close(self) -> None:
        self.kill()
        self.place.close()
