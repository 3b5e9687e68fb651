// BullMQ doing what it is for, until SIGTERM: some add jobs, some of them delayed, some by many at once, some as a
// flow of a parent and its children; workers take them, a few fail at first and are tried again. Then all that was
// added must have been completed, and nothing be left. The port is the first argument, the prefix of keys the second.
//
// What it promises is that each job is done at least once: a worker that was told of an error, or whose lock ran out,
// may have done it. It says once of each that it is completed.

'use strict';

const assert = require('node:assert');
const { FlowProducer, Queue, QueueEvents, Worker } = require('bullmq');

const kWorkers = 3;
const kAdders = 3;
const options = {
  connection: { host: '127.0.0.1', port: Number(process.argv[2]), maxRetriesPerRequest: null },
  prefix: process.argv[3],
};

let stopped = false;
process.on('SIGTERM', () => { stopped = true; });

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// What gemel cannot answer while a node is lost is an error like any other; BullMQ goes on.
let errors = 0;
const note = (error) => {
  ++errors;
  if (/not supported by gemel|\[gemel/.test(error.message)) fail(error);
};

function fail(error) {
  console.error(error);
  process.exit(1);
}

async function again(what) {
  for (let i = 0; ; ++i) {
    try {
      return await what();
    } catch (error) {
      note(error);
      if (i === 100) throw error;
      await pause(50);
    }
  }
}

async function main() {
  const added = new Set();
  const done = new Map();
  const told = new Map();
  let failures = 0;
  const queue = new Queue('jobs', options);
  const flows = new FlowProducer(options);
  const events = new QueueEvents('jobs', options);
  for (const each of [queue, flows, events]) each.on('error', note);
  events.on('completed', ({ jobId }) => told.set(jobId, (told.get(jobId) || 0) + 1));
  await events.waitUntilReady();
  const workers = [];
  for (let i = 0; i < kWorkers; ++i) {
    const worker = new Worker('jobs', async (job) => {
      if (job.data.fails && job.attemptsMade === 0) {
        ++failures;
        throw new Error('not yet');
      }
      done.set(job.id, (done.get(job.id) || 0) + 1);
      await job.updateProgress(50);
      await job.log('done');
    }, { ...options, concurrency: 5, stalledInterval: 1000, maxStalledCount: 100, lockDuration: 3000 });
    worker.on('error', note);
    workers.push(worker);
  }
  // An ID of the adder's own: adding it once more, as the answer was an error, adds nothing.
  const job = (name, fails, delay) => ({
    name: 'job',
    data: { fails },
    opts: { jobId: name, attempts: 5, backoff: { type: 'fixed', delay: 50 }, delay },
  });
  const add = async (adder) => {
    for (let i = 0; !stopped || (added.size <= 100 && i < 1000); ++i) {
      const name = `${adder}-${i}`;
      const one = job(name, i % 10 === 0, i % 4 === 0 ? 100 : 0);
      if (i % 20 === 7) {
        const names = [0, 1, 2].map((n) => `${name}-${n}`);
        await again(() => queue.addBulk(names.map((each) => job(each, false, 0))));
        names.forEach((each) => added.add(each));
      } else if (i % 20 === 13) {
        const children = [0, 1].map((n) => ({ ...job(`${name}-c${n}`, false, 0), queueName: 'jobs' }));
        await again(() => flows.add({ ...one, queueName: 'jobs', children }));
        [name, `${name}-c0`, `${name}-c1`].forEach((each) => added.add(each));
      } else {
        await again(() => queue.add(one.name, one.data, one.opts));
        added.add(name);
      }
      await pause(i % 50 === 0 ? 50 : 3);  // so that the workers wait at times
    }
  };
  console.log('bullmq: begun');
  await Promise.all(Array.from({ length: kAdders }, (_, adder) => add(adder)));
  let counts;
  for (let i = 0; i < 300; ++i) {
    counts = await again(() => queue.getJobCounts());
    if (counts.completed >= added.size && [...added].every((name) => done.has(name))) break;
    await pause(100);
  }
  for (const name of added) assert.ok(done.has(name), `${name} was lost: ${JSON.stringify(counts)}`);
  assert.ok(added.size > 100, `only ${added.size} jobs`);
  assert.ok(failures > 0);
  assert.strictEqual(counts.completed, added.size, JSON.stringify(counts));
  for (const state of ['waiting', 'active', 'delayed', 'failed', 'waiting-children']) {
    assert.strictEqual(counts[state], 0, JSON.stringify(counts));
  }
  const completed = new Set((await again(() => queue.getCompleted(0, -1))).map((each) => each.id));
  for (const name of added) assert.ok(completed.has(name), `${name} is not completed`);
  for (let i = 0; i < 100 && told.size < added.size; ++i) await pause(100);
  // Of an answer that was lost it may have said so twice.
  const untold = [...added].filter((name) => !told.has(name));
  assert.deepStrictEqual(untold, []);
  const twice = [...done.values()].filter((times) => times > 1).length;
  await again(() => queue.obliterate({ force: true }));
  await Promise.all([...workers, queue, flows, events].map((each) => each.close()));
  console.log(`bullmq: ok, ${added.size} jobs, ${failures} tried again, ${twice} done twice, ${errors} errors`);
  process.exit(0);
}

main().catch(fail);
