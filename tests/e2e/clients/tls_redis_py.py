"""redis-py with TLS: tls_redis_py.py PORT CA [CERT KEY]. Prints "ok" in the end."""

import sys
import threading

import redis

port, ca = int(sys.argv[1]), sys.argv[2]
options = {"host": "localhost", "port": port, "ssl": True, "ssl_ca_certs": ca, "ssl_cert_reqs": "required"}
if len(sys.argv) > 4:
    options["ssl_certfile"], options["ssl_keyfile"] = sys.argv[3], sys.argv[4]
client = redis.Redis(**options)
assert client.ping()
large = bytes(range(256)) * 20000
assert client.set("large", large) and client.get("large") == large

with client.pipeline(transaction=False) as pipe:
    for i in range(2000):
        pipe.incr("counter")
    assert pipe.execute() == list(range(1, 2001))
with client.pipeline(transaction=True) as pipe:
    pipe.set("{tx}a", 1)
    pipe.incr("{tx}a")
    assert pipe.execute() == [True, 2]

heard = []
subscriber = client.pubsub()
subscriber.subscribe("news")
assert subscriber.get_message(timeout=10)["type"] == "subscribe"


def listen():
    for message in subscriber.listen():
        heard.append(message["data"])
        if len(heard) == 100:
            return


listener = threading.Thread(target=listen)
listener.start()
for i in range(100):
    client.publish("news", str(i))
listener.join(30)
assert heard == [str(i).encode() for i in range(100)], heard

waiter = redis.Redis(**options)
waits = threading.Thread(target=lambda: heard.append(waiter.blpop("queue", 30)))
waits.start()
client.rpush("queue", "element")
waits.join(30)
assert heard[-1] == (b"queue", b"element"), heard[-1]

clients = [redis.Redis(**options) for _ in range(20)]
for i, one in enumerate(clients):
    assert one.set(f"key:{i}", i)
assert client.mget([f"key:{i}" for i in range(20)]) == [str(i).encode() for i in range(20)]
print("ok")
