// Nobody sees a part of a transaction, whichever copy is read, and whatever it is that the copies
// are sent of it.

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/crowd.h"

namespace gemel::e2e::transactions_atomicity_test {
namespace {

// Where reads go; whether the block is executed by one copy first, and the others get the state.
class TransactionsAtomicity : public testing::TestWithParam<std::tuple<const char*, bool>> {
 protected:
  TransactionsAtomicity()
      : cluster_(
            {.shards = 2,
             .workers = 2,
             .sections = {{"read", "from = \"" + std::string(std::get<0>(GetParam())) + "\""}}}) {}

  // Writes the same value to all of them.
  void Write(Client* client, const std::string& value) const {
    client->Append({"MULTI"});
    for (const std::string& key : keys_) {
      client->Append({"SET", key, value});
      if (std::get<1>(GetParam())) client->Append({"XADD", "{t}x", "MAXLEN", "5", "*", "f", value});
    }
    client->Append({"EXEC"});
    const size_t queued = keys_.size() * (std::get<1>(GetParam()) ? 2 : 1);
    for (size_t i = 0; i <= queued; ++i) client->Read();
    const Reply reply = client->Read();
    if (reply.items.size() != queued) throw std::runtime_error("EXEC: " + reply.Text());
  }
  static bool AreSame(const Reply& reply) {
    for (const Reply& item : reply.items) {
      if (item.Text() != reply.items[0].Text()) return false;
    }
    return reply.items.size() == 4;
  }

  const std::vector<std::string> keys_ = {"{t}1", "{t}2", "{t}3", "{t}4"};
  Cluster cluster_;
};

INSTANTIATE_TEST_SUITE_P(Reads, TransactionsAtomicity,
                         testing::Combine(testing::Values("primary", "replica", "balanced"),
                                          testing::Bool()),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) +
                                  (std::get<1>(info.param) ? "OfStateThreaded" : "Threaded");
                         });

TEST_P(TransactionsAtomicity, ReadersSeeAllOrNothing) {
  Client first = cluster_.Connect();
  Write(&first, "0");
  std::atomic<int64_t> read{0};
  Crowd crowd;
  crowd.Start(2, [&](int i) {
    Client client = cluster_.Connect();
    for (int64_t n = 0; !crowd.stopped(); ++n) {
      Write(&client, std::to_string(i) + "." + std::to_string(n));
      crowd.Done();
      LetOthersRun();
    }
  });
  crowd.Start(4, [&](int i) {
    Client client = cluster_.Connect();
    while (!crowd.stopped()) {
      Reply reply;
      if (i % 2 == 0) {
        reply = client.Run({"MGET", keys_[0], keys_[1], keys_[2], keys_[3]});
      } else {
        client.Append({"MULTI"});
        for (const std::string& key : keys_) client.Append({"GET", key});
        client.Append({"EXEC"});
        for (size_t n = 0; n <= keys_.size(); ++n) client.Read();
        reply = client.Read();
      }
      if (!AreSame(reply)) crowd.Complain("read: " + reply.Text());
      ++read;
      LetOthersRun();
    }
  });
  EXPECT_TRUE(crowd.WaitForMore(500));
  EXPECT_TRUE(Eventually([&] { return read > 1000; }));
  crowd.Stop();
  crowd.ExpectNoComplaints();
  cluster_.ExpectCopiesEqual();
}

// A client finds what it wrote itself, in a transaction and alone, wherever it reads.
TEST_P(TransactionsAtomicity, AWriterReadsItsOwn) {
  Crowd crowd;
  crowd.Start(4, [&](int i) {
    Client client = cluster_.Connect();
    const std::string key = "{" + std::to_string(i) + "}";
    const bool by_state = std::get<1>(GetParam());
    for (int n = 0; n < 200; ++n) {
      const std::string value = std::to_string(n);
      client.Append({"MULTI"});
      client.Append({"SET", key + "k", value});
      if (by_state) client.Append({"XADD", key + "x", "MAXLEN", "5", "*", "f", value});
      client.Append({"EXEC"});
      client.Append({"GET", key + "k"});
      client.Append({"MULTI"});
      client.Append({"GET", key + "k"});
      client.Append({"EXEC"});
      for (int reply = by_state ? 4 : 3; reply > 0; --reply) client.Read();
      if (client.Read() != value) crowd.Complain("GET is not " + value);
      client.Read();
      client.Read();
      if (client.Read() != "[" + value + "]") crowd.Complain("EXEC is not " + value);
    }
  });
  crowd.Join();
  crowd.ExpectNoComplaints();
}

// Whoever watches, reads, and writes only if nothing was written since has read what is true then.
TEST_P(TransactionsAtomicity, WhatIsReadUnderWatchIsTrue) {
  const bool by_state = std::get<1>(GetParam());
  EXPECT_EQ(cluster_.Connect()("SET", "{t}n", "0"), "OK");
  Crowd crowd;
  crowd.Start(6, [&](int) {
    Client client = cluster_.Connect();
    for (int n = 0; n < 100; ++n) {
      client.Append({"WATCH", "{t}n"});
      client.Append({"GET", "{t}n"});
      client.Read();
      const int64_t count = std::stoll(client.Read().Text());
      client.Append({"MULTI"});
      client.Append({"SET", "{t}n", std::to_string(count + 1)});
      client.Append(by_state ? Words{"SPOP", "{t}none"} : Words{"GET", "{t}n"});
      client.Append({"EXEC"});
      for (int i = 0; i < 3; ++i) client.Read();
      const Reply reply = client.Read();
      if (reply.items.size() == 2) crowd.Done();
      if (reply.IsError()) crowd.Complain(reply.Text());
    }
  });
  crowd.Join();
  crowd.ExpectNoComplaints();
  EXPECT_EQ(cluster_.Connect()("GET", "{t}n"), std::to_string(crowd.done()));
}

}  // namespace
}  // namespace gemel::e2e::transactions_atomicity_test
