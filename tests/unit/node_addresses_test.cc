// Which address of a node is dialled next.

#include "backend/names/node_addresses.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gemel::node_addresses_test {
namespace {

using Numbers = std::vector<std::string>;

TEST(NodeAddresses, NumbersAndLoopback) {
  for (const char* number : {"127.0.0.1", "10.0.0.1", "::1", "fe80::1%eth0"}) {
    EXPECT_TRUE(IsNumber(number)) << number;
  }
  for (const char* name : {"localhost", "a.b", "10.0.0", ""}) EXPECT_FALSE(IsNumber(name)) << name;
  EXPECT_TRUE(IsLoopback("127.8.9.1"));
  EXPECT_TRUE(IsLoopback("::1"));
  EXPECT_FALSE(IsLoopback("10.0.0.1"));
  EXPECT_FALSE(IsLoopback("fe80::1%lo"));
  EXPECT_FALSE(IsLoopback("localhost"));
}

TEST(NodeAddresses, TheOneThatWorkedComesFirstWhateverOrderIsTold) {
  NodeAddresses node;
  EXPECT_FALSE(node.known());
  node.Learn({"a", "b", "c"});
  EXPECT_EQ(node.ToTry(), (Numbers{"a", "b", "c"}));
  node.OnConnected("b");
  EXPECT_EQ(node.ToTry(), (Numbers{"b", "a", "c"}));
  node.Learn({"c", "b", "a"});
  EXPECT_EQ(node.ToTry(), (Numbers{"b", "a", "c"}));
  node.Learn({"d", "c"});
  EXPECT_EQ(node.ToTry(), (Numbers{"c", "d"})) << "what the name has no more is not dialled";
  node.Learn({});
  EXPECT_EQ(node.ToTry(), (Numbers{"c", "d"})) << "a lookup that failed changes nothing";
}

TEST(NodeAddresses, ThoseThatFailedComeLastInTurn) {
  NodeAddresses node;
  node.Learn({"a", "b", "c"});
  node.OnConnected("a");
  node.OnFailed("a", 10);
  EXPECT_EQ(node.ToTry(), (Numbers{"b", "c", "a"}));
  node.OnFailed("b", 20);
  node.OnFailed("c", 30);
  EXPECT_EQ(node.ToTry(), (Numbers{"a", "b", "c"}));
  node.OnFailed("a", 40);
  EXPECT_EQ(node.ToTry(), (Numbers{"b", "c", "a"})) << "none can keep the others from their turn";
  node.OnConnected("c");
  EXPECT_EQ(node.ToTry(), (Numbers{"c", "b", "a"}));
}

TEST(NodeAddresses, PatienceGrowsWithFailures) {
  NodeAddresses node;
  node.Learn({"a"});
  uint64_t expected_ms = NodeAddresses::kPatienceMs;
  for (int i = 1; i < 20; ++i) {
    EXPECT_EQ(node.PatienceMs("a"), expected_ms);
    node.OnFailed("a", static_cast<uint64_t>(i));
    expected_ms = std::min(expected_ms * 2, NodeAddresses::kMaxPatienceMs);
  }
  node.OnConnected("a");
  EXPECT_EQ(node.PatienceMs("a"), NodeAddresses::kPatienceMs);
}

TEST(NodeAddresses, WhileTheLinkHoldsOneNobodyDialsAnother) {
  NodeAddresses node;
  node.Learn({"a", "b"});
  EXPECT_FALSE(node.Hold("a")) << "there was none before";
  node.OnFailed("a", 10);
  EXPECT_EQ(node.ToTry(), Numbers{"a"});
  node.Learn({"b"});
  EXPECT_EQ(node.ToTry(), Numbers{"a"});
  node.Release();
  EXPECT_EQ(node.ToTry(), Numbers{"b"});
  EXPECT_TRUE(node.Hold("b")) << "the others lead elsewhere";
  node.Release();
  EXPECT_FALSE(node.Hold("b"));
}

}  // namespace
}  // namespace gemel::node_addresses_test
