// ioredis with its default options: everyday use, no warning. The port is the argument.

'use strict';

const assert = require('node:assert');
const Redis = require('ioredis');

process.on('warning', (warning) => {
  console.error(warning);
  process.exit(1);
});

async function main() {
  const client = new Redis(Number(process.argv[2]), '127.0.0.1');
  client.on('error', (error) => {
    console.error(error);
    process.exit(1);
  });
  assert.strictEqual(await client.ping(), 'PONG');
  assert.strictEqual(await client.set('js:k', 'v'), 'OK');
  assert.strictEqual(await client.get('js:k'), 'v');
  assert.strictEqual(await client.mset('js:1', 1, 'js:2', 2), 'OK');
  assert.deepStrictEqual(await client.mget('js:1', 'none', 'js:2'), ['1', null, '2']);
  assert.strictEqual(await client.hset('js:h', { a: 1, b: 2 }), 2);
  assert.deepStrictEqual(await client.hgetall('js:h'), { a: '1', b: '2' });
  assert.strictEqual((await client.getBuffer('js:k')).toString(), 'v');
  const pipeline = client.pipeline();
  for (let i = 0; i < 1000; ++i) pipeline.set(`js:p:${i}`, i);
  for (const [error, reply] of await pipeline.exec()) {
    assert.strictEqual(error, null);
    assert.strictEqual(reply, 'OK');
  }
  const results = await client.multi().set('js:m', 1).incr('js:m').hgetall('js:h').lpush('js:m', 1).get('js:m').exec();
  assert.deepStrictEqual(results.map(([error]) => error && error.message.split(' ')[0]), [null, null, null, 'WRONGTYPE', null]);
  assert.deepStrictEqual(results.map(([, reply]) => reply).slice(0, 3), ['OK', 2, { a: '1', b: '2' }]);
  assert.strictEqual(results[4][1], '2');
  assert.strictEqual(await client.multi({ pipeline: false }), 'OK');
  assert.strictEqual(await client.incr('js:m'), 'QUEUED');
  assert.deepStrictEqual(await client.exec(), [[null, 3]]);
  const other = client.duplicate();
  await client.watch('js:m');
  assert.strictEqual(await other.incr('js:m'), 4);
  assert.strictEqual(await client.multi().incr('js:m').exec(), null);
  assert.deepStrictEqual(await client.multi().incr('js:m').exec(), [[null, 5]]);
  await assert.rejects(client.multi().set('js:m').exec(), /EXECABORT/);
  await other.quit();
  const replies = await Promise.all([...Array(100).keys()].map((i) => client.get(`js:p:${i}`)));
  assert.deepStrictEqual(replies, [...Array(100).keys()].map(String));
  let scanned = 0;
  for await (const keys of client.scanStream({ match: 'js:p:*', count: 50 })) scanned += keys.length;
  assert.ok(scanned >= 1000, `${scanned} keys scanned`);
  await assert.rejects(client.incr('js:h'), /WRONGTYPE/);
  await client.quit();
  console.log('ioredis: ok');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
