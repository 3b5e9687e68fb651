// What applications do with ioredis. The port is the argument.

'use strict';

const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const Redis = require('ioredis');
const { range, run, until } = require('./work.js');

const equal = assert.deepStrictEqual;
const open = [];

function connect(options = {}) {
  const client = new Redis(Number(process.argv[2]), '127.0.0.1', options);
  client.on('error', (error) => {
    console.error(error);
    process.exit(1);
  });
  open.push(client);
  return client;
}

const client = connect();

async function manyConnections() {
  const pool = range(6).map(() => connect());
  await Promise.all(range(300).map(async (i) => {
    const one = pool[i % pool.length];
    equal(await one.set(`js:pool:${i}`, i), 'OK');
    equal(await pool[(i + 1) % pool.length].get(`js:pool:${i}`), String(i));
    await one.incr('js:pool:sum');
  }));
  equal(await client.get('js:pool:sum'), '300');
}

async function pipelines() {
  const pipeline = client.pipeline();
  for (const i of range(1000)) pipeline.set(`js:pipe:${i}`, i).get(`js:pipe:${i}`);
  const replies = await pipeline.exec();
  equal(replies, range(1000).flatMap((i) => [[null, 'OK'], [null, String(i)]]));
  const [[error], [, value]] = await client.pipeline().lpush('js:pipe:0', 'x').get('js:pipe:0').exec();
  assert.match(error.message, /WRONGTYPE/);
  equal(value, '0');
  const lone = connect({ enableAutoPipelining: true });
  equal(await Promise.all(range(200).map((i) => lone.get(`js:pipe:${i}`))), range(200).map(String));
}

async function transactionsThatTryAgain() {
  const add = async (own) => {
    for (let done = 0; done < 15;) {
      await own.watch('{js:tx}n');
      const now = Number(await own.get('{js:tx}n'));
      if (await own.multi().set('{js:tx}n', now + 1).rpush('{js:tx}log', now).exec() !== null) ++done;
    }
  };
  await Promise.all(range(4).map(() => add(connect())));
  equal(await client.get('{js:tx}n'), '60');
  equal(await client.lrange('{js:tx}log', 0, -1), range(60).map(String));
}

async function publishAndSubscribe() {
  const subscriber = connect();
  const heard = { message: [], pmessage: [] };
  subscriber.on('message', (channel, message) => heard.message.push([channel, message]));
  subscriber.on('pmessage', (pattern, channel, message) => heard.pmessage.push([channel, message]));
  equal(await subscriber.subscribe('js:news', 'js:more'), 2);
  equal(await subscriber.psubscribe('js:n*'), 3);
  for (const i of range(50)) equal(await client.publish('js:news', i), 2);
  equal(await client.publish('js:more', 'x'), 1);
  equal(await client.publish('js:else', 'x'), 0);
  await until(() => heard.message.length === 51 && heard.pmessage.length === 50);
  equal(heard.pmessage, range(50).map((i) => ['js:news', String(i)]));
  equal(heard.message, [...heard.pmessage, ['js:more', 'x']]);
  equal(await client.pubsub('NUMSUB', 'js:news', 'js:else'), ['js:news', 1, 'js:else', 0]);
  await subscriber.unsubscribe('js:news', 'js:more');
  await subscriber.punsubscribe('js:n*');
  equal(await subscriber.ping(), 'PONG');
  equal(await client.publish('js:news', 'x'), 0);
  const buffers = connect();
  const bytes = randomBytes(100);
  const received = new Promise((done) => buffers.on('messageBuffer', (_, message) => done(message)));
  await buffers.subscribe('js:bytes');
  equal(await client.publish('js:bytes', bytes), 1);
  equal(await received, bytes);
}

async function popsThatWait() {
  const queues = ['{js:q}high', '{js:q}low'];
  const popped = [];
  const worker = async (own) => {
    for (;;) {
      const [queue, item] = await own.blpop(...queues, 30);
      if (item === 'end') return;
      popped.push(Number(item));
      equal(queue, queues[item % 2]);
    }
  };
  const workers = range(3).map(() => worker(connect()));
  for (const i of range(60)) await client.rpush(queues[i % 2], i);
  await client.rpush(queues[1], 'end', 'end', 'end');
  await Promise.all(workers);
  equal(popped.sort((a, b) => a - b), range(60));
  equal(await client.blpop(queues[0], 0.05), null);
  const other = connect();
  const waits = other.bzpopmin('{js:q}z', 30);
  await until(async () => (await client.client('LIST')).includes('cmd=bzpopmin'));
  await client.zadd('{js:q}z', 1.5, 'm');
  equal(await waits, ['{js:q}z', 'm', '1.5']);
  const moved = other.brpoplpush(queues[0], queues[1], 30);
  await client.rpush(queues[0], 'x');
  equal(await moved, 'x');
}

async function streamsAndGroups() {
  const [stream, group] = ['js:stream', 'workers'];
  await client.xgroup('CREATE', stream, group, '0', 'MKSTREAM');
  await assert.rejects(client.xgroup('CREATE', stream, group, '0'), /BUSYGROUP/);
  const ids = [];
  for (const i of range(30)) ids.push(await client.xadd(stream, '*', 'n', i));
  const read = async (consumer) =>
    (await client.xreadgroup('GROUP', group, consumer, 'COUNT', 20, 'STREAMS', stream, '>'))[0][1];
  const entries = [...await read('one'), ...await read('two')];
  equal(entries, ids.map((id, i) => [id, ['n', String(i)]]));
  equal(await client.xack(stream, group, ...ids.slice(0, 20)), 20);
  equal((await client.xpending(stream, group))[0], 10);
  equal((await client.xclaim(stream, group, 'one', 0, ...ids.slice(20, 25))).map(([id]) => id), ids.slice(20, 25));
  equal((await client.xautoclaim(stream, group, 'one', 0, '0'))[1].map(([id]) => id), ids.slice(20));
  equal(await client.xack(stream, group, ...ids.slice(20)), 10);
  const waits = connect().xreadgroup('GROUP', group, 'one', 'BLOCK', 30000, 'STREAMS', stream, '>');
  await until(async () => (await client.client('LIST')).includes('cmd=xreadgroup'));
  const last = await client.xadd(stream, '*', 'late', 'yes');
  equal(await waits, [[stream, [[last, ['late', 'yes']]]]]);
  equal(await client.xlen(stream), 31);
}

async function scripts() {
  client.defineCommand('limit', {
    numberOfKeys: 2,
    lua: "local n = redis.call('incrby', KEYS[1], ARGV[1]) redis.call('rpush', KEYS[2], n) return {n, KEYS[2]}",
  });
  equal(await client.limit('{js:lua}n', '{js:lua}l', 5), [5, '{js:lua}l']);
  equal(await client.limit('{js:lua}n', '{js:lua}l', 2), [7, '{js:lua}l']);
  equal((await client.pipeline().limit('{js:lua}n', '{js:lua}l', 1).get('{js:lua}n').exec()).map(([, r]) => r),
    [[8, '{js:lua}l'], '8']);
  equal(await client.lrange('{js:lua}l', 0, -1), ['5', '7', '8']);
  const sha = await client.script('LOAD', 'return ARGV[1]');
  equal(await client.evalsha(sha, 0, 'a'), 'a');
  await assert.rejects(client.evalsha('f'.repeat(40), 0), /NOSCRIPT/);
}

async function scans() {
  for (let start = 0; start < 10500; start += 1500) {
    await client.mset(range(1500).flatMap((i) => [`js:scan:${start + i}`, i]));
  }
  const found = new Set();
  for await (const keys of client.scanStream({ match: 'js:scan:*', count: 1000 })) keys.forEach((key) => found.add(key));
  equal(found, new Set(range(10500).map((i) => `js:scan:${i}`)));
  await client.hset('js:scan:h', Object.fromEntries(range(1000).map((i) => [`f${i}`, i])));
  let fields = 0;
  for await (const pairs of client.hscanStream('js:scan:h')) fields += pairs.length / 2;
  equal(fields, 1000);
  await client.zadd('js:scan:z', ...range(1000).flatMap((i) => [i, `m${i}`]));
  let members = 0;
  for await (const pairs of client.zscanStream('js:scan:z')) members += pairs.length / 2;
  equal(members, 1000);
}

async function types() {
  equal(await client.hset('js:h', { a: 1, b: 2.5 }), 2);
  equal(await client.hincrbyfloat('js:h', 'b', 0.25), '2.75');
  equal(await client.hgetall('js:h'), { a: '1', b: '2.75' });
  equal(await client.zadd('js:z', 1, 'a', 2.5, 'b'), 2);
  equal(await client.zrange('js:z', 0, -1, 'WITHSCORES'), ['a', '1', 'b', '2.5']);
  equal(await client.zrangebyscore('js:z', '(1', '+inf'), ['b']);
  await client.geoadd('js:geo', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania');
  equal(await client.geodist('js:geo', 'Palermo', 'Catania', 'km'), '166.2742');
  equal(await client.geosearch('js:geo', 'FROMLONLAT', 15, 37, 'BYRADIUS', 100, 'km', 'ASC'), ['Catania']);
  equal(await client.setbit('js:bits', 1000, 1), 0);
  equal([await client.bitcount('js:bits'), await client.bitpos('js:bits', 1)], [1, 1000]);
  equal(await client.bitfield('js:bits', 'SET', 'u8', 0, 200, 'INCRBY', 'u8', 0, 10), [0, 210]);
  await client.sadd('{js:s}1', 'a', 'b');
  await client.sadd('{js:s}2', 'b', 'c');
  equal(await client.sinter('{js:s}1', '{js:s}2'), ['b']);
  equal(await client.set('js:once', 'v', 'EX', 100, 'NX'), 'OK');
  equal(await client.set('js:once', 'w', 'NX'), null);
}

async function binaryAndLarge() {
  const key = Buffer.concat([Buffer.from('js:'), Buffer.from(range(256))]);
  const value = Buffer.concat([Buffer.from('\r\n$-1\r\n\0'), key]);
  equal(await client.set(key, value), 'OK');
  equal(await client.getBuffer(key), value);
  const large = randomBytes(5000000);
  equal(await client.set('js:large', large), 'OK');
  assert.ok(large.equals(await client.getBuffer('js:large')), 'a large value came back otherwise');
  await client.rpush('js:many', ...range(20000));
  equal(await client.lrange('js:many', 0, -1), range(20000).map(String));
}

async function aConnectionThatIsCut() {
  const lone = connect();
  const subscriber = connect();
  const heard = [];
  subscriber.on('message', (_, message) => heard.push(message));
  await subscriber.subscribe('js:after');
  equal(await lone.set('js:cut', 'v'), 'OK');
  const cut = [lone, subscriber].map((one) => new Promise((done) => one.once('close', done)));
  for (const one of [lone, subscriber]) {
    const id = (await client.client('LIST')).split('\n').find((line) =>
      line.includes(`addr=127.0.0.1:${one.stream.localPort} `)).match(/id=(\d+)/)[1];
    equal(await client.client('KILL', 'ID', id), 1);
  }
  await Promise.all(cut);
  equal(await lone.get('js:cut'), 'v');  // waits until it is connected again
  await until(async () => await client.publish('js:after', 'again') === 1);
  await until(() => heard.length === 1);
}

async function end() {
  await Promise.all(open.map((one) => one.quit()));
}

run('ioredis', [manyConnections, pipelines, transactionsThatTryAgain, publishAndSubscribe, popsThatWait,
  streamsAndGroups, scripts, scans, types, binaryAndLarge, aConnectionThatIsCut, end]);
