"""What applications do with redis-py. The arguments are the port and the protocol: 2 or 3.

A redis-py that knows no RESP3 is used with its default options alone.
"""

import faulthandler
import random
import sys
import threading
import time
import traceback
import warnings

import redis

warnings.simplefilter("error")
faulthandler.dump_traceback_later(100, exit=True)  # what hangs is named
port = int(sys.argv[1])
options = {} if sys.argv[2] == "2" else {"protocol": 3}
things = []


def thing(function):
    things.append(function)
    return function


def connect(**further):
    return redis.Redis(host="127.0.0.1", port=port, **options, **further)


client = connect(decode_responses=True)
raw = connect()


def equal(actual, expected):
    assert actual == expected, f"{str(actual)[:1000]!r} instead of {str(expected)[:1000]!r}"


def until(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


def in_threads(count, function):
    """Runs it in threads, with the thread's number; the first error is raised here."""
    errors = []

    def run(number):
        try:
            function(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@thing
def a_pool_in_threads():
    pool = redis.BlockingConnectionPool(host="127.0.0.1", port=port, max_connections=4, **options)
    pooled = redis.Redis(connection_pool=pool)

    def work(number):
        for i in range(50):
            assert pooled.set(f"py:pool:{number}:{i}", i)
            equal(pooled.get(f"py:pool:{number}:{i}"), str(i).encode())
            pooled.incr("py:pool:sum")

    in_threads(8, work)
    equal(pooled.get("py:pool:sum"), b"400")
    pool.disconnect()


@thing
def a_pipeline():
    with client.pipeline(transaction=False) as pipeline:
        for i in range(1000):
            pipeline.set(f"py:pipe:{i}", i).get(f"py:pipe:{i}")
        equal(pipeline.execute(), [reply for i in range(1000) for reply in (True, str(i))])
        pipeline.lpush("py:pipe:0", "x").get("py:pipe:0")
        replies = pipeline.execute(raise_on_error=False)
    assert isinstance(replies[0], redis.ResponseError) and "WRONGTYPE" in str(replies[0]), replies
    equal(replies[1], "0")


@thing
def transactions_that_try_again():
    attempts = []

    def add(pipeline):
        attempts.append(1)
        now = int(pipeline.get("{py:tx}n") or 0)
        pipeline.multi()
        pipeline.set("{py:tx}n", now + 1)
        pipeline.rpush("{py:tx}log", now)

    in_threads(4, lambda _: [client.transaction(add, "{py:tx}n", "{py:tx}log") for _ in range(15)])
    equal(client.get("{py:tx}n"), "60")
    equal(client.lrange("{py:tx}log", 0, -1), [str(i) for i in range(60)])
    assert len(attempts) >= 60


@thing
def publish_and_subscribe():
    subscriber = client.pubsub(ignore_subscribe_messages=True)
    subscriber.subscribe("py:news")
    subscriber.psubscribe("py:n*")
    until(lambda: subscriber.get_message(timeout=0) is None
          and client.pubsub_numsub("py:news") == [("py:news", 1)] and client.pubsub_numpat() == 1)
    heard = []
    with_handler = client.pubsub(ignore_subscribe_messages=True)
    with_handler.subscribe(**{"py:handled": heard.append})
    until(lambda: with_handler.get_message(timeout=0) is None
          and client.pubsub_numsub("py:handled") == [("py:handled", 1)])
    runner = with_handler.run_in_thread(sleep_time=0.01, daemon=True)
    for i in range(50):
        assert client.publish("py:news", i) == 2
    assert client.publish("py:other", 0) == 0 and client.publish("py:handled", "h") == 1
    seen = []
    for _ in range(200):
        message = subscriber.get_message(timeout=1)  # None for one that is ignored, too
        if message:
            seen.append((message["type"], message["channel"], message["data"]))
        if len(seen) == 100:
            break
    for kind in ("message", "pmessage"):
        equal([data for type_, _, data in seen if type_ == kind], [str(i) for i in range(50)])
    subscriber.unsubscribe()
    subscriber.punsubscribe()
    until(lambda: client.pubsub_channels("py:news") == [])
    until(lambda: heard)
    equal(heard[0]["data"], "h")
    runner.stop()
    runner.join()
    subscriber.close()


@thing
def pops_that_wait():
    popped = []
    queues = ["{py:q}high", "{py:q}low"]

    def worker(number):
        if number == 0:
            for i in range(60):
                client.rpush(queues[i % 2], i)
                if i % 10 == 0:
                    time.sleep(0.01)
            client.rpush(queues[1], "end", "end", "end")
            return
        while True:
            queue, item = client.blpop(queues, timeout=30)
            if item == "end":
                return
            popped.append((queue, int(item)))

    in_threads(4, worker)
    equal(sorted(item for _, item in popped), list(range(60)))
    assert all(queue == queues[item % 2] for queue, item in popped)
    assert client.blpop(queues, timeout=1) is None
    client.zadd("{py:q}z", {"m": 1.5})
    equal(client.bzpopmin(["{py:q}z"], timeout=5), ("{py:q}z", "m", 1.5) if not options else ["{py:q}z", "m", 1.5])
    client.rpush(queues[0], "x")
    equal(client.blmove(queues[0], queues[1], 5), "x")
    equal(client.brpop(queues[1], timeout=5)[1], "x")


@thing
def streams_and_groups():
    stream, group = "py:stream", "workers"
    client.xgroup_create(stream, group, id="0", mkstream=True)
    ids = [client.xadd(stream, {"n": i}) for i in range(30)]
    of_stream = lambda reply: dict(reply)[stream] if not isinstance(reply, dict) else reply[stream][0]
    first = of_stream(client.xreadgroup(group, "one", {stream: ">"}, count=20))
    second = of_stream(client.xreadgroup(group, "two", {stream: ">"}, count=20))
    equal([entry for entry, _ in first + second], ids)
    equal([fields for _, fields in first + second], [{"n": str(i)} for i in range(30)])
    equal(client.xack(stream, group, *ids[:20]), 20)
    equal(client.xpending(stream, group)["pending"], 10)
    equal({entry["message_id"] for entry in client.xpending_range(stream, group, "-", "+", 100)}, set(ids[20:]))
    claimed = client.xclaim(stream, group, "one", 0, ids[20:25])
    equal([entry for entry, _ in claimed], ids[20:25])
    claimed = client.xautoclaim(stream, group, "one", 0)
    if len(claimed) == 3:  # Debian 12's redis-py gives the entries alone
        claimed = claimed[1]
    equal([entry for entry, _ in claimed], ids[20:])
    equal(client.xack(stream, group, *ids[20:]), 10)
    waiter = []
    thread = threading.Thread(
        target=lambda: waiter.append(client.xreadgroup(group, "one", {stream: ">"}, block=30000)), daemon=True)
    thread.start()
    until(lambda: any(one["cmd"] == "xreadgroup" and "b" in one["flags"] for one in client.client_list()))
    last = client.xadd(stream, {"late": "yes"})
    thread.join()
    equal(of_stream(waiter[0]), [(last, {"late": "yes"})])
    equal(client.xlen(stream), 31)
    equal(client.xinfo_groups(stream)[0]["name"], group)
    equal(client.xtrim(stream, maxlen=10, approximate=False), 21)


@thing
def scripts():
    limit = client.register_script(
        "local n = redis.call('incrby', KEYS[1], ARGV[1]) redis.call('rpush', KEYS[2], n) return {n, KEYS[2]}")
    equal(limit(keys=["{py:lua}n", "{py:lua}l"], args=[5]), [5, "{py:lua}l"])
    equal(limit(keys=["{py:lua}n", "{py:lua}l"], args=[2]), [7, "{py:lua}l"])
    equal(client.lrange("{py:lua}l", 0, -1), ["5", "7"])
    with client.pipeline() as pipeline:
        limit(keys=["{py:lua}n", "{py:lua}l"], args=[1], client=pipeline)
        pipeline.get("{py:lua}n")
        equal(pipeline.execute(), [[8, "{py:lua}l"], "8"])
    equal(client.eval("return {ARGV[1], 1, false, 'x'}", 0, "a"), ["a", 1, None, "x"])
    try:
        client.evalsha("f" * 40, 0)
        raise AssertionError("a script that nobody loaded was run")
    except redis.exceptions.NoScriptError:
        pass


@thing
def a_lock():
    counter = {"inside": 0, "sum": 0}

    def work(_):
        for _ in range(5):
            with client.lock("py:lock", timeout=30, sleep=0.005):
                counter["inside"] += 1
                assert counter["inside"] == 1, "two hold the lock"
                counter["sum"] += 1
                counter["inside"] -= 1

    in_threads(4, work)
    equal(counter["sum"], 20)
    held = client.lock("py:lock", timeout=30)
    assert held.acquire() and not client.lock("py:lock").acquire(blocking=False)
    assert held.extend(10) and held.reacquire()
    held.release()
    assert client.get("py:lock") is None


@thing
def scans():
    for start in range(0, 10500, 1500):
        client.mset({f"py:scan:{i}": i for i in range(start, start + 1500)})
    equal({key for key in client.scan_iter("py:scan:*", count=1000)}, {f"py:scan:{i}" for i in range(10500)})
    client.hset("py:scan:h", mapping={f"f{i}": i for i in range(1000)})
    equal(dict(client.hscan_iter("py:scan:h")), {f"f{i}": str(i) for i in range(1000)})
    client.sadd("py:scan:s", *range(1000))
    equal(set(client.sscan_iter("py:scan:s")), {str(i) for i in range(1000)})
    client.zadd("py:scan:z", {f"m{i}": i for i in range(1000)})
    equal(dict(client.zscan_iter("py:scan:z")), {f"m{i}": float(i) for i in range(1000)})


@thing
def types():
    equal(client.hset("py:h", mapping={"a": 1, "b": 2.5, "c": "x"}), 3)
    equal(client.hgetall("py:h"), {"a": "1", "b": "2.5", "c": "x"})
    equal(client.hincrbyfloat("py:h", "b", 0.25), 2.75)
    client.zadd("py:z", {"a": 1, "b": 2.5, "c": float("inf")})
    pair = (lambda m, s: [m, s]) if options else (lambda m, s: (m, s))
    equal(client.zrange("py:z", 0, -1, withscores=True), [pair("a", 1.0), pair("b", 2.5), pair("c", float("inf"))])
    equal(client.zincrby("py:z", 1.5, "a"), 2.5)
    equal(client.zrangebyscore("py:z", "(1", 3), ["a", "b"])
    equal(client.zrank("py:z", "c"), 2)
    client.geoadd("py:geo", [13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"])
    assert abs(client.geodist("py:geo", "Palermo", "Catania", "km") - 166.2742) < 0.001
    equal(client.geosearch("py:geo", longitude=15, latitude=37, radius=100, unit="km"), ["Catania"])
    equal(client.setbit("py:bits", 1000, 1), 0)
    equal((client.bitcount("py:bits"), client.getbit("py:bits", 1000), client.bitpos("py:bits", 1)), (1, 1, 1000))
    equal(client.bitfield("py:bits").set("u8", 0, 200).incrby("u8", 0, 10).execute(), [0, 210])
    equal(client.sadd("{py:s}1", "a", "b"), 2)
    equal(client.sadd("{py:s}2", "b", "c"), 2)
    equal((client.sinter("{py:s}1", "{py:s}2"), client.smembers("{py:s}1")), ({"b"}, {"a", "b"}))
    equal(client.pfadd("py:hll", *range(100)), 1)
    assert 95 <= client.pfcount("py:hll") <= 105
    assert client.set("py:once", "v", ex=100, nx=True) and not client.set("py:once", "w", nx=True)
    assert 90 < client.ttl("py:once") <= 100 and client.getdel("py:once") == "v"
    equal(client.type("py:z"), "zset")


@thing
def binary_and_large():
    key = bytes(range(256))
    value = b"\r\n$-1\r\n\0\xff" * 3 + key
    assert raw.set(b"py:" + key, value)
    equal(raw.get(b"py:" + key), value)
    equal(raw.hset("py:bin", key, value), 1)
    equal(raw.hgetall("py:bin"), {key: value})
    large = random.Random(7).randbytes(5_000_000)
    assert raw.set("py:large", large)
    assert raw.get("py:large") == large, "a large value came back otherwise"
    equal(raw.append("py:large", b"end"), 5_000_003)
    equal(raw.getrange("py:large", 4_999_998, -1), large[-2:] + b"end")
    equal(raw.rpush("py:many", *range(20000)), 20000)
    equal(raw.lrange("py:many", 0, -1), [str(i).encode() for i in range(20000)])


@thing
def a_connection_that_is_cut():
    lone = connect(single_connection_client=True)
    assert lone.set("py:cut", "v")
    identity = lone.client_id()
    subscriber = client.pubsub()
    subscriber.subscribe("py:after")
    equal(subscriber.get_message(timeout=30)["type"], "subscribe")
    assert client.client_kill_filter(_id=str(identity)) == 1
    until(lambda: all(one["id"] != str(identity) for one in client.client_list()))
    try:
        equal(lone.get("py:cut"), b"v")
    except redis.ConnectionError:  # it may be told of the end only by its next request
        equal(lone.get("py:cut"), b"v")
    assert lone.client_id() != identity
    # A subscriber connects and subscribes again by itself.
    assert client.client_kill_filter(_type="pubsub") >= 1
    heard = []

    def listen():
        while not heard:
            try:
                message = subscriber.get_message(timeout=1)
            except redis.ConnectionError:  # some versions say so once
                continue
            if message and message["type"] == "message":
                heard.append(message["data"])

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    until(lambda: client.publish("py:after", "again") == 1 and (thread.join(0.1) or heard))
    thread.join()
    equal(heard, ["again"])


for function in things:
    try:
        function()
    except BaseException:
        print(f"redis-py {redis.__version__}: {function.__name__}: {traceback.format_exc()}")
        sys.exit(1)
print("redis-py: ok")
