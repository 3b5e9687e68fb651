"""What is compared: gemel, Sentinel and nutcracker, each over redis-servers of its own.

All have one primary and one replica a shard, but nutcracker, which has one copy: its two nodes are two
halves of the keys, each of which takes over from the other (auto_eject_hosts).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench_lib.process import BenchError, Process
from bench_lib.resp import Client
from bench_lib.setups import find

from .client import Connector
from .connect import Fixed, ThroughSentinel
from .lab import Lab, Needs
from .names import Names
from .node import Node

PROXY_TIMEOUT_S = 10.0  # clients of a proxy wait; it is the proxy's duty to answer
DIRECT_TIMEOUT_S = 1.0  # clients of a server must notice themselves that it hangs


class NotSupported(Exception):
    """This build of gemel cannot do what the row is about."""


class Setup:
    name = ""
    shards: list[list[Node]]  # shards[k][0]: the primary as configured

    def connector(self) -> Connector:
        raise NotImplementedError

    def verify_client(self) -> Client:
        return self.connector().connect()

    def tags(self) -> list[str]:
        """A prefix of keys for each shard."""
        return [""]

    def healed(self) -> bool | None:
        """Whether every copy takes part again; None where nothing heals."""
        return None

    def has_copies(self) -> bool:
        return True

    def primary(self) -> Node:
        """Of the first shard, now."""
        return self.shards[0][0]

    def facts(self) -> dict[str, Any]:
        return {}

    def describe(self) -> str:
        """What it says of itself, where something went wrong."""
        return ""


class Gemel(Setup):
    name = "gemel"

    def __init__(self, lab: Lab, needs: Needs) -> None:
        self._lab = lab
        self._password = needs.password
        self.folder = lab.folder
        self.state = lab.folder / "state"
        self.shards = lab.shards(needs)
        self.port = lab.ports.take()
        self._config = lab.folder / "gemel.toml"
        self._config.write_text(self._text(needs))
        self._starts = 0
        # A folder of its own on a small disk, in a mount namespace that goes with the process.
        self._prefix: list[str] = []
        if needs.small_disk and lab.can_mount():
            self._prefix = [find("unshare"), "-m", "--propagation", "private", "sh", "-c",
                            f"mkdir -p {self.state} && mount -t tmpfs -o size=64k gemel-faults "
                            f"{self.state} && exec \"$0\" \"$@\""]
        self.names: Names | None = None
        if needs.names:
            if not lab.can_mount():
                raise NotSupported("a name server of its own needs a mount namespace")
            self.names = Names(lab.folder, [node for nodes in self.shards for node in nodes])
            self._prefix = self.names.prefix
        self._check_config(lab.gemel)
        self.process = self.start()
        self.wait_until(self.healed, 30, "the copies get in sync")

    def _text(self, needs: Needs) -> str:
        sections = dict(needs.sections)
        sections["proxy"] = (f'listen = ["127.0.0.1:{self.port}"]\nworkers = {self._lab.workers}\n'
                             f'state_dir = "{self.state}"\n' + sections.get("proxy", ""))
        if needs.password:
            sections["proxy"] += f'password = "{needs.password}"\n'
        text = "".join(f"[{name}]\n{lines}\n" for name, lines in sections.items())
        for number, nodes in enumerate(self.shards):
            replicas = ", ".join(f'"{node.address}"' for node in nodes[1:])
            text += (f'[[shard]]\nname = "{shard_name(number)}"\nprimary = "{nodes[0].address}"\n'
                     f"replicas = [{replicas}]\n")
        return text

    def _check_config(self, gemel: Path) -> None:
        check = Process("check", [*self._prefix, str(gemel), "-t", "-c", str(self._config)], self.folder)
        code = check.wait(10)
        if code != 0:
            raise NotSupported(check.log.read_text(errors="replace").strip().splitlines()[-1])

    def start(self) -> Process:
        self._starts += 1
        self.process = self._lab.process(
            f"gemel-{self._starts}",
            [*self._prefix, str(self._lab.gemel), "-c", str(self._config)], self.folder)
        self.process.wait_for_port(self.port)
        return self.process

    def connector(self) -> Fixed:
        return Fixed("127.0.0.1", self.port, PROXY_TIMEOUT_S, self._password)

    def ask(self, *words: str) -> Any:
        client = self.connector().connect()
        try:
            return client.call(*words)
        finally:
            client.close()

    def order(self, *words: str) -> Any:
        """PROXY ...; NotSupported if this gemel does not know it."""
        reply = self.ask("PROXY", *words)
        if isinstance(reply, Exception):
            if "unknown" in str(reply).lower():
                raise NotSupported(f"PROXY {words[0]}: {reply}")
            raise BenchError(f"PROXY {' '.join(words)}: {reply}")
        return reply

    def option(self, name: str, otherwise: float) -> float:
        reply = self.ask("CONFIG", "GET", name)
        return float(reply[1]) if isinstance(reply, list) and len(reply) == 2 else otherwise

    def tags(self) -> list[str]:
        if len(self.shards) == 1:
            return [""]
        tags: dict[str, str] = {}
        for number in range(10_000):
            key = f"{{t{number}}}"
            tags.setdefault(as_dict(self.ask("PROXY", "EXPLAIN", "GET", key)[0])["shard"], key)
            if len(tags) == len(self.shards):
                return [tags[shard_name(shard)] for shard in range(len(self.shards))]
        raise BenchError("no key for some shard")

    def status(self) -> list[dict[str, Any]]:
        reply = self.ask("PROXY", "SHARDS")
        if isinstance(reply, Exception):
            raise BenchError(f"PROXY SHARDS: {reply}")
        shards = [as_dict(shard) for shard in reply]
        for shard in shards:
            shard["nodes"] = [as_dict(node) for node in shard["nodes"]]
        return sorted(shards, key=lambda shard: shard["name"])

    def state_of(self, node: Node) -> str:
        for shard in self.status():
            for one in shard["nodes"]:
                if one["address"] == node.address:
                    return one["state"]
        raise BenchError(f"gemel does not know {node.address}")

    def primary_of(self, shard: int) -> Node:
        address = self.status()[shard]["primary"]
        return next(node for node in self.shards[shard] if node.address == address)

    def primary(self) -> Node:
        return self.primary_of(0)

    def describe(self) -> str:
        try:
            return str(self.status())
        except (BenchError, OSError) as error:
            return f"PROXY SHARDS: {error}"

    def healed(self) -> bool | None:
        return all(node["state"] == "in-sync" and node["health"] == "up"
                   for shard in self.status() for node in shard["nodes"])

    def wait_until(self, condition: Any, seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not condition():
            self.process.check_alive()
            if time.monotonic() > end:
                raise BenchError(f"not in {seconds:.0f} s: {what}; {self.status()}")
            time.sleep(0.02)

    def facts(self) -> dict[str, Any]:
        """Promotions, resyncs and so on, over all shards."""
        facts: dict[str, Any] = {}
        for shard in self.status():
            for name, value in shard.items():
                if isinstance(value, int) and name not in ("epoch", "held"):
                    facts[name] = facts.get(name, 0) + value
        return facts


class Sentinel(Setup):
    """Three sentinels, and clients that ask them where the primary is."""

    name = "sentinel"
    MASTER = "faults"
    DOWN_AFTER_MS = 2000

    def __init__(self, lab: Lab, needs: Needs) -> None:
        self.shards = lab.shards(needs)
        self._nodes = self.shards[0]
        primary, replica = self._nodes
        replica.must("REPLICAOF", primary.place.host, str(primary.place.port))
        replica.remember("--replicaof", primary.place.host, str(primary.place.port))
        _wait(lambda: replica.info("replication").get("master_link_status") == "up", "the replica follows")
        self._ports = [lab.ports.take() for _ in range(3)]
        self.sentinels: list[tuple[list[str], Process]] = []  # what starts each, and what runs
        for number, port in enumerate(self._ports):
            config = lab.folder / f"sentinel-{number}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {lab.folder}\n"
                "sentinel announce-ip 127.0.0.1\n"
                f"sentinel monitor {self.MASTER} {primary.place.host} {primary.place.port} 2\n"
                f"sentinel down-after-milliseconds {self.MASTER} {self.DOWN_AFTER_MS}\n"
                f"sentinel failover-timeout {self.MASTER} 10000\n")
            command = [find("redis-server"), str(config), "--sentinel"]
            self.sentinels.append((command, lab.process(f"sentinel-{number}", command, lab.folder)))
        _wait(self._complete, "the sentinels know each other")

    def _complete(self) -> bool:
        for port in self._ports:
            try:
                client = Client(port)
            except OSError:
                return False
            try:
                known = as_dict(client.call("SENTINEL", "MASTER", self.MASTER))
            finally:
                client.close()
            if known.get("num-slaves") != "1" or known.get("num-other-sentinels") != "2":
                return False
        return True

    def connector(self) -> ThroughSentinel:
        return ThroughSentinel(self._ports, self.MASTER, DIRECT_TIMEOUT_S)

    def primary(self) -> Node:
        _, port = self.connector().primary()
        return next(node for node in self._nodes if node.place.port == port)

    def healed(self) -> bool | None:
        try:
            _, port = self.connector().primary()
            primary = next(node for node in self._nodes if node.place.port == port)
            info = primary.info("replication")
        except (OSError, BenchError, StopIteration):
            return False
        return info.get("role") == "master" and "state=online" in info.get("slave0", "")


class Nutcracker(Setup):
    name = "nutcracker"

    def __init__(self, lab: Lab, needs: Needs) -> None:
        self.shards = lab.shards(needs)
        self._port = lab.ports.take()
        config = lab.folder / "nutcracker.yml"
        servers = "".join(f"   - {node.address}:1 {node.name}\n" for node in self.shards[0])
        config.write_text(
            "faults:\n"
            f"  listen: 127.0.0.1:{self._port}\n"
            "  redis: true\n"
            "  hash: fnv1a_64\n"
            "  distribution: ketama\n"
            "  timeout: 400\n"
            "  auto_eject_hosts: true\n"
            "  server_retry_timeout: 2000\n"
            "  server_failure_limit: 1\n"
            "  servers:\n" + servers)
        command = [find("nutcracker"), "-c", str(config), "-a", "127.0.0.1", "-s", str(lab.ports.take()),
                   "-o", str(lab.folder / "nutcracker.out"), "-p", str(lab.folder / "nutcracker.pid")]
        lab.process("nutcracker", command, lab.folder).wait_for_port(self._port)

    def connector(self) -> Connector:
        return Fixed("127.0.0.1", self._port, PROXY_TIMEOUT_S)

    def has_copies(self) -> bool:
        return False


SETUPS = {setup.name: setup for setup in (Gemel, Sentinel, Nutcracker)}


def shard_name(number: int) -> str:
    return chr(ord("a") + number)


def as_dict(flat: Any) -> dict[str, Any]:
    return dict(zip(flat[::2], flat[1::2])) if isinstance(flat, list) else {}


def _wait(condition: Any, what: str, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise BenchError(f"not in {seconds:.0f} s: {what}")
        time.sleep(0.05)
