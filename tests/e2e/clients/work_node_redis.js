// What applications do with node-redis. The arguments are the port and the package: redis4, or redis, the newest,
// which speaks RESP3 unless told otherwise.

'use strict';

const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const redis = require(process.argv[3]);
const { range, run, until } = require('./work.js');

const equal = assert.deepStrictEqual;
const plain = (value) => JSON.parse(JSON.stringify(value));
const isOld = redis.commandOptions !== undefined;
const name = isOld ? 'node-redis 4' : 'node-redis';
const open = [];

const limit = redis.defineScript({
  NUMBER_OF_KEYS: 2,
  SCRIPT: "local n = redis.call('incrby', KEYS[1], ARGV[1]) redis.call('rpush', KEYS[2], n) return {n, KEYS[2]}",
  transformArguments: (key, list, by) => [key, list, String(by)],
  parseCommand: (parser, key, list, by) => {
    parser.pushKey(key);
    parser.pushKey(list);
    parser.push(String(by));
  },
  transformReply: (reply) => reply,
});

let client;

async function connect(mayBeCut = false) {
  const one = redis.createClient({ url: `redis://127.0.0.1:${process.argv[2]}`, scripts: { limit } });
  one.on('error', (error) => {
    if (mayBeCut) return;
    console.error(error);
    process.exit(1);
  });
  await one.connect();
  open.push(one);
  return one;
}

// Of what an iterator gives: version 4 gives one at a time.
async function all(iterator) {
  const found = [];
  for await (const some of iterator) found.push(...(Array.isArray(some) ? some : [some]));
  return found;
}

async function aPool() {
  client = await connect();
  const work = async (isolated, i) => {
    equal(await isolated.set(`node:pool:${i}`, i), 'OK');
    equal(await isolated.get(`node:pool:${i}`), String(i));
    await isolated.incr('node:pool:sum');
  };
  if (isOld) {
    await Promise.all(range(300).map((i) => client.executeIsolated((isolated) => work(isolated, i))));
  } else {
    const pool = redis.createClientPool({ url: `redis://127.0.0.1:${process.argv[2]}` }, { maximum: 4 });
    pool.on('error', console.error);
    await pool.connect();
    await Promise.all(range(300).map((i) => work(pool, i)));
    equal(await pool.multi().incr('node:pool:sum').exec(), [301]);
    await pool.decr('node:pool:sum');
    await pool.close();
  }
  equal(await client.get('node:pool:sum'), '300');
}

async function pipelines() {
  const replies = await Promise.all(range(1000).flatMap((i) =>
    [client.set(`node:pipe:${i}`, i), client.get(`node:pipe:${i}`)]));
  equal(replies, range(1000).flatMap((i) => ['OK', String(i)]));
  equal(await client.multi().set('{node:p}a', 1).incr('{node:p}a').execAsPipeline(), ['OK', 2]);
  await assert.rejects(client.lPush('node:pipe:0', 'x'), /WRONGTYPE/);
}

async function transactionsThatTryAgain() {
  const add = async (own) => {
    for (let done = 0; done < 15;) {
      await own.watch('{node:tx}n');
      const now = Number(await own.get('{node:tx}n'));
      try {
        await own.multi().set('{node:tx}n', now + 1).rPush('{node:tx}log', String(now)).exec();
        ++done;
      } catch (error) {
        if (!(error instanceof redis.WatchError)) throw error;
      }
    }
  };
  await Promise.all((await Promise.all(range(4).map(() => connect()))).map(add));
  equal(await client.get('{node:tx}n'), '60');
  equal(await client.lRange('{node:tx}log', 0, -1), range(60).map(String));
}

async function publishAndSubscribe() {
  const subscriber = await connect();
  const heard = { one: [], pattern: [] };
  await subscriber.subscribe(['node:news', 'node:more'], (message, channel) => heard.one.push([channel, message]));
  await subscriber.pSubscribe('node:n*', (message, channel) => heard.pattern.push([channel, message]));
  for (const i of range(50)) equal(await client.publish('node:news', String(i)), 2);
  equal(await client.publish('node:more', 'x'), 1);
  equal(await client.publish('node:else', 'x'), 0);
  await until(() => heard.one.length === 51 && heard.pattern.length === 50);
  equal(heard.pattern, range(50).map((i) => ['node:news', String(i)]));
  equal(heard.one, [...heard.pattern, ['node:more', 'x']]);
  equal(plain(await client.pubSubNumSub(['node:news', 'node:else'])), { 'node:news': 1, 'node:else': 0 });
  // In RESP3 one connection does both.
  if (!isOld) equal(await subscriber.get('node:pipe:1'), '1');
  await subscriber.unsubscribe(['node:news', 'node:more']);
  await subscriber.pUnsubscribe('node:n*');
  equal(await subscriber.ping(), 'PONG');
  equal(await client.publish('node:news', 'x'), 0);
  const sharded = new Promise((done) => subscriber.sSubscribe('node:sharded', done).then(() =>
    client.sPublish('node:sharded', 's')));
  equal(await sharded, 's');
  await subscriber.sUnsubscribe('node:sharded');
}

async function popsThatWait() {
  const queues = ['{node:q}high', '{node:q}low'];
  const popped = [];
  const worker = async (own) => {
    for (;;) {
      const { key, element } = await own.blPop(queues, 30);
      if (element === 'end') return;
      popped.push(Number(element));
      equal(key, queues[element % 2]);
    }
  };
  const workers = (await Promise.all(range(3).map(() => connect()))).map(worker);
  for (const i of range(60)) await client.rPush(queues[i % 2], String(i));
  await client.rPush(queues[1], ['end', 'end', 'end']);
  await Promise.all(workers);
  equal(popped.sort((a, b) => a - b), range(60));
  equal(await client.blPop(queues[0], 0.05), null);
  const other = await connect();
  const waits = other.bzPopMin('{node:q}z', 30);
  await until(async () => (await client.sendCommand(['CLIENT', 'LIST'])).includes('cmd=bzpopmin'));
  await client.zAdd('{node:q}z', { score: 1.5, value: 'm' });
  equal(plain(await waits), { key: '{node:q}z', value: 'm', score: 1.5 });
}

async function streamsAndGroups() {
  const [stream, group] = ['node:stream', 'workers'];
  equal(await client.xGroupCreate(stream, group, '0', { MKSTREAM: true }), 'OK');
  const ids = await Promise.all(range(30).map((i) => client.xAdd(stream, '*', { n: String(i) })));
  const read = async (own, consumer, options) =>
    plain(await own.xReadGroup(group, consumer, { key: stream, id: '>' }, options))[0].messages;
  const entries = [...await read(client, 'one', { COUNT: 20 }), ...await read(client, 'two', { COUNT: 20 })];
  equal(entries.map(({ id, message }) => [id, message]), ids.map((id, i) => [id, { n: String(i) }]));
  equal(await client.xAck(stream, group, ids.slice(0, 20)), 20);
  equal((await client.xPending(stream, group)).pending, 10);
  equal((await client.xClaim(stream, group, 'one', 0, ids.slice(20, 25))).map(({ id }) => id), ids.slice(20, 25));
  equal((await client.xAutoClaim(stream, group, 'one', 0, '0')).messages.map(({ id }) => id), ids.slice(20));
  equal(await client.xAck(stream, group, ids.slice(20)), 10);
  const waits = read(await connect(), 'one', { BLOCK: 30000 });
  await until(async () => (await client.sendCommand(['CLIENT', 'LIST'])).includes('cmd=xreadgroup'));
  const last = await client.xAdd(stream, '*', { late: 'yes' });
  equal((await waits).map(({ id, message }) => [id, message]), [[last, { late: 'yes' }]]);
  equal(await client.xLen(stream), 31);
  equal((await client.xInfoGroups(stream)).map((one) => one.name), [group]);
}

async function scripts() {
  equal(await client.limit('{node:lua}n', '{node:lua}l', 5), [5, '{node:lua}l']);
  equal(await client.limit('{node:lua}n', '{node:lua}l', 2), [7, '{node:lua}l']);
  equal(await client.multi().limit('{node:lua}n', '{node:lua}l', 1).get('{node:lua}n').exec(), [[8, '{node:lua}l'], '8']);
  equal(await client.lRange('{node:lua}l', 0, -1), ['5', '7', '8']);
  equal(await client.eval('return {KEYS[1], ARGV[1], 1, false}', { keys: ['node:k'], arguments: ['a'] }),
    ['node:k', 'a', 1, null]);
  const sha = await client.scriptLoad('return ARGV[1]');
  equal(await client.evalSha(sha, { keys: [], arguments: ['a'] }), 'a');
  await assert.rejects(client.evalSha('f'.repeat(40)), /NOSCRIPT/);
}

async function scans() {
  for (let start = 0; start < 10500; start += 1500) {
    await client.mSet(range(1500).map((i) => [`node:scan:${start + i}`, String(i)]));
  }
  const found = await all(client.scanIterator({ MATCH: 'node:scan:*', COUNT: 1000 }));
  equal(new Set(found), new Set(range(10500).map((i) => `node:scan:${i}`)));
  await client.hSet('node:scan:h', Object.fromEntries(range(1000).map((i) => [`f${i}`, i])));
  equal((await all(client.hScanIterator('node:scan:h'))).length, 1000);
  await client.zAdd('node:scan:z', range(1000).map((i) => ({ score: i, value: `m${i}` })));
  equal((await all(client.zScanIterator('node:scan:z'))).map(({ score }) => score).sort((a, b) => a - b), range(1000));
}

async function types() {
  equal(await client.hSet('node:h', { a: 1, b: 2.5 }), 2);
  equal(Number(await client.hIncrByFloat('node:h', 'b', 0.25)), 2.75);
  equal(plain(await client.hGetAll('node:h')), { a: '1', b: '2.75' });
  equal(await client.zAdd('node:z', [{ score: 1, value: 'a' }, { score: 1e300, value: 'b' }]), 2);
  equal((await client.zRangeWithScores('node:z', 0, -1)).map(({ value, score }) => [value, score]),
    [['a', 1], ['b', 1e300]]);
  equal(await client.zIncrBy('node:z', 1.5, 'a'), 2.5);
  await client.geoAdd('node:geo', [{ longitude: 13.361389, latitude: 38.115556, member: 'Palermo' },
    { longitude: 15.087269, latitude: 37.502669, member: 'Catania' }]);
  equal(Number(await client.geoDist('node:geo', 'Palermo', 'Catania', 'km')), 166.2742);
  equal(await client.geoSearch('node:geo', { longitude: 15, latitude: 37 }, { radius: 100, unit: 'km' }), ['Catania']);
  equal(await client.setBit('node:bits', 1000, 1), 0);
  equal([await client.bitCount('node:bits'), await client.bitPos('node:bits', 1)], [1, 1000]);
  await client.sAdd('{node:s}1', ['a', 'b']);
  await client.sAdd('{node:s}2', ['b', 'c']);
  equal([...await client.sInter(['{node:s}1', '{node:s}2'])], ['b']);
  equal(await client.set('node:once', 'v', { EX: 100, NX: true }), 'OK');
  equal(await client.set('node:once', 'w', { NX: true }), null);
}

async function binaryAndLarge() {
  const bytes = isOld
    ? { get: (key) => client.get(redis.commandOptions({ returnBuffers: true }), key) }
    : client.withTypeMapping({ [redis.RESP_TYPES.BLOB_STRING]: Buffer });
  const key = Buffer.concat([Buffer.from('node:'), Buffer.from(range(256))]);
  const value = Buffer.concat([Buffer.from('\r\n$-1\r\n\0'), key]);
  equal(await client.set(key, value), 'OK');
  equal(await bytes.get(key), value);
  const large = randomBytes(5000000);
  equal(await client.set('node:large', large), 'OK');
  assert.ok(large.equals(await bytes.get('node:large')), 'a large value came back otherwise');
  await client.rPush('node:many', range(20000).map(String));
  equal(await client.lRange('node:many', 0, -1), range(20000).map(String));
}

async function aConnectionThatIsCut() {
  const lone = await connect(true);
  const subscriber = await connect(true);
  const heard = [];
  await subscriber.subscribe('node:after', (message) => heard.push(message));
  const id = await lone.sendCommand(['CLIENT', 'ID']);
  const cut = new Promise((done) => lone.once('reconnecting', done));
  assert.ok(await client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']) >= 1);
  equal(await client.sendCommand(['CLIENT', 'KILL', 'ID', String(id)]), 1);
  await until(async () => await client.publish('node:after', 'again') === 1);
  await until(() => heard.length === 1);
  await cut;
  equal(await lone.set('node:cut', 'v'), 'OK');
  assert.notStrictEqual(await lone.sendCommand(['CLIENT', 'ID']), id);
}

async function end() {
  await Promise.all(open.map((one) => one.quit()));
}

run(name, [aPool, pipelines, transactionsThatTryAgain, publishAndSubscribe, popsThatWait, streamsAndGroups, scripts,
  scans, types, binaryAndLarge, aConnectionThatIsCut, end]);
