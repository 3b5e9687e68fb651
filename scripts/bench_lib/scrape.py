"""Scrapes of the metrics of many shards: how long one takes, and what clients notice.

The shards are as those of reload.py, and have a replica each: databases of a few redis-servers. First nobody asks anything:
that is what the bar is for. Then clients SET and GET without a pause, and all share the cores. Their longest wait stands
beside that of the same time without scrapes, and beside it the longest turn of gemel's event loops.
"""

from __future__ import annotations

import socket
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from . import reload
from .process import BenchError, Process, free_port
from .resp import Client
from .setups import find

SCRAPES = 20
MAX_MS = 50
SETTLE_S = 3.0
BUSY_S = 2.0


@dataclass
class Scrapes:
    workers: int
    path: str
    bytes: int
    rest_ms: float     # the median of SCRAPES, one after the other, while nobody asks anything
    median_ms: float   # of as many among clients
    longest_ms: float
    turn_ms: int       # the longest turn of an event loop meanwhile
    wait_ms: float     # a client's longest wait meanwhile
    quiet_ms: float    # the same in a time without scrapes


def measure(gemel: Path, folder: Path, shards: int) -> list[Scrapes]:
    results = []
    for workers in reload.WORKERS:
        place = folder / f"w{workers}"
        place.mkdir()
        results += _measure_with(gemel, place, shards, workers)
    return results


def _measure_with(gemel: Path, folder: Path, shards: int, workers: int) -> list[Scrapes]:
    reload._allow_files(16 * shards + 1000)
    each = 2 * shards // reload.SERVERS + 1
    sockets = [folder / f"redis{number}.sock" for number in range(reload.SERVERS)]
    servers = [Process(socket.stem, [find("redis-server"), "--port", "0", "--unixsocket", str(socket),
                                     "--databases", str(each + 1), "--save", "", "--maxclients",
                                     str(12 * each + 100), "--dir", str(folder)], folder)
               for socket in sockets]
    port, http = free_port(), free_port()
    proxy = None
    try:
        for socket, server in zip(sockets, servers):
            reload._wait_for(socket.exists, server)
        config = folder / "gemel.toml"
        config.write_text(_config(folder, sockets, port, http, workers, shards))
        proxy = Process("gemel", [str(gemel), "-c", str(config)], folder)
        proxy.wait_for_port(port, 60)
        return [_measure(proxy, port, http, workers, path) for path in ("/metrics", "/status.json")]
    finally:
        if proxy is not None:
            proxy.stop()
        for server in servers:
            server.stop()


def _config(folder: Path, sockets: list[Path], port: int, http: int, workers: int, shards: int) -> str:
    text = (f'[proxy]\nlisten = ["127.0.0.1:{port}"]\nworkers = {workers}\nstate_dir = "state"\n'
            f'watch_config = false\n[metrics]\nlisten = ["127.0.0.1:{http}"]\n')
    for index in range(shards):
        for copy in range(2):
            (folder / f"n{index}.{copy}").symlink_to(sockets[(index + copy) % reload.SERVERS])
        # Of two shards on one server no copy has the database of another.
        database = 2 * (index // reload.SERVERS)
        text += (f'[[shard]]\nname = "s{index}"\nprimary = "unix:{folder}/n{index}.0"\n'
                 f'replicas = ["unix:{folder}/n{index}.1"]\ndatabase = {database + index % 2}\n')
    return text


def _get(http: int, path: str) -> tuple[float, int]:
    """Milliseconds until the last byte was here, and bytes."""
    began = time.monotonic()
    buffer = bytearray(1 << 20)
    size = 0
    first = b""
    with socket.create_connection(("127.0.0.1", http), timeout=60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        while more := connection.recv_into(buffer):
            first = first or bytes(buffer[:15])
            size += more
    if first != b"HTTP/1.1 200 OK":
        raise BenchError(f"{path} was answered with {first!r}")
    return (time.monotonic() - began) * 1000, size


def _scrapes(http: int, path: str) -> list[tuple[float, int]]:
    taken = []
    for _ in range(SCRAPES):
        taken.append(_get(http, path))
        time.sleep(BUSY_S / SCRAPES / 2)
    return taken


def _measure(proxy: Process, port: int, http: int, workers: int, path: str) -> Scrapes:
    control = Client(port, timeout=60)
    reload._wait_for(lambda: not isinstance(control.call("DBSIZE"), Exception), proxy)
    time.sleep(SETTLE_S)
    rest = statistics.median(ms for ms, _ in _scrapes(http, path))
    loads = [reload.Load(port, number) for number in range(reload.CLIENTS)]
    for load in loads:
        load.start()
    try:
        time.sleep(reload.TURN_WINDOW_S)
        quiet, _, _ = reload._watch(loads, lambda: None)
        taken = []

        wait, _, _ = reload._watch(loads, lambda: taken.extend(_scrapes(http, path)))
        turn = reload._longest_turn(control)
        proxy.check_alive()
    finally:
        for load in loads:
            load.stop()
        control.close()
    times = [ms for ms, _ in taken]
    return Scrapes(workers, path, taken[0][1], rest, statistics.median(times), max(times), turn, wait, quiet)


def missed(results: list[Scrapes]) -> list[str]:
    return [f"{result.path}, {result.workers} worker(s): {result.rest_ms:.0f} ms, the bar is {MAX_MS} ms"
            for result in results if result.path == "/metrics" and result.rest_ms > MAX_MS]


def table(results: list[Scrapes], shards: int) -> str:
    lines = [f"{f'{shards} shards':<14} workers      bytes   at rest  among clients   longest  longest turn  longest wait  "
             "without"]
    for result in results:
        lines.append(f"{result.path:<14} {result.workers:>7} {result.bytes:>10,} {result.rest_ms:>6.1f} ms "
                     f"{result.median_ms:>11.1f} ms "
                     f"{result.longest_ms:>6.1f} ms {result.turn_ms:>10} ms {result.wait_ms:>10.1f} ms "
                     f"{result.quiet_ms:>5.1f} ms")
    lines += [f"missed: {bar}" for bar in missed(results)]
    return "\n".join(lines)


def as_json(results: list[Scrapes], shards: int) -> dict:
    return {"shards": shards, "scrapes": [asdict(result) for result in results]}
