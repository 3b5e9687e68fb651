"""Measures gemel side by side with nutcracker, haproxy (TCP mode) and redis itself.

Everything runs on loopback, is started by this script and stopped by it. The load is redis-benchmark:
GET and SET of 64 bytes, 50 clients, pipeline depths 1, 16 and 128, 100,000 keys. Repetitions are
interleaved (each repetition measures every setup once before the next begins) and every figure is a
median; ratios are taken within a repetition first. The figure that holds still on a noisy machine is
the proxy's CPU time a request: utime + stime from /proc/PID/stat over the run, all threads. What a
machine charges for system calls differs: the setup "floor" (an epoll loop that reads and answers and
forwards nothing) shows it, and the bars are given as ratios to nutcracker and to the floor.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from . import against, channels, evict, fleet, handover, load, memory, protocols, queues, reload, scrape, tls
from .load import Case, Run
from .process import BenchError
from .report import Results
from .resp import fill
from .setups import DEFAULT, NAMES, Lab, Setup, find

ROOT = Path(__file__).resolve().parent.parent.parent


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 repetitions of 1 s: a first look")
    parser.add_argument("--reps", type=int, help="repetitions (default 5)")
    parser.add_argument("--seconds", type=float, help="length of one run (default 2.5)")
    parser.add_argument("--only", default=",".join(DEFAULT),
                        help=f"setups, comma-separated, of: {', '.join(NAMES)}")
    parser.add_argument("--ops", default="get,set", help="of: get, set")
    parser.add_argument("--depths", default="1,16,128", help="pipeline depths")
    parser.add_argument("--connections", type=int, default=1000,
                        help="idle connections of the memory measurement (0: none)")
    parser.add_argument("--json", type=Path, metavar="FILE", default=ROOT / "build" / "bench.json")
    parser.add_argument("--gemel", type=Path, metavar="PATH", default=ROOT / "build" / "gemel",
                        help="measure this one (default: build/gemel, which is built first)")
    parser.add_argument("--reload", type=int, nargs="?", const=1000, metavar="SHARDS",
                        help="instead: reloads of a config of so many shards (default 1000)")
    parser.add_argument("--handover", type=int, nargs="?", const=3, metavar="TIMES",
                        help="instead: how long writes are paused at the end of a full resync")
    parser.add_argument("--evict", nargs="?", const=",".join(evict.POLICIES), metavar="POLICIES",
                        help="instead: hit rates of a full cache beside redis alone and Redis's replication, and what "
                             f"evictions and expiries cost (default {','.join(evict.POLICIES)})")
    parser.add_argument("--against", type=Path, metavar="PATH",
                        help="with --evict, of two builds: what writes cost that evict nothing, in turns with this one")
    parser.add_argument("--protocols", action="store_true",
                        help="instead: what clients of RESP3, and of both protocols at once, cost beside those of RESP2")
    parser.add_argument("--queues", action="store_true",
                        help="instead: a queue with BLPOP beside the same on redis alone, and what clients cost that wait")
    parser.add_argument("--channels", action="store_true",
                        help="instead: 1,000 subscribers of a channel beside the same on redis alone")
    parser.add_argument("--fleet", action="store_true",
                        help="instead: what a request costs that a member of a fleet forwards to the owner of its shard, "
                             "and a fleet of three beside one gemel")
    parser.add_argument("--tls", action="store_true",
                        help="instead: what ending TLS costs beside haproxy and stunnel, before a redis-server")
    parser.add_argument("--scrape", type=int, nargs="?", const=1000, default=0, metavar="SHARDS",
                        help="instead: scrapes of the metrics of so many shards (1,000)")
    parser.add_argument("--check", action="store_true", help="exit 1 if a bar is missed")
    arguments = parser.parse_args()
    arguments.reps = arguments.reps or (3 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (1.0 if arguments.quick else 2.5)
    arguments.only = [name for name in arguments.only.split(",") if name]
    unknown = [name for name in arguments.only if name not in NAMES]
    if unknown:
        parser.error(f"unknown setup {unknown[0]!r}; expected some of {', '.join(NAMES)}")
    arguments.cases = [Case(op, int(depth)) for op in arguments.ops.split(",")
                       for depth in arguments.depths.split(",")]
    if any(case.op not in ("get", "set") or case.depth < 1 for case in arguments.cases):
        parser.error("--ops takes get and set, --depths whole numbers from 1")
    if not 1 <= arguments.reps <= 100 or not 0.1 <= arguments.seconds <= 60:
        parser.error("--reps is 1 to 100, --seconds 0.1 to 60")
    arguments.evict = arguments.evict.split(",") if arguments.evict else None
    unknown = [name for name in arguments.evict or [] if name not in evict.ALL_POLICIES]
    if unknown:
        parser.error(f"unknown policy {unknown[0]!r}; expected some of {', '.join(evict.ALL_POLICIES)}")
    if arguments.against is not None and not arguments.evict:
        parser.error("--against goes with --evict")
    if not 0 <= arguments.connections <= 3500:
        parser.error("--connections is 0 to 3500")
    return arguments


def first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def about(arguments: argparse.Namespace) -> dict:
    versions = {"redis": first_line([find("redis-server"), "--version"])}
    if "nutcracker" in arguments.only:
        versions["nutcracker"] = first_line([find("nutcracker"), "-V"])
    if "haproxy" in arguments.only:
        versions["haproxy"] = first_line([find("haproxy"), "-v"])
    if any(name.startswith("gemel") for name in arguments.only):
        versions["gemel"] = first_line([str(arguments.gemel), "--version"])
    return {"versions": versions, "cores": os.cpu_count(), "kernel": platform.release(),
            "load_average": os.getloadavg()[0], "reps": arguments.reps,
            "seconds": arguments.seconds, "clients": load.CLIENTS,
            "value_bytes": load.VALUE_BYTES, "keys": load.KEYS}


def measure_load(arguments: argparse.Namespace, lab: Lab) -> list[Run]:
    setups = [lab.start(name) for name in arguments.only]
    filled: set[int] = set()
    for setup in setups:
        shares_one_redis = setup.name == "gemel-1" or not setup.name.startswith("gemel")
        if shares_one_redis and 0 in filled:
            continue
        fill(setup.port, load.KEYS, load.VALUE_BYTES)
        filled.add(0 if shares_one_redis else setup.port)

    rates: dict[tuple[str, Case], float] = {}

    def one(setup: Setup, case: Case, seconds: float, rep: int) -> Run:
        key = (setup.name, case)
        # A run that was too short to be timed has an infinite rate.
        run = load.run_load(setup, case, int(min(rates.get(key, 20_000.0), 20_000_000.0) * seconds), rep)
        rates[key] = run.rps
        lab.check_alive()
        return run

    for setup in setups:  # warm-up, and how many requests a run of the wanted length takes
        for case in arguments.cases:
            one(setup, case, 0.3, 0)
            one(setup, case, 0.2, 0)
    runs = []
    for rep in range(1, arguments.reps + 1):
        for case in arguments.cases:
            for shift in range(len(setups)):  # each repetition begins with another setup
                runs.append(one(setups[(rep + shift) % len(setups)], case, arguments.seconds, rep))
        print(f"repetition {rep} of {arguments.reps} done", file=sys.stderr, flush=True)
    order = {name: index for index, name in enumerate(NAMES)}
    return sorted(runs, key=lambda run: (arguments.cases.index(run.case), order[run.setup], run.rep))


def measure_memory(arguments: argparse.Namespace, lab: Lab) -> list[memory.Memory]:
    results = []
    for name in arguments.only if arguments.connections else []:
        if name == "floor":
            continue
        setup = lab.fresh_redis() if name == "redis" else lab.start(name)
        result = memory.measure(setup, arguments.connections)
        result.setup = name
        results.append(result)
        lab.stop(setup.proxy)
    return results


def measure_evict(arguments: argparse.Namespace, folder: Path) -> tuple[str, dict, list]:
    bench = evict.measure(arguments.gemel, folder, arguments.evict)
    text, facts, missed = evict.table(bench), evict.as_json(bench), evict.missed(bench)
    if arguments.against is not None:
        turns = against.measure(arguments.gemel, arguments.against.resolve(), folder, arguments.reps, arguments.seconds)
        text += "\n\n" + against.table(turns)
        facts["against"] = against.as_json(turns)
        missed += against.missed(turns)
    return text, facts, missed


def measure_one_thing(arguments: argparse.Namespace) -> int:
    missed = []
    with tempfile.TemporaryDirectory(prefix="gemel-bench-") as folder:
        if arguments.reload:
            reloads = reload.measure(arguments.gemel, Path(folder), arguments.reload)
            text, facts = reload.table(reloads, arguments.reload), reload.as_json(
                reloads, arguments.reload)
            missed = reload.missed(reloads)
        elif arguments.scrape:
            scrapes = scrape.measure(arguments.gemel, Path(folder), arguments.scrape)
            text, facts = scrape.table(scrapes, arguments.scrape), scrape.as_json(scrapes, arguments.scrape)
            missed = scrape.missed(scrapes)
        elif arguments.evict:
            text, facts, missed = measure_evict(arguments, Path(folder))
        elif arguments.protocols:
            lab = Lab(Path(folder), arguments.gemel)
            try:
                turns = protocols.measure(lab, arguments.reps, arguments.seconds)
            finally:
                lab.close()
            text, facts, missed = protocols.table(turns), protocols.as_json(turns), protocols.missed(turns)
        elif arguments.queues:
            lab = Lab(Path(folder), arguments.gemel)
            try:
                turns, waiting = queues.measure(lab, arguments.reps, arguments.seconds)
            finally:
                lab.close()
            text, facts = queues.table(turns, waiting), queues.as_json(turns, waiting)
            missed = queues.missed(turns, waiting)
        elif arguments.channels:
            lab = Lab(Path(folder), arguments.gemel)
            try:
                turns = channels.measure(lab, Path(folder), arguments.reps, arguments.seconds)
            finally:
                lab.close()
            text, facts, missed = channels.table(turns), channels.as_json(turns), channels.missed(turns)
        elif arguments.tls:
            lab = Lab(Path(folder), arguments.gemel)
            try:
                turns = tls.measure(lab, arguments.gemel, Path(folder), arguments.reps, arguments.seconds)
            finally:
                lab.close()
            text, facts, missed = tls.table(turns), tls.as_json(turns), tls.missed(turns)
        elif arguments.fleet:
            lab = Lab(Path(folder), arguments.gemel)
            try:
                runs, idle = fleet.measure(lab, arguments.gemel, Path(folder), arguments.reps, arguments.seconds)
            finally:
                lab.close()
            text, facts, missed = fleet.table(runs, idle), fleet.as_json(runs, idle), fleet.missed(runs)
        else:
            pauses = handover.measure(arguments.gemel, Path(folder), arguments.handover)
            text, facts = handover.table(pauses), handover.as_json(pauses)
    print(text)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(facts, indent=1))
    return 1 if arguments.check and missed else 0


def main() -> int:
    os.umask(0o077)  # configs have passwords
    arguments = parse_arguments()
    # A TERM must run the clean-up below, like Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if any(name.startswith("gemel") for name in arguments.only):
            if not os.access(arguments.gemel, os.X_OK):
                raise BenchError(f"{arguments.gemel} is no program: build it with scripts/build")
            arguments.gemel = arguments.gemel.resolve()
        if (arguments.reload or arguments.handover or arguments.evict or arguments.protocols or arguments.queues
                or arguments.channels or arguments.fleet or arguments.tls or arguments.scrape):
            return measure_one_thing(arguments)
        facts = about(arguments)
        for name, version in facts["versions"].items():
            print(f"{name}: {version}")
        print(f"{facts['cores']} cores, load average {facts['load_average']:.2f}, {arguments.reps} "
              f"repetitions of {arguments.seconds:g} s, {load.CLIENTS} clients, one shard each",
              flush=True)
        with tempfile.TemporaryDirectory(prefix="gemel-bench-") as folder:
            lab = Lab(Path(folder), arguments.gemel)
            try:
                memories = measure_memory(arguments, lab)
                results = Results(measure_load(arguments, lab), memories)
            finally:
                lab.close()
        print(results.table())
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        results.write_json(arguments.json, facts)
        print(f"\nwritten: {arguments.json}")
        return 1 if arguments.check and results.missed() else 0
    except (BenchError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
