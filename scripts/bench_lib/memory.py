"""Resident memory of a fresh proxy: idle, and what idle connections add."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass

from .process import BenchError, Process
from .resp import Client
from .setups import Setup


@dataclass
class Memory:
    setup: str
    idle_bytes: int  # as started, no client yet
    connections: int
    per_connection_bytes: float


def measure(setup: Setup, connections: int) -> Memory:
    """Each connection does one PING and one GET, and then says nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < connections + 200:
        if hard != resource.RLIM_INFINITY and hard < connections + 200:
            raise BenchError(f"{connections} connections need more open files than ulimit -n allows")
        resource.setrlimit(resource.RLIMIT_NOFILE, (connections + 200, hard))
    idle = settled(setup.proxy)
    clients: list[Client] = []
    try:
        _open(setup.port, 10, clients)  # what the first clients cost once is not theirs
        base = settled(setup.proxy)
        _open(setup.port, connections, clients)
        full = settled(setup.proxy)
    finally:
        for client in clients:
            client.close()
    return Memory(setup.name, idle, connections, (full - base) / connections)


def _open(port: int, count: int, clients: list[Client]) -> None:
    for _ in range(count):
        client = Client(port)
        clients.append(client)
        if client.call("PING") != "PONG":
            raise BenchError("PING was not answered with PONG")
        reply = client.call("GET", f"key:{len(clients):012d}")
        if isinstance(reply, Exception):
            raise BenchError(f"GET was answered with {reply}")


def settled(process: Process) -> int:
    """The resident bytes, once they have stood still for a moment."""
    last = process.resident_bytes()
    for _ in range(20):
        time.sleep(0.2)
        now = process.resident_bytes()
        if now == last:
            break
        last = now
    return last
