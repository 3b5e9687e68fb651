// ioredis's client of a Redis Cluster with its default options. The port is the argument.

'use strict';

const assert = require('node:assert');
const Redis = require('ioredis');

async function main() {
  const port = Number(process.argv[2]);
  const cluster = new Redis.Cluster([{ host: '127.0.0.1', port }]);
  cluster.on('error', (error) => {
    console.error(error);
    process.exit(1);
  });
  for (let i = 0; i < 200; ++i) assert.strictEqual(await cluster.set(`cjs:${i}`, i), 'OK');
  for (let i = 0; i < 200; ++i) assert.strictEqual(await cluster.get(`cjs:${i}`), String(i));
  assert.deepStrictEqual(cluster.nodes('master').map((node) => node.options.port), [port]);
  const results = await cluster.multi().set('{cjs}a', 1).incr('{cjs}a').get('{cjs}a').exec();
  assert.deepStrictEqual(results.map(([, reply]) => reply), ['OK', 2, '2']);
  assert.strictEqual(await cluster.eval("return redis.call('incr', KEYS[1])", 1, '{cjs}a'), 3);
  const pipeline = cluster.pipeline();
  for (let i = 0; i < 100; ++i) pipeline.incr('{cjs}n');
  assert.deepStrictEqual((await pipeline.exec()).map(([, reply]) => reply), [...Array(100).keys()].map((i) => i + 1));
  const slot = await cluster.cluster('KEYSLOT', '{cjs}a');
  assert.strictEqual(await cluster.cluster('COUNTKEYSINSLOT', slot), 2);
  await cluster.quit();
  console.log('ioredis cluster: ok');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
