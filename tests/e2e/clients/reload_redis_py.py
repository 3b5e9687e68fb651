"""redis-py on one connection, until SIGTERM, while the proxy's config changes. The port is the argument.

Every answer is checked: the keys are this client's own, and it knows what it wrote last. A key may be missing
(another shard may have it since), but it may not be older than that.
"""

import signal
import sys
import warnings

import redis

warnings.simplefilter("error")
stopped = False


def stop(*_):
    global stopped
    stopped = True


signal.signal(signal.SIGTERM, stop)
client = redis.Redis(host="127.0.0.1", port=int(sys.argv[1]), decode_responses=True,
                     single_connection_client=True)
identity = client.client_id()
values = {f"py:value:{i}": None for i in range(20)}
counts = {f"py:count:{i}": 0 for i in range(20)}
answers = 0
misses = 0


def check(name, value):
    global misses
    if value is None:
        misses += values[name] is not None
    else:
        assert value == values[name], f"{name} is {value}, expected {values[name]}"


version = 0
print("redis-py: begun", flush=True)
while not stopped:
    with client.pipeline(transaction=False) as pipeline:
        asked = []
        for name in list(values)[version % 4::4]:
            version += 1
            asked.append((name, f"{name}={version}"))
            pipeline.set(name, asked[-1][1])
            pipeline.echo(str(version))
            pipeline.get(name)
        replies = pipeline.execute()
    assert len(replies) == 3 * len(asked)
    for at, (name, value) in enumerate(asked):
        assert replies[3 * at] is True
        assert value.endswith("=" + replies[3 * at + 1]), (value, replies[3 * at + 1])
        values[name] = value
        check(name, replies[3 * at + 2])
    for name, value in zip(values, client.mget(list(values))):
        check(name, value)
    for name in counts:
        count = client.incr(name)
        assert count in (counts[name] + 1, 1), f"{name} is {count}, expected {counts[name] + 1}"
        counts[name] = count
    answers += len(replies) + len(values) + len(counts)
    version += 1
assert client.client_id() == identity, "the connection was lost in between"
print(f"redis-py: ok, {answers} answers, {misses} misses")
