"""Clients that mean harm, or do it: each kind does one visit and leaves. None of them asks for anything that Redis
itself would make others pay dearly for: a slow command is slow for a fraction of a second."""

from __future__ import annotations

import random
import socket
import struct
import time
from dataclasses import dataclass
from typing import Callable

from bench_lib.resp import encode

_NESTED = "local t={} for i=1,40 do t={t} end return t"
_SPIN = "local n=0 for i=1,tonumber(ARGV[1]) do n=n+i%7 end return n"
_SPINS = 8_000_000  # some 150 ms
_MEGABYTE = 1000 * 1000  # below proto-max-bulk-len 1mb
HTTP_KEY = "hostile:http"


def value_key(number: int) -> str:
    return f"hostile:mega:{number}"


VALUES = 64
LARGE_KEY = "hostile:large"


@dataclass(frozen=True)
class Target:
    """The proxy under attack. `large`: the bytes of LARGE_KEY."""
    port: int
    password: str
    large: int

    def open(self, login: bool = True, buffer: int = 0) -> socket.socket:
        sock = socket.socket()
        sock.settimeout(10)
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.connect(("127.0.0.1", self.port))
        if login and self.password:
            sock.sendall(encode("AUTH", self.password))
            sock.recv(64)
        return sock

    def fill(self) -> None:
        """What the visitors ask for."""
        sock = self.open()
        replies = sock.makefile("rb")
        for number in range(VALUES):
            sock.sendall(encode("SET", value_key(number), b"v" * _MEGABYTE))
            replies.readline()
        sock.sendall(encode("SET", LARGE_KEY, b"v" * self.large))
        replies.readline()
        for start in range(0, 20_000, 1000):
            words = [word for number in range(start, start + 1000) for word in (f"hostile:small:{number}", "v")]
            sock.sendall(encode("MSET", *words))
            replies.readline()
        sock.close()


def _push(sock: socket.socket, data: bytes, seconds: float = 0.02) -> None:
    """As much as the other side takes without being read from, and without a longer pause."""
    sock.settimeout(seconds)
    try:
        sock.sendall(data)
    except TimeoutError:
        pass
    finally:
        sock.settimeout(10)


def _drain(sock: socket.socket, seconds: float) -> int:
    """Reads whatever comes, for so long at most."""
    end = time.monotonic() + seconds
    count = 0
    sock.settimeout(0.2)
    while time.monotonic() < end:
        try:
            data = sock.recv(1 << 18)
        except TimeoutError:
            break
        if not data:
            break
        count += len(data)
    sock.settimeout(10)
    return count


def _stay(sockets: list[socket.socket], seconds: float) -> None:
    time.sleep(seconds)
    for sock in sockets:
        sock.close()


def _never_reads(target: Target, dice: random.Random) -> None:
    sockets = [target.open(buffer=4096) for _ in range(30)]
    for sock in sockets:
        _push(sock, encode("GET", value_key(dice.randrange(VALUES))) * 200)
    _stay(sockets, 1 + 2 * dice.random())


def _never_reads_strangers(target: Target, dice: random.Random) -> None:
    sockets = [target.open(login=False, buffer=4096) for _ in range(200)]
    echo = encode("ECHO", b"e" * 8000) * 64
    for sock in sockets:
        _push(sock, echo)
    _stay(sockets, 1 + 2 * dice.random())


def _half_requests(target: Target, dice: random.Random) -> None:
    sockets = [target.open(login=dice.random() < 0.5) for _ in range(100)]
    for sock in sockets:
        _push(sock, b"*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$900000\r\n" + b"h" * dice.randrange(900_000), 0.2)
    _stay(sockets, 1 + 2 * dice.random())


def _huge_mget(target: Target, dice: random.Random) -> None:
    sock = target.open()
    sock.sendall(encode("MGET", *(value_key(number) for number in range(VALUES))) * dice.randrange(1, 4))
    if dice.random() < 0.5:
        _drain(sock, 5)
    else:
        time.sleep(dice.random())
    sock.close()


def _deep_replies(target: Target, dice: random.Random) -> None:
    sock = target.open()
    sock.sendall(encode("EVAL_RO", _NESTED, "1", f"k{dice.randrange(100)}") * dice.randrange(1, 5))
    if dice.random() < 0.7:
        _drain(sock, 2)
    sock.close()


def _huge_values(target: Target, dice: random.Random) -> None:
    """Refused by nodes with proto-max-bulk-len 1mb."""
    sock = target.open()
    sock.sendall(encode("SET", "hostile:huge", b"h" * (dice.randrange(2, 10) << 20)))
    _drain(sock, 2)
    sock.close()


def _keys(target: Target, dice: random.Random) -> None:
    sock = target.open()
    for _ in range(dice.randrange(1, 8)):
        sock.sendall(dice.choice((encode("KEYS", "*"), encode("SCAN", "0", "COUNT", "1000000"))))
        _drain(sock, 2)
    sock.close()


def _slow_scripts(target: Target, dice: random.Random) -> None:
    sock = target.open()
    sock.sendall(encode("EVAL_RO", _SPIN, "1", f"k{dice.randrange(100)}", str(_SPINS)))
    if dice.random() < 0.5:
        sock.recv(100)
    sock.close()
    time.sleep(0.7)


def _byte_by_byte(target: Target, dice: random.Random) -> None:
    sock = target.open()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in encode("SET", "hostile:bytes", "v" * 200) * 3:
        sock.sendall(bytes((byte,)))
        time.sleep(0.001)
    _drain(sock, 1)
    sock.close()


def _storm(target: Target, dice: random.Random) -> None:
    for _ in range(200):
        sock = target.open(login=False)
        if dice.random() < 0.5:
            sock.sendall(encode("PING") * dice.randrange(3))
        if dice.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    time.sleep(0.05)


def _http(target: Target, dice: random.Random) -> None:
    """As a web page can make a browser do."""
    sock = target.open(login=False)
    body = f"\r\nSET {HTTP_KEY} written\r\n"
    method = dice.choice(("POST / HTTP/1.1\r\nHost: localhost\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n",
                          "PUT / HTTP/1.1\r\nHost: localhost\r\n"))
    sock.sendall((method + f"Content-Length: {len(body)}\r\n" + body).encode())
    _drain(sock, 1)
    sock.close()
    time.sleep(0.02)


def _guesses(target: Target, dice: random.Random) -> None:
    sock = target.open(login=False)
    guesses = b"".join(encode("AUTH", f"guess{dice.randrange(10**9)}") for _ in range(500))
    sock.sendall(guesses)
    _drain(sock, 1)
    sock.close()


def _leaves_large(target: Target, dice: random.Random) -> None:
    sock = target.open()
    sock.sendall(encode("GET", LARGE_KEY) * 64)
    _drain(sock, dice.choice((0, 0.2)))
    time.sleep(dice.random())
    sock.close()
    time.sleep(0.5)


def _orders(target: Target, dice: random.Random) -> None:
    """An operator's, over and over, unread."""
    sockets = [target.open(buffer=4096) for _ in range(30)]
    one = (encode("PROXY", "RELOAD"), encode("CONFIG", "SET", "read.hedge_ms", str(dice.randrange(49, 52))),
           encode("PROXY", "AUDIT"), encode("PROXY", "RELOAD", "DRYRUN"), encode("CONFIG", "REWRITE"))
    for sock in sockets:
        _push(sock, b"".join(dice.choice(one) for _ in range(300)))
    _stay(sockets, 2 * dice.random())


def _garbage(target: Target, dice: random.Random) -> None:
    for _ in range(50):
        sock = target.open(login=dice.random() < 0.5)
        if dice.random() < 0.5:
            data = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 300)))
        else:
            data = bytearray(encode("GET", "hostile:small:1") * 3 + encode("EXISTS", "a", "b"))
            for _ in range(dice.randrange(1, 4)):
                data[dice.randrange(len(data))] = dice.choice(b"\r\n*$-+:0123456789\0\xff")
        _push(sock, bytes(data))
        sock.close()


def _refused(target: Target, dice: random.Random) -> None:
    sock = target.open()
    one = [encode(*words.split()) for words in (
        "MULTI", "EXEC", "BLPOP hostile:list 0", "SUBSCRIBE c", "MONITOR", "SHUTDOWN", "WAIT 1 0", "DEBUG SLEEP 5",
        "SPOP hostile:set", "REPLICAOF localhost 1", "SYNC", "PSYNC ? -1", "SELECT 7", "CLIENT PAUSE 60000",
        "XREAD BLOCK 0 STREAMS s $", "HELLO 3", "RESET", "FAILOVER", "CLIENT REPLY OFF", "CLUSTER RESET")]
    sock.sendall(b"".join(dice.choice(one) for _ in range(200)))
    _drain(sock, 1)
    sock.close()


def _half_closed(target: Target, dice: random.Random) -> None:
    sock = target.open()
    sock.sendall(encode("GET", value_key(dice.randrange(VALUES))) * 5 + encode("GET", "hostile:small:2") * 500)
    sock.shutdown(socket.SHUT_WR)
    if dice.random() < 0.8:
        _drain(sock, 3)
    sock.close()


def _many_arguments(target: Target, dice: random.Random) -> None:
    sock = target.open()
    word = dice.choice(("EXISTS", "MGET", "DEL", "TOUCH"))
    count = dice.choice((1000, 50_000, 300_000))
    request = b"*%d\r\n$%d\r\n%s\r\n" % (count + 1, len(word), word.encode()) + b"$9\r\nhostile:x\r\n" * count
    _push(sock, request)
    _drain(sock, 2)
    sock.close()


def _local_replies(target: Target, dice: random.Random) -> None:
    """Commands that the proxy itself answers at length, unread."""
    one = encode("COMMAND") + encode("INFO") + encode("PROXY", "EVENTS") + encode("CLIENT", "LIST") + encode(
        "CONFIG", "GET", "*") + encode("PROXY", "SHARDS") + encode("COMMAND", "DOCS")
    sockets = [target.open(buffer=4096) for _ in range(20)]
    for sock in sockets:
        _push(sock, one * 200)
    _stay(sockets, 1 + dice.random())


def _slow_reader(target: Target, dice: random.Random) -> None:
    sock = target.open(buffer=4096)
    sock.sendall(encode("GET", value_key(dice.randrange(VALUES))) * 50)
    end = time.monotonic() + 3
    while time.monotonic() < end and sock.recv(4096):
        time.sleep(0.02)
    sock.close()


def _long_lines(target: Target, dice: random.Random) -> None:
    sockets = [target.open(login=False) for _ in range(20)]
    for sock in sockets:
        _push(sock, dice.choice((b"x" * 1_000_000, b"*1\r\n$" + b"1" * 100_000, b"GET " + b"k" * 60_000 + b"\r\n")))
    _stay(sockets, dice.random())


def _errors(target: Target, dice: random.Random) -> None:
    sock = target.open()
    sock.sendall(encode("INCR", "hostile:small:3") * 3000 + encode("LPUSH", "hostile:small:4", "x") * 3000)
    _drain(sock, 2)
    sock.close()


def _slow_writes(target: Target, dice: random.Random) -> None:
    sock = target.open()
    key = f"hostile:zset:{dice.randrange(2)}"
    words = [word for number in range(20_000) for word in (str(number % 97), f"m{number}")]
    sock.sendall(encode("ZADD", key, *words) + encode("ZUNIONSTORE", key, "2", key, key) + encode("UNLINK", key))
    _drain(sock, 2)
    sock.close()
    time.sleep(0.5)


def _long_answers(target: Target, dice: random.Random) -> None:
    """Of the proxy itself, to one request."""
    sock = target.open()
    words = dice.choice((("PROXY", "EXPLAIN", "MGET"), ("COMMAND", "INFO"), ("COMMAND", "GETKEYS", "MGET"),
                         ("CONFIG", "GET"), ("COMMAND", "DOCS"), ("INFO",)))
    sock.sendall(encode(*words, *(f"word{number}" for number in range(50_000))))
    _drain(sock, 2)
    sock.close()


def _long_names(target: Target, dice: random.Random) -> None:
    """What a proxy may remember of a client, or say of it in its log."""
    sockets = [target.open() for _ in range(50)]
    for sock in sockets:
        name = b"n" * dice.randrange(1_000_000)
        _push(sock, dice.choice((encode("CLIENT", "SETNAME", name), encode("AUTH", name, name),
                                 encode("CLIENT", "SETINFO", "LIB-NAME", name), encode(name),
                                 encode("CONFIG", "SET", name, "1"))), 0.2)
    sockets[0].sendall(encode("CLIENT", "LIST"))
    _stay(sockets, 1)


def _long_keys(target: Target, dice: random.Random) -> None:
    sock = target.open()
    key = b"k" * (dice.randrange(1, 16) << 20)
    sock.sendall(encode("GET", key) + encode("EXISTS", key))
    _drain(sock, 2)
    sock.close()
    time.sleep(0.2)


def _giant_value(target: Target, dice: random.Random) -> None:
    """Larger than all that may be held, where the nodes take it."""
    sock = target.open()
    sock.sendall(encode("SETRANGE", "hostile:giant", str(300 << 20), "x"))
    sock.recv(100)
    sock.sendall(encode("GET", "hostile:giant"))
    _drain(sock, dice.choice((0.1, 5)))
    sock.close()
    sock = target.open()
    sock.sendall(encode("UNLINK", "hostile:giant"))
    sock.recv(100)
    sock.close()
    time.sleep(1)


Kind = Callable[[Target, random.Random], None]

KINDS: dict[str, Kind] = {
    "never-reads": _never_reads,
    "never-reads-strangers": _never_reads_strangers,
    "half-requests": _half_requests,
    "huge-mget": _huge_mget,
    "deep-replies": _deep_replies,
    "huge-values": _huge_values,
    "keys": _keys,
    "slow-scripts": _slow_scripts,
    "slow-writes": _slow_writes,
    "byte-by-byte": _byte_by_byte,
    "storm": _storm,
    "http": _http,
    "guesses": _guesses,
    "leaves-large": _leaves_large,
    "orders": _orders,
    "garbage": _garbage,
    "refused": _refused,
    "half-closed": _half_closed,
    "many-arguments": _many_arguments,
    "local-replies": _local_replies,
    "slow-reader": _slow_reader,
    "long-lines": _long_lines,
    "errors": _errors,
    "long-answers": _long_answers,
    "long-names": _long_names,
    "long-keys": _long_keys,
    "giant-value": _giant_value,
}
