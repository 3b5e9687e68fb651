"""What a fleet agrees by: three servers of its own (small Redis servers for paxos, etcd, ZooKeeper), the nodes of its
shards (paxos), or its own members (raft)."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from bench_lib.process import BenchError, Process
from bench_lib.setups import find

from .network import Loopback, Place, Ports
from .node import Node
from .struck import Struck

SERVERS = 3
_UP_S = 60.0
_TICK_MS, _SYNC_TICKS = 400, 3  # of ZooKeeper
_JAR = Path("/usr/share/java/zookeeper.jar")


class Server(Struck):
    """One of them. It keeps its address and its data, whatever happens to its process."""

    def __init__(self, name: str, folder: Path, place: Place) -> None:
        self.name = name
        self.folder = folder / name
        self.place = place
        self.address = f"{place.host}:{place.port}"
        self.command: list[str] = []
        self._process: Process | None = None
        self._starts = 0
        self.folder.mkdir()

    def start(self) -> None:
        self._starts += 1
        self._process = Process(f"{self.name}-{self._starts}", self.command, self.folder)

    def check_alive(self) -> None:
        assert self._process is not None
        self._process.check_alive()

    def is_leader(self) -> bool:
        return False

    def is_up(self) -> bool:
        raise NotImplementedError

    def close(self) -> None:
        self.kill()
        self.place.close()


class Acceptor(Server):
    """A Redis server that has what it promised on its disk: one that lost it is no acceptor any more."""

    def __init__(self, name: str, folder: Path, place: Place) -> None:
        super().__init__(name, folder, place)
        self.command = [*place.prefix, find("redis-server"), "--port", str(place.port), "--bind", *place.bind.split(),
                        "--protected-mode", "no", "--save", "", "--appendonly", "yes", "--dir", str(self.folder)]

    def is_up(self) -> bool:
        with socket.create_connection((self.place.host, self.place.port), timeout=1) as probe:
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith(b"+PONG")


class Etcd(Server):
    def __init__(self, name: str, folder: Path, place: Place, ports: Ports) -> None:
        super().__init__(name, folder, place)
        self.peer_url = f"http://{place.host}:{ports.take()}"

    def _ask(self, path: str) -> dict:
        request = urllib.request.Request(f"http://{self.address}{path}", data=b"{}", method="POST")
        with urllib.request.urlopen(request, timeout=1) as reply:
            return json.load(reply)

    def is_up(self) -> bool:
        return int(self._ask("/v3/maintenance/status").get("leader", "0")) != 0

    def is_leader(self) -> bool:
        status = self._ask("/v3/maintenance/status")
        return status.get("leader") == status["header"]["member_id"]


class ZooKeeper(Server):
    def __init__(self, name: str, folder: Path, place: Place, ports: Ports) -> None:
        super().__init__(name, folder, place)
        self.quorum = f"{place.host}:{ports.take()}:{ports.take()}"

    def _mode(self) -> str:
        with socket.create_connection((self.place.host, self.place.port), timeout=1) as probe:
            probe.sendall(b"srvr")
            text = b""
            while some := probe.recv(4096):
                text += some
        return next((line.split()[1] for line in text.decode().splitlines() if line.startswith("Mode:")), "")

    def is_up(self) -> bool:
        return self._mode() in ("leader", "follower")

    def is_leader(self) -> bool:
        return self._mode() == "leader"


def _paxos(folder: Path, network: Loopback, ports: Ports) -> list[Server]:
    return [Acceptor(f"paxos-{number}", folder, network.place(ports)) for number in range(1, SERVERS + 1)]


def _etcd(folder: Path, network: Loopback, ports: Ports) -> list[Server]:
    """With the times that a lease of half a second needs: with etcd's own a new leader takes longer than that. And
    with --pre-vote, which etcd 3.4 does not have by itself: a server that was cut off costs the leader otherwise."""
    servers = [Etcd(f"etcd-{number}", folder, network.place(ports), ports) for number in range(1, SERVERS + 1)]
    cluster = ",".join(f"{server.name}={server.peer_url}" for server in servers)
    for server in servers:
        url = f"http://{server.address}"
        server.command = [
            *server.place.prefix, find("etcd"), "--name", server.name, "--data-dir", str(server.folder / "data"),
            "--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", server.peer_url,
            "--initial-advertise-peer-urls", server.peer_url, "--initial-cluster", cluster,
            "--heartbeat-interval", "20", "--election-timeout", "200", "--pre-vote"]
    return list(servers)


def _zookeeper(folder: Path, network: Loopback, ports: Ports) -> list[Server]:
    if not _JAR.exists():
        raise BenchError("zookeeper is not installed: scripts/install engines")
    servers = [ZooKeeper(f"zookeeper-{number}", folder, network.place(ports), ports)
               for number in range(1, SERVERS + 1)]
    quorum = "".join(f"server.{number}={server.quorum}\n" for number, server in enumerate(servers, 1))
    for number, server in enumerate(servers, 1):
        data = server.folder / "data"
        data.mkdir()
        (data / "myid").write_text(f"{number}\n")
        config = server.folder / "zoo.cfg"
        config.write_text(f"tickTime={_TICK_MS}\ninitLimit=10\nsyncLimit={_SYNC_TICKS}\ndataDir={data}\n"
                          f"admin.enableServer=false\n"
                          f"clientPort={server.place.port}\nclientPortAddress={server.place.host}\n"
                          f"4lw.commands.whitelist=srvr\n{quorum}")
        server.command = [*server.place.prefix, find("java"), "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                          "-cp", str(_JAR), "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(config)]
    return list(servers)


def _none(_folder: Path, _network: Loopback, _ports: Ports) -> list[Server]:
    return []


@dataclass(frozen=True)
class Engine:
    coordinator: str  # as [fleet] spells it
    servers: Callable[[Path, Loopback, Ports], list[Server]] = _none
    leads: bool = True  # one of its servers decides for the others
    by_members: bool = False  # the members are its servers
    by_nodes: bool = False  # the nodes of the shards are
    silent_leader_ms: float = 0.0  # until its servers notice that who leads them says nothing any more


ENGINES = {
    "raft": Engine("raft", by_members=True),
    "paxos-nodes": Engine("paxos", leads=False, by_nodes=True),
    "paxos": Engine("paxos", _paxos, leads=False),
    "etcd": Engine("etcd", _etcd),
    "zookeeper": Engine("zookeeper", _zookeeper, silent_leader_ms=_TICK_MS * _SYNC_TICKS),
}


def wait_until_up(servers: list[Server]) -> None:
    end = time.monotonic() + _UP_S
    for server in servers:
        while True:
            server.check_alive()
            try:
                if server.is_up():
                    break
            except (OSError, ValueError):
                pass
            if time.monotonic() > end:
                raise BenchError(f"{server.name} does not answer after {_UP_S:.0f} s")
            time.sleep(0.05)


def leader_of(servers: list[Server]) -> Server | None:
    for server in servers:
        try:
            if server.running and server.is_leader():
                return server
        except (OSError, ValueError):
            continue
    return None
