// ioredis on one connection, until SIGTERM, while the proxy's config changes. The port is the argument.
//
// Every answer is checked: the keys are this client's own, and it knows what it wrote last. A key may be
// missing (another shard may have it since), but it may not be older than that.

'use strict';

const assert = require('node:assert');
const Redis = require('ioredis');

let stopped = false;
process.on('SIGTERM', () => { stopped = true; });

function fail(error) {
  console.error(error);
  process.exit(1);
}

async function main() {
  const client = new Redis(Number(process.argv[2]), '127.0.0.1', { retryStrategy: () => null });
  client.on('error', fail);
  client.on('close', () => { if (!stopped) fail(new Error('the connection was lost')); });
  const values = new Map();
  const counts = new Map();
  for (let i = 0; i < 20; ++i) {
    values.set(`js:value:${i}`, null);
    counts.set(`js:count:${i}`, 0);
  }
  let answers = 0;
  let misses = 0;
  const check = (name, value) => {
    if (value === null) {
      misses += values.get(name) === null ? 0 : 1;
    } else {
      assert.strictEqual(value, values.get(name), name);
    }
  };
  console.log('ioredis: begun');
  for (let round = 0; !stopped; ++round) {
    // All at once: ioredis tells the replies apart by their order alone.
    const all = [];
    for (const name of values.keys()) {
      const value = `${name}=${round}`;
      all.push(client.set(name, value).then((reply) => {
        assert.strictEqual(reply, 'OK');
        values.set(name, value);
      }));
      all.push(client.echo(value).then((reply) => assert.strictEqual(reply, value)));
      all.push(client.get(name).then((reply) => check(name, reply)));
    }
    for (const name of counts.keys()) {
      all.push(client.incr(name).then((count) => {
        assert.ok(count === counts.get(name) + 1 || count === 1,
          `${name} is ${count}, expected ${counts.get(name) + 1}`);
        counts.set(name, count);
      }));
    }
    await Promise.all(all);
    const replies = await client.mget(...values.keys());
    [...values.keys()].forEach((name, at) => check(name, replies[at]));
    answers += all.length + replies.length;
  }
  await client.quit();
  console.log(`ioredis: ok, ${answers} answers, ${misses} misses`);
}

main().catch(fail);
