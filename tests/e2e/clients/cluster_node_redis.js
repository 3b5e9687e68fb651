// node-redis's client of a Redis Cluster. The arguments are the port and the package: redis4, or redis, the newest.

'use strict';

const assert = require('node:assert');
const redis = require(process.argv[3]);
const { range, run, until } = require('./work.js');

const equal = assert.deepStrictEqual;
let cluster;

async function connects() {
  cluster = redis.createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${process.argv[2]}` }] });
  cluster.on('error', (error) => {
    console.error(error);
    process.exit(1);
  });
  await cluster.connect();
  equal(cluster.masters.length, 1);
}

async function everydayUse() {
  await Promise.all(range(500).map((i) => cluster.set(`cnr:${i}`, String(i))));
  equal(await Promise.all(range(500).map((i) => cluster.get(`cnr:${i}`))), range(500).map(String));
  equal(await cluster.multi().set('{cnr}a', '1').incr('{cnr}a').get('{cnr}a').exec(), ['OK', 2, '2']);
  equal(await cluster.eval("return redis.call('incr', KEYS[1])", { keys: ['{cnr}a'] }), 3);
  equal(await cluster.mGet(['{cnr}a', '{cnr}none']), ['3', null]);
}

async function publishAndSubscribe() {
  const heard = [];
  await cluster.subscribe('cnr:news', (message) => heard.push(message));
  await cluster.sSubscribe('cnr:sharded', (message) => heard.push(message));
  await cluster.publish('cnr:news', 'a');
  await until(() => heard.length === 1);
  await cluster.sPublish('cnr:sharded', 'b');
  await until(() => heard.length === 2);
  equal(heard, ['a', 'b']);
  await cluster.unsubscribe('cnr:news');
  await cluster.sUnsubscribe('cnr:sharded');
}

async function end() {
  await cluster.quit();
}

run('node-redis cluster', [connects, everydayUse, publishAndSubscribe, end]);
