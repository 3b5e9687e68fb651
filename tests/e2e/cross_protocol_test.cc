// A web page makes a browser on the same host send us its request (CVE-2016-10517): cut off at
// once.

#include <gtest/gtest.h>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::cross_protocol_test {
namespace {

// All that comes back until it is closed.
std::string Answer(uint16_t port, const std::string& bytes, bool one_by_one = false) {
  RawSocket socket(port);
  try {
    for (size_t at = 0; at < bytes.size(); at += one_by_one ? 1 : bytes.size()) {
      socket.Send(one_by_one ? bytes.substr(at, 1) : bytes);
    }
  } catch (const std::runtime_error&) {
    // Cut off before all of it was sent.
  }
  return socket.ReadUntilClosed();
}

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

int64_t Info(Client client, const std::string& field) {
  const std::string info = client("INFO", "stats").bytes;
  const size_t at = info.find("\r\n" + field + ":");
  return at == std::string::npos ? -1 : std::stoll(info.substr(at + field.size() + 3));
}

const std::string kBody = "SET k stolen\r\nFLUSHALL\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n";

// As Redis cuts them off, without a word.
std::vector<std::string> Requests() {
  using std::string_literals::operator""s;
  return {
      "POST / HTTP/1.1\r\nHost: 127.0.0.1:6380\r\nContent-Type: text/plain\r\n\r\n" + kBody,
      "post / HTTP/1.1\r\n" + kBody,
      "pOsT /\n" + kBody,
      "POST\r\n" + kBody,
      "  POST / HTTP/1.1\r\n" + kBody,
      "\"POST\" / HTTP/1.1\r\n" + kBody,
      "\"po\\x53t\" / HTTP/1.1\r\n" + kBody,
      "\r\nPOST / HTTP/1.1\r\n" + kBody,
      "Host: 127.0.0.1:6380\r\n" + kBody,
      "hOST: x\r\n" + kBody,
      "HOST:\r\n" + kBody,
      Encode({"POST", "/"}) + kBody,
      Encode({"Host:", "x"}) + kBody,
      Encode({"POST\0x"s, "/"}) + kBody,
      Encode({"host:\0"s}) + kBody,
  };
}

TEST(CrossProtocol, IsCutOffAsByRedis) {
  RedisNode oracle;
  Cluster cluster;
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  int64_t cut_off = 0;
  for (const std::string& request : Requests()) {
    EXPECT_EQ(Answer(oracle.port(), request), "");
    for (const bool one_by_one : {false, true}) {
      EXPECT_EQ(Answer(cluster.proxy().port(), request, one_by_one), "") << request;
      EXPECT_EQ(client("GET", "k"), "v") << request;
      EXPECT_EQ(Info(cluster.Connect(), "cross_protocol_aborts"), ++cut_off) << request;
    }
  }
  // Redis lets this one through; no command can be called so.
  EXPECT_EQ(Answer(cluster.proxy().port(), "Host:127.0.0.1\r\n" + kBody), "");
  EXPECT_EQ(client("GET", "k"), "v");
  // It is told with the address, and not as often as they come.
  EXPECT_TRUE(cluster.proxy().Logs("Possible SECURITY ATTACK detected"));
  EXPECT_TRUE(cluster.proxy().Logs("Connection from 127.0.0.1:"));
  EXPECT_LT(Count(cluster.proxy().Log(), "Possible SECURITY ATTACK detected"), 10u);
  EXPECT_EQ(client("PING"), "PONG");
}

// Wherever in the stream: what came before is executed, nothing behind it is.
TEST(CrossProtocol, WhereverInTheStream) {
  for (const int workers : {1, 2}) {
    Cluster cluster({.workers = workers});
    Client client = cluster.Connect();
    for (const std::string& request : Requests()) {
      EXPECT_EQ(client("SET", "k", "v"), "OK");
      EXPECT_EQ(client("SET", "n", "0"), "OK");
      std::string before;
      for (int i = 0; i < 100; ++i) before += Encode({"INCR", "n"});
      // Answers to what came before may still come, or not, as by Redis.
      const std::string answer = Answer(cluster.proxy().port(), before + "GET k\r\n" + request);
      EXPECT_EQ(answer.find("ERR"), std::string::npos) << answer;
      EXPECT_TRUE(Eventually([&] { return client("GET", "n") == "100"; })) << request;
      EXPECT_EQ(client("GET", "k"), "v") << request;
    }
    // The lines of a request whose first word is another's.
    for (const char* method : {"GET", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT"}) {
      const std::string answer =
          Answer(cluster.proxy().port(),
                 std::string(method) + " / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + kBody);
      EXPECT_EQ(answer.find("OK"), std::string::npos) << answer;
      EXPECT_EQ(client("GET", "k"), "v") << method;
    }
    EXPECT_EQ(client("PING"), "PONG");
  }
}

TEST(CrossProtocol, BeforeAPasswordIsGiven) {
  RedisNode node;
  ProxyProcess proxy;
  proxy.Start(
      "[proxy]\npassword = \"secret\"\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
      "\"]\n[[shard]]\nname = \"a\"\nprimary = \"" + node.address() + "\"\n");
  EXPECT_EQ(Answer(proxy.port(), "POST / HTTP/1.1\r\nAUTH secret\r\nSET k stolen\r\n"), "");
  Client client(proxy.port());
  EXPECT_EQ(client("AUTH", "secret"), "OK");
  EXPECT_EQ(client("GET", "k"), "(nil)");
}

// Values and keys of these words are nobody's request.
TEST(CrossProtocol, TheWordsAreOnlyTheCommands) {
  Cluster cluster;
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "POST", "Host:"), "OK");
  EXPECT_EQ(client("GET", "POST"), "Host:");
  EXPECT_EQ(client("ECHO", "POST / HTTP/1.1\r\nHost: x\r\n"), "POST / HTTP/1.1\r\nHost: x\r\n");
  EXPECT_TRUE(client("POSTS").IsError());
  EXPECT_TRUE(client("HOST").IsError());
  EXPECT_EQ(client("PING"), "PONG");
}

}  // namespace
}  // namespace gemel::e2e::cross_protocol_test
