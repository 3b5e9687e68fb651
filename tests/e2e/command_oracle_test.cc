// The command table against COMMAND of the installed redis-server: what Redis says of itself is the
// truth that the rows, the key finder and the error sentences are held to.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "backend/command/command_table.h"
#include "backend/command/key_finder.h"
#include "backend/command/second_copy.h"

namespace gemel::command_oracle_test {
namespace {

using Args = std::vector<std::string_view>;
struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;
struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const bool ok = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  return ok ? ntohs(address.sin_port) : 0;
}

// A redis-server of its own for all tests of the suite.
class CommandOracle : public testing::Test {
 protected:
  // Another process may take the port in between: then the next try takes another.
  static void SetUpTestSuite() {
    for (int attempt = 0; attempt < 5 && context_ == nullptr; ++attempt) Start();
  }

  static void TearDownTestSuite() { Stop(); }

  void SetUp() override { ASSERT_NE(context_, nullptr) << "redis-server did not start"; }

  static Reply Call(const Args& args) {
    std::vector<const char*> data;
    std::vector<size_t> sizes;
    for (std::string_view arg : args) {
      data.push_back(arg.data());
      sizes.push_back(arg.size());
    }
    return Reply(static_cast<redisReply*>(redisCommandArgv(
        context_.get(), static_cast<int>(args.size()), data.data(), sizes.data())));
  }

  // The sentence of an error reply, else empty.
  static std::string Error(const Args& args) {
    const Reply reply = Call(args);
    return reply != nullptr && reply->type == REDIS_REPLY_ERROR
               ? std::string(reply->str, static_cast<size_t>(reply->len))
               : "";
  }

  static CommandTable table_;

 private:
  static void Start() {
    char pattern[] = "/tmp/gemel-oracle-XXXXXX";
    folder_ = mkdtemp(pattern);
    const std::string port = std::to_string(FreePort());
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // it must not outlive a test that crashed
      const int null = open("/dev/null", O_RDWR);
      dup2(null, STDOUT_FILENO);
      execlp("redis-server", "redis-server", "--port", port.c_str(), "--bind", "127.0.0.1",
             "--save", "", "--appendonly", "no", "--dir", folder_.c_str(), nullptr);
      _exit(127);
    }
    for (int i = 0; i < 200 && waitpid(pid_, nullptr, WNOHANG) == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
      context_.reset(redisConnect("127.0.0.1", std::stoi(port)));
      if (context_ != nullptr && context_->err == 0 && Error({"ping"}).empty()) return;
      context_.reset();
    }
    Stop();
  }

  static void Stop() {
    context_.reset();
    if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    pid_ = -1;
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
    folder_.clear();
  }

  static pid_t pid_;
  static std::string folder_;
  static Context context_;
};

CommandTable CommandOracle::table_;
pid_t CommandOracle::pid_ = -1;
std::string CommandOracle::folder_;
Context CommandOracle::context_;

std::string Text(const redisReply* reply) {
  return std::string(reply->str, static_cast<size_t>(reply->len));
}

// ---- The rows

struct Told {
  long long arity, first, last, step;
  std::set<std::string> flags;
  bool container;
};

void Collect(const redisReply* list, std::map<std::string, Told>* told) {
  for (size_t i = 0; i < list->elements; ++i) {
    redisReply** e = list->element[i]->element;
    Told row{e[1]->integer, e[3]->integer,           e[4]->integer,
             e[5]->integer, std::set<std::string>(), e[9]->elements > 0};
    for (size_t f = 0; f < e[2]->elements; ++f) row.flags.insert(Text(e[2]->element[f]));
    told->emplace(Text(e[0]), row);
    Collect(e[9], told);
  }
}

std::set<std::string> FlagsOf(const CommandRow& row) {
  static const std::map<uint32_t, std::string> kNames = {
      {kCmdWrite, "write"},
      {kCmdReadonly, "readonly"},
      {kCmdDenyOom, "denyoom"},
      {kCmdAdmin, "admin"},
      {kCmdPubSub, "pubsub"},
      {kCmdNoScript, "noscript"},
      {kCmdBlocking, "blocking"},
      {kCmdLoading, "loading"},
      {kCmdStale, "stale"},
      {kCmdFast, "fast"},
      {kCmdNoAuth, "no_auth"},
      {kCmdMovableKeys, "movablekeys"},
      {kCmdNoMulti, "no_multi"},
      {kCmdAllowBusy, "allow_busy"},
      {kCmdSkipMonitor, "skip_monitor"},
      {kCmdSkipSlowlog, "skip_slowlog"},
      {kCmdNoAsyncLoading, "no_async_loading"},
      {kCmdNoMandatoryKeys, "no_mandatory_keys"},
      {kCmdAsking, "asking"},
  };
  std::set<std::string> flags;
  for (const auto& [flag, name] : kNames) {
    if ((row.flags & flag) != 0) flags.insert(name);
  }
  return flags;
}

TEST_F(CommandOracle, EveryRowIsAsCommandTellsIt) {
  const Reply reply = Call({"command"});
  ASSERT_NE(reply, nullptr);
  std::map<std::string, Told> told;
  Collect(reply.get(), &told);
  ASSERT_GT(told.size(), 300u);
  for (const CommandRow& row : table_.rows()) {
    const std::string name(row.name);
    // Our own; and what Redis does not tell of the subcommands of DEBUG.
    if (name.starts_with("proxy") || name.starts_with("debug|")) continue;
    if (name == "client|setinfo") continue;  // of Redis 7.2
    SCOPED_TRACE(name);
    const auto it = told.find(name);
    if (it == told.end()) {
      ADD_FAILURE() << "redis-server has no such command";
      continue;
    }
    const Told& redis = it->second;
    EXPECT_EQ(row.arity, redis.arity);
    EXPECT_EQ(FlagsOf(row), redis.flags);
    EXPECT_EQ(row.first_key, redis.first);
    EXPECT_EQ(row.last_key, redis.last);
    EXPECT_EQ(row.key_step, redis.step);
    EXPECT_EQ((row.flags & kCmdContainer) != 0, redis.container || name == "debug");
    told.erase(it);
  }
  for (const auto& [name, row] : told) ADD_FAILURE() << "no row for " << name;
}

// ---- The keys

Args Words(std::string_view line) {
  Args args;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    args.push_back(line.substr(0, end) == "''" ? std::string_view("") : line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return args;
}

constexpr const char* kLinesWithKeys[] = {
    "eval s 0 x",
    "eval s 2 a b",
    "eval s 2 a b c",
    "eval_ro s 1 a",
    "evalsha s 1 a b",
    "evalsha_ro s 1 a",
    "fcall f 2 a b c",
    "fcall_ro f 1 a",
    "zunion 2 a b",
    "zunion 1 a withscores",
    "zinter 2 a b weights 1 2",
    "zdiff 1 a",
    "zintercard 2 a b",
    "sintercard 1 a limit 0",
    "zunionstore d 2 a b",
    "zinterstore d 1 a",
    "zdiffstore d 2 a b",
    "zunionstore d 2 a b weights 1 2",
    "lmpop 2 a b left",
    "zmpop 1 a min count 2",
    "blmpop 0 1 a left",
    "bzmpop 0 2 a b min",
    "xread streams a 0",
    "xread count 2 block 0 streams a b 0 0",
    "XREAD STREAMS a b c 1 2 3",
    "xreadgroup group g c streams a >",
    "xreadgroup group streams streams streams a >",
    "xreadgroup group g c count 1 block 0 noack streams a b > >",
    "sort a",
    "sort a store b",
    "sort a by x get y limit 0 1 store c",
    "sort a store b store c",
    "sort a by store b",
    "sort a get store store d",
    "sort a limit store b store c",
    "sort_ro a by x get #",
    "georadius k 0 0 1 m",
    "georadius k 0 0 1 m store d",
    "georadius k 0 0 store x",
    "georadius k 0 0 1 m withcoord store",
    "georadius k 0 0 1 m storedist e",
    "georadius k 0 0 1 m store d storedist e",
    "georadiusbymember k m 1 m store d",
    "georadiusbymember k store a b c d",
    "georadiusbymember k m 1 m withdist STOREDIST q",
    "georadius_ro k 0 0 1 m",
    "georadiusbymember_ro k m 1 m",
    "migrate h p k 0 1",
    "migrate h p '' 0 1 keys a b",
    "migrate h p '' 0 1 copy replace auth keys keys z",
    "migrate h p '' 0 1 auth2 keys keys keys y z",
    "mset a 1 b 2",
    "msetnx a 1",
    "mget a b",
    "object encoding k",
    "memory usage k samples 5",
    "blpop a b 0",
    "bzpopmin a 0",
    "bitop and d a b",
    "pfcount a b",
    "pfdebug getreg k",
    "xgroup create s g $",
    "xinfo stream s full",
    "copy a b db 1",
    "lcs a b",
    "restore-asking a 0 b",
    "geosearchstore a b frommember m byradius 1 m asc",
    "sinterstore a b c",
    "watch a b",
};

TEST_F(CommandOracle, KeysAreThoseOfGetKeys) {
  for (const char* line : kLinesWithKeys) {
    const Args args = Words(line);
    Args get = {"command", "getkeys"};
    get.insert(get.end(), args.begin(), args.end());
    const Reply reply = Call(get);
    ASSERT_NE(reply, nullptr);
    ASSERT_EQ(reply->type, REDIS_REPLY_ARRAY) << line;
    std::vector<std::string> expected, found;
    for (size_t i = 0; i < reply->elements; ++i) expected.push_back(Text(reply->element[i]));
    std::vector<uint32_t> keys;
    const CommandRow* row = table_.Find(args);
    ASSERT_NE(row, nullptr) << line;
    EXPECT_TRUE(FindKeys(*row, args, &keys)) << line;
    for (uint32_t key : keys) found.emplace_back(args[key]);
    EXPECT_EQ(found, expected) << line;
  }
}

// What we call malformed, Redis refuses too; where we do not send it on, we say what Redis says.
TEST_F(CommandOracle, MalformedKeysAreRefusedByRedisToo) {
  struct Case {
    const char* line;
    bool same_sentence;
  };
  for (const Case& c : {
           Case{"eval s 3 a", true},
           Case{"eval s -1 a", true},
           Case{"eval s x a", true},
           Case{"eval s +1 a", true},
           Case{"eval s 01 a", true},
           Case{"eval_ro s '' a", true},
           Case{"lmpop 0 a left", true},
           Case{"lmpop x a left", true},
           Case{"lmpop 9 a left", true},
           Case{"zmpop -1 a min", true},
           Case{"sintercard 0 a", true},
           Case{"sintercard 2 a", false},
           Case{"zunion 0 a", false},
           Case{"zunion 2 a", true},
           Case{"zunionstore d 3 a b", true},
           Case{"zdiff x a", false},
           Case{"xread streams a b 0", true},
           Case{"xreadgroup group g c streams a b c", true},
           Case{"xread count 1 foo", true},
           Case{"xread foo streams a 0", true},
           Case{"xread count streams streams 0", false},
           Case{"sort a store", true},
           Case{"mset a 1 b", true},
           Case{"msetnx a 1 b", true},
           Case{"migrate h p k 0 1 keys a b", false},
       }) {
    const Args args = Words(c.line);
    const CommandRow* row = table_.Find(args);
    std::vector<uint32_t> keys;
    EXPECT_FALSE(FindKeys(*row, args, &keys)) << c.line;
    const std::string error = Error(args);
    EXPECT_NE(error, "") << c.line;
    if (c.same_sentence) {
      EXPECT_EQ(MalformedKeysError(*row, args), error) << c.line;
    }
  }
}

// ---- What the arguments decide

// Sends each line, and asks Redis itself whether it was a write: its replication offset is no use
// without a replica, so the count of changes since the last save is.
TEST_F(CommandOracle, InvocationsThatWriteAreKnownAsWrites) {
  const auto dirty = [&] {
    const std::string info = Text(Call({"info", "persistence"}).get());
    const std::string field = "rdb_changes_since_last_save:";
    return std::stoll(info.substr(info.find(field) + field.size()));
  };
  ASSERT_EQ(Error({"flushall"}), "");
  ASSERT_EQ(Error(Words("rpush l 3 1 2")), "");
  ASSERT_EQ(Error(Words("geoadd g 13 38 p 15 37 c")), "");
  ASSERT_EQ(Error(Words("set n 5")), "");
  ASSERT_EQ(Error(Words("pfadd h a b c")), "");
  ASSERT_EQ(Error(Words("pfadd i d")), "");
  for (const char* line : {
           "sort l",
           "sort l store d",
           "sort_ro l",
           "georadius g 15 37 200 km",
           "georadius g 15 37 200 km store d2",
           "georadiusbymember g p 200 km storedist d3",
           "georadiusbymember g p 200 km",
           "bitfield n get u8 0",
           "bitfield n set u8 0 9",
           "bitfield n incrby u8 0 1",
           "pfcount h i",
           "pfcount h",
           "pfcount i",
           "eval_ro return 0",
           "get n",
           "getex n ex 100",
           "getex n persist",
           "xread streams s 0",
           "touch n",
       }) {
    const Args args = Words(line);
    const long long before = dirty();
    const std::string error = Error(args);
    const bool changed = dirty() != before;
    // Its own answer may be the more careful one, never the less.
    EXPECT_LE(changed, IsWriteFor(*table_.Find(args), args)) << line << ": " << error;
    if (table_.Find(args)->arg_rule != ArgRule::kNone) {
      EXPECT_EQ(changed, IsWriteFor(*table_.Find(args), args)) << line << ": " << error;
    }
  }
}

// ---- The error sentences

TEST_F(CommandOracle, ErrorsAreWordForWord) {
  const std::string x100(100, 'x'), y100(100, 'y'), z200(200, 'z');
  std::vector<std::string> numbers;
  for (int i = 0; i < 60; ++i) numbers.push_back("n" + std::to_string(i));
  Args many = {"nope"};
  many.insert(many.end(), numbers.begin(), numbers.end());
  const std::vector<Args> unknown = {
      {"nope"},
      {"nope", "a"},
      {"Nope", "a", "", "b"},
      {"", "a"},
      {"nope", x100, y100, "c"},
      {"nope", z200, "c"},
      {z200, "c"},
      {std::string_view("n\r\no\x01\xff\0z", 8), std::string_view("a\0b\r\n'\"\\", 8), "\xe9"},
      {"config|get", "a"},
      {"config", "nope"},
      {"CoNFiG", "b\r\nla\x01", "x"},
      {"client", z200},
      {"xinfo", std::string_view("n\0pe", 4)},
      {"memory", "get|x"},
      {"object", "", "k"},
      many,
  };
  for (const Args& args : unknown) {
    EXPECT_EQ(table_.Find(args), nullptr) << args[0];
    EXPECT_EQ(table_.NotFoundError(args), Error(args));
  }
  for (const char* line : {"get", "GET a b", "set a", "config", "CONFIG get", "config set a",
                           "xinfo", "xgroup create", "memory usage", "object encoding", "mget",
                           "client list|", "sort", "command count x", "scan"}) {
    const Args args = Words(line);
    const CommandRow* row = table_.Find(args);
    if (row == nullptr) {
      EXPECT_EQ(table_.NotFoundError(args), Error(args));
      continue;
    }
    EXPECT_FALSE(ArityFits(*row, args.size())) << line;
    EXPECT_EQ(ArityError(*row), Error(args)) << line;
  }
}

}  // namespace
}  // namespace gemel::command_oracle_test
