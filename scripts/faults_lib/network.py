"""Where a node lives, as others see it, and how it is cut off so that packets are dropped.

A node that is to be cut off lives in a network namespace of its own, joined by a pair of veth interfaces;
cutting makes both ends drop what is sent (a pfifo queue of no length). Where that is not permitted, it
lives behind a Gate.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import socket
import subprocess

from bench_lib.process import BenchError
from bench_lib.setups import find

from .gate import Gate

_PREFIX = "gemel-faults"
_NOBODY = "02:67:65:6d:65:6c"  # no interface has this address
_count = itertools.count()
_End = tuple[list[str], str]  # of a pair of interfaces: what tc is told to find it, and its name


class Ports:
    """Loopback ports, below the range of outgoing connections, so that none is taken while its server is
    down."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def take(self) -> int:
        for _ in range(500):
            port = random.SystemRandom().randrange(9000, 12000)
            if port in self._given:
                continue
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            self._given.add(port)
            return port
        raise BenchError("no free port between 9000 and 12000")


class Place:
    """On loopback; cannot be cut off."""

    can_be_cut = False

    def __init__(self, ports: Ports) -> None:
        self.host = "127.0.0.1"
        self.port = ports.take()  # where others find it
        self.listen_port = self.port
        self.bind = "127.0.0.1"
        self.prefix: list[str] = []  # of the command that starts the server
        self.options: list[str] = []

    def cut(self) -> None:
        raise BenchError("this node cannot be cut off")

    def mend(self) -> None:
        pass

    def close(self) -> None:
        pass


class GatePlace(Place):
    """Behind a Gate."""

    can_be_cut = True

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.listen_port = ports.take()
        self.options = ["--replica-announce-ip", "127.0.0.1", "--replica-announce-port", str(self.port)]
        self._gate = Gate(self.port, self.listen_port)

    def cut(self) -> None:
        self._gate.cut()

    def mend(self) -> None:
        self._gate.mend()

    def close(self) -> None:
        self._gate.close()


class NamespacePlace(Place):
    """In a network namespace. `outside` is the address of this side."""

    can_be_cut = True

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        number = next(_count)
        self._name = f"{_PREFIX}-{os.getpid()}-{number}"
        self._near, self._far = (f"gf{os.getpid()}{side}{number}" for side in "ab")
        subnet = f"10.231.{os.getpid() % 250}"
        self.outside = f"{subnet}.{4 * number % 240 + 1}"
        self.host = f"{subnet}.{4 * number % 240 + 2}"
        self.bind = f"{self.host} 127.0.0.1"
        self.prefix = [find("ip"), "netns", "exec", self._name]
        self._dropping: list[_End] = []
        try:
            _ip("netns", "add", self._name)
            _ip("link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self._name)
            _ip("addr", "add", f"{self.outside}/30", "dev", self._near)
            _ip("link", "set", self._near, "up")
            _ip("-n", self._name, "addr", "add", f"{self.host}/30", "dev", self._far)
            _ip("-n", self._name, "link", "set", self._far, "up")
            _ip("-n", self._name, "link", "set", "lo", "up")
        except BenchError:
            self.close()
            raise

    def cut(self) -> None:
        self._drop(self._to_it(), self._from_it())

    def deafen(self) -> None:
        """It is heard, and hears nothing itself."""
        self._drop(self._to_it())

    def silence(self) -> None:
        """It hears, and nobody hears it."""
        self._drop(self._from_it())

    def mend(self) -> None:
        while self._dropping:
            where, device = self._dropping.pop()
            _run("tc", *where, "qdisc", "del", "dev", device, "root")

    def _to_it(self) -> _End:
        return [], self._near

    def _from_it(self) -> _End:
        return ["-n", self._name], self._far

    def _drop(self, *ends: _End) -> None:
        for where, device in (end for end in ends if end not in self._dropping):
            _run("tc", *where, "qdisc", "replace", "dev", device, "root", "pfifo", "limit", "0")
            self._dropping.append((where, device))

    def close(self) -> None:
        # The interfaces go with the namespace.
        subprocess.run([find("ip"), "netns", "del", self._name], capture_output=True, check=False)


class Loopback:
    """Where servers are that nobody cuts off."""

    can_cut = False
    host = "127.0.0.1"

    def place(self, ports: Ports) -> Place:
        return Place(ports)

    def close(self) -> None:
        pass


class Bridge(Loopback):
    """Places in network namespaces of their own, each of which may be cut off, joined by a bridge with this side: any
    reaches any other."""

    can_cut = True

    def __init__(self) -> None:
        self._name = f"gf{os.getpid()}br"
        self._subnet = f"10.231.{os.getpid() % 250}"
        self._places = 0
        self.host = f"{self._subnet}.254"
        try:
            _ip("link", "add", self._name, "type", "bridge")
            _ip("addr", "add", f"{self.host}/24", "dev", self._name)
            _ip("link", "set", self._name, "up")
        except BenchError:
            self.close()
            raise

    def place(self, ports: Ports) -> Place:
        self._places += 1
        return BridgedPlace(ports, self._name, f"{self._subnet}.{self._places}")

    def close(self) -> None:
        subprocess.run([find("ip"), "link", "del", self._name], capture_output=True, check=False)


class BridgedPlace(NamespacePlace):
    """In a network namespace, at a bridge."""

    def __init__(self, ports: Ports, bridge: str, host: str) -> None:
        Place.__init__(self, ports)
        number = next(_count)
        self._name = f"{_PREFIX}-{os.getpid()}-{number}"
        self._near, self._far = (f"gf{os.getpid()}{side}{number}" for side in "ab")
        self.host = host
        self.bind = f"{host} 127.0.0.1"
        self.prefix = [find("ip"), "netns", "exec", self._name]
        self._dropping: list[_End] = []
        self._apart: list[BridgedPlace] = []
        try:
            _ip("netns", "add", self._name)
            _ip("link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self._name)
            _ip("link", "set", self._near, "master", bridge, "up")
            _ip("-n", self._name, "addr", "add", f"{host}/24", "dev", self._far)
            _ip("-n", self._name, "link", "set", self._far, "up")
            _ip("-n", self._name, "link", "set", "lo", "up")
        except BenchError:
            self.close()
            raise

    def part_from(self, others: list[BridgedPlace]) -> None:
        """They and this one send each other's packets to nobody; all else goes on."""
        self._apart = others
        for one, other in self._pairs():
            _ip("-n", one._name, "neigh", "replace", other.host, "lladdr", _NOBODY, "nud", "permanent", "dev", one._far)

    def rejoin(self) -> None:
        for one, other in self._pairs():
            _ip("-n", one._name, "neigh", "del", other.host, "dev", one._far)
        self._apart = []

    def _pairs(self) -> list[tuple[BridgedPlace, BridgedPlace]]:
        return [pair for other in self._apart for pair in ((self, other), (other, self))]


def namespaces_work(ports: Ports) -> bool:
    """Whether a node can be put in a namespace and cut off there; leaves nothing behind."""
    try:
        remove_leftovers()
        place = NamespacePlace(ports)
    except (BenchError, OSError):
        return False
    try:
        place.cut()
        place.mend()
        return True
    except (BenchError, OSError):
        return False
    finally:
        place.close()


def remove_leftovers() -> None:
    """Namespaces and bridges of runs that were killed before they could remove them."""
    listed = subprocess.run([find("ip"), "netns", "list"], capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        name = line.split()[0] if line.split() else ""
        parts = name.removeprefix(f"{_PREFIX}-").split("-")
        if name.startswith(f"{_PREFIX}-") and parts[0].isdigit() and not os.path.exists(f"/proc/{parts[0]}"):
            subprocess.run([find("ip"), "netns", "del", name], capture_output=True, check=False)
    listed = subprocess.run([find("ip"), "-o", "link", "show", "type", "bridge"], capture_output=True, text=True,
                            check=False)
    for line in listed.stdout.splitlines():
        bridge = re.search(r" (gf(\d+)br)[:@]", line)
        if bridge and not os.path.exists(f"/proc/{bridge[2]}"):
            subprocess.run([find("ip"), "link", "del", bridge[1]], capture_output=True, check=False)


def _ip(*args: str) -> None:
    _run("ip", *args)


def _run(program: str, *args: str) -> None:
    done = subprocess.run([find(program), *args], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{program} {' '.join(args)}: {done.stderr.strip()}")
