// ioredis with TLS: tls_ioredis.js PORT CA. Prints "ok" in the end.
const fs = require('fs');
const assert = require('assert');
const Redis = require('ioredis');

async function main() {
  const [port, ca] = process.argv.slice(2);
  const options = {
    host: 'localhost',
    port: Number(port),
    family: 4,
    tls: { ca: fs.readFileSync(ca) },
    maxRetriesPerRequest: 1,
  };
  const client = new Redis(options);
  assert.strictEqual(await client.ping(), 'PONG');
  const large = Buffer.alloc(3 << 20, 'x');
  await client.set('large:js', large);
  assert.ok((await client.getBuffer('large:js')).equals(large));
  const asked = [];
  for (let i = 0; i < 2000; i++) asked.push(client.incr('counter:js'));
  assert.deepStrictEqual(await Promise.all(asked), Array.from({ length: 2000 }, (_, i) => i + 1));
  const subscriber = new Redis(options);
  await subscriber.subscribe('news:js');
  const heard = new Promise((resolve) => subscriber.on('message', (_, message) => resolve(message)));
  await client.publish('news:js', 'hello');
  assert.strictEqual(await heard, 'hello');
  await Promise.all([client.quit(), subscriber.quit()]);
  console.log('ok');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
