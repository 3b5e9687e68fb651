<?php
// What applications do with phpredis. The port is the argument. PHP has no threads: where several are needed, the
// script runs itself with the name of what is to be done and its arguments.

const QUEUES = ['{php:q}high', '{php:q}low'];

function connect(): Redis {
  global $argv;
  $client = new Redis();
  if (!$client->connect('127.0.0.1', (int) $argv[1])) throw new Exception('no connection');
  return $client;
}

function equal($actual, $expected): void {
  if ($actual !== $expected) {
    throw new Exception(substr(var_export($actual, true), 0, 1000) . ' instead of ' .
      substr(var_export($expected, true), 0, 1000));
  }
}

function until(callable $condition): void {
  for ($i = 0; $i < 600; ++$i) {
    if ($condition()) return;
    usleep(50000);
  }
  throw new Exception('it never came');
}

// A subscriber of phpredis hears until then.
function untilItIsClosed(callable $hears): void {
  try {
    $hears();
  } catch (RedisException $error) {
    equal($error->getMessage(), 'Connection closed');
  }
}

// Processes of this script, that do what is named; gives what they printed, once they are done.
class Others {
  private array $all = [];
  public function __construct(int $count, string $what) {
    global $argv;
    for ($i = 0; $i < $count; ++$i) {
      $process = proc_open([PHP_BINARY, __FILE__, $argv[1], $what, (string) $i], [1 => ['pipe', 'w'], 2 => STDERR], $pipes);
      $this->all[] = [$process, $pipes[1]];
    }
  }
  public function finish(): array {
    $printed = [];
    foreach ($this->all as [$process, $pipe]) {
      $text = stream_get_contents($pipe);
      if (proc_close($process) !== 0) throw new Exception("another process failed: $text");
      $printed[] = trim($text);
    }
    return $printed;
  }
}

$client = connect();

$others = [
  'pool' => function (int $number) use ($client) {
    // A connection that outlives what uses it, as under a web server.
    $own = new Redis();
    $own->pconnect('127.0.0.1', (int) $GLOBALS['argv'][1]);
    for ($i = 0; $i < 50; ++$i) {
      equal($own->set("php:pool:$number:$i", $i), true);
      equal($own->get("php:pool:$number:$i"), (string) $i);
      $own->incr('php:pool:sum');
    }
    for ($done = 0; $done < 15;) {
      $client->watch('{php:tx}n');
      $now = (int) $client->get('{php:tx}n');
      if ($client->multi()->set('{php:tx}n', $now + 1)->rPush('{php:tx}log', $now)->exec() !== false) ++$done;
    }
  },
  'subscriber' => function () use ($client) {
    $heard = new ArrayObject();
    untilItIsClosed(fn() => $client->subscribe(['php:news', 'php:more'], function ($own, $channel, $message) use ($heard) {
      $heard[] = $message;
      if ($message === 'end') $own->close();
    }));
    echo implode(',', (array) $heard);
  },
  'pattern' => function () use ($client) {
    $heard = new ArrayObject();
    untilItIsClosed(fn() => $client->psubscribe(['php:n*'], function ($own, $pattern, $channel, $message) use ($heard) {
      $heard[] = $message;
      if ($message === 'end') $own->close();
    }));
    echo implode(',', (array) $heard);
  },
  'worker' => function () use ($client) {
    $popped = [];
    while (([$queue, $item] = $client->blPop(QUEUES, 30))[1] !== 'end') {
      equal($queue, QUEUES[(int) $item % 2]);
      $popped[] = $item;
    }
    echo implode(',', $popped);
  },
  'stream' => function () use ($client) {
    echo json_encode($client->xReadGroup('workers', 'three', ['php:stream' => '>'], 10, 30000));
  },
];

$things = [
  'processes and transactions that try again' => function () use ($client) {
    (new Others(3, 'pool'))->finish();
    equal($client->get('php:pool:sum'), '150');
    equal($client->lRange('{php:tx}log', 0, -1), array_map('strval', range(0, 44)));
    equal($client->multi()->set('{php:tx}a', 1)->lPush('{php:tx}a', 1)->incr('{php:tx}a')->exec(), [true, false, 2]);
  },
  'a pipeline' => function () use ($client) {
    $pipeline = $client->pipeline();
    $expected = [];
    for ($i = 0; $i < 1000; ++$i) {
      $pipeline->set("php:pipe:$i", $i)->get("php:pipe:$i");
      array_push($expected, true, (string) $i);
    }
    equal($pipeline->exec(), $expected);
    equal($client->lPush('php:pipe:0', 'x'), false);
    equal(substr($client->getLastError(), 0, 9), 'WRONGTYPE');
    $client->clearLastError();
  },
  'publish and subscribe' => function () use ($client) {
    $listeners = [new Others(1, 'subscriber'), new Others(1, 'pattern')];
    until(fn() => $client->pubsub('numsub', ['php:news', 'php:more']) === ['php:news' => 1, 'php:more' => 1] &&
      $client->pubsub('numpat') === 1);
    for ($i = 0; $i < 20; ++$i) equal($client->publish('php:news', (string) $i), 2);
    equal($client->publish('php:else', 'x'), 0);
    equal($client->publish('php:news', 'end'), 2);
    foreach ($listeners as $one) equal($one->finish(), [implode(',', range(0, 19)) . ',end']);
  },
  'pops that wait' => function () use ($client) {
    $workers = new Others(3, 'worker');
    until(fn() => substr_count($client->rawCommand('CLIENT', 'LIST'), 'cmd=blpop') === 3);
    for ($i = 0; $i < 60; ++$i) $client->rPush(QUEUES[$i % 2], (string) $i);
    $client->rPush(QUEUES[1], 'end', 'end', 'end');
    $popped = array_map('intval', array_filter(explode(',', implode(',', $workers->finish())), 'strlen'));
    sort($popped);
    equal($popped, range(0, 59));
    equal($client->blPop(QUEUES, 1), []);
    $client->zAdd('{php:q}z', 1.5, 'm');
    equal($client->bzPopMin('{php:q}z', 5), ['{php:q}z', 'm', '1.5']);
    $client->rPush(QUEUES[0], 'x');
    equal($client->brpoplpush(QUEUES[0], QUEUES[1], 5), 'x');
  },
  'streams and groups' => function () use ($client) {
    equal($client->xGroup('CREATE', 'php:stream', 'workers', '0', true), true);
    $ids = [];
    for ($i = 0; $i < 30; ++$i) $ids[] = $client->xAdd('php:stream', '*', ['n' => (string) $i]);
    $entries = array_merge($client->xReadGroup('workers', 'one', ['php:stream' => '>'], 20)['php:stream'],
      $client->xReadGroup('workers', 'two', ['php:stream' => '>'], 20)['php:stream']);
    equal(array_keys($entries), $ids);
    equal(array_column($entries, 'n'), array_map('strval', range(0, 29)));
    equal($client->xAck('php:stream', 'workers', array_slice($ids, 0, 20)), 20);
    equal($client->xPending('php:stream', 'workers')[0], 10);
    equal(array_keys($client->xClaim('php:stream', 'workers', 'one', 0, array_slice($ids, 20, 5), [])),
      array_slice($ids, 20, 5));
    equal($client->xAck('php:stream', 'workers', array_slice($ids, 20)), 10);
    $waiter = new Others(1, 'stream');
    until(fn() => str_contains($client->rawCommand('CLIENT', 'LIST'), 'cmd=xreadgroup'));
    $last = $client->xAdd('php:stream', '*', ['late' => 'yes']);
    equal($waiter->finish(), [json_encode(['php:stream' => [$last => ['late' => 'yes']]])]);
  },
  'scripts' => function () use ($client) {
    $limit = "local n = redis.call('incrby', KEYS[1], ARGV[1]) redis.call('rpush', KEYS[2], n) return {n, KEYS[2]} -- php";
    $keys = ['{php:lua}n', '{php:lua}l'];
    equal($client->evalSha(sha1($limit), [...$keys, 5], 2), false);
    equal(substr($client->getLastError(), 0, 8), 'NOSCRIPT');
    equal($client->eval($limit, [...$keys, 5], 2), [5, '{php:lua}l']);
    equal($client->evalSha(sha1($limit), [...$keys, 2], 2), [7, '{php:lua}l']);
    equal($client->evalSha($client->script('load', 'return ARGV[1]'), ['a'], 0), 'a');
    equal($client->lRange($keys[1], 0, -1), ['5', '7']);
  },
  'scans' => function () use ($client) {
    $expected = [];
    for ($start = 0; $start < 10500; $start += 1500) {
      $some = [];
      for ($i = $start; $i < $start + 1500; ++$i) $some["php:scan:$i"] = $i;
      $client->mSet($some);
      array_push($expected, ...array_keys($some));
    }
    $found = [];
    $client->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
    $cursor = null;
    while (($keys = $client->scan($cursor, 'php:scan:*', 1000)) !== false) array_push($found, ...$keys);
    $found = array_unique($found);
    sort($found);
    sort($expected);
    equal($found, $expected);
    $client->hMSet('php:scan:h', array_combine(array_map(fn($i) => "f$i", range(0, 999)), range(0, 999)));
    $fields = 0;
    $cursor = null;
    while (($some = $client->hScan('php:scan:h', $cursor)) !== false) $fields += count($some);
    equal($fields, 1000);
  },
  'types' => function () use ($client) {
    equal($client->hMSet('php:h', ['a' => '1', 'b' => '2.5']), true);
    equal($client->hIncrByFloat('php:h', 'b', 0.25), 2.75);
    equal($client->hGetAll('php:h'), ['a' => '1', 'b' => '2.75']);
    equal($client->zAdd('php:z', 1, 'a', 2.5, 'b', INF, 'c'), 3);
    equal($client->zRange('php:z', 0, -1, true), ['a' => 1.0, 'b' => 2.5, 'c' => INF]);
    equal($client->zIncrBy('php:z', 1.5, 'a'), 2.5);
    $client->geoadd('php:geo', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania');
    equal($client->geodist('php:geo', 'Palermo', 'Catania', 'km'), 166.2742);
    equal($client->georadius('php:geo', 15, 37, 100, 'km'), ['Catania']);
    equal($client->setBit('php:bits', 1000, true), 0);
    equal([$client->bitCount('php:bits'), $client->bitpos('php:bits', 1)], [1, 1000]);
    $client->sAdd('{php:s}1', 'a', 'b');
    $client->sAdd('{php:s}2', 'b', 'c');
    equal($client->sInter('{php:s}1', '{php:s}2'), ['b']);
    equal($client->set('php:once', 'v', ['nx', 'ex' => 100]), true);
    equal($client->set('php:once', 'w', ['nx']), false);
    $own = connect();
    $own->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP);
    $own->setOption(Redis::OPT_PREFIX, 'php:prefix:');
    equal($own->set('o', ['a' => [1, null, 2.5]]), true);
    equal($own->get('o'), ['a' => [1, null, 2.5]]);
    equal($client->exists('php:prefix:o'), 1);
  },
  'binary and large' => function () use ($client) {
    $key = 'php:' . implode('', array_map('chr', range(0, 255)));
    $value = "\r\n\$-1\r\n\0" . $key;
    equal($client->set($key, $value), true);
    equal($client->get($key), $value);
    $large = random_bytes(5000000);
    equal($client->set('php:large', $large), true);
    if ($client->get('php:large') !== $large) throw new Exception('a large value came back otherwise');
    $client->rPush('php:many', ...range(0, 19999));
    equal($client->lRange('php:many', 0, -1), array_map('strval', range(0, 19999)));
  },
  'a connection that is cut' => function () use ($client) {
    $lone = connect();
    equal($lone->set('php:cut', 'v'), true);
    $id = $lone->rawCommand('CLIENT', 'ID');
    equal($client->rawCommand('CLIENT', 'KILL', 'ID', (string) $id), 1);
    until(fn() => !str_contains($client->rawCommand('CLIENT', 'LIST'), "id=$id "));
    equal($lone->get('php:cut'), 'v');
    if ($lone->rawCommand('CLIENT', 'ID') === $id) throw new Exception('it is the same connection');
  },
];

set_error_handler(function (int $level, string $message) {
  throw new ErrorException($message, 0, $level);
});
ini_set('default_socket_timeout', '40');
ini_set('memory_limit', '256M');
$name = $argv[2] ?? '';
try {
  if ($name !== '') {
    $others[$name]((int) $argv[3]);
    exit(0);
  }
  foreach ($things as $name => $thing) $thing();
} catch (Throwable $error) {
  echo "phpredis: $name: $error\n";
  exit(1);
}
echo "phpredis: ok\n";
