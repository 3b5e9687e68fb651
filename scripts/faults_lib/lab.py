"""The temporary folder, the nodes and the processes of one setup; stops all it started."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from bench_lib.process import Process
from bench_lib.setups import find

from .cache import CacheNeeds
from .network import GatePlace, NamespacePlace, Place, Ports
from .node import Node


@dataclass(frozen=True)
class Needs:
    """What a row wants to be different from the plain setup of one shard."""
    shards: int = 1
    durable: bool = False  # the nodes of the first shard keep what they answered over kill -9
    cuttable: int | None = None  # the copy of the first shard that can be cut off
    small_disk: bool = False  # gemel's state folder is on a disk of 64 kB
    sections: dict[str, str] = field(default_factory=dict)  # of gemel's config
    node_options: tuple[str, ...] = ()  # of every redis-server
    cache: CacheNeeds | None = None  # writers of keys that are evicted or expire, beside the other clients
    names: bool = False  # gemel knows the nodes by host names, and has a name server of its own
    password: str = ""  # that clients of gemel must say


class Lab:
    def __init__(self, folder: Path, gemel: Path, ports: Ports, namespaces: bool, workers: int) -> None:
        self.folder = folder
        self.gemel = gemel
        self.ports = ports
        self.workers = workers
        self._namespaces = namespaces
        self._nodes: list[Node] = []
        self._processes: list[Process] = []

    def shards(self, needs: Needs) -> list[list[Node]]:
        return [self._shard(needs, shard) for shard in range(needs.shards)]

    def _shard(self, needs: Needs, shard: int) -> list[Node]:
        places = [self._place(shard == 0 and copy == needs.cuttable) for copy in range(2)]
        # Copies follow each other: a node in a namespace must find the other by an address of this side.
        outside = next((place.outside for place in places if isinstance(place, NamespacePlace)), None)
        if outside is not None:
            other = next(place for place in places if not isinstance(place, NamespacePlace))
            other.host = outside
            other.bind = f"127.0.0.1 {outside}"
            other.options = ["--replica-announce-ip", outside]
        nodes = []
        for copy, (place, role) in enumerate(zip(places, ("primary", "replica"))):
            name = f"{'ab'[shard]}-{role}"
            node = Node(self.folder, name, place, durable=needs.durable and shard == 0,
                        options=needs.node_options + (needs.cache.node_options(copy) if needs.cache else ()))
            if needs.names:
                node.address = f"{name}.gemel.test:{place.port}"
            nodes.append(node)
            self._nodes.append(node)
        return nodes

    def _place(self, cuttable: bool) -> Place:
        if not cuttable:
            return Place(self.ports)
        return NamespacePlace(self.ports) if self._namespaces else GatePlace(self.ports)

    def process(self, name: str, command: list[str], folder: Path) -> Process:
        process = Process(name, command, folder)
        self._processes.append(process)
        return process

    @staticmethod
    def can_mount() -> bool:
        """Whether a small disk can be mounted in a mount namespace."""
        command = [find("unshare"), "-m", "--propagation", "private", "sh", "-c",
                   "mount -t tmpfs -o size=64k gemel-faults /mnt"]
        return os.geteuid() == 0 and subprocess.run(
            command, capture_output=True, check=False).returncode == 0

    def close(self) -> None:
        for process in self._processes:
            process.kill()
        for node in self._nodes:
            node.close()
