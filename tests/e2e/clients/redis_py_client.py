"""redis-py with its default options: everyday use, no warning. The port is the argument."""

import sys
import warnings

import redis

warnings.simplefilter("error")
client = redis.Redis(host="127.0.0.1", port=int(sys.argv[1]), decode_responses=True)
assert client.ping()
assert client.set("py:k", "v")
assert client.get("py:k") == "v"
assert client.mset({f"py:{i}": i for i in range(20)})
assert client.mget([f"py:{i}" for i in range(20)]) == [str(i) for i in range(20)]
assert client.incr("py:n") == 1
assert client.hset("py:h", mapping={"a": 1, "b": 2}) == 2
assert client.hgetall("py:h") == {"a": "1", "b": "2"}
assert client.rpush("py:l", *range(10)) == 10
assert client.lrange("py:l", 0, -1) == [str(i) for i in range(10)]
assert client.zadd("py:z", {"m": 1.5}) == 1
assert client.zrange("py:z", 0, -1, withscores=True) == [("m", 1.5)]
assert len(set(client.scan_iter("py:*"))) == 25, sorted(client.scan_iter("py:*"))
with client.pipeline(transaction=False) as pipeline:
    for number in range(1000):
        pipeline.set(f"py:p:{number}", number)
    assert all(pipeline.execute())
assert client.dbsize() == 1025
assert client.info()["redis_version"].startswith("7.")
assert client.config_get("maxmemory") is not None
assert client.client_setname("tester") and client.client_getname() == "tester"
assert client.command_count() > 100
assert client.delete(*[f"py:p:{number}" for number in range(1000)]) == 1000
with client.pipeline() as pipeline:  # a transaction
    pipeline.watch("py:t", "py:t")
    assert pipeline.get("py:t") is None
    pipeline.multi()
    pipeline.set("py:t", 1).incr("py:t").hget("{py:t}", "f")
    assert pipeline.execute() == [True, 2, None]
    pipeline.watch("py:t")
    assert client.incr("py:t") == 3
    pipeline.multi()
    pipeline.incr("py:t")
    try:
        pipeline.execute()
        raise SystemExit("a watched key was touched")
    except redis.WatchError:
        pass
assert client.transaction(lambda p: p.multi() or p.incr("py:t"), "py:t") == [4]
assert client.delete("py:t") == 1
try:
    client.incr("py:h")
    raise SystemExit("no error for a wrong type")
except redis.ResponseError as error:
    assert "WRONGTYPE" in str(error), error
print("redis-py: ok")
