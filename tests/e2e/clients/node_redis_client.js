// node-redis in RESP3 and in RESP2 at the same time. The port is the argument.

'use strict';

const assert = require('node:assert');
const { createClient, WatchError } = require('@redis/client');

process.on('warning', (warning) => {
  console.error(warning);
  process.exit(1);
});

async function everydayUse(client, prefix) {
  const key = (name) => `${prefix}:${name}`;
  assert.strictEqual(await client.ping(), 'PONG');
  assert.strictEqual(await client.set(key('k'), 'v'), 'OK');
  assert.strictEqual(await client.get(key('k')), 'v');
  assert.strictEqual(await client.get(key('none')), null);
  assert.deepStrictEqual(await client.mGet([key('k'), key('none')]), ['v', null]);
  assert.strictEqual(await client.hSet(key('h'), { a: 1, b: 2 }), 2);
  assert.deepStrictEqual({ ...(await client.hGetAll(key('h'))) }, { a: '1', b: '2' });
  assert.strictEqual(await client.sAdd(key('s'), ['x', 'y']), 2);
  assert.deepStrictEqual([...(await client.sMembers(key('s')))].sort(), ['x', 'y']);
  await client.zAdd(key('z'), [{ score: 1.5, value: 'a' }, { score: 1e300, value: 'b' }]);
  assert.strictEqual(await client.zScore(key('z'), 'a'), 1.5);
  assert.strictEqual(await client.zScore(key('z'), 'none'), null);
  assert.deepStrictEqual(
    (await client.zRangeWithScores(key('z'), 0, -1)).map(({ value, score }) => [value, score]),
    [['a', 1.5], ['b', 1e300]]);
  assert.strictEqual(await client.zIncrBy(key('z'), 0.5, 'a'), 2);
  assert.deepStrictEqual({ ...(await client.zPopMin(key('z'))) }, { value: 'a', score: 2 });
  await client.xAdd(key('st'), '1-1', { f: 'v' });
  const read = await client.xRead({ key: key('st'), id: '0' });
  assert.strictEqual(JSON.stringify(read).includes('"1-1"'), true);
  await client.geoAdd(key('g'), { longitude: 13.361389, latitude: 38.115556, member: 'p' });
  assert.ok(Math.abs(Number((await client.geoPos(key('g'), 'p'))[0].longitude) - 13.361389) < 1e-4);
  assert.strictEqual(await client.lPop(key('none')), null);
  const many = await Promise.all([...Array(1000).keys()].map((i) => client.incrBy(key('n'), i)));
  assert.strictEqual(many.length, 1000);
  assert.strictEqual(many[999], 499500);
  let scanned = 0;
  for await (const keys of client.scanIterator({ MATCH: key('*'), COUNT: 50 })) scanned += keys.length;
  assert.ok(scanned >= 7, `${scanned} keys scanned`);
  await assert.rejects(client.incr(key('h')), /WRONGTYPE/);
  assert.ok((await client.info()).includes('gemel_version'));
}

async function transactions(client, other, prefix) {
  const key = (name) => `${prefix}:{t}:${name}`;
  assert.deepStrictEqual(
    await client.multi().set(key('n'), 1).incr(key('n')).zAdd(key('z'), { score: 1.5, value: 'a' })
      .zScore(key('z'), 'a').get(key('none')).sMembers(key('none')).exec(),
    ['OK', 2, 1, 1.5, null, []]);
  assert.deepStrictEqual(await client.multi().exec(), []);
  const error = await client.multi().set(key('s'), 'x').incr(key('s')).get(key('s')).exec().catch((e) => e);
  assert.deepStrictEqual([error.replies.length, error.errorIndexes], [3, [1]]);
  assert.strictEqual(await client.watch([key('n'), key('none')]), 'OK');
  assert.strictEqual(await other.incr(key('n')), 3);
  await assert.rejects(client.multi().incr(key('n')).exec(), (e) => e instanceof WatchError);
  assert.strictEqual(await client.watch(key('n')), 'OK');
  assert.strictEqual(await client.unwatch(), 'OK');
  assert.strictEqual(await other.incr(key('n')), 4);
  assert.deepStrictEqual(await client.multi().incr(key('n')).exec(), [5]);
  // Many at once, over one connection.
  const many = await Promise.all(
    [...Array(200).keys()].map(() => client.multi().incr(key('m')).incrBy(key('m'), 2).exec()));
  assert.deepStrictEqual(many[199], [598, 600]);
}

async function connect(RESP) {
  const client = createClient({ RESP, unstableResp3: true, url: `redis://127.0.0.1:${process.argv[2]}` });
  client.on('error', (error) => {
    console.error(error);
    process.exit(1);
  });
  await client.connect();
  return client;
}

async function main() {
  const clients = [await connect(3), await connect(2), await connect(3)];
  await Promise.all(clients.map((client, i) => everydayUse(client, `node:${i}`)));
  await transactions(clients[0], clients[1], 'node:three');
  await transactions(clients[1], clients[2], 'node:two');
  for (const client of clients) await client.close();
  console.log('node-redis: ok');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
