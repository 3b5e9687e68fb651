"""What redis-py makes of operators' commands through the proxy and of a bare redis-server: the same names, and values
of the same types. What scripts call is counted and noted by the nodes alone.

The arguments are the proxy's port, the protocol (2 or 3) and the bare server's port.
"""

import sys
import traceback

import redis

options = {} if sys.argv[2] == "2" else {"protocol": 3}
proxy, bare = (redis.Redis(host="127.0.0.1", port=int(sys.argv[i]), decode_responses=True, **options) for i in (1, 3))


def kind(value):
    """Numbers are of one kind: 1.0 is printed as 1 at times."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    if isinstance(value, dict):
        return {name: kind(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [kind(each) for each in value]
    return type(value).__name__


def same_kinds(what, ask, at_least):
    """All that both have is of one kind; so many names they have in common at least."""
    ours, theirs = ask(proxy), ask(bare)
    common = set(ours) & set(theirs)
    assert len(common) >= at_least, f"{what}: only {sorted(common)}; not {sorted(set(theirs) - common)}"
    for name in common:
        assert kind(ours[name]) == kind(theirs[name]), f"{what}: {name}: {ours[name]!r} and {theirs[name]!r}"


def equal(what, ask):
    ours, theirs = ask(proxy), ask(bare)
    assert ours == theirs, f"{what}: {ours!r} and {theirs!r}"


def main():
    for client in (proxy, bare):
        client.config_set("slowlog-log-slower-than", 0)
        client.set("k", "v", ex=1000)
        client.get("k")
        client.rpush("l", *range(10))
        client.eval("return redis.call('get', KEYS[1])", 1, "k")
        try:
            client.incr("l")
        except redis.ResponseError:
            pass
        # Not 10000: on a busy machine the next commands take longer than that.
        client.config_set("slowlog-log-slower-than", -1)

    same_kinds("INFO", lambda client: client.info(), 90)
    same_kinds("INFO everything", lambda client: client.info("everything"), 90)
    for section, at_least in (("server", 15), ("clients", 5), ("memory", 20), ("stats", 30), ("replication", 4),
                              ("cpu", 4), ("cluster", 1), ("persistence", 10)):
        same_kinds("INFO " + section, lambda client: client.info(section), at_least)
    for section in ("commandstats", "errorstats", "latencystats"):
        same_kinds("INFO " + section, lambda client: client.info(section), 1)
    equal("INFO commandstats", lambda client: client.info("commandstats")["cmdstat_rpush"]["calls"])
    equal("INFO keyspace", lambda client: {name: sorted(each) for name, each in client.info("keyspace").items()})
    same_kinds("MEMORY STATS", lambda client: client.memory_stats(), 15)
    equal("MEMORY USAGE", lambda client: client.memory_usage("l"))
    equal("CONFIG GET", lambda client: client.config_get("hash-max-*"))
    same_kinds("CONFIG GET *", lambda client: client.config_get("*"), 100)
    same_kinds("CLIENT LIST", lambda client: client.client_list()[0], 28)
    same_kinds("CLIENT INFO", lambda client: client.client_info(), 28)
    equal("SLOWLOG GET", lambda client: [entry["command"] for entry in client.slowlog_get(2)])
    equal("SLOWLOG GET", lambda client: kind(client.slowlog_get(3)))
    equal("SLOWLOG LEN", lambda client: client.slowlog_len() > 3)
    equal("LATENCY LATEST", lambda client: client.execute_command("LATENCY", "LATEST"))
    equal("COMMAND", lambda client: client.command()["get"])
    equal("COMMAND INFO", lambda client: client.execute_command("COMMAND", "INFO", "xadd"))
    equal("COMMAND GETKEYS", lambda client: client.command_getkeys("mset", "a", "1", "b", "2"))
    equal("OBJECT ENCODING", lambda client: client.object("encoding", "l"))
    equal("ROLE", lambda client: client.role()[0])
    equal("TIME", lambda client: kind(client.time()))
    equal("LASTSAVE", lambda client: kind(client.lastsave()))
    equal("DBSIZE", lambda client: client.dbsize())


try:
    main()
except BaseException:
    print(f"redis-py {redis.__version__}: {traceback.format_exc()}")
    sys.exit(1)
print("redis-py: ok")
