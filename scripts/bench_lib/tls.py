"""What ends TLS for a redis-server: gemel, haproxy and stunnel beside each other.

The load is redis-benchmark with TLS 1.3 over connections that are made before the time counts; what is compared is the
CPU time of the process in between, a request. A repetition runs every load on every setup, and begins with another setup
than the one before; a ratio is taken within a repetition, and the median of the ratios counts. "gemel, plain" is the
same gemel without TLS, which says what TLS alone costs.
"""

from __future__ import annotations

import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from .load import CLIENTS, KEYS, VALUE_BYTES
from .process import BenchError, Process, free_port
from .report import Bar
from .resp import fill
from .setups import Lab, find, haproxy_config, wait_in_sync

SETUPS = ("gemel, plain", "gemel", "haproxy", "stunnel")
CASES = (("get", 1), ("set", 1), ("get", 16), ("set", 16))
# Of haproxy's CPU time a request, by depth.
MAX_RATIO = {1: 0.9, 16: 0.5}


@dataclass
class Place:
    name: str
    port: int
    process: Process


@dataclass
class Turn:
    op: str
    depth: int
    rep: int
    cpu_us: dict[str, float]  # a request, by setup
    rates: dict[str, float]  # requests a second

    def ratio(self, setup: str) -> float:
        return self.cpu_us[setup] / self.cpu_us["haproxy"]


def measure(lab: Lab, gemel: Path, folder: Path, reps: int, seconds: float) -> list[Turn]:
    redis = lab.start("redis")
    fill(redis.port, KEYS, VALUE_BYTES)
    cert = _certificate(folder)
    places = _gemels(lab, gemel, folder, redis.port, cert)
    places += [_haproxy(lab, folder, redis.port, cert), _stunnel(lab, folder, redis.port, cert)]
    counts = {}
    for case in CASES:
        for place in places:
            rate, _ = _run(place, case, 3_000 * case[1], cert)
            if place.name == "haproxy":
                counts[case] = int(rate * seconds)
    turns = []
    for rep in range(1, reps + 1):
        for case in CASES:
            turn = Turn(*case, rep, {}, {})
            for shift in range(len(places)):
                place = places[(rep + shift) % len(places)]
                turn.rates[place.name], turn.cpu_us[place.name] = _run(place, case, counts[case], cert)
            turns.append(turn)
            lab.check_alive()
    return turns


def _certificate(folder: Path) -> Path:
    """A certificate that has signed itself, with its key in the same file."""
    key, cert = folder / "tls.key", folder / "tls.pem"
    done = subprocess.run(
        [find("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
         str(key), "-out", str(cert), "-days", "10", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1"], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise BenchError(f"openssl: {done.stderr[-500:]}")
    cert.write_text(cert.read_text() + key.read_text())
    return cert


def _start(lab: Lab, name: str, command: list[str], folder: Path, port: int) -> Place:
    process = lab.add(Process(name, command, folder))
    process.wait_for_port(port)
    return Place(name, port, process)


def _gemels(lab: Lab, gemel: Path, folder: Path, node: int, cert: Path) -> list[Place]:
    """One process, by its plain listener and by the one with TLS."""
    plain, secure = free_port(), free_port()
    config = folder / "gemel-tls.toml"
    config.write_text(
        "[proxy]\n"
        f'listen = ["127.0.0.1:{plain}", "tls:127.0.0.1:{secure}"]\n'
        f'state_dir = "{folder / "state-tls"}"\n'
        "[tls]\n"
        f'cert = "{cert}"\n'
        "[[shard]]\n"
        'name = "a"\n'
        f'primary = "127.0.0.1:{node}"\n'
        "replicas = []\n")
    place = _start(lab, "gemel, plain", [str(gemel), "-c", str(config)], folder, plain)
    wait_in_sync(place.process, plain)
    return [place, Place("gemel", secure, place.process)]


def _haproxy(lab: Lab, folder: Path, node: int, cert: Path) -> Place:
    port = free_port()
    config = folder / "haproxy-tls.cfg"
    config.write_text(haproxy_config(port, node, f" ssl crt {cert}"))
    return _start(lab, "haproxy", [find("haproxy"), "-db", "-f", str(config)], folder, port)


def _stunnel(lab: Lab, folder: Path, node: int, cert: Path) -> Place:
    port = free_port()
    config = folder / "stunnel.conf"
    config.write_text(
        "foreground = yes\n"
        "pid =\n"
        "debug = err\n"
        "[redis]\n"
        f"accept = 127.0.0.1:{port}\n"
        f"connect = 127.0.0.1:{node}\n"
        f"cert = {cert}\n"
        "socket = l:TCP_NODELAY=1\n"
        "socket = r:TCP_NODELAY=1\n")
    return _start(lab, "stunnel", [find("stunnel4"), str(config)], folder, port)


def _run(place: Place, case: tuple[str, int], requests: int, cert: Path) -> tuple[float, float]:
    """Requests a second, and CPU microseconds of the process a request."""
    op, depth = case
    step = CLIENTS * depth
    requests = max(requests // step, 10) * step
    command = [find("redis-benchmark"), "-h", "127.0.0.1", "-p", str(place.port), "-t", op, "-c", str(CLIENTS),
               "-P", str(depth), "-n", str(requests), "-d", str(VALUE_BYTES), "-r", str(KEYS), "--csv"]
    if place.name != "gemel, plain":
        command += ["--tls", "--cacert", str(cert)]
    before = place.process.cpu_seconds()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"redis-benchmark against {place.name} did not end in 180 s") from error
    cpu = place.process.cpu_seconds() - before
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) < 2 or "rror" in done.stdout:
        raise BenchError(f"redis-benchmark against {place.name}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return float(lines[-1].split('","')[1].strip('"')), cpu / requests * 1e6


def bars(turns: list[Turn]) -> list[Bar]:
    return [Bar(f"TLS, {op.upper()}, depth {depth}: CPU a request, a ratio to haproxy", MAX_RATIO[depth], True,
                median(turn.ratio("gemel") for turn in turns if (turn.op, turn.depth) == (op, depth)))
            for op, depth in CASES]


def missed(turns: list[Turn]) -> list[Bar]:
    return [bar for bar in bars(turns) if bar.verdict == "MISS"]


def table(turns: list[Turn]) -> str:
    lines = [f"{'TLS: CPU us a request':<24} " + " ".join(f"{name:>13}" for name in SETUPS)]
    for op, depth in CASES:
        of = [turn for turn in turns if (turn.op, turn.depth) == (op, depth)]
        lines.append(f"{op.upper() + ', depth ' + str(depth):<24} " +
                     " ".join(f"{median(turn.cpu_us[name] for turn in of):>13.2f}" for name in SETUPS))
        lines.append(f"{'  requests a second':<24} " +
                     " ".join(f"{median(turn.rates[name] for turn in of):>13,.0f}" for name in SETUPS))
    return "\n".join([*lines, "", "The bars", *(bar.line() for bar in bars(turns))])


def as_json(turns: list[Turn]) -> dict:
    return {"turns": [asdict(turn) for turn in turns]}
