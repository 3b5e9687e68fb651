"""As much of a Redis client as the scripts need."""

from __future__ import annotations

import socket
from typing import Any


class Client:
    def __init__(self, port: int, timeout: float = 10.0, host: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._reader = self._socket.makefile("rb")

    def set_timeout(self, seconds: float) -> None:
        self._socket.settimeout(seconds)

    def send(self, *args: str | bytes) -> None:
        self._socket.sendall(encode(*args))

    def send_raw(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self) -> Any:
        """One reply. An error reply is returned as an Exception, not raised."""
        line = self._reader.readline()
        if not line:
            raise OSError("connection closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Exception(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._reader.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        raise OSError(f"unknown reply {line!r}")

    def call(self, *args: str | bytes) -> Any:
        self.send(*args)
        return self.read()

    def close(self) -> None:
        self._reader.close()
        self._socket.close()


def encode(*args: str | bytes) -> bytes:
    parts = [arg.encode() if isinstance(arg, str) else arg for arg in args]
    head = b"*%d\r\n" % len(parts)
    return head + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def fill(port: int, keys: int, size: int) -> None:
    """Sets every key that redis-benchmark -r KEYS may ask for."""
    client = Client(port)
    value = b"x" * size
    batch = 1000
    for start in range(0, keys, batch):
        numbers = range(start, min(start + batch, keys))
        client.send_raw(b"".join(encode("SET", f"key:{n:012d}", value) for n in numbers))
        for _ in numbers:
            reply = client.read()
            if reply != "OK":
                raise OSError(f"SET answered {reply!r}")
    client.close()
