// bee-queue doing what it is for, until SIGTERM: some push jobs, some take them, a few fail at first and are
// tried again. Then all that was pushed must have been done, and nothing be left. The port is the argument.
//
// What it promises is that each job is done at least once: a worker that was told of an error may have done it.

'use strict';

const assert = require('node:assert');
const Queue = require('bee-queue');

const kWorkers = 4;
const kPushers = 3;

let stopped = false;
process.on('SIGTERM', () => { stopped = true; });

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function fail(error) {
  console.error(error);
  process.exit(1);
}

function open(isWorker) {
  const queue = new Queue('{work}', {
    redis: { host: '127.0.0.1', port: Number(process.argv[2]) },
    isWorker,
    getEvents: false,
    sendEvents: false,
    removeOnSuccess: true,
    stallInterval: 1000,
  });
  queue.on('error', fail);
  return queue;
}

async function main() {
  const done = new Map();
  const pushed = new Set();
  let again = 0;
  const workers = [];
  for (let i = 0; i < kWorkers; ++i) {
    const worker = open(true);
    worker.checkStalledJobs(1000, (error) => { if (error) fail(error); });
    worker.process(5, async (job) => {
      const { name, fails } = job.data;
      const times = (done.get(name) || 0) + 1;
      if (fails && job.options.retries > 0) {
        ++again;
        throw new Error('not yet');
      }
      done.set(name, times);
    });
    workers.push(worker);
  }
  const push = async (pusher) => {
    const queue = open(false);
    for (let i = 0; !stopped || (pushed.size <= 100 && i < 1000); ++i) {
      const name = `${pusher}:${i}`;
      const fails = i % 10 === 0;
      await queue.createJob({ name, fails }).retries(fails ? 1 : 0).save();
      pushed.add(name);
      await pause(i % 50 === 0 ? 20 : 1);  // so that the workers wait at times
    }
    await queue.close();
  };
  console.log('bee-queue: begun');
  await Promise.all(Array.from({ length: kPushers }, (_, pusher) => push(pusher)));
  for (let i = 0; i < 300 && [...pushed].some((name) => !done.has(name)); ++i) await pause(100);
  for (const name of pushed) assert.ok(done.has(name), `${name} was lost`);
  assert.ok(pushed.size > 100, `only ${pushed.size} jobs`);
  assert.ok(again > 0);
  let health;
  for (let i = 0; i < 100; ++i) {
    health = await workers[0].checkHealth();
    if (health.waiting + health.active === 0) break;
    await pause(100);
  }
  assert.deepStrictEqual([health.waiting, health.active, health.failed], [0, 0, 0]);
  const twice = [...done.values()].filter((times) => times > 1).length;
  await Promise.all(workers.map((worker) => worker.close()));
  console.log(`bee-queue: ok, ${pushed.size} jobs, ${again} tried again, ${twice} done twice`);
}

main().catch(fail);
