"""Reloads of a config with many shards: how long until one is in effect, and what clients notice.

The shards are databases of a few redis-servers, each reached by a Unix socket's path of its own, so that a
thousand of them fit on a small machine. Clients SET and GET without a pause while the file is changed and
PROXY RELOAD is said. What gemel makes them wait is the longest turn of its event loops (INFO's longest_turn_ms); how
long they wait indeed, also for a busy machine and for this program, stands beside that of the same time without a
reload.
"""

from __future__ import annotations

import resource
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from .process import BenchError, Process, free_port
from .resp import Client
from .setups import find

WATCH_S = 2.0  # from the reload on
CLIENTS = 2
SERVERS = 8
WORKERS = (1, 2)  # a pass for each

MAX_SECONDS = 1.0
MAX_TURN_MS = 20
TURN_WINDOW_S = 11.5  # so long INFO remembers a turn


@dataclass
class Reload:
    workers: int
    change: str
    seconds: float        # until PROXY RELOAD was answered
    longest_ms: float     # a client's longest wait, from the order until WATCH_S later
    quiet_ms: float       # the same in as long a time just before
    turn_ms: int          # the longest turn of an event loop
    requests: int
    errors: int

    def missed(self) -> list[str]:
        """Each bar that it misses, in a few words."""
        bars = []
        if self.seconds > MAX_SECONDS:
            bars.append(f"in effect after {self.seconds:.3f} s, the bar is {MAX_SECONDS:g} s")
        if self.turn_ms > MAX_TURN_MS:
            bars.append(f"nobody was heard for {self.turn_ms} ms, the bar is {MAX_TURN_MS} ms")
        if self.errors:
            bars.append(f"{self.errors} errors")
        return [f"{self.change}, {self.workers} worker(s): {bar}" for bar in bars]


class Load(threading.Thread):
    """One client. Notes its longest wait since it was last asked."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._client = Client(port)
        self._number = number
        self._end = threading.Event()
        self.longest = 0.0
        self.requests = 0
        self.errors = 0

    def run(self) -> None:
        turn = 0
        while not self._end.is_set():
            key = f"load:{self._number}:{turn % 500}"
            self._call("SET", key, str(turn))
            self._call("GET", key)
            turn += 1

    def _call(self, *words: str) -> None:
        began = time.monotonic()
        try:
            self.errors += isinstance(self._client.call(*words), Exception)
        except OSError:  # dropped
            self.errors += 1
            self._client = Client(self._port)
        self.longest = max(self.longest, time.monotonic() - began)
        self.requests += 1

    def stop(self) -> None:
        self._end.set()
        self.join(10)
        self._client.close()


def measure(gemel: Path, folder: Path, shards: int) -> list[Reload]:
    results = []
    for workers in WORKERS:
        place = folder / f"w{workers}"
        place.mkdir()
        results += _measure_with(gemel, place, shards, workers)
    return results


def _measure_with(gemel: Path, folder: Path, shards: int, workers: int) -> list[Reload]:
    _allow_files(8 * shards + 1000)
    each = shards // SERVERS + 1
    sockets = [folder / f"redis{number}.sock" for number in range(SERVERS)]
    servers = [Process(socket.stem, [find("redis-server"), "--port", "0", "--unixsocket",
                                     str(socket), "--databases", str(each + 1), "--save", "",
                                     "--maxclients", str(6 * each + 100), "--dir", str(folder)],
                       folder) for socket in sockets]
    port = free_port()
    config = folder / "gemel.toml"
    proxy = None
    try:
        for socket, server in zip(sockets, servers):
            _wait_for(socket.exists, server)
        for index in range(shards + 1):
            (folder / f"n{index}").symlink_to(sockets[index % SERVERS])
        plain = {index: 1 for index in range(shards)}
        _write(config, folder, port, workers, plain, 1000)
        proxy = Process("gemel", [str(gemel), "-c", str(config)], folder)
        proxy.wait_for_port(port)
        return _measure(proxy, config, folder, port, workers, plain, shards)
    finally:
        if proxy is not None:
            proxy.stop()
        for server in servers:
            server.stop()


def _measure(proxy: Process, config: Path, folder: Path, port: int, workers: int,
             plain: dict[int, int], shards: int) -> list[Reload]:
    control = Client(port, timeout=60)
    _wait_for(lambda: not isinstance(control.call("DBSIZE"), Exception), proxy)
    loads = [Load(port, number) for number in range(CLIENTS)]
    for load in loads:
        load.start()
    results = []
    try:
        for change, weights, timeout in (
                ("an option", plain, 900),
                ("a shard reweighted", {**plain, 0: 2}, 900),
                ("a shard added", {**plain, 0: 2, shards: 1}, 900),
                ("a shard removed", {**plain, 0: 2}, 900)):
            _settle(control)
            time.sleep(TURN_WINDOW_S - WATCH_S)
            quiet, _, _ = _watch(loads, lambda: None)
            _write(config, folder, port, workers, weights, timeout)
            seconds = 0.0

            def reload() -> None:
                nonlocal seconds
                began = time.monotonic()
                reply = control.call("PROXY", "RELOAD")
                seconds = time.monotonic() - began
                if isinstance(reply, Exception):
                    raise BenchError(f"PROXY RELOAD: {reply}")

            longest, requests, errors = _watch(loads, reload)
            turn = _longest_turn(control)
            results.append(Reload(workers, change, seconds, longest, quiet, turn, requests, errors))
            proxy.check_alive()
    finally:
        for load in loads:
            load.stop()
        control.close()
    return results


def _watch(loads: list[Load], act) -> tuple[float, int, int]:
    before = sum(load.requests for load in loads), sum(load.errors for load in loads)
    for load in loads:
        load.longest = 0.0
    began = time.monotonic()
    act()
    time.sleep(max(0.0, WATCH_S - (time.monotonic() - began)))
    longest = max(load.longest for load in loads) * 1000
    return (longest, sum(load.requests for load in loads) - before[0],
            sum(load.errors for load in loads) - before[1])


def _longest_turn(control: Client) -> int:
    text = control.call("INFO", "stats")
    text = text.decode() if isinstance(text, bytes) else text
    return int(text.split("longest_turn_ms:")[1].split()[0])


def _settle(control: Client) -> None:
    """Until no shard deletes what moved away."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        shards = control.call("PROXY", "SHARDS")
        fields = [dict(zip(shard[::2], shard[1::2])) for shard in shards]
        if not any(field["sweep"] for field in fields):
            return
        time.sleep(0.2)
    raise BenchError("the deletions after a change of the ring do not end")


def _write(config: Path, folder: Path, port: int, workers: int, weights: dict[int, int],
           timeout: int) -> None:
    text = (f'[proxy]\nlisten = ["127.0.0.1:{port}"]\nworkers = {workers}\n'
            f'state_dir = "state"\nwatch_config = false\n'
            f"[health]\ntimeout_ms = {timeout}\n")
    for index, weight in weights.items():
        text += (f'[[shard]]\nname = "s{index}"\nprimary = "unix:{folder}/n{index}"\n'
                 f"database = {index // SERVERS}\nweight = {weight}\n")
    config.write_text(text)


def _wait_for(ready, process: Process) -> None:
    end = time.monotonic() + 30
    while not ready():
        process.check_alive()
        if time.monotonic() > end:
            raise BenchError(f"{process.name} is not ready after 30 s")
        time.sleep(0.05)


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= count:
        return
    if hard != resource.RLIM_INFINITY and hard < count:
        raise BenchError(f"{count} open files are needed, more than ulimit -Hn allows ({hard})")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def missed(results: list[Reload]) -> list[str]:
    return [bar for result in results for bar in result.missed()]


def table(results: list[Reload], shards: int) -> str:
    lines = [f"{f'reload of {shards} shards':<27} workers  in effect  longest turn  longest wait  without  "
             "requests  errors"]
    for result in results:
        lines.append(f"{result.change:<27} {result.workers:>7} {result.seconds:>8.3f} s "
                     f"{result.turn_ms:>9} ms {result.longest_ms:>9.1f} ms {result.quiet_ms:>5.1f} ms "
                     f"{result.requests:>9,} {result.errors:>7}")
    lines += [f"missed: {bar}" for bar in missed(results)]
    return "\n".join(lines)


def as_json(results: list[Reload], shards: int) -> dict:
    return {"shards": shards, "reloads": [asdict(result) for result in results]}
