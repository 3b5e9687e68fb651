"""Who of a fleet a row strikes: found when it is to happen, after shards were moved so that there is such a one."""

from __future__ import annotations

from bench_lib.process import BenchError

from .fleet_engines import Server
from .fleet_rows import AWAY, BYSTANDER, LEADER, LEADING_OWNER, MOST_SERVERS, NODE, OWNER, SERVER, FleetRow
from .fleet_setup import SHARDS, Fleet, Member
from .node import Node

_OWNED_S = 20.0
Part = Member | Server | Node


def arrange(fleet: Fleet, row: FleetRow) -> None:
    """Where the members are the coordinator a row says whether who leads it owns a shard."""
    if not fleet.engine.by_members:
        return
    if LEADER in row.parts:
        fleet.arrange(leader_owns=False)
    elif LEADING_OWNER in row.parts or BYSTANDER in row.parts:
        fleet.arrange(leader_owns=True)


def choose_parts(fleet: Fleet, row: FleetRow) -> list[Part]:
    """Who they are at this moment. An owner is one that does not lead."""
    if not row.parts:
        return []
    arrange(fleet, row)
    leader = fleet.wait_for_leader() if fleet.engine.leads else None
    fleet.wait_until(fleet.spread, _OWNED_S, "every shard has an owner of its own")  # a busy machine costs leases
    owners = [fleet.owner(shard) for shard in range(SHARDS)]
    if None in owners:
        raise BenchError("nobody owns some shard")
    shard = 1 if owners[0] is leader else 0
    of = {OWNER: owners[shard], LEADING_OWNER: leader, LEADER: leader}
    parts: list[Part] = []
    for what in row.parts:
        if what == NODE:
            parts.append(fleet.primary(shard))
        elif what == BYSTANDER:
            parts.append(fleet.bystander([leader]))
        elif what == SERVER:
            parts.append(_server(fleet, shard, leader))
        elif what == MOST_SERVERS:
            parts += _most_servers(fleet, leader)
        else:
            parts.append(of[what])
    for part in parts:
        if isinstance(part, Member) and row.way is AWAY:
            part.parts_from = [owners[shard].place]
    return parts


def _server(fleet: Fleet, shard: int, leader: Member | Server | None) -> Part:
    """Of the coordinator, one that nobody leads by and nobody owns by."""
    if fleet.engine.by_members:
        return fleet.bystander([leader])
    if fleet.engine.by_nodes:
        primary = fleet.primary(shard)
        return next(node for node in fleet.shards[shard] if node is not primary)
    return next(server for server in fleet.servers if server is not leader)


def _most_servers(fleet: Fleet, leader: Member | Server | None) -> list[Part]:
    """Who leads them is among them. Of nodes one of each shard, so that no shard is without a copy."""
    if fleet.engine.by_nodes:
        return [_server(fleet, shard, None) for shard in range(SHARDS)]
    servers = fleet.members if fleet.engine.by_members else fleet.servers
    return sorted(servers, key=lambda server: server is not leader)[:len(servers) // 2 + 1]
