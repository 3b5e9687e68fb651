<?php
// phpredis's client of a Redis Cluster. The port is the argument.

function equal($actual, $expected): void {
  if ($actual !== $expected) {
    echo 'phpredis cluster: ' . var_export($actual, true) . ' instead of ' . var_export($expected, true) . "\n";
    debug_print_backtrace();
    exit(1);
  }
}

$cluster = new RedisCluster(null, ["127.0.0.1:$argv[1]"]);
equal($cluster->_masters(), [['127.0.0.1', (int) $argv[1]]]);
for ($i = 0; $i < 300; ++$i) equal($cluster->set("cph:$i", $i), true);
for ($i = 0; $i < 300; ++$i) equal($cluster->get("cph:$i"), (string) $i);
equal($cluster->mget(['cph:1', 'cph:none', 'cph:3']), ['1', false, '3']);
equal($cluster->mset(['cph:a' => 1, 'cph:b' => 2]), true);
equal($cluster->del(['cph:a', 'cph:b']), 2);
equal($cluster->multi()->set('{cph}n', 1)->incr('{cph}n')->get('{cph}n')->exec(), [true, 2, '2']);
equal($cluster->eval("return redis.call('incr', KEYS[1])", ['{cph}n'], 1), 3);
$node = $cluster->_masters()[0];
$cursor = null;
$found = [];
while (($keys = $cluster->scan($cursor, $node, 'cph:*', 100)) !== false) array_push($found, ...$keys);
equal(count(array_unique($found)), 300);
equal($cluster->ping($node), true);
equal($cluster->publish('cph:news', 'x'), 0);
$cluster->close();
echo "phpredis cluster: ok\n";
