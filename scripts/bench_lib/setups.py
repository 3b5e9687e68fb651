"""What is compared: each setup is a port to send load to, and the proxy process behind it.

All setups have one shard, so that each proxy does the same work a request. The setups of one copy share
one redis-server; each setup of two copies has its own pair. Every proxy runs with its defaults but for
addresses, the one thread (nbthread, workers) and where its log goes. nutcracker: fnv1a_64 and ketama, its
default mbuf size, no timeout, one server connection. "floor" (floor.cc) forwards nothing: an epoll loop that
reads and answers, which tells what this machine charges for a client's bytes alone.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .process import BenchError, Process, free_port
from .resp import Client

# The name says how many copies; -w2: two workers; -calls: a system call for each send and receive, as where
# io_uring is not allowed.
NAMES = ("redis", "floor", "nutcracker", "haproxy", "gemel-1", "gemel-2", "gemel-1-calls", "gemel-2-calls",
         "gemel-1-w2", "gemel-2-w2")
DEFAULT = NAMES


@dataclass
class Setup:
    name: str
    port: int
    proxy: Process  # the process whose CPU time and memory count: the server itself for "redis"


class Lab:
    """Starts setups in a temporary folder and stops everything it started."""

    def __init__(self, folder: Path, gemel: Path) -> None:
        self._folder = folder
        self._gemel = gemel
        self._started: list[Process] = []
        self._single: Setup | None = None
        self._count = 0

    def start(self, name: str) -> Setup:
        """A fresh proxy of that kind (the one redis-server of single copies is started once)."""
        self._count += 1
        folder = self._folder / f"{self._count}-{name}"
        folder.mkdir()
        if name == "redis":
            return self._one_redis()
        port = free_port()
        if name == "nutcracker":
            proxy = self._nutcracker(folder, port)
        elif name == "floor":
            proxy = self._floor(folder, port)
        elif name == "haproxy":
            proxy = self._haproxy(folder, port)
        else:
            copies = 2 if name.startswith("gemel-2") else 1
            options = [f"workers = {2 if name.endswith('-w2') else 1}"]
            if name.endswith("-calls"):
                options.append("io_uring = false")
            proxy = self._gemel_proxy(folder, name, port, copies, options)
        return Setup(name, port, proxy)

    def fresh_redis(self, name: str = "redis-fresh") -> Setup:
        return self._redis(name)

    def add(self, process: Process) -> Process:
        """Another one to stop in the end."""
        self._started.append(process)
        return process

    def stop(self, process: Process) -> None:
        process.stop()
        if process in self._started:
            self._started.remove(process)

    def close(self) -> None:
        for process in reversed(self._started):
            process.stop()
        self._started.clear()

    def check_alive(self) -> None:
        for process in self._started:
            process.check_alive()

    def _spawn(self, name: str, command: list[str], folder: Path, port: int) -> Process:
        process = Process(name, command, folder)
        self._started.append(process)
        process.wait_for_port(port)
        return process

    def _redis(self, name: str) -> Setup:
        port = free_port()
        folder = self._folder / f"{name}-{port}"
        folder.mkdir()
        command = [find("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                   "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--dir", str(folder)]
        return Setup(name, port, self._spawn(name, command, folder, port))

    def _one_redis(self) -> Setup:
        if self._single is None:
            self._single = self._redis("redis")
        return self._single

    def _floor(self, folder: Path, port: int) -> Process:
        program = compile_program("floor", folder)
        return self._spawn("floor", [str(program), str(port)], folder, port)

    def _nutcracker(self, folder: Path, port: int) -> Process:
        config = folder / "nutcracker.yml"
        config.write_text(
            "bench:\n"
            f"  listen: 127.0.0.1:{port}\n"
            "  redis: true\n"
            "  hash: fnv1a_64\n"
            "  distribution: ketama\n"
            "  servers:\n"
            f"   - 127.0.0.1:{self._one_redis().port}:1\n")
        command = [find("nutcracker"), "-c", str(config), "-a", "127.0.0.1", "-s", str(free_port()),
                   "-o", str(folder / "nutcracker.out"), "-p", str(folder / "nutcracker.pid")]
        return self._spawn("nutcracker", command, folder, port)

    def _haproxy(self, folder: Path, port: int) -> Process:
        config = folder / "haproxy.cfg"
        config.write_text(haproxy_config(port, self._one_redis().port))
        return self._spawn("haproxy", [find("haproxy"), "-db", "-f", str(config)], folder, port)

    def _gemel_proxy(self, folder: Path, name: str, port: int, copies: int, options: list[str]) -> Process:
        if name == "gemel-1":
            nodes = [self._one_redis().port]
        elif copies == 1:  # two gemels do not serve the same node
            nodes = [self._redis(f"{name}-redis").port]
        else:
            nodes = [self._redis(f"{name}-{role}").port for role in ("primary", "replica")]
        replicas = ", ".join(f'"127.0.0.1:{node}"' for node in nodes[1:])
        config = folder / "gemel.toml"
        config.write_text(
            "[proxy]\n"
            f'listen = ["127.0.0.1:{port}"]\n' + "".join(f"{option}\n" for option in options) +
            f'state_dir = "{folder / "state"}"\n'
            "[[shard]]\n"
            'name = "a"\n'
            f'primary = "127.0.0.1:{nodes[0]}"\n'
            f"replicas = [{replicas}]\n")
        process = self._spawn(name, [str(self._gemel), "-c", str(config)], folder, port)
        wait_in_sync(process, port)
        return process


def haproxy_config(port: int, node: int, bind: str = "") -> str:
    """That of one that forwards what comes there; `bind`: further words for the listener."""
    return ("global\n"
            "  nbthread 1\n"
            "  maxconn 4000\n"
            "defaults\n"
            "  mode tcp\n"
            "  timeout connect 5s\n"
            "  timeout client 1h\n"
            "  timeout server 1h\n"
            "listen bench\n"
            f"  bind 127.0.0.1:{port}{bind}\n"
            f"  server redis 127.0.0.1:{node}\n")


def compile_program(name: str, folder: Path) -> Path:
    """The program of NAME.cc beside this file, in that folder."""
    program = folder / name
    source = Path(__file__).resolve().parent / f"{name}.cc"
    done = subprocess.run([find("g++"), "-std=c++20", "-O2", "-o", str(program), str(source)],
                          capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise BenchError(f"{source} does not compile:\n{done.stderr[-2000:]}")
    return program


def find(program: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin")
    if path is None:
        raise BenchError(f"{program} is not installed: scripts/install bench")
    return path


def wait_in_sync(process: Process, port: int, seconds: float = 30.0) -> None:
    """Waits until PROXY SHARDS says that every copy is in sync and answers."""
    end = time.monotonic() + seconds
    seen = "nothing"
    while time.monotonic() < end:
        process.check_alive()
        client = Client(port)
        try:
            shards = client.call("PROXY", "SHARDS")
            seen = repr(shards)
            nodes = [_as_dict(node) for shard in shards for node in _as_dict(shard)["nodes"]]
            if nodes and all(node["state"] == "in-sync" and node["health"] == "up" for node in nodes):
                return
        finally:
            client.close()
        time.sleep(0.1)
    raise BenchError(f"the copies of {process.name} are not in sync after {seconds:.0f} s: {seen}")


def _as_dict(flat: list) -> dict:
    return dict(zip(flat[::2], flat[1::2]))
