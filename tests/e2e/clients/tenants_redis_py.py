# Two users with key spaces of their own and redis-py, as applications use it.

import sys

import redis

port = int(sys.argv[1])


def client(user=None):
    if user is None:
        return redis.Redis(port=port, decode_responses=True)
    return redis.Redis(port=port, username=user, password="p", decode_responses=True)


one, two, plain = client("one"), client("two"), client()
for each, value in ((one, "1"), (two, "2"), (plain, "0")):
    for i in range(300):
        each.set(f"key:{i}", value)
    each.hset("hash", "f", value)
    each.rpush("queue", value)
    each.xadd("stream", {"f": value}, id="1-1")

names = sorted([f"key:{i}" for i in range(300)] + ["hash", "queue", "stream"])
for each, value in ((one, "1"), (two, "2")):
    assert sorted(each.scan_iter(count=17)) == names
    assert sorted(each.scan_iter(match="key:1?", count=17)) == [f"key:1{i}" for i in range(10)]
    assert sorted(each.keys("key:29*")) == sorted(["key:29"] + [f"key:29{i}" for i in range(10)])
    assert each.mget("key:1", "key:2") == [value, value]
    assert each.hgetall("hash") == {"f": value}
    assert each.xread({"stream": "0"}) == [["stream", [("1-1", {"f": value})]]]
    assert each.blpop("queue", timeout=5) == ("queue", value)
    pipe = each.pipeline(transaction=True)
    pipe.incr("key:5").get("key:5")
    assert pipe.execute() == [int(value) + 1, str(int(value) + 1)]
    for forbidden in (each.flushdb, each.dbsize, each.randomkey, lambda: each.eval("return 1", 0)):
        try:
            forbidden()
        except redis.exceptions.NoPermissionError:
            continue
        raise AssertionError("not refused")

heard = one.pubsub(ignore_subscribe_messages=True)
heard.psubscribe("__keyspace@0__:*")
assert heard.get_message(timeout=5) is None
two.set("key:1", "x")
plain.set("key:1", "x")
one.set("key:2", "x")
message = heard.get_message(timeout=5)
assert (message["channel"], message["data"]) == ("__keyspace@0__:key:2", "set"), message

with one.pipeline() as pipe:
    pipe.watch("key:7")
    two.set("key:7", "y")
    pipe.multi()
    pipe.set("key:7", "z")
    assert pipe.execute() == [True]

for name in list(one.scan_iter()):
    one.delete(name)
assert one.keys() == []
assert sorted(two.keys()) == sorted(set(names) - {"queue"})
assert plain.get("key:7") == "0"
