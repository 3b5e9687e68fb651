"""What clients notice when nodes, links, disks or gemel itself fail: gemel beside Sentinel and nutcracker.

Eight clients each set a new key, increment their counter, read both back and an older key, while one thing
fails. A row says what they saw: errors (replies and lost connections), the longest wait for a good reply,
acknowledged writes that are gone afterwards, counters applied too often, reads of older values, and whether
the copies are equal in the end. Every row has servers of its own, on loopback and in network namespaces
that are removed afterwards.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench_lib.process import BenchError

from . import fleet_faults, fleet_rows, rows_cache, rows_clients, rows_nodes, rows_refusals, rows_shards
from .fleet_engines import ENGINES
from .hostile_soak import known_kinds, new_folder_lab, run_hostile_soak
from .lab import Lab
from .network import Ports, namespaces_work
from .report import head, line, summary, write_document, write_json
from .row import Row
from .runner import Options, Result, run_row
from .setups import SETUPS
from .soak import new_lab, run_soak, soak_text

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = [*rows_nodes.ROWS, *rows_refusals.ROWS, *rows_shards.ROWS, *rows_clients.ROWS,
        *rows_cache.ROWS]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="the rows, and what they are")
    parser.add_argument("--rows", help="only these, comma-separated")
    parser.add_argument("--setups", default=",".join(SETUPS), help=f"of: {', '.join(SETUPS)}")
    parser.add_argument("--quick", action="store_true", help="the most telling rows, in about three minutes")
    parser.add_argument("--times", type=int, default=1, help="each row so often (default 1)")
    parser.add_argument("--soak", type=float, nargs="?", const=20.0, metavar="MINUTES",
                        help="random faults instead of the rows (default 20 minutes)")
    parser.add_argument("--hostile", action="store_true",
                        help="with --soak: hostile clients beside polite ones, instead of faults of nodes")
    parser.add_argument("--kinds", help="of hostile clients: only these, comma-separated")
    parser.add_argument("--fleet", action="store_true",
                        help="instead: a fleet beside Sentinel, while members, servers of the coordinator and "
                             "nodes fail; with --rows, --quick, --list, --keep, --json")
    parser.add_argument("--engine", choices=tuple(ENGINES), default="raft",
                        help="with --fleet: what the members agree by (default raft); paxos-nodes: paxos on the nodes "
                             "of the shards, paxos: on three Redis servers of its own")
    parser.add_argument("--rounds", type=int, default=1, help="with --fleet: each row so often (default 1)")
    parser.add_argument("--seed", type=int, help="of the soak")
    parser.add_argument("--workers", type=int, default=1, help="of gemel (default 1)")
    parser.add_argument("--cut", choices=("auto", "namespace", "gate"), default="auto",
                        help="how a node is cut off: in a network namespace, or behind a small TCP proxy")
    parser.add_argument("--check-stalls", action="store_true",
                        help="exit 1 also if a stall is above its bar, for a machine that does nothing else")
    parser.add_argument("--keep", type=Path, metavar="FOLDER",
                        help="leave the logs, configs and data of all rows there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything there")
    parser.add_argument("--gemel", type=Path, metavar="FILE", default=ROOT / "build" / "gemel",
                        help="try this one (default: build/gemel, which is built first)")
    arguments = parser.parse_args()
    arguments.setups = [name for name in arguments.setups.split(",") if name]
    rows = fleet_rows.ROWS if arguments.fleet else ROWS
    known = {row.name: row for row in rows}
    names = arguments.rows.split(",") if arguments.rows else [
        row.name for row in rows if row.quick or not arguments.quick]
    for name, of in [(name, known) for name in names] + [(name, SETUPS) for name in arguments.setups]:
        if name not in of:
            parser.error(f"'{name}' is none of {', '.join(of)}")
    arguments.rows = [known[name] for name in names]
    if arguments.soak is not None and not 0 < arguments.soak <= 1440:
        parser.error("--soak is above 0 and at most 1440 minutes")
    if arguments.hostile and arguments.soak is None:
        parser.error("--hostile is a kind of --soak")
    arguments.kinds = arguments.kinds.split(",") if arguments.kinds else known_kinds()
    for name in arguments.kinds:
        if name not in known_kinds():
            parser.error(f"'{name}' is none of {', '.join(known_kinds())}")
    if not 1 <= arguments.times <= 1000 or not 1 <= arguments.rounds <= 1000:
        parser.error("--times and --rounds are 1 to 1000")
    if arguments.fleet and arguments.soak is not None:
        parser.error("--soak goes without --fleet")
    return arguments


def choose_cut(wanted: str, ports: Ports) -> bool:
    """Whether nodes are cut off in namespaces."""
    if wanted == "gate":
        return False
    works = os.geteuid() == 0 and namespaces_work(ports)
    if wanted == "namespace" and not works:
        raise BenchError("no network namespace can be made here; try --cut gate")
    return works


def run_rows(arguments: argparse.Namespace, ports: Ports, options: Options) -> list[Result]:
    print(head(), flush=True)
    results = []
    for row in arguments.rows:
        for kind in arguments.setups:
            for _ in range(arguments.times if kind in row.setups else 0):
                results.append(run_row(row, kind, ports, options))
                print(line(results[-1]), flush=True)
        without = [kind for kind in arguments.setups if kind not in row.setups]
        if without:
            print(f"{row.title:<45} {', '.join(without):<10} -", flush=True)
    return results


def run_fleet_rows(arguments: argparse.Namespace, about: dict, ports: Ports,
                   options: fleet_faults.FleetOptions) -> int:
    print(fleet_faults.head(), flush=True)
    results: list[fleet_faults.FleetResult] = []
    setups = [name for name in (fleet_faults.FLEET, fleet_faults.SENTINEL)
              if name == fleet_faults.FLEET or name in arguments.setups]
    try:
        for row, setup, _ in itertools.product(arguments.rows, setups, range(arguments.rounds)):
            results.append(fleet_faults.run_fleet_row(row, setup, ports, options))
            print(fleet_faults.line(results[-1]), flush=True)
    except KeyboardInterrupt:
        print("ended before all was done")  # what was seen until now is worth its table
    print(fleet_faults.summary(results, options.engine))
    if arguments.json is not None:
        write_document(arguments.json, about, [fleet_faults.as_json(result) for result in results])
    return 1 if any(result.violations for result in results) else 0


def list_rows(rows: list[Row]) -> None:
    for row in rows:
        print(f"{row.name:<20} {row.title:<48} {', '.join(row.setups)}")


def main() -> int:
    os.umask(0o077)  # configs have passwords
    arguments = parse_arguments()
    if arguments.list and arguments.fleet:
        print("\n".join(f"{row.name:<20} {row.title}" for row in arguments.rows))
        return 0
    if arguments.list:
        list_rows(arguments.rows)
        return 0
    # A TERM must run the clean-up below, like Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if not os.access(arguments.gemel, os.X_OK):
            raise BenchError(f"{arguments.gemel} is no program: build it with scripts/build")
        gemel = arguments.gemel.resolve()
        ports = Ports()
        namespaces = choose_cut(arguments.cut, ports)
        about = {"cores": os.cpu_count(), "kernel": platform.release(), "load_average": os.getloadavg()[0],
                 "workers": arguments.workers, "cut": "namespace" if namespaces else "gate"}
        print(f"{about['cores']} cores, load average {about['load_average']:.2f}; nodes are cut off by a "
              f"{about['cut']}", flush=True)
        with tempfile.TemporaryDirectory(prefix="gemel-faults-") as name:
            folder = Path(name)
            if arguments.soak is not None:
                return soak(arguments, folder, gemel, ports, namespaces)
            began = time.monotonic()
            if arguments.fleet:
                about["engine"] = arguments.engine
                code = run_fleet_rows(arguments, about, ports, fleet_faults.FleetOptions(
                    gemel, folder, arguments.engine, namespaces, arguments.keep))
                print(f"took {time.monotonic() - began:.0f} s")
                return code
            options = Options(gemel, folder, namespaces, arguments.workers, arguments.quick, arguments.keep)
            results = run_rows(arguments, ports, options)
        print(summary(results))
        print(f"took {time.monotonic() - began:.0f} s")
        if arguments.json is not None:
            write_json(arguments.json, about, results)
        missed = arguments.check_stalls and any(result.bars_met is False for result in results
                                                if result.setup == "gemel")
        return 1 if missed or any(result.violations for result in results) else 0
    except (BenchError, OSError) as error:
        print(f"faults: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def soak(arguments: argparse.Namespace, folder: Path, gemel: Path, ports: Ports, namespaces: bool) -> int:
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    if arguments.hostile:
        labs = new_folder_lab(folder if arguments.keep is None else arguments.keep,
                              lambda inner: Lab(inner, gemel, ports, namespaces, arguments.workers))
        return run_hostile_soak(arguments.soak, seed, arguments.kinds, labs)
    lab = new_lab(folder, gemel, ports, namespaces, arguments.workers)
    try:
        done = run_soak(arguments.soak, seed, lab)
    finally:
        lab.close()
    print(soak_text(done))
    if done.violations:
        print("the faults before the end:")
        print("\n".join(done.history[-10:]))
    return 1 if done.violations else 0


if __name__ == "__main__":
    sys.exit(main())
