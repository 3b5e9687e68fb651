// Garbage and oversized input on the client port: Redis's own error text, a close, and the proxy
// lives.

#include <gtest/gtest.h>

#include <random>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::protocol_error_test {
namespace {

std::string SendAndReadAll(uint16_t port, const std::string& bytes) {
  RawSocket socket(port);
  try {
    socket.Send(bytes);
  } catch (const std::runtime_error&) {
    // Closed before all of it was sent.
  }
  return socket.ReadUntilClosed();
}

TEST(ProtocolError, AnswersAsRedisAndCloses) {
  RedisNode oracle;
  Cluster cluster;
  const std::vector<std::string> inputs = {
      "*abc\r\n",
      "*99999999999\r\n",
      "*1\r\n+PING\r\n",
      "*2\r\n$3\r\nGET\r\n:1\r\n",
      "*1\r\n$abc\r\n",
      "*1\r\n$-1\r\n",
      "*1\r\n$999999999999\r\n",
      "SET k \"unbalanced\r\n",
      "SET k 'a'b\r\n",
      "*" + std::string(70000, '1'),
      "*1\r\n$" + std::string(70000, '1'),
      std::string(70000, 'a'),
      // What came before is answered first.
      "PING\r\n" + Encode({"SET", "k", "v"}) + Encode({"GET", "k"}) + "*1\r\n+oops\r\n",
  };
  for (const std::string& input : inputs) {
    const std::string expected = SendAndReadAll(oracle.port(), input);
    EXPECT_NE(expected, "");
    EXPECT_EQ(SendAndReadAll(cluster.proxy().port(), input), expected) << input.substr(0, 60);
  }
  EXPECT_EQ(cluster.Connect()("PING"), "PONG");
}

TEST(ProtocolError, ConfiguredLimitsHold) {
  Cluster cluster({.sections = {{"limits",
                                 "max_bulk = 2048\nmax_args = 16\nmax_inline = 128\n"
                                 "max_request = 8192"}}});
  const uint16_t port = cluster.proxy().port();
  EXPECT_EQ(SendAndReadAll(port, "*2\r\n$3\r\nGET\r\n$2049\r\n"),
            "-ERR Protocol error: invalid bulk length\r\n");
  EXPECT_EQ(SendAndReadAll(port, "*17\r\n"), "-ERR Protocol error: invalid multibulk length\r\n");
  EXPECT_EQ(SendAndReadAll(port, std::string(200, 'a')),
            "-ERR Protocol error: too big inline request\r\n");
  Words big = {"DEL"};
  for (int i = 0; i < 10; ++i) big.push_back(std::string(2000, 'k'));
  const std::string reply = SendAndReadAll(port, Encode(big));
  EXPECT_TRUE(reply.starts_with("-ERR Protocol error: ")) << reply;
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", std::string(2048, 'v')), "OK");
}

TEST(ProtocolError, GarbageHurtsNobodyElse) {
  Cluster cluster;
  Client bystander = cluster.Connect();
  EXPECT_EQ(bystander("SET", "k", "v"), "OK");
  const uint64_t before = cluster.proxy().ResidentBytes();
  std::mt19937 random(20240607);
  const std::string alphabet = "*$:+-\r\n0123456789 PINGSETk\"'\\x\0\xff";
  for (int i = 0; i < 300; ++i) {
    RawSocket socket(cluster.proxy().port());
    std::string bytes;
    const size_t size = random() % 2000;
    const bool any_byte = i % 2 == 0;
    while (bytes.size() < size) {
      bytes += any_byte ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
    }
    try {
      socket.Send(bytes);
      socket.CloseWriting();
      socket.ReadUntilClosed();
    } catch (const std::runtime_error&) {
    }
    ASSERT_EQ(bystander("GET", "k"), "v") << i;
  }
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nHost: x\r\n\r\n"),
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)}) {
    RawSocket socket(cluster.proxy().port());
    socket.Send(bytes);
    socket.CloseWriting();
    socket.ReadUntilClosed();
  }
  EXPECT_EQ(bystander("GET", "k"), "v");
  EXPECT_LT(cluster.proxy().ResidentBytes(), before + (64u << 20));
}

TEST(ProtocolError, AnnouncedSizesAreNotAllocated) {
  Cluster cluster({.shards = 1});
  const uint64_t before = cluster.proxy().ResidentBytes();
  std::vector<std::unique_ptr<RawSocket>> sockets;
  // 6 GB announced, some bytes sent. (AddressSanitizer touches an eighth of what is freed.)
  for (int i = 0; i < 100; ++i) {
    sockets.push_back(std::make_unique<RawSocket>(cluster.proxy().port()));
    sockets.back()->Send("*1000000\r\n$67108864\r\nabc");
  }
  EXPECT_EQ(cluster.Connect()("PING"), "PONG");
  EXPECT_LT(cluster.proxy().ResidentBytes(), before + (64u << 20));
}

}  // namespace
}  // namespace gemel::e2e::protocol_error_test
