# What applications do with Perl's Redis. The port is the argument.

use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(sha1_hex);
use Redis;
use Redis::Hash;
use Redis::List;
use Test::More ();

my $port = $ARGV[0];
my $name = '';
$| = 1;

sub connect_to { return Redis->new(server => "127.0.0.1:$port", @_); }

sub equal {
    my ($actual, $expected) = @_;
    return if Test::More::eq_array([$actual], [$expected]);
    my @shown = map { substr(Test::More::explain($_), 0, 1000) } $actual, $expected;
    die "$shown[0] instead of $shown[1]";
}

sub until_true {
    my ($condition) = @_;
    for (1 .. 600) {
        return if $condition->();
        select(undef, undef, undef, 0.05);
    }
    die 'it never came';
}

sub error_of {
    my ($function) = @_;
    return $@ unless eval { $function->(); 1 };
    die 'no error';
}

# Runs it in processes, each with its number; returns what waits for them.
sub in_processes {
    my ($count, $function) = @_;
    my @children;
    for my $number (0 .. $count - 1) {
        my $child = fork() // die "fork: $!";
        if ($child == 0) {
            my $good = eval { $function->($number); 1 };
            print "redis perl: $name: $@" unless $good;
            require POSIX;
            POSIX::_exit($good ? 0 : 1);
        }
        push @children, $child;
    }
    return sub {
        for my $child (@children) {
            waitpid($child, 0);
            die 'another process failed' if $? != 0;
        }
    };
}

my $client = connect_to();

my @things = (
    'many connections' => sub {
        my $done = in_processes(3, sub {
            my ($number) = @_;
            my $own = connect_to();
            for my $i (1 .. 30) {
                equal($own->set("pl:pool:$number:$i", $i), 'OK');
                equal($own->get("pl:pool:$number:$i"), $i);
                $own->incr('pl:pool:sum');
            }
            my $count = 0;
            while ($count < 15) {
                $own->watch('{pl:tx}n');
                my $now = $own->get('{pl:tx}n') // 0;
                $own->multi;
                $own->set('{pl:tx}n', $now + 1);
                $own->rpush('{pl:tx}log', $now);
                my @replies = eval { $own->exec };
                ++$count if @replies == 2;
            }
        });
        $done->();
        equal($client->get('pl:pool:sum'), '90');
        equal([$client->lrange('{pl:tx}log', 0, -1)], [0 .. 44]);
    },

    'a pipeline' => sub {
        my @replies;
        for my $i (0 .. 999) {
            $client->set("pl:pipe:$i", $i, sub { push @replies, $_[0] });
            $client->get("pl:pipe:$i", sub { push @replies, $_[0] });
        }
        $client->wait_all_responses;
        equal(\@replies, [map { ('OK', $_) } 0 .. 999]);
        my $error;
        $client->lpush('pl:pipe:0', 'x', sub { $error = $_[1] });
        $client->wait_one_response;
        equal(substr($error, 0, 9), 'WRONGTYPE');
    },

    'publish and subscribe' => sub {
        my $subscriber = connect_to();
        my (@heard, @by_pattern);
        $subscriber->subscribe('pl:news', 'pl:more', sub { push @heard, $_[0] });
        $subscriber->psubscribe('pl:n*', sub { push @by_pattern, $_[0] });
        for my $i (0 .. 49) { equal($client->publish('pl:news', $i), 2); }
        equal($client->publish('pl:else', 'x'), 0);
        until_true(sub { $subscriber->wait_for_messages(1); @heard == 50 && @by_pattern == 50 });
        equal(\@heard, [0 .. 49]);
        equal(\@by_pattern, [0 .. 49]);
        equal([$client->pubsub('numsub', 'pl:news')], ['pl:news', 1]);
    },

    'pops that wait' => sub {
        my @queues = ('{pl:q}high', '{pl:q}low');
        my $done = in_processes(3, sub {
            my $own = connect_to();
            while (1) {
                my ($queue, $item) = $own->blpop(@queues, 30);
                last if $item eq 'end';
                equal($queue, $queues[$item % 2]);
                $own->rpush('{pl:q}popped', $item);
            }
        });
        for my $i (0 .. 59) { $client->rpush($queues[$i % 2], $i); }
        $client->rpush($queues[1], 'end', 'end', 'end');
        $done->();
        equal([sort { $a <=> $b } $client->lrange('{pl:q}popped', 0, -1)], [0 .. 59]);
        $client->rpush($queues[0], 'x');
        equal($client->brpoplpush($queues[0], $queues[1], 5), 'x');
        $done = in_processes(1, sub {
            equal([connect_to()->bzpopmin('{pl:q}z', 30)], ['{pl:q}z', 'm', '1.5']);
        });
        until_true(sub { $client->client('LIST') =~ /cmd=bzpopmin/ });
        $client->zadd('{pl:q}z', 1.5, 'm');
        $done->();
    },

    'streams and groups' => sub {
        my ($stream, $group) = ('pl:stream', 'workers');
        equal($client->xgroup('CREATE', $stream, $group, '0', 'MKSTREAM'), 'OK');
        my @ids = map { $client->xadd($stream, '*', 'n', $_) } 0 .. 29;
        my @read = map { @{ ($client->xreadgroup('GROUP', $group, $_, 'COUNT', 20, 'STREAMS', $stream, '>'))[0][1] } }
            'one', 'two';
        equal(\@read, [map { [$ids[$_], ['n', $_]] } 0 .. 29]);
        equal($client->xack($stream, $group, @ids[0 .. 19]), 20);
        equal(($client->xpending($stream, $group))[0], 10);
        equal([map { $_->[0] } $client->xclaim($stream, $group, 'one', 0, @ids[20 .. 24])], [@ids[20 .. 24]]);
        equal([map { $_->[0] } @{ ($client->xautoclaim($stream, $group, 'one', 0, '0'))[1] }], [@ids[20 .. 29]]);
        equal($client->xack($stream, $group, @ids[20 .. 29]), 10);
    },

    'scripts' => sub {
        my $limit = "local n = redis.call('incrby', KEYS[1], ARGV[1]) redis.call('rpush', KEYS[2], n) return {n, KEYS[2]} -- perl";
        my @keys = ('{pl:lua}n', '{pl:lua}l');
        equal(error_of(sub { $client->evalsha(sha1_hex($limit), 2, @keys, 5) }) =~ /NOSCRIPT/ ? 1 : 0, 1);
        equal([$client->eval($limit, 2, @keys, 5)], [5, '{pl:lua}l']);
        equal([$client->evalsha(sha1_hex($limit), 2, @keys, 2)], [7, '{pl:lua}l']);
        equal($client->evalsha($client->script_load('return ARGV[1]'), 0, 'a'), 'a');
        equal([$client->script_exists(sha1_hex($limit), 'f' x 40)], [1, 0]);
    },

    'scans' => sub {
        for my $start (0 .. 6) {
            $client->mset(map { ("pl:scan:$_", $_) } $start * 1500 .. $start * 1500 + 1499);
        }
        my %found;
        my $cursor = 0;
        do {
            ($cursor, my $keys) = $client->scan($cursor, 'MATCH', 'pl:scan:*', 'COUNT', 1000);
            $found{$_} = 1 for @$keys;
        } while ($cursor ne '0');
        equal([sort keys %found], [sort map { "pl:scan:$_" } 0 .. 10499]);
    },

    'types' => sub {
        equal($client->hset('pl:h', 'a', 1, 'b', 2.5), 2);
        equal($client->hincrbyfloat('pl:h', 'b', 0.25), '2.75');
        equal({ $client->hgetall('pl:h') }, { a => 1, b => 2.75 });
        equal($client->zadd('pl:z', 1, 'a', 2.5, 'b', '+inf', 'c'), 3);
        equal([$client->zrange('pl:z', 0, -1, 'WITHSCORES')], ['a', '1', 'b', '2.5', 'c', 'inf']);
        equal($client->geoadd('pl:geo', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania'), 2);
        equal($client->geodist('pl:geo', 'Palermo', 'Catania', 'km'), '166.2742');
        equal($client->setbit('pl:bits', 1000, 1), 0);
        equal([$client->bitcount('pl:bits'), $client->bitpos('pl:bits', 1)], [1, 1000]);
        $client->sadd('{pl:s}1', 'a', 'b');
        $client->sadd('{pl:s}2', 'b', 'c');
        equal([$client->sinter('{pl:s}1', '{pl:s}2')], ['b']);
        equal($client->set('pl:once', 'v', 'EX', 100, 'NX'), 'OK');
        equal($client->set('pl:once', 'w', 'NX'), undef);
        # A hash tied to a key prefix, a list to a key.
        tie(my %hash, 'Redis::Hash', 'pl:tied', server => "127.0.0.1:$port");
        $hash{a} = 'b';
        equal($hash{a}, 'b');
        tie(my @list, 'Redis::List', 'pl:list', server => "127.0.0.1:$port");
        push @list, 'x', 'y';
        equal([@list], ['x', 'y']);
    },

    'binary and large' => sub {
        my $key = 'pl:' . join('', map { chr } 0 .. 255);
        my $value = "\r\n\$-1\r\n\0" . $key;
        equal($client->set($key, $value), 'OK');
        equal($client->get($key), $value);
        my $large = join('', map { chr(int(rand(256))) } 1 .. 50000) x 100;
        equal($client->set('pl:large', $large), 'OK');
        die 'a large value came back otherwise' if $client->get('pl:large') ne $large;
        $client->rpush('pl:many', 0 .. 19999);
        equal([$client->lrange('pl:many', 0, -1)], [0 .. 19999]);
    },

    'a connection that is cut' => sub {
        # It does not connect again by default.
        my $lone = connect_to(reconnect => 30, every => 50_000);
        my $id = $lone->client('ID');
        equal($client->client('KILL', 'ID', $id), 1);
        until_true(sub { $client->client('LIST') !~ /\bid=$id / });
        equal($lone->set('pl:cut', 'v'), 'OK');
        die 'it is the same connection' if $lone->client('ID') == $id;
    },
);

$SIG{ALRM} = sub { die 'it does not end' };
alarm(100);
while (@things) {
    ($name, my $thing) = splice(@things, 0, 2);
    next if eval { $thing->(); 1 };
    print "redis perl: $name: $@";
    exit(1);
}
print "redis perl: ok\n";
