// Large values pass through.

#include <gtest/gtest.h>

#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::large_value_test {
namespace {

// A megabyte that is not the same from byte to byte.
std::string Megabyte() {
  std::string block(1 << 20, '\0');
  uint32_t state = 1;
  for (char& byte : block) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return block;
}

// Writes and reads back a value of so many megabytes, never held whole here.
void RoundTrip(uint16_t port, size_t megabytes) {
  const std::string block = Megabyte();
  const std::string size = std::to_string(megabytes << 20);
  RawSocket socket(port);
  socket.Send("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$" + size + "\r\n");
  for (size_t i = 0; i < megabytes; ++i) socket.Send(block);
  socket.Send("\r\n");
  ASSERT_EQ(socket.Read(5), "+OK\r\n");
  socket.Send(Encode({"GET", "big"}));
  const std::string head = "$" + size + "\r\n";
  ASSERT_EQ(socket.Read(head.size()), head);
  for (size_t i = 0; i < megabytes; ++i) {
    ASSERT_TRUE(socket.Read(block.size()) == block) << "megabyte " << i;
  }
  ASSERT_EQ(socket.Read(2), "\r\n");
  socket.Send(Encode({"DEL", "big"}));
  ASSERT_EQ(socket.Read(4), ":1\r\n");
}

TEST(LargeValue, SixtyFourMegabytesToAPair) {
  Cluster cluster({.shards = 1});
  RoundTrip(cluster.proxy().port(), 64);
  cluster.ExpectCopiesEqual();
}

TEST(LargeValue, HalfAGigabyte) {
  Cluster cluster({.shards = 1, .copies = 1});
  RoundTrip(cluster.proxy().port(), 512);
}

TEST(LargeValue, EverySizeAroundBufferBorders) {
  Cluster cluster({.workers = 2});
  Client client = cluster.Connect();
  const std::string block = Megabyte();
  for (size_t power = 6; power <= 20; ++power) {
    for (const int offset : {-20, -3, -2, -1, 0, 1, 2}) {
      const std::string value = block.substr(0, (size_t{1} << power) + static_cast<size_t>(offset));
      const std::string key = "key:" + std::to_string(value.size());
      client.Append({"SET", key, value});
      client.Append({"GET", key});
      client.Append({"MGET", key, "other"});
      ASSERT_EQ(client.Read(), "OK");
      ASSERT_TRUE(client.Read().bytes == value) << value.size();
      ASSERT_TRUE(client.Read().items.at(0).bytes == value) << value.size();
    }
  }
  cluster.ExpectCopiesEqual();
}

TEST(LargeValue, ManyElementsInOneReply) {
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  constexpr int kElements = 200000;
  for (int i = 0; i < kElements; i += 1000) {
    Words words = {"RPUSH", "list"};
    for (int j = 0; j < 1000; ++j) words.push_back(std::to_string(i + j));
    ASSERT_EQ(client.Run(words), ":" + std::to_string(i + 1000));
  }
  const Reply reply = client("LRANGE", "list", "0", "-1");
  ASSERT_EQ(reply.items.size(), static_cast<size_t>(kElements));
  EXPECT_EQ(reply.items[kElements - 1], std::to_string(kElements - 1));
}

}  // namespace
}  // namespace gemel::e2e::large_value_test
