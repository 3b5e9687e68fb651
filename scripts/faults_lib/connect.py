"""How a client finds the server to talk to, first and after a lost connection."""

from __future__ import annotations

from bench_lib.resp import Client


class Fixed:
    """A proxy: always the same address."""

    def __init__(self, host: str, port: int, timeout: float, password: str = "") -> None:
        self.host = host
        self.port = port
        self._timeout = timeout
        self._password = password

    def connect(self) -> Client:
        client = Client(self.port, self._timeout, self.host)
        if self._password:
            reply = client.call("AUTH", self._password)
            if reply != "OK":
                client.close()
                raise OSError(f"AUTH: {reply}")
        return client


class ThroughSentinel:
    """What client libraries do: ask a sentinel for the primary, connect, and see that it is one."""

    def __init__(self, sentinels: list[int], name: str, timeout: float) -> None:
        self._sentinels = sentinels
        self._name = name
        self._timeout = timeout

    def primary(self) -> tuple[str, int]:
        """Raises OSError if no sentinel says."""
        for port in self._sentinels:
            try:
                sentinel = Client(port, self._timeout)
            except OSError:
                continue
            try:
                reply = sentinel.call("SENTINEL", "get-master-addr-by-name", self._name)
            except OSError:
                continue
            finally:
                sentinel.close()
            if isinstance(reply, list) and len(reply) == 2:
                return reply[0], int(reply[1])
        raise OSError("no sentinel knows the primary")

    def connect(self) -> Client:
        host, port = self.primary()
        client = Client(port, self._timeout, host)
        try:
            role = client.call("ROLE")
            if not isinstance(role, list) or role[0] != "master":
                raise OSError("the server is no primary")
        except OSError:
            client.close()
            raise
        return client
