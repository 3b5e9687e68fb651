// WATCH and UNWATCH against what the installed redis-server says to the same commands of two
// clients: what touches a watched key, and what does not.

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::watch_test {
namespace {

// In their order; a line that begins with "2:" is the second client's.
using Lines = std::vector<std::string>;

// What there is before {t}k is watched, and what the second client does then, before MULTI.
struct Case {
  const char* before;
  const char* between;
};

const Case kTouches[] = {
    {"SET {t}k 1", "SET {t}k 2"},
    {"SET {t}k 1", "SET {t}k 1"},
    {"SET {t}k 1", "SET {t}k 2 GET"},
    {"SET {t}k 1", "SET {t}k 2 NX"},
    {"SET {t}k 1", "SET {t}k 2 XX GET"},
    {"PING", "SET {t}k 2 XX"},
    {"PING", "SET {t}k 2 GET"},
    {"PING", "SET {t}k 1"},
    {"SET {t}k 1", "SETNX {t}k 2"},
    {"SET {t}k 1", "MSETNX {t}k 2 {t}l 2"},
    {"SET {t}k 1", "MSET {t}l 2 {t}k 1"},
    {"SET {t}k 1", "APPEND {t}k x"},
    {"SET {t}k 1", "APPEND {t}k \"\""},
    {"PING", "SETRANGE {t}k 5 \"\""},
    {"SET {t}k 1", "SETRANGE {t}k 0 1"},
    {"SET {t}k 1", "INCRBY {t}k 0"},
    {"SET {t}k x", "INCR {t}k"},
    {"SET {t}k 1", "GET {t}k"},
    {"SET {t}k 1", "GETSET {t}k 1"},
    {"SET {t}k 1", "GETEX {t}k EX 100"},
    {"SET {t}k 1 EX 100", "GETEX {t}k PERSIST"},
    {"PING", "GETEX {t}k EX 100"},
    {"SET {t}k 1", "GETDEL {t}k"},
    {"PING", "GETDEL {t}k"},
    {"SET {t}k 1", "BITFIELD {t}k GET u8 0"},
    {"SET {t}k 1", "BITFIELD {t}k SET u8 0 1"},
    {"SET {t}k 1", "BITOP NOT {t}l {t}k"},
    {"SET {t}k 1", "BITOP NOT {t}k {t}l"},
    {"SET {t}k 1", "TOUCH {t}k"},
    {"SET {t}k 1", "DEL {t}k"},
    {"PING", "DEL {t}k"},
    {"PING", "UNLINK {t}k"},
    {"SET {t}k 1", "UNLINK {t}l {t}k"},
    {"SET {t}k 1", "EXPIRE {t}k 100"},
    {"PING", "EXPIRE {t}k 100"},
    {"SET {t}k 1", "EXPIRE {t}k 100 XX"},
    {"SET {t}k 1", "EXPIRE {t}k 0"},
    {"SET {t}k 1", "PERSIST {t}k"},
    {"SET {t}k 1 EX 100", "PERSIST {t}k"},
    {"SET {t}k 1", "RENAME {t}k {t}l"},
    {"SET {t}l 1", "RENAME {t}l {t}k"},
    {"PING", "RENAME {t}none {t}k"},
    {"MSET {t}k 1 {t}l 1", "RENAMENX {t}l {t}k"},
    {"SET {t}l 1", "RENAMENX {t}l {t}k"},
    {"SET {t}l 1", "COPY {t}l {t}k"},
    {"SET {t}k 1", "COPY {t}k {t}l"},
    {"SET {t}k 1", "COPY {t}k {t}k DB 2"},
    {"MSET {t}k 1 {t}l 1", "COPY {t}l {t}k"},
    {"MSET {t}k 1 {t}l 1", "COPY {t}l {t}k REPLACE"},
    {"PING", "COPY {t}none {t}k"},
    {"SET {t}k 1", "MOVE {t}k 2"},
    {"PING", "MOVE {t}k 2"},
    {"SET {t}k 1", "RESTORE {t}k 0 x"},
    {"SADD {t}k 1", "SADD {t}k 1"},
    {"SADD {t}k 1", "SADD {t}k 1 2"},
    {"SADD {t}k 1", "SREM {t}k 2"},
    {"SADD {t}k 1", "SREM {t}k 1 2"},
    {"SADD {t}k 1", "SPOP {t}k"},
    {"SADD {t}k 1", "SPOP {t}k 0"},
    {"SADD {t}k 1 2 3", "SPOP {t}k 2"},
    {"PING", "SPOP {t}k"},
    {"SADD {t}k 1", "SMOVE {t}k {t}l 1"},
    {"SADD {t}k 1", "SMOVE {t}k {t}l 2"},
    {"SADD {t}l 1", "SMOVE {t}l {t}k 1"},
    {"SADD {t}k 1", "SUNIONSTORE {t}l {t}k"},
    {"SADD {t}l 1", "SUNIONSTORE {t}k {t}l"},
    {"SADD {t}k 1", "SINTERSTORE {t}k {t}none {t}l"},
    {"RPUSH {t}k 1", "SORT {t}k"},
    {"RPUSH {t}k 1", "SORT {t}k STORE {t}l"},
    {"RPUSH {t}l 1", "SORT {t}l STORE {t}k"},
    {"PING", "LPUSHX {t}k 1"},
    {"RPUSH {t}k 1", "LPUSHX {t}k 1"},
    {"PING", "LPOP {t}k"},
    {"RPUSH {t}k 1", "LPOP {t}k 0"},
    {"RPUSH {t}k 1", "RPOP {t}k"},
    {"RPUSH {t}k 1", "LREM {t}k 0 2"},
    {"RPUSH {t}k 1", "LSET {t}k 0 1"},
    {"RPUSH {t}k 1", "LTRIM {t}k 0 -1"},
    {"RPUSH {t}k 1", "LINSERT {t}k BEFORE 2 x"},
    {"PING", "LINSERT {t}k BEFORE 2 x"},
    {"RPUSH {t}k 1", "LMOVE {t}k {t}l LEFT LEFT"},
    {"RPUSH {t}l 1", "RPOPLPUSH {t}l {t}k"},
    {"PING", "RPOPLPUSH {t}none {t}k"},
    {"PING", "LMPOP 2 {t}k {t}l LEFT"},
    {"ZADD {t}k 1 m", "ZADD {t}k 2 m"},
    {"ZADD {t}k 1 m", "ZREM {t}k n"},
    {"ZADD {t}k 1 m", "ZREMRANGEBYSCORE {t}k 5 6"},
    {"ZADD {t}k 1 m", "ZREMRANGEBYRANK {t}k 0 0"},
    {"PING", "ZPOPMIN {t}k"},
    {"ZADD {t}k 1 m", "ZPOPMIN {t}k 0"},
    {"ZADD {t}k 1 m", "ZPOPMAX {t}k"},
    {"ZADD {t}k 1 m", "ZUNIONSTORE {t}l 1 {t}k"},
    {"ZADD {t}k 1 m", "ZRANGESTORE {t}l {t}k 0 -1"},
    {"ZADD {t}l 1 m", "ZRANGESTORE {t}k {t}l 0 -1"},
    {"HSET {t}k f 1", "HSET {t}k f 1"},
    {"HSET {t}k f 1", "HSETNX {t}k f 2"},
    {"HSET {t}k f 1", "HDEL {t}k g"},
    {"HSET {t}k f 1", "HDEL {t}k f g"},
    {"HSET {t}k f 1", "HINCRBY {t}k f 0"},
    {"PFADD {t}k a", "PFADD {t}k a"},
    {"PFADD {t}k a", "PFADD {t}k b"},
    {"PING", "PFADD {t}k"},
    {"PFADD {t}k a", "PFMERGE {t}l {t}k"},
    {"PFADD {t}k a", "PFMERGE {t}k"},
    {"PFADD {t}k a", "PFCOUNT {t}k {t}l"},
    {"XADD {t}k 1-1 f v", "XADD {t}k 1-1 f v"},
    {"XADD {t}k 1-1 f v", "XADD {t}k * f v"},
    {"PING", "XADD {t}k NOMKSTREAM * f v"},
    {"PING", "XADD {t}k NOMKSTREAM 1-1 f v"},
    {"XADD {t}k 1-1 f v", "XDEL {t}k 2-2"},
    {"XADD {t}k 1-1 f v", "XTRIM {t}k MAXLEN 5"},
    {"XADD {t}k 1-1 f v", "XTRIM {t}k MAXLEN 0"},
    {"XADD {t}k 1-1 f v", "XGROUP DESTROY {t}k g"},
    {"XADD {t}k 1-1 f v", "XACK {t}k g 1-1"},
    {"XADD {t}k 1-1 f v", "XREADGROUP GROUP g c STREAMS {t}k >"},
    {"GEOADD {t}k 13 38 P", "GEOSEARCHSTORE {t}l {t}k FROMMEMBER P BYRADIUS 1 m"},
    {"GEOADD {t}k 13 38 P", "GEORADIUS {t}k 13 38 1 m"},
    {"GEOADD {t}k 13 38 P", "GEORADIUS {t}k 13 38 9 km STORE {t}l"},
    {"GEOADD {t}l 13 38 P", "GEORADIUS {t}l 13 38 9 km STORE {t}k"},
    {"SET {t}k 1", "EVAL return\\_redis.call('set',KEYS[1],2) 1 {t}k"},
    {"SET {t}k 1", "EVAL_RO return\\_redis.call('get',KEYS[1]) 1 {t}k"},
    {"SET {t}k x", "LPUSH {t}k 1"},
    {"SET {t}k 1", "FLUSHALL"},
    {"PING", "FLUSHALL"},
    {"SET {t}k 1", "FLUSHDB"},
    {"PING", "FLUSHDB"},
};

// Redis says that they do not touch the key; from a reply this cannot be told, and it is no harm
// that an EXEC does nothing for once.
const Case kMayTouch[] = {
    {"SET {t}k 1", "SET {t}k 2 NX GET"},
    {"PING", "SET {t}k 2 XX GET"},
    {"SET {t}k 1", "SETRANGE {t}k 0 \"\""},
    {"SET {t}k 1", "GETEX {t}k"},
    {"SET {t}k 1", "GETEX {t}k PERSIST"},
    {"SET {t}k 1", "SETBIT {t}k 7 1"},
    {"PING", "BITOP NOT {t}k {t}none"},
    {"SET {t}l 1", "DEL {t}k {t}l"},
    {"SET {t}k 1", "RENAME {t}k {t}k"},
    {"SADD {t}k 1", "SMOVE {t}k {t}k 1"},
    {"PING", "SUNIONSTORE {t}k {t}none"},
    {"PING", "SINTERSTORE {t}k {t}none {t}l"},
    {"PING", "SDIFFSTORE {t}k {t}none"},
    {"PING", "SORT {t}none STORE {t}k"},
    {"PING", "LTRIM {t}k 0 -1"},
    {"RPUSH {t}l 1", "LMPOP 2 {t}k {t}l LEFT"},
    {"ZADD {t}k 1 m", "ZADD {t}k 1 m"},
    {"ZADD {t}k 1 m", "ZADD {t}k NX 2 m"},
    {"ZADD {t}k 1 m", "ZADD {t}k NX INCR 2 m"},
    {"ZADD {t}k 1 m", "ZINCRBY {t}k 0 m"},
    {"ZADD {t}l 1 m", "ZMPOP 2 {t}k {t}l MIN"},
    {"PING", "ZRANGESTORE {t}k {t}none 0 -1"},
    {"XADD {t}k 1-1 f v", "XGROUP CREATE {t}k g 0"},
    {"GEOADD {t}k 13 38 P", "GEOADD {t}k NX 14 38 P"},
    {"GEOADD {t}k 13 38 P", "GEOADD {t}k CH 13 38 P"},
    {"SET {t}k 1", "EVAL return\\_1 1 {t}k"},
};

// Whole conversations; EXEC tells.
const std::vector<Lines> kConversations = {
    // By itself.
    {"SET {t}k 1", "WATCH {t}k", "SET {t}k 2", "MULTI", "SET {t}k 3", "EXEC", "GET {t}k"},
    {"SET {t}k 1", "WATCH {t}k", "GET {t}k", "MULTI", "SET {t}k 3", "EXEC", "GET {t}k"},
    {"WATCH {t}k", "DEL {t}k", "MULTI", "SET {t}k 3", "EXEC"},
    {"WATCH {t}k", "SADD {t}k 1", "MULTI", "SPOP {t}k", "EXEC"},
    // By transactions of others, also by parts of them, and by those that do nothing.
    {"WATCH {t}k", "2:MULTI", "2:SET {t}k 2", "2:SET {t}l 2", "2:EXEC", "MULTI", "GET {t}k",
     "EXEC"},
    {"WATCH {t}k", "2:MULTI", "2:SET {t}k 2", "MULTI", "GET {t}k", "EXEC", "2:EXEC", "GET {t}k"},
    {"WATCH {t}k", "2:MULTI", "2:SET {t}k 2", "2:DISCARD", "MULTI", "GET {t}k", "EXEC"},
    {"SET {t}l x", "WATCH {t}k", "2:MULTI", "2:INCR {t}l", "2:DEL {t}k", "2:GET {t}k", "2:EXEC",
     "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "2:MULTI", "2:GET {t}k", "2:SPOP {t}k", "2:XADD {t}x 1-1 f v", "2:EXEC", "MULTI",
     "GET {t}k", "EXEC"},
    {"SET {t}k x", "WATCH {t}k", "2:MULTI", "2:INCR {t}k", "2:SPOP {t}none", "2:EXEC", "MULTI",
     "GET {t}k", "EXEC"},
    {"WATCH {t}k", "2:MULTI", "2:SADD {t}s 1", "2:SPOP {t}s", "2:SADD {t}k 1", "2:EXEC", "MULTI",
     "SCARD {t}k", "EXEC"},
    {"WATCH {t}k", "2:MULTI", "2:DEL {t}none", "2:SADD {t}k 1", "2:EXEC", "MULTI", "GET {t}done",
     "EXEC"},
    {"WATCH {t}k", "2:MULTI", "2:SADD {t}s 1", "2:DEL {t}k", "2:EXEC", "MULTI", "GET {t}done",
     "EXEC"},
    {"WATCH {t}k", "2:MULTI", "2:SELECT 2", "2:SET {t}k 2", "2:EXEC", "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "2:SELECT 2", "2:MULTI", "2:SELECT 0", "2:SET {t}k 2", "2:EXEC", "MULTI",
     "GET {t}k", "EXEC"},
    {"SELECT 2", "WATCH {t}k", "2:MULTI", "2:PING", "2:SELECT 2", "2:SET {t}k 2", "2:EXEC", "MULTI",
     "GET {t}k", "EXEC"},
    // Both watch; the first one wins.
    {"WATCH {t}k", "2:WATCH {t}k", "MULTI", "INCR {t}k", "2:MULTI", "2:INCR {t}k", "EXEC", "2:EXEC",
     "GET {t}k"},
    {"WATCH {t}k", "2:WATCH {t}k", "MULTI", "2:MULTI", "2:INCR {t}k", "EXEC", "2:EXEC", "GET {t}k"},
    {"WATCH {t}k", "2:WATCH {t}k", "MULTI", "GET {t}k", "2:MULTI", "2:INCR {t}k", "EXEC", "2:EXEC",
     "GET {t}k"},
    // Databases.
    {"WATCH {t}k", "2:SELECT 2", "2:SET {t}k 2", "MULTI", "GET {t}k", "EXEC"},
    {"SELECT 2", "SET {t}k 1", "WATCH {t}k", "SELECT 0", "SET {t}k 2", "MULTI", "GET {t}k", "EXEC"},
    {"SELECT 2", "WATCH {t}k", "SELECT 0", "2:SELECT 2", "2:SET {t}k 2", "MULTI", "GET {t}k",
     "EXEC"},
    {"WATCH {t}k", "SELECT 2", "WATCH {t}k", "SELECT 3", "2:SET {t}k 2", "MULTI", "SET {t}k 3",
     "EXEC"},
    {"SELECT 2", "WATCH {t}k", "2:SET {t}k 1", "2:MOVE {t}k 2", "MULTI", "GET {t}k", "EXEC"},
    {"SELECT 2", "WATCH {t}k", "2:SET {t}l 1", "2:COPY {t}l {t}k DB 2", "MULTI", "GET {t}k",
     "EXEC"},
    {"SELECT 2", "WATCH {t}k", "2:SET {t}l 1", "2:COPY {t}l {t}k DB 3", "MULTI", "GET {t}k",
     "EXEC"},
    {"WATCH {t}k", "2:MULTI", "2:SELECT 3", "2:SET {t}k 1", "2:MOVE {t}k 0", "2:EXEC", "MULTI",
     "GET {t}k", "EXEC"},
    {"SELECT 2", "SET {t}k 1", "WATCH {t}k", "2:FLUSHDB", "MULTI", "GET {t}k", "EXEC"},
    {"SELECT 2", "SET {t}k 1", "WATCH {t}k", "2:FLUSHALL", "MULTI", "GET {t}k", "EXEC"},
    {"SELECT 2", "WATCH {t}k", "2:FLUSHALL", "MULTI", "GET {t}k", "EXEC"},
    {"SET {t}k 1", "WATCH {t}k {t}none", "2:FLUSHALL", "2:SET {t}k 1", "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "2:SET {t}l 1", "2:FLUSHALL", "MULTI", "GET {t}l", "EXEC"},
    // What there was when it began to be watched is what counts, and what there is when all goes.
    {"WATCH {t}k", "2:SET {t}k 1", "UNWATCH", "WATCH {t}k", "2:FLUSHALL", "MULTI", "GET {t}k",
     "EXEC"},
    {"SET {t}k 1", "WATCH {t}k", "DEL {t}k", "FLUSHALL", "MULTI", "GET {t}k", "EXEC"},
    // What ends it.
    {"WATCH {t}k", "2:SET {t}k 2", "UNWATCH", "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "MULTI", "UNWATCH", "SET {t}k 1", "2:SET {t}k 2", "EXEC", "GET {t}k"},
    {"WATCH {t}k", "MULTI", "UNWATCH", "SET {t}k 1", "EXEC", "GET {t}k"},
    {"WATCH {t}k", "MULTI", "DISCARD", "2:SET {t}k 2", "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "MULTI", "EXEC", "2:SET {t}k 2", "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "2:SET {t}k 2", "MULTI", "GET {t}k", "EXEC", "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "MULTI", "NOSUCH", "EXEC", "2:SET {t}k 2", "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "2:SET {t}k 2", "MULTI", "NOSUCH", "EXEC", "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "RESET", "2:SET {t}k 2", "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "MULTI", "RESET", "2:SET {t}k 2", "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "EXEC", "DISCARD", "2:SET {t}k 2", "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "MULTI", "MULTI", "WATCH {t}l", "2:SET {t}l 2", "GET {t}l", "EXEC"},
    {"WATCH {t}k", "MULTI", "WATCH {t}l", "2:SET {t}k 2", "GET {t}l", "EXEC"},
    // Many, one twice, more later, none.
    {"WATCH {t}a {t}b {t}c {t}d {t}e", "2:SET {t}e 1", "MULTI", "GET {t}a", "EXEC"},
    {"WATCH {t}a {t}b {t}c {t}d {t}e", "2:SET {t}f 1", "MULTI", "GET {t}f", "EXEC"},
    {"WATCH {t}a {t}a", "WATCH {t}a", "2:SET {t}a 1", "MULTI", "GET {t}a", "EXEC", "MULTI",
     "GET {t}a", "EXEC"},
    {"WATCH {t}a", "2:SET {t}a 1", "WATCH {t}a", "MULTI", "GET {t}a", "EXEC"},
    {"WATCH {t}a", "2:SET {t}a 1", "WATCH {t}b", "MULTI", "GET {t}a", "EXEC"},
    {"WATCH {t}a", "WATCH {t}b", "2:SET {t}a 1", "MULTI", "GET {t}b", "EXEC"},
    {"WATCH", "UNWATCH x", "UNWATCH", "MULTI", "SET {t}k 1", "EXEC"},
    // Nothing, or nothing for a node, in the transaction.
    {"WATCH {t}k", "2:SET {t}k 1", "MULTI", "EXEC", "MULTI", "EXEC"},
    {"WATCH {t}k", "2:SET {t}k 1", "MULTI", "PING", "EXEC", "PING"},
    {"WATCH {t}k", "MULTI", "PING", "EXEC"},
    {"WATCH {t}k", "2:SET {t}k 1", "MULTI", "SELECT 2", "EXEC", "SET {t}k 2", "2:GET {t}k"},
    {"WATCH {t}k", "2:SET {t}k 1", "MULTI", "HELLO 3", "EXEC", "MULTI", "EXEC", "GET {t}none"},
    // It is about other keys; chance and scripts are among them.
    {"WATCH {t}k", "2:INCR {t}l", "MULTI", "INCR {t}l",
     "EVAL return\\_redis.call('incr',KEYS[1]) 1 {t}l", "SPOP {t}none", "EXEC", "GET {t}l"},
    {"WATCH {t}k", "2:INCR {t}k", "MULTI", "INCR {t}l",
     "EVAL return\\_redis.call('incr',KEYS[1]) 1 {t}l", "SPOP {t}none", "EXEC", "GET {t}l"},
    // How long it lives.
    {"SET {t}k 1 EX 100", "WATCH {t}k", "MULTI", "GET {t}k", "EXEC"},
    {"SET {t}k 1", "PEXPIRE {t}k 100000", "WATCH {t}k", "MULTI", "SET {t}k 2", "EXEC", "TTL {t}k"},
};

// One shard alone has these.
const std::vector<Lines> kSwaps = {
    {"SET {t}k 1", "WATCH {t}k", "2:SWAPDB 0 2", "MULTI", "GET {t}k", "EXEC"},
    {"WATCH {t}k", "2:SELECT 2", "2:SET {t}k 1", "2:SWAPDB 0 2", "MULTI", "GET {t}k", "EXEC"},
    {"SET {t}k 1", "WATCH {t}k", "2:SWAPDB 1 2", "MULTI", "GET {t}k", "EXEC"},
    {"SELECT 3", "SET {t}k 1", "WATCH {t}k", "SELECT 0", "2:SWAPDB 0 3", "MULTI", "GET {t}k",
     "EXEC"},
    {"SET {t}k 1", "WATCH {t}k", "2:MULTI", "2:SWAPDB 0 2", "2:EXEC", "MULTI", "GET {t}k", "EXEC"},
    {"SET {t}k 1", "WATCH {t}k", "2:MULTI", "2:SELECT 2", "2:FLUSHDB", "2:EXEC", "MULTI",
     "GET {t}k", "EXEC"},
    {"SET {t}k 1", "WATCH {t}k", "2:MULTI", "2:SELECT 2", "2:FLUSHALL", "2:EXEC", "MULTI",
     "GET {t}k", "EXEC"},
    {"WATCH {t}k", "2:MULTI", "2:FLUSHALL", "2:EXEC", "MULTI", "GET {t}k", "EXEC"},
    {"SET {t}k 1", "WATCH {t}k", "MULTI", "FLUSHALL", "DBSIZE", "EXEC"},
};

// Shards, workers.
class Watch : public ::testing::TestWithParam<std::tuple<int, int>> {
 protected:
  Watch() : cluster_({.shards = std::get<0>(GetParam()), .workers = std::get<1>(GetParam())}) {}

  // `or_touched`: gemel may say of EXEC that a key was touched.
  void ExpectRediss(const Lines& lines, const std::string& protocol, bool or_touched) {
    Wire gemel[] = {Wire(cluster_.proxy().port()), Wire(cluster_.proxy().port())};
    Wire redis[] = {Wire(alone_.port()), Wire(alone_.port())};
    gemel[0].Ask({"FLUSHALL"});
    redis[0].Ask({"FLUSHALL"});
    for (int i = 0; i < 2; ++i) {
      gemel[i].Ask({"HELLO", protocol});
      redis[i].Ask({"HELLO", protocol});
    }
    std::string all;
    for (const std::string& line : lines) all += line + "; ";
    SCOPED_TRACE(all + "in RESP" + protocol);
    for (const std::string& line : lines) {
      const bool second = line.starts_with("2:");
      const Words words = WordsOf(second ? line.substr(2) : line);
      const std::string got = gemel[second].Ask(words);
      const std::string expected = redis[second].Ask(words);
      if (or_touched && line == "EXEC" && got == (protocol == "2" ? "*-1\r\n" : "_\r\n")) continue;
      // An ID, a member that chance has chosen.
      EXPECT_EQ(WithoutDigits(got), WithoutDigits(expected)) << line;
    }
  }
  void ExpectRediss(const std::vector<Lines>& conversations, bool or_touched = false) {
    for (const char* protocol : {"2", "3"}) {
      for (const Lines& lines : conversations) ExpectRediss(lines, protocol, or_touched);
    }
    cluster_.ExpectCopiesEqual();
  }

  Cluster cluster_;
  RedisNode alone_;
};

INSTANTIATE_TEST_SUITE_P(Ways, Watch, ::testing::Values(std::tuple(1, 1), std::tuple(2, 2)),
                         [](const auto& info) {
                           return std::string(std::get<1>(info.param) == 1 ? "One" : "TwoThreaded");
                         });

TEST_P(Watch, TouchedByAnotherClient) {
  std::vector<Lines> conversations;
  for (const Case& one : kTouches) {
    conversations.push_back({one.before, "WATCH {t}k", std::string("2:") + one.between, "MULTI",
                             "SET {t}done 1", "EXEC"});
  }
  ExpectRediss(conversations);
}

TEST_P(Watch, MayBeTouchedByAnotherClient) {
  std::vector<Lines> conversations;
  for (const Case& one : kMayTouch) {
    conversations.push_back({one.before, "WATCH {t}k", std::string("2:") + one.between, "MULTI",
                             "SET {t}done 1", "EXEC"});
  }
  if (cluster_.shards() == 1) {
    for (const char* swap : {"2:SWAPDB 0 0", "2:SWAPDB 0 2"}) {
      conversations.push_back({swap, "WATCH {t}k", swap, "MULTI", "SET {t}done 1", "EXEC"});
    }
  }
  ExpectRediss(conversations, /*or_touched=*/true);
}

// As above, but what touches it is one of several commands in another client's transaction.
TEST_P(Watch, TouchedByAnotherTransaction) {
  std::vector<Lines> conversations;
  for (const Case& one : kTouches) {
    const std::string between = one.between;
    if (cluster_.shards() > 1 && between.starts_with("FLUSH")) continue;
    conversations.push_back({one.before, "WATCH {t}k", "2:MULTI", "2:GET {t}k", "2:PING",
                             "2:SELECT 0", "2:" + between, "2:SET {t}other 1", "2:EXEC", "MULTI",
                             "SET {t}done 1", "EXEC"});
  }
  ExpectRediss(conversations);
}

TEST_P(Watch, ConversationsAreRediss) { ExpectRediss(kConversations); }
TEST_P(Watch, WholeDatabases) {
  if (cluster_.shards() == 1) ExpectRediss(kSwaps);
}

// All in one write, as a client does that knows what it will find.
TEST_P(Watch, Pipelined) {
  const Lines lines = {"SET {t}k 1", "WATCH {t}k", "GET {t}k",   "MULTI",         "SET {t}k 2",
                       "EXEC",       "WATCH {t}k", "SET {t}k 3", "MULTI",         "SET {t}k 4",
                       "EXEC",       "GET {t}k",   "WATCH {t}k", "SET {t}k x NX", "MULTI",
                       "SPOP {t}s",  "GET {t}k",   "EXEC",       "WATCH {t}k",    "UNWATCH",
                       "INCR {t}k",  "MULTI",      "INCR {t}k",  "EXEC"};
  std::string bytes;
  for (const std::string& line : lines) bytes += Encode(WordsOf(line));
  for (const char* protocol : {"2", "3"}) {
    Wire gemel(cluster_.proxy().port());
    Wire redis(alone_.port());
    gemel.Ask({"HELLO", protocol});
    redis.Ask({"HELLO", protocol});
    for (int round = 0; round < 20; ++round) {
      gemel.Send(bytes);
      redis.Send(bytes);
      for (const std::string& line : lines) ASSERT_EQ(gemel.Read(), redis.Read()) << line;
    }
  }
  cluster_.ExpectCopiesEqual();
}

// What the client itself wrote before, in the same pipeline, touches nothing, though it had to wait
// for its turn.
TEST_P(Watch, BehindOnesOwnWrites) {
  Client client = cluster_.Connect();
  for (int i = 0; i < 30; ++i) {
    const std::string key = "{t}k" + std::to_string(i);
    client("SADD", key, "1", "2", "3");
    client.Append({"SPOP", key});
    client.Append({"SADD", key, "4"});
    client.Append({"WATCH", key});
    client.Append({"MULTI"});
    client.Append({"SCARD", key});
    client.Append({"EXEC"});
    client.Read();
    EXPECT_EQ(client.Read(), ":1");
    EXPECT_EQ(client.Read(), "OK");
    EXPECT_EQ(client.Read(), "OK");
    EXPECT_EQ(client.Read(), "QUEUED");
    const Reply exec = client.Read();
    ASSERT_EQ(exec.items.size(), 1u) << key << ": " << exec;
    EXPECT_EQ(exec.items[0], ":3");
  }
}

// A key that is there when it begins to be watched and has expired by EXEC, also if nobody has
// asked for it since. One that had expired before is one that is not there.
TEST_P(Watch, KeysThatExpire) {
  Client redis = alone_.Connect();
  Client gemel = cluster_.Connect();
  for (Client* client : {&redis, &gemel}) {
    Client other = client == &redis ? alone_.Connect() : cluster_.Connect();
    for (const bool asked : {false, true}) {
      EXPECT_EQ((*client)("SET", "{t}k", "v", "PX", "50"), "OK");
      EXPECT_EQ((*client)("SET", "{t}clock", "v", "PX", "120"), "OK");
      EXPECT_EQ((*client)("WATCH", "{t}k"), "OK");
      EXPECT_TRUE(Eventually([&] { return other("EXISTS", asked ? "{t}k" : "{t}clock") == ":0"; }));
      EXPECT_EQ((*client)("MULTI"), "OK");
      EXPECT_EQ((*client)("SET", "{t}done", "1"), "QUEUED");
      EXPECT_EQ((*client)("EXEC"), "(nil)") << asked;
      // Now there is none, and nothing happens to it.
      EXPECT_EQ((*client)("WATCH", "{t}k"), "OK");
      EXPECT_EQ(other("GET", "{t}k"), "(nil)");
      EXPECT_EQ((*client)("MULTI"), "OK");
      EXPECT_EQ((*client)("SET", "{t}done", "1"), "QUEUED");
      EXPECT_EQ((*client)("EXEC"), "[OK]") << asked;
    }
    // It lives longer than it would have: the other client saw to that, and touched it.
    EXPECT_EQ((*client)("SET", "{t}k", "v", "PX", "100000"), "OK");
    EXPECT_EQ((*client)("WATCH", "{t}k"), "OK");
    EXPECT_EQ(other("PERSIST", "{t}k"), ":1");
    EXPECT_EQ((*client)("MULTI"), "OK");
    EXPECT_EQ((*client)("EXEC"), "(nil)");
  }
}

// Who is gone watches nothing, and takes nothing with it.
TEST_P(Watch, ClientsThatLeave) {
  Client other = cluster_.Connect();
  for (int i = 0; i < 200; ++i) {
    Wire leaves(cluster_.proxy().port());
    std::string bytes = Encode({"WATCH", "{t}k"}) + Encode({"MULTI"}) + Encode({"INCR", "{t}k"});
    if (i % 2 == 0) bytes += Encode({"EXEC"});
    leaves.Send(bytes);
    if (i % 3 == 0) {
      EXPECT_EQ(leaves.Read(), "+OK\r\n");
    }
    EXPECT_EQ(other("INCR", "{t}n"), ":" + std::to_string(i + 1));
  }
  cluster_.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::watch_test
