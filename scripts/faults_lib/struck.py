"""What is struck: somebody's process, which may run or not."""

from __future__ import annotations

import signal

from bench_lib.process import Process


class Struck:
    """Who inherits it begins self._process."""

    _process: Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """In order, with SIGTERM."""
        if self._process is not None:
            self._process.stop()

    def hang(self) -> None:
        assert self._process is not None
        self._process.signal(signal.SIGSTOP)

    def wake(self) -> None:
        if self._process is not None:
            self._process.signal(signal.SIGCONT)
