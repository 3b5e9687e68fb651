"""Child processes: started, measured through /proc, stopped by pid."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_TICK = 1.0 / os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """Something the operator has to know; printed as one line."""


def die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A server. Its output goes to a file in the temporary folder."""

    def __init__(self, name: str, command: list[str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as out:
            self._child = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                preexec_fn=die_with_parent)

    @property
    def pid(self) -> int:
        return self._child.pid

    def check_alive(self) -> None:
        if self._child.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise BenchError(f"{self.name} ended with {self._child.returncode}:\n{tail}")

    def wait_for_port(self, port: int, seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check_alive()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise BenchError(f"{self.name} does not listen on port {port} after {seconds:.0f} s")

    def cpu_seconds(self) -> float:
        """utime + stime of all threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK

    def cpu_exact(self) -> float:
        """The same to the nanosecond, of the threads that run now; where the kernel does not tell, in ticks."""
        try:
            return sum(int(path.read_text().split()[0])
                       for path in Path(f"/proc/{self.pid}/task").glob("*/schedstat")) / 1e9 or self.cpu_seconds()
        except OSError:
            return self.cpu_seconds()

    def resident_bytes(self) -> int:
        """VmRSS. smaps_rollup counts exactly; status may lag by some pages a thread."""
        for path, label in ((f"/proc/{self.pid}/smaps_rollup", "Rss:"),
                            (f"/proc/{self.pid}/status", "VmRSS:")):
            try:
                for line in Path(path).read_text().splitlines():
                    if line.startswith(label):
                        return int(line.split()[1]) * 1024
            except OSError:
                continue
        raise BenchError(f"cannot read the resident memory of {self.name}")

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def signal(self, number: int) -> None:
        if self.running:
            self._child.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit code; BenchError if it does not end."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"{self.name} does not end in {seconds:.0f} s") from error

    def kill(self) -> None:
        """kill -9, and waits for the end."""
        self.signal(signal.SIGKILL)
        self._child.wait(10)

    def stop(self) -> None:
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(10)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait(10)
