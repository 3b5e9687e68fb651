"""A name server that hangs or is dead, for gemel alone: it runs in a mount namespace with its own files of
hosts and of name servers."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from bench_lib.setups import find

from .node import Node

_DNS_PORT = 53


class Names:
    """At first every name is in the file of hosts. hang() and fail() take all out of it, so that lookups
    reach a name server: one that never answers, or one that refuses at once."""

    def __init__(self, folder: Path, nodes: list[Node]) -> None:
        self._server = f"127.53.{os.getpid() % 250}.1"
        self._hosts = folder / "hosts"
        self._known = "127.0.0.1 localhost\n" + "".join(
            f"{node.place.host} {node.address.rpartition(':')[0]}\n" for node in nodes)
        self._socket: socket.socket | None = None
        files = {"hosts": self._known, "resolv.conf": f"nameserver {self._server}\noptions timeout:4 attempts:2\n",
                 "nsswitch.conf": "hosts: files dns\n"}
        for name, text in files.items():
            (folder / name).write_text(text)
        mounts = " && ".join(f"mount --bind {folder / name} /etc/{name}" for name in files)
        self.prefix = [find("unshare"), "-m", "--propagation", "private", "sh", "-c",
                       f"{mounts} && exec \"$0\" \"$@\""]

    def hang(self) -> None:
        """A lookup takes eight seconds, and fails."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self._server, _DNS_PORT))
        self._forget()

    def fail(self) -> None:
        """A lookup fails at once: nobody listens."""
        self._forget()

    def mend(self) -> None:
        self._write(self._known)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _forget(self) -> None:
        self._write("127.0.0.1 localhost\n")

    def _write(self, text: str) -> None:
        """In place: the mount is of this file."""
        with self._hosts.open("r+") as file:
            file.write(text)
            file.truncate()
