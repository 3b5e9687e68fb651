// A web server whose sessions are kept by express-session and connect-redis, as browsers use it. The port is the
// argument.

'use strict';

const assert = require('node:assert');
const http = require('node:http');
const session = require('express-session');
const { RedisStore } = require('connect-redis');
const { createClient } = require('redis');
const { range, run } = require('./work.js');

const equal = assert.deepStrictEqual;
let client;
let store;
let port;
let server;

// One request of a browser with that cookie; gives the text and the cookie it has then.
function get(path, cookie) {
  return new Promise((done, fail) => {
    http.get({ port, path, agent: false, headers: cookie ? { cookie } : {} }, (response) => {
      let text = '';
      response.on('data', (part) => { text += part; });
      response.on('end', () => {
        const set = response.headers['set-cookie'];
        done([text, set ? set[0].split(';')[0] : cookie]);
      });
    }).on('error', fail);
  });
}

async function starts() {
  client = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` });
  client.on('error', (error) => {
    console.error(error);
    process.exit(1);
  });
  await client.connect();
  store = new RedisStore({ client, prefix: 'sess:' });
  const withSession = session({ store, secret: 'no secret', resave: false, saveUninitialized: false,
    cookie: { maxAge: 60000 } });
  server = http.createServer((request, response) => withSession(request, response, (error) => {
    if (error) return response.end(`error: ${error}`);
    if (request.url === '/out') return request.session.destroy(() => response.end('out'));
    request.session.views = (request.session.views || 0) + 1;
    request.session.basket = { ...request.session.basket, [`item${request.session.views}`]: 'käse' };
    response.end(String(request.session.views));
  }));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  port = server.address().port;
}

async function aBrowserIsKnownAgain() {
  await Promise.all(range(20).map(async () => {
    let cookie;
    for (const view of range(5)) {
      let text;
      [text, cookie] = await get('/', cookie);
      equal(text, String(view + 1));
    }
  }));
  equal(await store.length(), 20);
  const sessions = await store.all();
  equal(sessions.length, 20);
  equal(sessions[0].basket.item5, 'käse');
  const ttl = await client.ttl(`sess:${sessions[0].id}`);
  assert.ok(ttl > 30 && ttl <= 60, `a session lives for ${ttl} s`);
}

async function whoLeavesIsForgotten() {
  let [text, cookie] = await get('/');
  equal(text, '1');
  [text] = await get('/', cookie);
  equal(text, '2');
  [text] = await get('/out', cookie);
  equal(text, 'out');
  [text] = await get('/', cookie);
  equal(text, '1');
  await store.clear();
  equal(await store.length(), 0);
}

async function end() {
  server.close();
  await client.close();
}

run('connect-redis', [starts, aBrowserIsKnownAgain, whoLeavesIsForgotten, end]);
