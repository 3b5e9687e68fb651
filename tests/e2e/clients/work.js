// What the scripts of node's clients share: one thing after the other, each with its name if it fails.

'use strict';

process.on('warning', (warning) => {
  console.error(warning);
  process.exit(1);
});

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(condition) {
  for (let i = 0; i < 600; ++i) {
    if (await condition()) return;
    await pause(50);
  }
  throw new Error(`it never came: ${condition}`);
}

const range = (count) => [...Array(count).keys()];

// Runs them all, in order. One that takes longer than it ever may is named as what hangs.
async function run(name, things) {
  let now = 'start';
  const hangs = setTimeout(() => {
    console.error(`${name}: ${now} does not end`);
    process.exit(1);
  }, 100000);
  try {
    for (const thing of things) {
      now = thing.name;
      await thing();
    }
  } catch (error) {
    console.error(`${name}: ${now}:`, error);
    process.exit(1);
  }
  clearTimeout(hangs);
  console.log(`${name}: ok`);
}

module.exports = { pause, range, run, until };
