// rate-limiter-flexible with ioredis and with node-redis. The port is the argument.

'use strict';

const assert = require('node:assert');
const Redis = require('ioredis');
const { createClient } = require('redis');
const { RateLimiterRedis, BurstyRateLimiter } = require('rate-limiter-flexible');
const { range, run } = require('./work.js');

const equal = assert.deepStrictEqual;
const stores = {};

function fail(error) {
  console.error(error);
  process.exit(1);
}

async function starts() {
  stores.ioredis = { storeClient: new Redis(Number(process.argv[2]), '127.0.0.1') };
  const client = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` });
  stores.node = { storeClient: client, useRedisPackage: true };
  for (const { storeClient } of Object.values(stores)) storeClient.on('error', fail);
  await client.connect();
}

const limiter = (name, options) =>
  new RateLimiterRedis({ ...stores[name], keyPrefix: `limit:${name}`, points: 10, duration: 60, ...options });

async function noMoreThanIsAllowed() {
  for (const name of Object.keys(stores)) {
    const limits = limiter(name, { blockDuration: 30 });
    const outcomes = await Promise.allSettled(range(25).map(() => limits.consume('someone')));
    equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 10, name);
    for (const { reason } of outcomes.filter(({ status }) => status === 'rejected')) {
      assert.ok(reason.msBeforeNext > 0 && reason.remainingPoints === 0, `${name}: ${reason}`);
    }
    const left = await limits.consume('another', 3);
    equal([left.remainingPoints, left.consumedPoints, left.isFirstInDuration], [7, 3, true], name);
  }
}

async function pointsAreKept() {
  for (const name of Object.keys(stores)) {
    const limits = limiter(name, { keyPrefix: `kept:${name}` });
    await limits.consume('k', 4);
    equal((await limits.penalty('k', 2)).consumedPoints, 6);
    equal((await limits.reward('k', 5)).consumedPoints, 1);
    equal((await limits.get('k')).remainingPoints, 9);
    await limits.block('k', 20);
    await assert.rejects(limits.consume('k'), (reason) => reason.msBeforeNext > 0);
    equal(await limits.delete('k'), true);
    equal(await limits.get('k'), null);
    await limits.set('k', 9, 60);
    equal((await limits.consume('k')).remainingPoints, 0);
  }
}

async function burstsToo() {
  const bursty = new BurstyRateLimiter(limiter('ioredis', { keyPrefix: 'calm', points: 2 }),
    limiter('ioredis', { keyPrefix: 'burst', points: 5 }));
  const outcomes = await Promise.allSettled(range(12).map(() => bursty.consume('x')));
  equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 7);
}

async function end() {
  await stores.ioredis.storeClient.quit();
  await stores.node.storeClient.close();
}

run('rate-limiter-flexible', [starts, noMoreThanIsAllowed, pointsAreKept, burstsToo, end]);
