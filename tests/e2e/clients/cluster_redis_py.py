"""redis-py's client of a Redis Cluster with its default options. The arguments are the port and, if not its default,
the protocol.
"""

import sys

from redis.cluster import RedisCluster

port = int(sys.argv[1])
options = {"protocol": int(sys.argv[2])} if len(sys.argv) > 2 else {}
client = RedisCluster(host="127.0.0.1", port=port, decode_responses=True, **options)
assert [node.port for node in client.get_primaries()] == [port]
for number in range(200):
    assert client.set(f"cpy:{number}", number)
for number in range(200):
    assert client.get(f"cpy:{number}") == str(number)
assert client.mget_nonatomic([f"cpy:{number}" for number in range(50)]) == [str(number) for number in range(50)]
assert client.delete(*[f"cpy:{number}" for number in range(100)]) == 100
with client.pipeline() as pipeline:
    for number in range(100):
        pipeline.incr("{cpy}n")
    assert pipeline.execute() == list(range(1, 101))
assert client.eval("return redis.call('incr', KEYS[1])", 1, "{cpy}n") == 101
assert client.cluster_keyslot("{cpy}n") == client.keyslot("{cpy}n")
assert client.cluster_countkeysinslot(client.keyslot("{cpy}n")) == 1
assert client.cluster_get_keys_in_slot(client.keyslot("{cpy}n"), 10) == ["{cpy}n"]
assert len(list(client.scan_iter("cpy:*"))) == 100
client.close()
print("redis-py cluster: ok")
