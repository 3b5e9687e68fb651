"""A fleet of gemels over two shards of two copies, and the servers that it agrees by."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Callable

from bench_lib.process import BenchError, Process
from bench_lib.resp import Client

from .fleet_engines import Engine, Server, leader_of, wait_until_up
from .lab import Lab
from .network import Bridge, Loopback, Place, Ports
from .node import Node
from .setups import Sentinel, as_dict, shard_name
from .struck import Struck

SHARDS = 2
CONNECT_S = 1.0  # a member that does not take a connection for so long is left for another one
REQUEST_S = 5.0
_START_S = 60.0
_ARRANGE_S = 20.0
# The names of an owner's connections to its nodes end with its turn and its own name.
_OWNER = re.compile(r" name=gemel:\S*;(\d+);([^\s;:]+)")


class Member(Struck):
    """One gemel. It keeps its addresses and its state folder, whatever happens to its process."""

    def __init__(self, name: str, folder: Path, gemel: Path, place: Place, ports: Ports) -> None:
        self.name = name
        self.place = place
        self.folder = folder / name
        self.peer = f"{place.host}:{ports.take()}"
        self.voter = f"{place.host}:{ports.take()}"  # if it is one
        self.parts_from: list[Place] = []  # at first the servers of the coordinator, but for itself
        self._gemel = gemel
        self._process: Process | None = None
        self._starts = 0
        self.folder.mkdir()

    def configure(self, text: str) -> None:
        (self.folder / "gemel.toml").write_text(text)

    def start(self) -> None:
        self._starts += 1
        command = [*self.place.prefix, str(self._gemel), "-c", str(self.folder / "gemel.toml")]
        self._process = Process(f"gemel-{self._starts}", command, self.folder)

    def wait_until_up(self) -> None:
        end = time.monotonic() + _START_S
        while True:
            assert self._process is not None
            self._process.check_alive()
            try:
                self.client().close()
                return
            except OSError:
                pass
            if time.monotonic() > end:
                raise BenchError(f"{self.name} does not listen after {_START_S:.0f} s")
            time.sleep(0.02)

    def client(self) -> Client:
        client = Client(self.place.port, CONNECT_S, self.place.host)
        client.set_timeout(REQUEST_S)
        return client

    def ask(self, *words: str) -> Any:
        client = self.client()
        try:
            return client.call(*words)
        finally:
            client.close()

    def log_tail(self) -> list[str]:
        log = self.folder / f"gemel-{self._starts}.log"
        return log.read_text(errors="replace").splitlines()[-8:] if log.exists() else []

    def close(self) -> None:
        self.kill()
        self.place.close()


class SentinelServer(Struck):
    """One of Sentinel's, to be struck as a server of a coordinator is."""

    def __init__(self, lab: Lab, setup: Sentinel, number: int) -> None:
        self.name = f"sentinel-{number}"
        self._lab = lab
        self._command, self._process = setup.sentinels[number]

    def start(self) -> None:
        self._process = self._lab.process(f"{self.name}-again", self._command, self._lab.folder)


class ThroughMember:
    """A client of one member, which goes to the next one when it cannot connect."""

    def __init__(self, places: list[tuple[str, int]]) -> None:
        self._places = places

    def connect(self) -> Client:
        last: OSError | None = None
        for host, port in self._places:
            try:
                client = Client(port, CONNECT_S, host)
                client.set_timeout(REQUEST_S)
                return client
            except OSError as error:
                last = error
        raise last or OSError("no member")


class Fleet:
    """`cuttable`: every server is in a network namespace of its own."""

    def __init__(self, folder: Path, gemel: Path, ports: Ports, engine: Engine, members: int, cuttable: bool) -> None:
        self.engine = engine
        self.network: Loopback = Bridge() if cuttable else Loopback()
        self.shards: list[list[Node]] = []
        self.servers: list[Server] = []
        self.members: list[Member] = []
        try:
            self._start(folder, gemel, ports, members)
        except BaseException:  # Ctrl-C and TERM, too: namespaces outlive this process
            self.close()
            raise

    def _start(self, folder: Path, gemel: Path, ports: Ports, members: int) -> None:
        for shard in range(SHARDS):
            self.shards.append([])
            for role in ("primary", "replica"):
                place = self.network.place(ports)
                self.shards[-1].append(Node(folder, f"{shard_name(shard)}-{role}", place))
        self.servers = self.engine.servers(folder, self.network, ports)
        for server in self.servers:
            server.start()
        wait_until_up(self.servers)
        for number in range(1, members + 1):
            self.members.append(Member(f"m{number}", folder, gemel, self.network.place(ports), ports))
        for member in self.members:
            agree = self.members if self.engine.by_members else self.servers
            member.parts_from = [part.place for part in agree if part is not member]
            member.configure(self._text(member))
            member.start()
        for member in self.members:
            member.wait_until_up()
        self.wait_until(lambda: self.healed() and self.spread(), _START_S, "the shards are spread, and in sync")

    def _text(self, member: Member) -> str:
        addresses = [server.address for server in self.servers]
        votes = ""
        if self.engine.by_members:
            addresses = [one.voter for one in self.members]
            votes = f'raft_listen = "{member.voter}"\n'
        servers = ", ".join(f'"{address}"' for address in addresses)
        # From another machine's address, as a namespace's is, nobody comes in without a password otherwise.
        text = (f'[proxy]\nlisten = ["{member.place.host}:{member.place.port}"]\nworkers = 1\n'
                f'protected_mode = false\nstate_dir = "{member.folder / "state"}"\n'
                f'[fleet]\ncoordinator = "{self.engine.coordinator}"\nmember = "{member.name}"\n'
                f'secret = "of the faults alone"\nlisten = "{member.peer}"\nservers = [{servers}]\n{votes}')
        for number, (primary, replica) in enumerate(self.shards):
            text += (f'[[shard]]\nname = "{shard_name(number)}"\nprimary = "{primary.address}"\n'
                     f'replicas = ["{replica.address}"]\n')
        return text

    def connector(self, first: int) -> ThroughMember:
        """To that member as long as it can be reached."""
        order = self.members[first:] + self.members[:first]
        return ThroughMember([(member.place.host, member.place.port) for member in order])

    def tags(self) -> list[str]:
        """A prefix of keys for each shard."""
        tags: dict[str, str] = {}
        for number in range(10_000):
            key = f"{{t{number}}}"
            tags.setdefault(as_dict(self.members[0].ask("PROXY", "EXPLAIN", "GET", key)[0])["shard"], key)
            if len(tags) == SHARDS:
                return [tags[shard_name(shard)] for shard in range(SHARDS)]
        raise BenchError("no key for some shard")

    def owner(self, shard: int) -> Member | None:
        """As the nodes see it: who has connected with the highest turn."""
        found: list[tuple[int, str]] = []
        for node in self.shards[shard]:
            try:
                clients = node.ask("CLIENT", "LIST") if node.running else ""
            except OSError:
                continue
            found += [(int(turn), name) for turn, name in _OWNER.findall(clients)]
        name = max(found, default=(0, ""))[1]
        return next((member for member in self.members if member.name == name), None)

    def owners(self) -> list[Member]:
        return [owner for shard in range(SHARDS) if (owner := self.owner(shard)) is not None]

    def leader(self) -> Member | Server | None:
        """Who leads the coordinator."""
        if not self.engine.by_members:
            return leader_of(self.servers)
        said: list[str] = []
        for member in self.members:
            try:
                said.append(as_dict(member.ask("PROXY", "FLEET")).get("leader", ""))
            except OSError:
                continue
        # All who are up have to agree: a leader that was says so for a while.
        return next((member for member in self.members if set(said) == {member.voter}), None)

    def wait_for_leader(self) -> Member | Server:
        self.wait_until(lambda: self.leader() is not None, _ARRANGE_S, "somebody leads the coordinator")
        leader = self.leader()
        if leader is None:
            raise BenchError("the leader of the coordinator does not stay one")
        return leader

    def arrange(self, leader_owns: bool) -> None:
        """Where a member leads: shards move until it owns one, or none."""
        end = time.monotonic() + _ARRANGE_S
        while True:
            leader = self.leader()
            owners = self.owners()
            if len(owners) == SHARDS and leader is not None and (leader in owners) == leader_owns and self.healed():
                return
            if time.monotonic() > end:
                raise BenchError(f"not in {_ARRANGE_S:.0f} s: the leader of the coordinator owns "
                                 f"{'one shard' if leader_owns else 'no shard'}; {self.describe()}")
            if leader is not None and len(owners) == SHARDS and (leader in owners) != leader_owns:
                stay = [leader, owners[0]] if leader_owns else [one for one in self.members if one is not leader]
                self._drain([one for one in self.members if one not in stay])
            time.sleep(0.1)

    def _drain(self, members: list[Member]) -> None:
        """What they own goes to the others, and stays there."""
        for member in members:
            member.ask("PROXY", "FLEET", "DRAIN")
        try:
            self.wait_until(lambda: self.spread() and not any(one in members for one in self.owners()), _ARRANGE_S,
                            "shards leave who is drained")
        finally:
            for member in members:
                member.ask("PROXY", "FLEET", "UNDRAIN")

    def bystander(self, but: list[Member]) -> Member:
        """A member that owns no shard and is none of those."""
        owners = self.owners()
        found = next((member for member in self.members if member not in owners and member not in but), None)
        if found is None:
            raise BenchError("every member owns a shard, or leads")
        return found

    def spread(self) -> bool:
        owners = [self.owner(shard) for shard in range(SHARDS)]
        return None not in owners and owners[0] is not owners[1]

    def status(self, member: Member) -> list[dict[str, Any]]:
        reply = member.ask("PROXY", "SHARDS")
        if isinstance(reply, Exception):
            raise BenchError(f"PROXY SHARDS: {reply}")
        shards = [as_dict(shard) for shard in reply]
        for shard in shards:
            if "nodes" not in shard:
                raise BenchError(f"PROXY SHARDS of {member.name} knows nothing of some shard")
            shard["nodes"] = [as_dict(node) for node in shard["nodes"]]
        return sorted(shards, key=lambda shard: shard["name"])

    def primary(self, shard: int) -> Node:
        owner = self.owner(shard)
        address = self.status(owner)[shard]["primary"] if owner is not None else ""
        return next((node for node in self.shards[shard] if node.address == address), self.shards[shard][0])

    def healed(self) -> bool:
        """Whether each shard has an owner, and for that one every copy takes part."""
        try:
            for shard in range(SHARDS):
                owner = self.owner(shard)
                if owner is None or not owner.running:
                    return False
                if not all(node["state"] == "in-sync" and node["health"] == "up"
                           for node in self.status(owner)[shard]["nodes"]):
                    return False
        except (BenchError, OSError):
            return False
        return all(member.running for member in self.members)

    def describe(self) -> str:
        """Who owns what, and what that one says of it."""
        said = []
        for shard in range(SHARDS):
            owner = self.owner(shard)
            if owner is None:
                said.append(f"nobody has shard '{shard_name(shard)}'")
                continue
            try:
                states = [f"{node['state']}, {node['health']}" for node in self.status(owner)[shard]["nodes"]]
            except (BenchError, OSError) as error:
                states = [str(error)]
            said.append(f"{owner.name} has shard '{shard_name(shard)}': {'; '.join(states)}")
        return "; ".join(said)

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> float:
        """How long it took."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                raise BenchError(f"not in {seconds:.0f} s: {what}; {self.describe()}")
            time.sleep(0.02)
        return time.monotonic() - began

    def verify_client(self) -> Client:
        return self.connector(0).connect()

    def close(self) -> None:
        for part in (*self.members, *self.servers, *(node for nodes in self.shards for node in nodes)):
            part.close()
        self.network.close()
