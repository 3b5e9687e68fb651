# The client of a Redis Cluster of Ruby's redis 4. The port is the argument.

require "redis"
require "set"

def equal(actual, expected)
  raise "#{actual.inspect} instead of #{expected.inspect}" if actual != expected
end

cluster = Redis.new(cluster: ["redis://127.0.0.1:#{ARGV[0]}"], timeout: 30)
300.times { |i| equal(cluster.set("crb:#{i}", i.to_s), "OK") }
300.times { |i| equal(cluster.get("crb:#{i}"), i.to_s) }
equal(cluster.pipelined { |pipeline| 100.times { pipeline.incr("{crb}n") } }, (1..100).to_a)
equal(cluster.multi { |multi| multi.incr("{crb}n") && multi.get("{crb}n") }, [101, "101"])
equal(cluster.eval("return redis.call('incr', KEYS[1])", keys: ["{crb}n"]), 102)
equal(cluster.mget("{crb}n", "{crb}none"), ["102", nil])
equal(cluster.scan_each(match: "crb:*").to_set.size, 300)
equal(cluster.dbsize >= 301, true)
cluster.close
puts "redis-rb cluster: ok"
