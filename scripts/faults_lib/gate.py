"""A small fault proxy: TCP between the others and one node, that can stop forwarding without closing.

For machines where no network namespace can be made. While it is cut off it neither reads nor writes; the
kernel still completes new handshakes, so a connect succeeds and then hears nothing.
"""

from __future__ import annotations

import mmap
import multiprocessing
import selectors
import signal
import socket
import time

from bench_lib.process import die_with_parent

_CHUNK = 1 << 16


class Gate:
    """Listens on a port and forwards to another, in a process of its own."""

    def __init__(self, port: int, target: int) -> None:
        self._flag = mmap.mmap(-1, 1)
        listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self._process = multiprocessing.get_context("fork").Process(
            target=_serve, args=(listener, target, self._flag), daemon=True)
        self._process.start()
        listener.close()

    def cut(self) -> None:
        self._flag[0] = 1

    def mend(self) -> None:
        self._flag[0] = 0

    def close(self) -> None:
        self._process.kill()
        self._process.join(10)


class _Way:
    """One direction of a connection: what was read and not yet written."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.waiting = b""


def _serve(listener: socket.socket, target: int, flag: mmap.mmap) -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    selector = selectors.DefaultSelector()
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    while True:
        if flag[0]:
            time.sleep(0.002)
            continue
        for key, events in selector.select(0.01):
            if flag[0]:
                break
            if key.fileobj is listener:
                _accept(selector, listener, target)
            elif key.fileobj.fileno() >= 0:
                _move(selector, key, events)


def _accept(selector: selectors.BaseSelector, listener: socket.socket, target: int) -> None:
    try:
        near, _ = listener.accept()
    except OSError:
        return
    try:
        far = socket.create_connection(("127.0.0.1", target), timeout=1)
    except OSError:
        near.close()
        return
    ways = _Way(near, far), _Way(far, near)
    for side in (near, far):
        side.setblocking(False)
        side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(side, selectors.EVENT_READ, ways)


def _move(selector: selectors.BaseSelector, key: selectors.SelectorKey, events: int) -> None:
    ways = key.data
    try:
        for way in ways:
            if way.source is key.fileobj and events & selectors.EVENT_READ and not way.waiting:
                way.waiting = way.source.recv(_CHUNK)
                if not way.waiting:
                    raise OSError("closed")
            if way.waiting and (way.source is key.fileobj or way.sink is key.fileobj):
                try:
                    way.waiting = way.waiting[way.sink.send(way.waiting):]
                except BlockingIOError:
                    pass
        for side in (ways[0].source, ways[0].sink):
            reads = any(way.source is side and not way.waiting for way in ways)
            writes = any(way.sink is side and way.waiting for way in ways)
            _watch(selector, side, ways, (selectors.EVENT_READ if reads else 0) |
                   (selectors.EVENT_WRITE if writes else 0))
    except (OSError, ValueError, KeyError):
        for side in (ways[0].source, ways[0].sink):
            try:
                selector.unregister(side)
            except (KeyError, ValueError):
                pass
            side.close()


def _watch(selector: selectors.BaseSelector, side: socket.socket, ways: tuple[_Way, _Way],
           events: int) -> None:
    watched = side in selector.get_map()
    if events and watched:
        selector.modify(side, events, ways)
    elif events:
        selector.register(side, events, ways)
    elif watched:
        selector.unregister(side)
