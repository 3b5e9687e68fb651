"""The pause of a shard's writes at the end of a full resync, under a load of SETs."""

from __future__ import annotations

import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from .process import BenchError, Process, free_port
from .resp import Client, fill
from .setups import find

KEYS = 200_000
VALUE_BYTES = 64


@dataclass
class HandOver:
    depth: int
    writes_per_s: float  # while the resync ran
    seconds: float       # of the whole resync
    pause_ms: int        # of the writes, at its end
    pauses: int          # also those that were given up
    longest_ms: int      # of all so far


def measure(gemel: Path, folder: Path, times: int) -> list[HandOver]:
    servers = []
    ports = [free_port(), free_port()]
    for number, port in enumerate(ports):
        data = folder / f"data{number}"
        data.mkdir()
        servers.append(Process(f"redis{number}", [
            find("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
            "--dir", str(data)], folder))
    proxy = None
    try:
        for server, port in zip(servers, ports):
            server.wait_for_port(port)
        listen = free_port()
        config = folder / "gemel.toml"
        config.write_text(f'[proxy]\nlisten = ["127.0.0.1:{listen}"]\n[[shard]]\nname = "a"\n'
                          f'primary = "127.0.0.1:{ports[0]}"\nreplicas = ["127.0.0.1:{ports[1]}"]\n')
        proxy = Process("gemel", [str(gemel), "-c", str(config)], folder)
        proxy.wait_for_port(listen)
        fill(listen, KEYS, VALUE_BYTES)
        results = []
        for depth in (1, 4, 16):
            for _ in range(times):
                results.append(_one(listen, ports[1], depth))
                proxy.check_alive()
        return results
    finally:
        if proxy is not None:
            proxy.stop()
        for server in servers:
            server.stop()


def _one(port: int, replica: int, depth: int) -> HandOver:
    control = Client(port)
    load = subprocess.Popen(
        [find("redis-benchmark"), "-p", str(port), "-t", "set", "-c", "50", "-P", str(depth), "-d",
         str(VALUE_BYTES), "-r", str(KEYS), "-n", "100000000", "-q"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        before = _info(control)
        writes, began = _writes(control), time.monotonic()
        reply = control.call("PROXY", "RESYNC", f"127.0.0.1:{replica}")
        if isinstance(reply, Exception):
            raise BenchError(f"PROXY RESYNC: {reply}")
        while _info(control)["done"] == before["done"]:
            if time.monotonic() > began + 60 or load.poll() is not None:
                raise BenchError("the resync does not end")
            time.sleep(0.05)
        seconds = time.monotonic() - began
        after = _info(control)
        return HandOver(depth, (_writes(control) - writes) / seconds, seconds, after["pause"],
                        after["pauses"] - before["pauses"], after["longest"])
    finally:
        load.terminate()
        load.wait(10)
        control.close()


def _info(control: Client) -> dict[str, int]:
    fields = dict(line.split(":", 1) for line in control.call("INFO", "resync").splitlines()
                  if ":" in line)
    return {"done": int(fields["resyncs_done"]), "pauses": int(fields["resync_pauses"]),
            "pause": int(fields["resync_last_pause_ms"]),
            "longest": int(fields["resync_longest_pause_ms"])}


def _writes(control: Client) -> int:
    shard = control.call("PROXY", "SHARDS")[0]
    return int(dict(zip(shard[::2], shard[1::2]))["writes"])


def table(results: list[HandOver]) -> str:
    lines = ["resync under SETs, 50 clients   writes a second   whole   writes paused, the last time of"]
    for result in results:
        lines.append(f"pipeline depth {result.depth:<16} {result.writes_per_s:>15,.0f} "
                     f"{result.seconds:>6.2f} s {result.pause_ms:>10} ms {result.pauses:>17}")
    lines.append(f"the longest pause of all, those of hand-overs that were given up included: "
                 f"{max(result.longest_ms for result in results)} ms")
    return "\n".join(lines)


def as_json(results: list[HandOver]) -> dict:
    return {"hand_overs": [asdict(result) for result in results]}
