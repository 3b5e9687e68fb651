# Puts gemel into Redis's own test suite: each start_server starts two redis-servers and one gemel before them, and
# what the suite calls "the server" is gemel. Sourced by the suite's test_helper.tcl after all that it defines.
#
# What it takes from the environment, all of it set by `run`:
#   GEMEL_BINARY       gemel; "": none
#   GEMEL_READ_FROM    [read] from
#   SUITE_RESULTS      a file to which each test adds a line: outcome, unit, name, first line of the error
#   SUITE_NOT_PASSING  the list of tests that are left out, "unit: name" a line; "" leaves none out
#   SUITE_TEST_S       seconds that a test may take before its connections are cut

namespace eval tg {
    variable nodes      ;# by gemel's port: the ports of primary and replica
    variable gemel      ;# by gemel's port: pids of gemel and the replica, log of gemel, password
    variable beside     ;# by a client's id: its connections to the two nodes
    variable late {}    ;# by a client's id: which of its replies, not read yet, come from the nodes
    variable sent       ;# by a deferring client's id: requests sent
    variable got        ;# and replies read
    variable db         ;# by a client's id
    variable resp
    variable multi
    variable listed {}  ;# the tests to leave out
    variable last_test "none yet"
    variable differing 0
    variable in_test 0
    variable server 0   ;# of this unit
    variable error      ;# by the number of servers below: what ended the code of a start_server
}

# ---- tests

proc tg::failed {sentence {name "(a server)"}} {
    tg::result FAILED $name $sentence
    incr ::num_failed
    lappend ::tests_failed [list $sentence]
    send_data_packet $::test_server_fd err $sentence
}

proc tg::unit {} {regsub {^tests/(.*)\.tcl$} $::curfile {\1}}

proc tg::result {outcome name {error ""}} {
    set out [open $::env(SUITE_RESULTS) a]
    fconfigure $out -encoding utf-8
    puts $out "$outcome\t[tg::unit]: $name\t[string range [string map {"\n" " | " "\t" " "} $error] 0 1500]"
    close $out
}

if {$::env(SUITE_NOT_PASSING) ne ""} {
    set list [open $::env(SUITE_NOT_PASSING) r]
    fconfigure $list -encoding utf-8
    foreach line [split [read $list] "\n"] {
        # "+": run all the same, for later tests need what it leaves.
        if {[string index $line 0] eq "+"} {
            dict set tg::listed [string trim [string range $line 1 end]] run
        } elseif {$line ne "" && [string index $line 0] ne "#"} {
            dict set tg::listed [string trim $line] skip
        }
    }
    close $list
}

rename test tg::suite_test
proc test {name code {okpattern undefined} {tags {}}} {
    # The suite runs these twice under one name, as functions and as scripts.
    upvar 1 is_eval is_eval
    if {[info exists is_eval] && !$is_eval} {set name "$name (FUNCTION)"}
    set name [string trim [regsub -all {\s+} $name " "]]
    set listed ""
    if {[dict exists $tg::listed "[tg::unit]: $name"]} {set listed [dict get $tg::listed "[tg::unit]: $name"]}
    if {$listed eq "skip"} {
        tg::result skipped $name
        incr ::num_skipped
        send_data_packet $::test_server_fd skip $name
        return
    }
    set tg::last_test "'$name'"
    set passed $::num_passed
    set failed $::num_failed
    incr tg::in_test
    uplevel 1 [list tg::suite_test $name $code $okpattern $tags]
    incr tg::in_test -1
    if {$::num_failed > $failed} {
        # An assertion is the second of its details; of anything else the third begins with all that was said.
        set details [lindex $::tests_failed end]
        tg::result [expr {$listed eq "run" ? "skipped" : "FAILED"}] $name [expr {[llength $details] > 2 ? [lindex $details 2] : [lindex $details 1]}]
        # What it has left (a transaction, a closed connection, replies not read) is not the next one's trouble.
        catch {tg::after_failure}
    } elseif {$::num_passed > $passed} {
        tg::result ok $name
    } else {
        tg::result "left out by its tags" $name
    }
    if {[llength $::servers]} {
        set port [srv 0 port]
        if {[info exists tg::gemel($port)]} {tg::compare $port}
    }
}

proc tg::after_failure {} {
    if {![llength $::servers]} return
    set old [srv 0 client]
    set id [string map {::redis::redisHandle ""} $old]
    set protocol [expr {[info exists tg::resp($id)] ? $tg::resp($id) : ""}]
    reconnect
    if {$protocol ne ""} {r hello $protocol}
    r debug set-active-expire 1
    r config set maxmemory 0
}

# Without a gemel this is the suite as it is, on one redis-server.
if {$::env(GEMEL_BINARY) eq ""} return

# ---- servers

# The config that start_server has written is gemel's as far as address and password go, the nodes' in all else.
proc tg::node_config {config_file port folder} {
    # A node that is started again may have rewritten its own.
    if {[file exists $config_file.$port]} {return $config_file.$port}
    set out [open $config_file.$port w]
    foreach line [split [exec cat $config_file] "\n"] {
        switch -- [string tolower [lindex [split $line " "] 0]] {
            port {puts $out "port $port"}
            dir {puts $out "dir $folder"}
            unixsocket - requirepass {}
            default {puts $out $line}
        }
    }
    close $out
    return $config_file.$port
}

proc tg::config_value {config_file name} {
    set found ""
    foreach line [split [exec cat $config_file] "\n"] {
        if {[string tolower [lindex [split $line " "] 0]] eq $name} {
            set found [join [lrange [split $line " "] 1 end] " "]
        }
    }
    return $found
}

proc tg::wait_up {port log} {
    if {![server_is_up 127.0.0.1 $port 200]} {
        error "nothing answers on port $port: [exec tail -n 5 $log]"
    }
}

proc tg::spawned {pid} {
    send_data_packet $::test_server_fd server-spawned $pid
    return $pid
}

proc spawn_server {config_file stdout stderr args} {
    set port [tg::config_value $config_file port]
    set folder [tg::config_value $config_file dir]
    set socket [tg::config_value $config_file unixsocket]
    set password [tg::config_value $config_file requirepass]
    # A server that is started again keeps its ports.
    if {![info exists tg::nodes($port)]} {
        set tg::nodes($port) [list [find_available_port $::baseport $::portcount] \
            [find_available_port $::baseport $::portcount]]
    }
    lassign $tg::nodes($port) primary replica
    file mkdir $folder/replica
    foreach file [glob -nocomplain $folder/*.acl $folder/*.rdb $folder/appendonlydir] {
        if {![file exists $folder/replica/[file tail $file]]} {file copy $file $folder/replica}
    }

    # All die with the suite, however it ends.
    set bound [list setpriv --pdeathsig KILL]
    set more [lindex $args 0]
    set pid [tg::spawned [exec {*}$bound src/redis-server [tg::node_config $config_file $primary $folder] {*}$more \
        >> $stdout 2>> $stderr &]]
    set second [tg::spawned [exec {*}$bound src/redis-server [tg::node_config $config_file $replica $folder/replica] \
        {*}$more >> $folder/replica/stdout 2>> $folder/replica/stderr &]]
    tg::wait_up $primary $stdout
    tg::wait_up $replica $folder/replica/stdout

    # No audit, which would hide copies that differ. No state: what a restarted server reads from its disk is all
    # that it is asked for.
    file delete -force $folder/gemel
    file mkdir $folder/gemel
    set listen "\"127.0.0.1:$port\""
    if {$socket ne ""} {append listen ", \"unix:[string trim $socket {"'}]\""}
    set toml [open $folder/gemel/gemel.toml w 0600]
    puts $toml "\[proxy\]
listen = \[$listen\]
state_dir = \"state\"
password = \"[string trim $password {"'}]\"

\[\[shard\]\]
name = \"a\"
primary = \"127.0.0.1:$primary\"
replicas = \[\"127.0.0.1:$replica\"\]

\[read\]
from = \"$::env(GEMEL_READ_FROM)\"

\[audit\]
interval_s = 0
"
    close $toml
    set log $folder/gemel/gemel.log
    set proxy [tg::spawned [exec {*}$bound $::env(GEMEL_BINARY) -c $folder/gemel/gemel.toml >> $log 2>@1 &]]
    set tg::gemel($port) [list $proxy $second $log [string trim $password {"'}]]
    tg::note_gemels
    tg::wait_up $port $log
    set tg::differing 0
    return $pid
}

# For the watch in the suite's other process, below.
proc tg::note_gemels {} {
    variable gemel
    set out [open tests/tmp/gemels w]
    foreach port [array names gemel] {puts $out [list $port [lindex $gemel($port) 0] [lindex $gemel($port) 3]]}
    close $out
}

proc tg::alive {pid} {expr {![catch {exec kill -0 $pid}]}}

proc tg::end_process {pid} {
    send_data_packet $::test_server_fd server-killing $pid
    catch {exec kill $pid}
    catch {exec kill -CONT $pid}
    for {set i 0} {$i < 1500 && [tg::alive $pid]} {incr i} {after 10}
    set ended [expr {![tg::alive $pid]}]
    if {!$ended} {catch {exec kill -KILL $pid}}
    send_data_packet $::test_server_fd server-killed $pid
    return $ended
}

rename kill_server tg::suite_kill_server
proc kill_server {config} {
    set port [dict get $config port]
    if {[info exists tg::gemel($port)]} {
        lassign $tg::gemel($port) proxy second log
        if {[is_alive $config] && [tg::alive $second]} {tg::compare $port}
        set unit [file rootname [file tail $::curfile]]
        if {![tg::alive $proxy]} {
            catch {file copy -force $log $::env(SUITE_RESULTS).$unit.$port.log}
            tg::failed "gemel has ended by itself; the last test was $tg::last_test; its log: [exec tail -n 20 $log]"
        } elseif {![tg::end_process $proxy]} {
            tg::failed "gemel did not stop within 15 s of SIGTERM; the last test was $tg::last_test"
        }
        if {![catch {exec grep -E -m 3 "Sanitizer|runtime error" $log} found]} {
            catch {file copy -force $log $::env(SUITE_RESULTS).$unit.$port.log}
            tg::failed "a sanitizer speaks in gemel's log; the last test was $tg::last_test: $found"
        }
        if {[dict exists $config client]} {
            [dict get $config client] close
            dict unset config client
        }
        tg::end_process $second
        unset tg::gemel($port)
        tg::note_gemels
    }
    tg::suite_kill_server $config
}

# An error between two tests ends what is left of this server's tests, and the server, but not the suite.
rename start_server tg::suite_start_server
proc start_server {options {code undefined}} {
    if {$code eq "undefined"} {return [uplevel 1 [list tg::suite_start_server $options]]}
    set depth [llength $::servers]
    if {!$depth} {incr tg::server}
    set tg::error($depth) ""
    uplevel 1 [list tg::suite_start_server $options \
        "if {\[catch {$code} tg_error\]} {set tg::error($depth) \$tg_error}"]
    if {$tg::error($depth) eq ""} return
    if {$tg::in_test} {error $tg::error($depth)}
    tg::failed_between $tg::error($depth)
}

proc tg::failed_between {error} {
    variable server
    variable listed
    set name "(between the tests of server $server)"
    if {[dict exists $listed "[unit]: $name"]} {
        result skipped $name
    } else {
        failed $error $name
    }
}

# ---- the copies

# What the two nodes hold, as one string each.
proc tg::contents {port} {
    variable nodes
    set both {}
    foreach node $nodes($port) {
        set client [redis 127.0.0.1 $node]
        if {[catch {list [$client debug digest] [tg::libraries [$client function list withcode]]} held]} {
            set held "error: $held"
        }
        lappend both $held
        $client close
    }
    return $both
}

# A node's order of libraries and of their functions is its own.
proc tg::libraries {list} {
    set found {}
    foreach library $list {
        dict set library functions [lsort [dict get $library functions]]
        lappend found $library
    }
    return [lsort $found]
}

# They have five seconds to become equal: what expires on one is deleted on the other a little later.
proc tg::compare {port} {
    variable differing
    variable last_test
    for {set i 0} {$i < 100} {incr i} {
        if {[catch {tg::contents $port} both]} return
        lassign $both first second
        # A node that is busy with a script of the test's cannot be asked.
        if {[string match "error: *" $first] || [string match "error: *" $second]} return
        if {$first eq $second} {
            set differing 0
            return
        }
        if {$differing} return
        after 50
    }
    set differing 1
    tg::failed "the copies differ after the test $last_test: [tg::differences $port]"
}

# The first keys that are not the same.
proc tg::differences {port} {
    variable nodes
    lassign $nodes($port) a b
    set first [redis 127.0.0.1 $a]
    set second [redis 127.0.0.1 $b]
    set found {}
    set lists [list [libraries [$first function list withcode]] [libraries [$second function list withcode]]]
    if {[lindex $lists 0] ne [lindex $lists 1]} {lappend found "functions ([lindex $lists 0]; [lindex $lists 1])"}
    for {set db 0} {$db < 16 && [llength $found] < 5} {incr db} {
        $first select $db
        $second select $db
        foreach key [lsort -unique [concat [$first keys *] [$second keys *]]] {
            if {[$first debug digest-value $key] ne [$second debug digest-value $key]} {
                lappend found "db $db [string range $key 0 60] ([$first type $key], [$first pttl $key] ms;\
                    [$second type $key], [$second pttl $key] ms)"
                if {[llength $found] == 5} break
            }
        }
    }
    $first close
    $second close
    return "[join $found ", "]; gemel holds them for [states $port]"
}

# A copy that gemel knows to be stale is not what it claims to be equal.
proc tg::states {port} {
    variable gemel
    set found {}
    catch {
        set client [redis 127.0.0.1 $port]
        if {[lindex $gemel($port) 3] ne ""} {$client auth [lindex $gemel($port) 3]}
        foreach {- state} [regexp -all -inline {state (\S+) health} [$client proxy shards]] {lappend found $state}
        $client close
    }
    return [join $found " and "]
}

# ---- commands of one node's operator, which go to the nodes beside gemel

# "": through gemel; "primary"; "both".
proc tg::way {id method argv} {
    variable nodes
    variable multi
    if {[info exists multi($id)] || ![info exists nodes([lindex $::redis::addr($id) 1])]} {return ""}
    set sub [string tolower [lindex $argv 0]]
    switch -- $method {
        debug {
            # Of gemel's own connection.
            if {$sub eq "protocol"} {return ""}
            if {$sub in {object digest-value digest listpack ziplist sdslen htstats htstats-key stringmatch-len}} {
                return primary
            }
            return both
        }
        config {
            # Of gemel's own clients, and of what they saw.
            set option [string tolower [lindex $argv 1]]
            if {$sub eq "resetstat" || $option in {requirepass maxclients tracking-table-max-keys}} {return ""}
            if {[string match slowlog-* $option] || [string match latency-* $option]} {return ""}
            if {$sub eq "get"} {return primary}
            return both
        }
        lastsave - bgsave {return primary}
        save - bgrewriteaof - pfdebug - pfselftest {return both}
        memory {if {$sub ne "usage"} {return primary}}
    }
    return ""
}

# The connections of a client's own to the nodes, in its database and protocol.
proc tg::beside {id} {
    variable nodes
    variable beside
    variable db
    variable resp
    if {![info exists beside($id)]} {
        set beside($id) {}
        foreach node $nodes([lindex $::redis::addr($id) 1]) {lappend beside($id) [redis 127.0.0.1 $node]}
    }
    foreach client $beside($id) {
        $client deferred 0
        if {[info exists resp($id)]} {$client hello $resp($id)}
        if {[info exists db($id)]} {catch {$client select $db($id)}}
    }
    return $beside($id)
}

proc tg::forget {id} {
    variable beside
    if {[info exists beside($id)]} {
        foreach client $beside($id) {catch {$client close}}
    }
    foreach name {beside db resp multi sent got} {
        variable $name
        unset -nocomplain ${name}($id)
    }
    variable late
    dict unset late $id
}

# Both are asked before either has answered, as DEBUG SLEEP wants. The reply is the primary's.
proc tg::answers {clients} {
    set replies {}
    foreach client $clients {
        lappend replies [catch {$client read} reply] $reply
        $client deferred 0
    }
    # An error of either, so that a node that refuses what the other takes is seen.
    foreach {code reply} $replies {
        if {$code} {return [list $code $reply]}
    }
    return [lrange $replies 0 1]
}

proc tg::ask {clients method argv} {
    foreach client $clients {
        $client deferred 1
        $client $method {*}$argv
    }
}

# INFO is gemel's, but for what the other copy has to end with, too.
proc tg::whole_info {id argv} {
    set text [::redis::tg_dispatch $id info $argv]
    set second [[lindex [tg::beside $id] 1] info]
    foreach field {rdb_bgsave_in_progress aof_rewrite_in_progress aof_rewrite_scheduled lazyfree_pending_objects} {
        set value [getInfoProperty $second $field]
        if {$value ne "" && $value ne "0"} {regsub "$field:\[0-9\]*" $text "$field:$value" text}
    }
    return $text
}

rename ::redis::__dispatch__raw__ ::redis::tg_dispatch
proc ::redis::__dispatch__raw__ {id name argv} {
    set method [string tolower $name]
    if {$method eq "close"} {tg::forget $id}
    if {[info exists ::redis::blocking($id)] && $::redis::blocking($id) && ![string match __* $method]} {
        set deferred $::redis::deferred($id)
        if {$method eq "read" && [info exists tg::sent($id)]} {
            set turn [incr tg::got($id)]
            if {[dict exists $tg::late $id $turn]} {
                lassign [tg::answers [dict get $tg::late $id $turn]] code reply
                dict unset tg::late $id $turn
                return -code $code $reply
            }
        }
        set way [tg::way $id $method $argv]
        if {$way ne ""} {
            set clients [tg::beside $id]
            if {$way eq "primary"} {set clients [lrange $clients 0 0]}
            tg::ask $clients $name $argv
            if {$deferred} {
                dict set tg::late $id [incr tg::sent($id)] $clients
                return
            }
            lassign [tg::answers $clients] code reply
            return -code $code $reply
        }
        if {$method eq "info" && !$deferred && ![info exists tg::multi($id)] &&
            [info exists tg::nodes([lindex $::redis::addr($id) 1])]} {
            return [tg::whole_info $id $argv]
        }
        switch -- $method {
            select {set tg::db($id) [lindex $argv 0]}
            hello {if {[lindex $argv 0] in {2 3}} {set tg::resp($id) [lindex $argv 0]}}
            multi {set tg::multi($id) 1}
            exec - discard {unset -nocomplain tg::multi($id)}
            reset {foreach state {db resp multi} {unset -nocomplain tg::${state}($id)}}
        }
        if {$deferred && [info command ::redis::__method__$name] eq {}} {incr tg::sent($id)}
    }
    ::redis::tg_dispatch $id $name $argv
}

# Replication is the nodes' own.
rename attach_to_replication_stream tg::suite_attach
proc attach_to_replication_stream {} {
    set server [lindex $::servers end]
    set port [dict get $server port]
    if {[info exists tg::nodes($port)]} {
        lset ::servers end [dict replace $server port [lindex $tg::nodes($port) 0]]
        set code [catch {tg::suite_attach} stream]
        lset ::servers end $server
        return -code $code $stream
    }
    tg::suite_attach
}

# ---- the watch, in the suite's other process: a test that waits for a reply that does not come has its connections cut

rename test_server_cron tg::suite_cron
proc test_server_cron {} {
    set elapsed [expr {[clock seconds] - $::last_progress}]
    if {$elapsed > $::env(SUITE_TEST_S)} {
        # Again each second, until the test has noticed; a gemel that does not do so itself is killed.
        set hard [expr {$elapsed > 2 * $::env(SUITE_TEST_S)}]
        if {![info exists ::tg_cut] || $::tg_cut != [clock seconds]} {
            set ::tg_cut [clock seconds]
            catch {
                set list [open tests/tmp/gemels r]
                foreach {port pid password} [read $list] {
                    if {$hard} {
                        exec kill -KILL $pid
                    } else {
                        set ::env(REDISCLI_AUTH) $password
                        catch {exec timeout 1 src/redis-cli -p $port client kill type normal}
                    }
                }
                close $list
            }
        }
    }
    tg::suite_cron
}
