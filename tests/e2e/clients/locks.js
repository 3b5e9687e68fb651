// redlock, a lock that many processes share. The port is the argument.

'use strict';

const assert = require('node:assert');
const Redis = require('ioredis');
const Redlock = require('redlock').default;
const { pause, range, run, until } = require('./work.js');

const equal = assert.deepStrictEqual;
const clients = range(4).map(() => new Redis(Number(process.argv[2]), '127.0.0.1'));
const locks = clients.map((client) => {
  client.on('error', (error) => {
    console.error(error);
    process.exit(1);
  });
  return new Redlock([client], { retryCount: 5000, retryDelay: 10, retryJitter: 5 });
});

async function oneAtATime() {
  let inside = 0;
  let sum = 0;
  await Promise.all(range(24).map((i) => locks[i % locks.length].using(['{lock}a', '{lock}b'], 30000, async () => {
    equal(++inside, 1, 'two hold the lock');
    const before = sum;
    await pause(1);
    sum = before + 1;
    --inside;
  })));
  equal(sum, 24);
  equal(await clients[0].exists('{lock}a', '{lock}b'), 0);
}

async function aLockIsItsHoldersAlone() {
  const [one, other] = clients.map((client) => new Redlock([client], { retryCount: 0 }));
  let held = await one.acquire(['{lock}a'], 30000);
  await assert.rejects(other.acquire(['{lock}a'], 1000), /unable to achieve a quorum/);
  held = await held.extend(60000);
  assert.ok(await clients[1].pttl('{lock}a') > 30000);
  await held.release();
  await assert.rejects(held.release(), /unable to achieve a quorum/);
}

async function aLockThatNobodyGivesBackExpires() {
  await locks[0].acquire(['{lock}a'], 50);
  const next = await locks[1].acquire(['{lock}a'], 30000);
  await next.release();
  await until(async () => await clients[0].exists('{lock}a') === 0);
}

async function end() {
  await Promise.all(clients.map((client) => client.quit()));
}

run('redlock', [oneAtATime, aLockIsItsHoldersAlone, aLockThatNobodyGivesBackExpires, end]);
