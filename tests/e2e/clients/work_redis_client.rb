# What applications do with Ruby's redis-client, which speaks RESP3 by default. The port is the argument.

require "redis-client"
require "set"

Thread.report_on_exception = false
$stdout.sync = true
NAME = "redis-client #{RedisClient::VERSION}"
# The default is a second, which a busy machine may take.
CONFIG = RedisClient.config(host: "127.0.0.1", port: Integer(ARGV[0]), timeout: 30)

def connect
  CONFIG.new_client
end

def equal(actual, expected)
  raise "#{actual.inspect[0, 1000]} instead of #{expected.inspect[0, 1000]}" if actual != expected
end

def until_true
  600.times do
    return if yield
    sleep 0.05
  end
  raise "it never came"
end

def in_threads(count)
  (0...count).map { |i| Thread.new { yield i } }.each(&:join)
end

C = connect

THINGS = {
  "a pool in threads" => lambda do
    pool = CONFIG.new_pool(timeout: 30, size: 4)
    in_threads(8) do |number|
      30.times do |i|
        equal(pool.call("SET", "rc:pool:#{number}:#{i}", i), "OK")
        equal(pool.call("GET", "rc:pool:#{number}:#{i}"), i.to_s)
        pool.call("INCR", "rc:pool:sum")
      end
    end
    equal(pool.call("GET", "rc:pool:sum"), "240")
    pool.close
  end,

  "a pipeline" => lambda do
    replies = C.pipelined { |pipeline| 1000.times { |i| pipeline.call("INCR", "rc:n"); pipeline.call("ECHO", i) } }
    equal(replies, (0...1000).flat_map { |i| [i + 1, i.to_s] })
  end,

  "transactions that try again" => lambda do
    in_threads(4) do
      own = connect
      done = 0
      while done < 15
        replies = own.multi(watch: ["{rc:tx}n"]) do |multi|
          now = own.call("GET", "{rc:tx}n").to_i
          multi.call("SET", "{rc:tx}n", now + 1)
          multi.call("RPUSH", "{rc:tx}log", now)
        end
        done += 1 if replies
      end
      own.close
    end
    equal(C.call("LRANGE", "{rc:tx}log", 0, -1), (0...60).map(&:to_s))
  end,

  "publish and subscribe" => lambda do
    subscriber = connect.pubsub
    subscriber.call("SUBSCRIBE", "rc:news")
    subscriber.call("PSUBSCRIBE", "rc:n*")
    equal([subscriber.next_event(30), subscriber.next_event(30)],
          [["subscribe", "rc:news", 1], ["psubscribe", "rc:n*", 2]])
    20.times { |i| equal(C.call("PUBLISH", "rc:news", i), 2) }
    events = (0...40).map { subscriber.next_event(30) }
    %w[message pmessage].each do |kind|
      equal(events.select { |event| event[0] == kind }.map(&:last), (0...20).map(&:to_s))
    end
    subscriber.close
  end,

  "pops that wait" => lambda do
    waiter = Thread.new { connect.blocking_call(20, "BLPOP", "{rc:q}a", "{rc:q}b", 15) }
    until_true { C.call("CLIENT", "LIST").include?("cmd=blpop") }
    C.call("RPUSH", "{rc:q}b", "x")
    equal(waiter.value, ["{rc:q}b", "x"])
    waiter = Thread.new { connect.blocking_call(20, "BZPOPMIN", "{rc:q}z", 15) }
    until_true { C.call("CLIENT", "LIST").include?("cmd=bzpopmin") }
    C.call("ZADD", "{rc:q}z", 1.5, "m")
    equal(waiter.value, ["{rc:q}z", "m", 1.5])
    equal(C.blocking_call(20, "BLPOP", "{rc:q}a", "0.05"), nil)
  end,

  "streams and groups" => lambda do
    equal(C.call("XGROUP", "CREATE", "rc:stream", "workers", "0", "MKSTREAM"), "OK")
    ids = (0...20).map { |i| C.call("XADD", "rc:stream", "*", "n", i) }
    read = C.call("XREADGROUP", "GROUP", "workers", "one", "STREAMS", "rc:stream", ">")
    equal(read, { "rc:stream" => ids.each_with_index.map { |id, i| [id, ["n", i.to_s]] } })
    equal(C.call("XCLAIM", "rc:stream", "workers", "two", 0, *ids.first(5)).map(&:first), ids.first(5))
    equal(C.call("XAUTOCLAIM", "rc:stream", "workers", "two", 0, "0")[1].map(&:first), ids)
    equal(C.call("XACK", "rc:stream", "workers", *ids), 20)
  end,

  "scripts" => lambda do
    sha = C.call("SCRIPT", "LOAD", "redis.setresp(3) return {redis.call('hgetall', KEYS[1]), 1.5, true}")
    C.call("HSET", "rc:h", { "a" => 1 })
    equal(C.call("EVALSHA", sha, 1, "rc:h"), [{ "a" => "1" }, 1, true])
  end,

  "scans" => lambda do
    (0...10_500).each_slice(1500) { |some| C.call("MSET", *some.flat_map { |i| ["rc:scan:#{i}", i] }) }
    equal(C.scan("MATCH", "rc:scan:*", "COUNT", 1000).to_set, (0...10_500).map { |i| "rc:scan:#{i}" }.to_set)
    C.call("HSET", "rc:scan:h", (0...1000).to_h { |i| ["f#{i}", i] })
    equal(C.hscan("rc:scan:h").to_a.size, 1000)
  end,

  "types of RESP3" => lambda do
    equal(C.call("HGETALL", "rc:h"), { "a" => "1" })
    C.call("ZADD", "rc:z", 1, "a", 2.5, "b", "inf", "c")
    equal(C.call("ZRANGE", "rc:z", 0, -1, "WITHSCORES"), [["a", 1.0], ["b", 2.5], ["c", Float::INFINITY]])
    equal([C.call("ZSCORE", "rc:z", "b"), C.call("ZSCORE", "rc:z", "none")], [2.5, nil])
    C.call("SADD", "rc:s", "a", "b")
    equal(C.call("SMEMBERS", "rc:s").to_set, %w[a b].to_set)
    C.call("GEOADD", "rc:geo", 13.361389, 38.115556, "p")
    raise "GEOPOS" unless (C.call("GEOPOS", "rc:geo", "p")[0][0] - 13.361389).abs < 1e-4
    equal(C.call("CONFIG", "GET", "maxmemory").class, Hash)
    equal(C.call("SETBIT", "rc:bits", 1000, 1), 0)
    equal(C.call("BITCOUNT", "rc:bits"), 1)
  end,

  "binary and large" => lambda do
    key = "rc:".b + (0..255).to_a.pack("C*")
    equal(C.call("SET", key, "\r\n\0".b + key), "OK")
    equal(C.call("GET", key).b, "\r\n\0".b + key)
    large = Random.new(7).bytes(5_000_000)
    equal(C.call("SET", "rc:large", large), "OK")
    raise "a large value came back otherwise" unless C.call("GET", "rc:large").b == large
  end,

  "a connection that is cut" => lambda do
    lone = RedisClient.config(host: "127.0.0.1", port: Integer(ARGV[0]), timeout: 30, reconnect_attempts: 1).new_client
    id = lone.call("CLIENT", "ID")
    equal(C.call("CLIENT", "KILL", "ID", id), 1)
    until_true { !C.call("CLIENT", "LIST").include?("id=#{id} ") }
    equal(lone.call("SET", "rc:cut", "v"), "OK")
    raise "it is the same connection" if lone.call("CLIENT", "ID") == id
  end,
}.freeze

Thread.new do
  sleep 100
  warn "#{NAME}: #{$thing} does not end"
  exit! 1
end
THINGS.each do |name, thing|
  $thing = name
  thing.call
rescue Exception => error # rubocop:disable Lint/RescueException
  puts "#{NAME}: #{name}: #{error.full_message(highlight: false)}"
  exit! 1
end
puts "redis-client: ok"
