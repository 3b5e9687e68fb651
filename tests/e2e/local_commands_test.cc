// What the proxy answers itself, as a Redis server of one database would.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::local_commands_test {
namespace {

// The commands that change a connection, word for word as Redis answers them.
void CompareConnectionCommands(uint16_t actual_port, uint16_t expected_port,
                               const std::vector<Words>& script) {
  Client actual(actual_port);
  Client expected(expected_port);
  for (const Words& words : script) {
    std::string line;
    for (const std::string& word : words) line += word + " ";
    EXPECT_EQ(actual.Run(words), expected.Run(words).Text()) << line;
  }
}

TEST(LocalCommands, AnswerAsRedis) {
  RedisNode oracle;
  Cluster cluster({.shards = 1});
  CompareConnectionCommands(cluster.proxy().port(), oracle.port(),
                            {
                                {"PING"},
                                {"ping", "hello"},
                                {"PING", "a", "b"},
                                {"ECHO", "hello"},
                                {"ECHO"},
                                {"SELECT", "0"},
                                {"SELECT", "1"},
                                {"SELECT", "15"},
                                {"SELECT", "16"},
                                {"SELECT", "-1"},
                                {"SELECT", "abc"},
                                {"AUTH", "secret"},
                                {"AUTH", "default", "anything"},
                                {"AUTH", "nobody", "secret"},
                                {"AUTH"},
                                {"AUTH", "a", "b", "c"},
                                {"CLIENT", "GETNAME"},
                                {"CLIENT", "SETNAME", "tester"},
                                {"CLIENT", "GETNAME"},
                                {"CLIENT", "SETNAME", "has space"},
                                {"CLIENT", "NO-EVICT", "on"},
                                {"CLIENT", "NOSUCH"},
                                {"CLIENT"},
                                {"RESET"},
                                {"CLIENT", "GETNAME"},
                                {"COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"},
                                {"COMMAND", "GETKEYS", "GET"},
                                {"CONFIG", "GET", "save"},
                                {"CONFIG", "GET", "appendonly"},
                                {"CONFIG", "GET", "nosuchparameter"},
                                {"HELLO", "abc"},
                                {"HELLO", "2", "AUTH", "nobody", "secret"},
                                {"HELLO", "2", "NOSUCH"},
                                {"PING"},
                            });
}

TEST(LocalCommands, PasswordsAnswerAsRedis) {
  RedisNode oracle({"--requirepass", "secret"});
  RedisNode node;
  ProxyProcess proxy;
  proxy.Start(
      "[proxy]\npassword = \"secret\"\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
      "\"]\n[[shard]]\nname = \"a\"\nprimary = \"" + node.address() + "\"\n");
  CompareConnectionCommands(proxy.port(), oracle.port(),
                            {
                                {"GET", "k"},
                                {"PING"},
                                {"MGET", "a", "b"},
                                {"NOSUCH"},
                                {"AUTH", "wrong"},
                                {"AUTH", "default", "wrong"},
                                {"AUTH", "nobody", "secret"},
                                {"GET", "k"},
                                {"HELLO", "2", "AUTH", "default", "wrong"},
                                {"AUTH", "secret"},
                                {"GET", "k"},
                                {"RESET"},
                                {"GET", "k"},
                                {"AUTH", "default", "secret"},
                                {"GET", "k"},
                            });
  Client client(proxy.port());
  EXPECT_EQ(client("HELLO", "2", "AUTH", "default", "secret", "SETNAME", "me").kind,
            Reply::Kind::kArray);
  EXPECT_EQ(client("CLIENT", "GETNAME"), "me");
  EXPECT_EQ(client("GET", "k"), "(nil)");
}

TEST(LocalCommands, Hello) {
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  for (const Words& words : {Words{"HELLO"}, Words{"HELLO", "2"}}) {
    const Reply hello = client.Run(words);
    EXPECT_EQ(hello.Field("server"), "redis");
    EXPECT_TRUE(hello.Field("version").bytes.starts_with("7.")) << hello;
    EXPECT_EQ(hello.Field("proto"), ":2");
    EXPECT_EQ(hello.Field("mode"), "standalone");
    EXPECT_EQ(hello.Field("role"), "master");
    EXPECT_EQ(hello.Field("modules"), "[]");
  }
  EXPECT_EQ(client("HELLO", "4"), "-NOPROTO unsupported protocol version");
  EXPECT_EQ(client("PING"), "PONG");
}

TEST(LocalCommands, ClientsAreListedAndKilled) {
  for (const int workers : {1, 2}) {
    Cluster cluster({.shards = 1, .workers = workers});
    std::vector<std::unique_ptr<Client>> clients;
    std::set<int64_t> ids;
    for (int i = 0; i < 8; ++i) {
      clients.push_back(std::make_unique<Client>(cluster.proxy().port()));
      EXPECT_EQ((*clients.back())("CLIENT", "SETNAME", "client-" + std::to_string(i)), "OK");
      ids.insert((*clients.back())("CLIENT", "ID").integer);
    }
    EXPECT_EQ(ids.size(), 8u);
    EXPECT_NE((*clients[0])("CLIENT", "INFO").bytes.find("name=client-0"), std::string::npos);
    const std::string list = (*clients[0])("CLIENT", "LIST").bytes;
    for (int i = 0; i < 8; ++i) {
      EXPECT_NE(list.find("name=client-" + std::to_string(i)), std::string::npos) << list;
    }
    const std::string id = std::to_string((*clients[7])("CLIENT", "ID").integer);
    EXPECT_EQ((*clients[0])("CLIENT", "KILL", "ID", id), ":1");
    EXPECT_TRUE(clients[7]->IsClosed());
    EXPECT_EQ((*clients[6])("PING"), "PONG");
  }
}

TEST(LocalCommands, CommandTellsOfTheTable) {
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  EXPECT_GT(client("COMMAND", "COUNT").integer, 150);
  const Reply all = client("COMMAND");
  EXPECT_EQ(static_cast<int64_t>(all.items.size()), client("COMMAND", "COUNT").integer);
  const Reply info = client("COMMAND", "INFO", "get", "nosuch");
  ASSERT_EQ(info.items.size(), 2u) << info;
  EXPECT_EQ(info.items[0].items.at(0), "get");
  EXPECT_EQ(info.items[0].items.at(1), ":2");
  EXPECT_EQ(info.items[1], "(nil)");
  EXPECT_EQ(client("COMMAND", "DOCS", "get").kind, Reply::Kind::kArray);
  EXPECT_EQ(client("COMMAND", "LIST").kind, Reply::Kind::kArray);
}

TEST(LocalCommands, InfoHasWhatToolsRead) {
  Cluster cluster({.shards = 2});
  Client client = cluster.Connect();
  for (int i = 0; i < 10; ++i) client("SET", "k" + std::to_string(i), "v");
  const std::string info = client("INFO").bytes;
  // redis-cli --stat reads these, clients the version and the role.
  for (const char* field :
       {"redis_version:7.", "used_memory:", "proxy_used_memory:", "connected_clients:",
        "blocked_clients:", "total_commands_processed:", "longest_turn_ms:",
        "total_connections_received:", "role:master", "loading:0"}) {
    EXPECT_NE(info.find(std::string("\r\n") + field), std::string::npos) << field << "\n" << info;
  }
  EXPECT_NE(client("INFO", "server").bytes.find("redis_version:"), std::string::npos);
  EXPECT_EQ(client("INFO", "server").bytes.find("connected_clients:"), std::string::npos);
  EXPECT_EQ(client("INFO", "nosuchsection"), "");
}

TEST(LocalCommands, TimeIsNow) {
  Cluster cluster({.shards = 1});
  const Reply reply = cluster.Connect()("TIME");
  ASSERT_EQ(reply.items.size(), 2u);
  EXPECT_NEAR(std::stod(reply.items[0].bytes), static_cast<double>(time(nullptr)), 30);
}

TEST(LocalCommands, QuitClosesAndTellsSo) {
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  EXPECT_EQ(client("QUIT"), "OK");
  EXPECT_TRUE(client.IsClosed());
}

// All that comes until the last command's answer.
std::vector<std::string> AllReplies(uint16_t port, const std::vector<std::string>& lines) {
  Wire wire(port);
  for (const std::string& line : lines) wire.Send(Encode(WordsOf(line)));
  wire.Send(Encode({"ECHO", "the end"}));
  std::vector<std::string> replies;
  do {
    replies.push_back(wire.Read());
  } while (replies.back().find("the end") == std::string::npos);
  return replies;
}

TEST(LocalCommands, RoleIsThatOfAMasterWithoutReplicas) {
  Cluster cluster({.shards = 1});
  RedisNode alone;
  EXPECT_EQ(Wire(cluster.proxy().port()).Ask({"ROLE"}), Wire(alone.port()).Ask({"ROLE"}));
}

TEST(LocalCommands, ClientReply) {
  Cluster cluster({.shards = 2, .workers = 2});
  RedisNode alone;
  const std::vector<std::vector<std::string>> all = {
      {"CLIENT REPLY ON", "PING"},
      {"CLIENT REPLY OFF", "SET a 1", "GET a", "MGET a b c", "PING", "nonsense", "GET",
       "CLIENT REPLY ON", "GET a"},
      {"CLIENT REPLY SKIP", "SET a 2", "GET a", "CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "GET a",
       "PING", "GET a"},
      {"CLIENT REPLY OFF", "CLIENT REPLY SKIP", "PING", "RESET", "PING"},
      {"CLIENT REPLY OFF", "MULTI", "SET a 3", "GET a", "EXEC", "CLIENT REPLY ON", "GET a"},
      {"CLIENT REPLY OFF", "SUBSCRIBE x", "PING", "UNSUBSCRIBE x", "CLIENT REPLY ON"},
      {"CLIENT REPLY OFF", "BLPOP none 0.01", "CLIENT REPLY ON"},
      {"CLIENT REPLY MAYBE", "CLIENT REPLY", "PING"},
  };
  for (const std::vector<std::string>& lines : all) {
    EXPECT_EQ(AllReplies(cluster.proxy().port(), lines), AllReplies(alone.port(), lines))
        << lines[0] << " / " << lines[1];
  }
}

// What is no number of a process or machine is the same, of who asks and of who has asked nothing.
TEST(LocalCommands, ClientListSaysWhatRedisSays) {
  RedisNode alone;
  Cluster cluster({.shards = 1, .workers = 2});
  const auto told = [](uint16_t port) {
    Client other(port);
    Client client(port);
    // Whoever asked before whether the server is there may still be leaving.
    EXPECT_TRUE(Eventually([&] {
      const std::string list = client("CLIENT", "LIST").bytes;
      return std::count(list.begin(), list.end(), '\n') == 2;
    }));
    std::string all = client("CLIENT", "INFO").bytes + client("CLIENT", "LIST").bytes;
    for (const char* field : {"id=", "addr=", "fd=", "age=", "idle=", "qbuf-free=", "argv-mem=",
                              "rbs=", "rbp=", "tot-mem=", "db="}) {
      for (size_t at = 0; (at = all.find(field, at)) != std::string::npos; ++at) {
        const size_t begin = at + std::string(field).size();
        all.erase(begin, all.find(' ', begin) - begin);
      }
    }
    // gemel has others' lines where they are.
    std::multiset<std::string> lines;
    for (size_t at = 0, end = 0; (end = all.find('\n', at)) != std::string::npos; at = end + 1) {
      lines.insert(all.substr(at, end - at));
    }
    return lines;
  };
  EXPECT_EQ(told(cluster.proxy().port()), told(alone.port()));
}

TEST(LocalCommands, HelpIsRediss) {
  RedisNode alone;
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  Client redis(alone.port());
  for (const char* command : {"CLIENT", "COMMAND", "SLOWLOG", "LATENCY"}) {
    EXPECT_EQ(client(command, "HELP"), redis(command, "HELP").Text());
  }
  const std::string own = client("PROXY", "HELP").Text();
  EXPECT_EQ(own.rfind("[PROXY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", 0), 0u);
  EXPECT_NE(own.find("HELP     Prints this help.]"), own.npos) << own;
}

TEST(LocalCommands, ClientPauseThreaded) {
  Cluster cluster({.shards = 2, .workers = 2});
  Client operators = cluster.Connect();
  for (const Words& wrong : std::vector<Words>{{"x"}, {"-1"}, {"1", "x"}, {"1", "ALL", "x"}}) {
    Words words = {"CLIENT", "PAUSE"};
    words.insert(words.end(), wrong.begin(), wrong.end());
    RedisNode alone;
    EXPECT_EQ(operators.Run(words), Client(alone.port()).Run(words).Text());
  }
  EXPECT_EQ(operators("CLIENT", "PAUSE", "1000000", "WRITE"), "OK");
  std::vector<Client> clients;
  const std::vector<Words> writes = {{"SET", "k0", "v"},
                                     {"PUBLISH", "c", "m"},
                                     {"EVAL", "return redis.call('set', KEYS[1], 'v')", "1", "k2"},
                                     {"PFCOUNT", "k3"},
                                     {"BLPOP", "k4", "0.01"}};
  for (const Words& words : writes) {
    clients.push_back(cluster.Connect());
    clients.back().Append(words);
    clients.back().Flush();
  }
  clients.push_back(cluster.Connect());
  EXPECT_EQ(clients.back()("MULTI"), "OK");
  clients.back().Append({"SET", "k5", "v"});
  clients.back().Append({"EXEC"});
  clients.back().Flush();
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(operators("EXISTS", "k0"), ":0");
    EXPECT_EQ(operators("EXISTS", "k2"), ":0");
    EXPECT_EQ(operators("EXISTS", "k5"), ":0");
  }
  EXPECT_EQ(operators("CLIENT", "UNPAUSE"), "OK");
  EXPECT_EQ(clients[0].Read(), "OK");
  EXPECT_EQ(clients[1].Read(), ":0");
  EXPECT_EQ(clients[2].Read(), "OK");
  EXPECT_EQ(clients[3].Read(), ":0");
  EXPECT_EQ(clients[4].Read(), "(nil)");
  EXPECT_EQ(clients[5].Read(), "QUEUED");
  EXPECT_EQ(clients[5].Read(), "[OK]");
  // All wait for its end, who ordered it, too.
  EXPECT_EQ(operators("CLIENT", "PAUSE", "200"), "OK");
  EXPECT_EQ(operators("PING"), "PONG");
  EXPECT_EQ(clients[0]("GET", "k0"), "v");
}

// Who hangs up while it is held is let go, as with Redis, and what it asked is not done.
TEST(LocalCommands, WhoHangsUpInAPauseIsLetGo) {
  Cluster cluster({.shards = 1});
  Client operators = cluster.Connect();
  EXPECT_EQ(operators("CLIENT", "PAUSE", "1000000", "WRITE"), "OK");
  const auto clients = [&] {
    const std::string list = operators("CLIENT", "LIST").bytes;
    return std::count(list.begin(), list.end(), '\n');
  };
  {
    Client leaves = cluster.Connect();
    EXPECT_EQ(leaves("PING"), "PONG");
    leaves.Append({"SET", "k", "v"});
    leaves.Flush();
    EXPECT_TRUE(Eventually([&] { return Has(operators("CLIENT", "LIST").bytes, "cmd=set"); }));
    EXPECT_EQ(clients(), 2);
  }
  EXPECT_TRUE(Eventually([&] { return clients() == 1; }));
  EXPECT_EQ(operators("CLIENT", "UNPAUSE"), "OK");
  EXPECT_EQ(operators("EXISTS", "k"), ":0");
}

// As Redis 7.2 has it, whose libraries say so when they connect.
TEST(LocalCommands, ClientSetInfo) {
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  EXPECT_FALSE(Has(client("CLIENT", "INFO").bytes, "lib-name"));
  EXPECT_EQ(client("CLIENT", "SETINFO", "LIB-NAME", "redis-py(app)"), "OK");
  EXPECT_EQ(client("CLIENT", "SETINFO", "lib-ver", "5.0.1"), "OK");
  EXPECT_TRUE(Has(client("CLIENT", "INFO").bytes, " lib-name=redis-py(app) lib-ver=5.0.1\n"));
  EXPECT_EQ(client("CLIENT", "SETINFO", "lib-name", "a b"),
            "-ERR lib-name cannot contain spaces, newlines or special characters.");
  EXPECT_EQ(client("CLIENT", "SETINFO", "lib-age", "3"), "-ERR Unrecognized option 'lib-age'");
  EXPECT_EQ(client("RESET"), "RESET");
  EXPECT_EQ(client("CLIENT", "SETINFO", "lib-name", ""), "OK");
  EXPECT_TRUE(Has(client("CLIENT", "LIST").bytes, " lib-name= lib-ver=5.0.1\n"));
}

TEST(LocalCommands, NamesOfClientsAreBounded) {
  Cluster cluster({.shards = 1, .copies = 1});
  Client client = cluster.Connect();
  const std::string longest(1024, 'n');
  const std::string refusal = "-ERR Client names cannot be longer than 1024 bytes here";
  EXPECT_EQ(client("CLIENT", "SETNAME", longest), "OK");
  for (const std::string& name : {longest + "n", std::string(1 << 20, 'n')}) {
    EXPECT_EQ(client("CLIENT", "SETNAME", name), refusal);
    EXPECT_EQ(client("HELLO", "2", "SETNAME", name), refusal);
  }
  EXPECT_EQ(client("CLIENT", "GETNAME"), longest) << "a refused name changes nothing";
  const std::string list = client("CLIENT", "LIST").bytes;
  EXPECT_LT(list.size(), 4096u);
}

}  // namespace
}  // namespace gemel::e2e::local_commands_test
