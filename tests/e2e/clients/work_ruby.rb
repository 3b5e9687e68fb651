# What applications do with Ruby's redis, versions 4 and 5. The port is the argument.

require "json"
require "redis"
require "set"

Warning[:deprecated] = true
Thread.report_on_exception = false
PORT = Integer(ARGV[0])
$stdout.sync = true
NAME = "redis-rb #{Redis::VERSION}"

module Warning
  def self.warn(message, **)
    # Debian's own files have some of their own.
    raise "warning: #{message}" if message.include?("redis") || message.include?("Redis")
  end
end

def connect(**further)
  # The default is a second, which a busy machine may take.
  Redis.new(host: "127.0.0.1", port: PORT, timeout: 30, **further)
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

def error_of(kind)
  yield
  raise "no error"
rescue kind => error
  error.message
end

C = connect

THINGS = {
  "a pool in threads" => lambda do
    pool = Queue.new
    4.times { pool << connect }
    in_threads(8) do |number|
      30.times do |i|
        one = pool.pop
        equal(one.set("rb:pool:#{number}:#{i}", i.to_s), "OK")
        equal(one.get("rb:pool:#{number}:#{i}"), i.to_s)
        one.incr("rb:pool:sum")
        pool << one
      end
    end
    # One connection is shared by threads, too.
    in_threads(4) { 20.times { C.incr("rb:pool:sum") } }
    equal(C.get("rb:pool:sum"), "320")
    pool.pop.close until pool.empty?
  end,

  "a pipeline" => lambda do
    replies = C.pipelined do |pipeline|
      1000.times do |i|
        pipeline.set("rb:pipe:#{i}", i.to_s)
        pipeline.get("rb:pipe:#{i}")
      end
    end
    equal(replies, (0...1000).flat_map { |i| ["OK", i.to_s] })
    equal(error_of(Redis::CommandError) { C.pipelined { |p| p.lpush("rb:pipe:0", "x") } }[0, 9], "WRONGTYPE")
    equal(C.get("rb:pipe:0"), "0")
  end,

  "transactions that try again" => lambda do
    in_threads(4) do
      own = connect
      done = 0
      while done < 15
        replies = own.watch("{rb:tx}n") do |watching|
          now = watching.get("{rb:tx}n").to_i
          watching.multi do |multi|
            multi.set("{rb:tx}n", (now + 1).to_s)
            multi.rpush("{rb:tx}log", now.to_s)
          end
        end
        done += 1 if replies
      end
      own.close
    end
    equal(C.get("{rb:tx}n"), "60")
    equal(C.lrange("{rb:tx}log", 0, -1), (0...60).map(&:to_s))
    equal(C.watch("{rb:tx}n") { |watching| watching.unwatch }, "OK")
  end,

  "publish and subscribe" => lambda do
    heard = []
    ready = Queue.new
    listeners = [
      Thread.new do
        connect.subscribe("rb:news") do |on|
          on.subscribe { ready << 1 }
          on.message { |_, message| message == "end" ? Thread.exit : heard << ["message", message] }
        end
      end,
      Thread.new do
        connect.psubscribe("rb:n*") do |on|
          on.psubscribe { ready << 1 }
          on.pmessage { |_, channel, message| message == "end" ? Thread.exit : heard << [channel, message] }
        end
      end,
    ]
    2.times { ready.pop }
    20.times { |i| equal(C.publish("rb:news", i.to_s), 2) }
    equal(C.publish("rb:else", "x"), 0)
    equal(C.pubsub("numsub", "rb:news"), ["rb:news", 1])
    C.publish("rb:news", "end")
    listeners.each(&:join)
    ["message", "rb:news"].each do |kind|
      equal(heard.select { |of, _| of == kind }.map(&:last), (0...20).map(&:to_s))
    end
  end,

  "pops that wait" => lambda do
    queues = ["{rb:q}high", "{rb:q}low"]
    popped = Queue.new
    workers = (0...3).map do
      Thread.new do
        own = connect
        loop do
          queue, item = own.blpop(*queues, timeout: 20)
          break if item == "end"
          equal(queue, queues[item.to_i % 2])
          popped << item.to_i
        end
        own.close
      end
    end
    60.times { |i| C.rpush(queues[i % 2], i.to_s) }
    3.times { C.rpush(queues[1], "end") }
    workers.each(&:join)
    equal((0...popped.size).map { popped.pop }.sort, (0...60).to_a)
    waiter = Thread.new { connect.bzpopmin("{rb:q}z", timeout: 20) }
    until_true { C.call("CLIENT", "LIST").include?("cmd=bzpopmin") }
    C.zadd("{rb:q}z", 1.5, "m")
    equal(waiter.value, ["{rb:q}z", "m", 1.5])
    C.rpush(queues[0], "x")
    equal(C.brpoplpush(queues[0], queues[1], timeout: 5), "x")
  end,

  "streams and groups" => lambda do
    stream, group = "rb:stream", "workers"
    equal(C.xgroup(:create, stream, group, "0", mkstream: true), "OK")
    ids = (0...30).map { |i| C.xadd(stream, { n: i.to_s }) }
    entries = C.xreadgroup(group, "one", stream, ">", count: 20)[stream] +
              C.xreadgroup(group, "two", stream, ">", count: 20)[stream]
    equal(entries, ids.each_with_index.map { |id, i| [id, { "n" => i.to_s }] })
    equal(C.xack(stream, group, *ids.first(20)), 20)
    equal(C.xpending(stream, group)["size"], 10)
    equal(C.xclaim(stream, group, "one", 0, *ids[20, 5]).map(&:first), ids[20, 5])
    equal(C.xautoclaim(stream, group, "one", 0, "0")["entries"].map(&:first), ids.last(10))
    equal(C.xack(stream, group, *ids.last(10)), 10)
    waiter = Thread.new { connect.xreadgroup(group, "one", stream, ">", block: 20_000) }
    until_true { C.call("CLIENT", "LIST").include?("cmd=xreadgroup") }
    last = C.xadd(stream, { late: "yes" })
    equal(waiter.value, { stream => [[last, { "late" => "yes" }]] })
  end,

  "scripts" => lambda do
    limit = "local n = redis.call('incrby', KEYS[1], ARGV[1]) redis.call('rpush', KEYS[2], n) return {n, KEYS[2]}"
    keys = ["{rb:lua}n", "{rb:lua}l"]
    equal(C.eval(limit, keys: keys, argv: [5]), [5, "{rb:lua}l"])
    sha = C.script(:load, limit)
    equal(C.evalsha(sha, keys: keys, argv: [2]), [7, "{rb:lua}l"])
    equal(C.script(:exists, [sha, "f" * 40]), [true, false])
    equal(C.lrange(keys[1], 0, -1), %w[5 7])
    equal(error_of(Redis::CommandError) { C.evalsha("f" * 40) }[0, 8], "NOSCRIPT")
  end,

  "scans" => lambda do
    (0...10_500).each_slice(1500) { |some| C.mset(*some.flat_map { |i| ["rb:scan:#{i}", i.to_s] }) }
    equal(C.scan_each(match: "rb:scan:*", count: 1000).to_set, (0...10_500).map { |i| "rb:scan:#{i}" }.to_set)
    C.hset("rb:scan:h", (0...1000).to_h { |i| ["f#{i}", i.to_s] })
    equal(C.hscan_each("rb:scan:h").to_h.size, 1000)
    C.zadd("rb:scan:z", (0...1000).map { |i| [i, "m#{i}"] })
    equal(C.zscan_each("rb:scan:z").to_h["m999"], 999.0)
  end,

  "types" => lambda do
    equal(C.hset("rb:h", "a", "1", "b", "2.5"), 2)
    equal(C.hincrbyfloat("rb:h", "b", 0.25), 2.75)
    equal(C.hgetall("rb:h"), { "a" => "1", "b" => "2.75" })
    C.zadd("rb:z", [[1, "a"], [Float::INFINITY, "b"]])
    equal(C.zrange("rb:z", 0, -1, with_scores: true), [["a", 1.0], ["b", Float::INFINITY]])
    equal(C.zincrby("rb:z", 1.5, "a"), 2.5)
    C.geoadd("rb:geo", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")
    equal(C.geodist("rb:geo", "Palermo", "Catania", "km"), "166.2742")
    equal(C.setbit("rb:bits", 1000, 1), 0)
    equal([C.bitcount("rb:bits"), C.bitpos("rb:bits", 1)], [1, 1000])
    C.sadd("{rb:s}1", %w[a b])
    C.sadd("{rb:s}2", %w[b c])
    equal(C.sinter("{rb:s}1", "{rb:s}2"), ["b"])
    equal([C.set("rb:once", "v", ex: 100, nx: true), C.set("rb:once", "w", nx: true)], [true, false])
  end,

  "binary and large" => lambda do
    key = "rb:".b + (0..255).to_a.pack("C*")
    value = "\r\n$-1\r\n\0".b + key
    equal(C.set(key, value), "OK")
    equal(C.get(key).b, value)
    large = Random.new(7).bytes(5_000_000)
    equal(C.set("rb:large", large), "OK")
    raise "a large value came back otherwise" unless C.get("rb:large").b == large
    C.rpush("rb:many", (0...20_000).map(&:to_s))
    equal(C.lrange("rb:many", 0, -1), (0...20_000).map(&:to_s))
  end,

  "a connection that is cut" => lambda do
    lone = connect
    equal(lone.set("rb:cut", "v"), "OK")
    id = lone.call("CLIENT", "ID")
    equal(C.call("CLIENT", "KILL", "ID", id.to_s), 1)
    until_true { !C.call("CLIENT", "LIST").include?("id=#{id} ") }
    equal(lone.get("rb:cut"), "v")
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
puts "redis-rb: ok"
