"""Celery with gemel as its broker and for its results. The arguments are the port and a prefix of all its keys.

The prefix is a hash tag where there are several shards, for transactions over keys that Celery names. Those of a chord
Celery 5.2 does not prefix: a chord needs one shard.
"""

import faulthandler
import logging
import os
import sys

from celery import Celery, chain, chord, group
from celery.contrib.testing.worker import start_worker

faulthandler.dump_traceback_later(100, exit=True)  # what hangs is named
url = f"redis://127.0.0.1:{int(sys.argv[1])}/0"
prefix = {"global_keyprefix": sys.argv[2]} if sys.argv[2] else {}
app = Celery("work", broker=url, backend=url)
app.conf.update(broker_transport_options=prefix, task_acks_late=True, worker_hijack_root_logger=False)


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def at_the_third_time(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task
def fails():
    raise ValueError("as it should")


def equal(actual, expected):
    assert actual == expected, f"{actual!r} instead of {expected!r}"


def value_of(result):
    return result.get(timeout=40)


logging.disable(logging.ERROR)
with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False, shutdown_timeout=30):
    equal(value_of(add.delay(2, 3)), 5)
    equal(value_of(group(add.s(i, i) for i in range(50))()), [2 * i for i in range(50)])
    equal(value_of(chain(add.s(1, 2), add.s(10), add.s(100))()), 113)
    if not prefix:
        equal(value_of(chord((add.s(i, 1) for i in range(10)), total.s())()), 55)
    later = add.apply_async((1, 1), countdown=0.2)
    equal(value_of(at_the_third_time.delay()), 2)
    equal(value_of(later), 2)
    try:
        value_of(fails.delay())
        raise SystemExit("no error for a task that failed")
    except ValueError as error:
        equal(str(error), "as it should")
    assert app.control.ping(timeout=5, limit=1), "the worker does not answer"
print("celery: ok")
sys.stdout.flush()
os._exit(0)  # its threads take their time
