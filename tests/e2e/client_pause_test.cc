// Who waits for the end of CLIENT PAUSE counts among the blocked clients, as those do who wait for
// keys or for copies: what INFO, CLIENT LIST and CLIENT UNBLOCK say is what Redis says.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::client_pause_test {
namespace {

// What clients, each with a connection of its own, ask while writes are paused. Those that are held
// are asked for what they get afterwards, too.
const std::vector<std::vector<std::string>> kAsked = {
    {"GET none"},
    {"SET k v"},
    {"PING", "PING", "APPEND k w", "GET k"},
    {"MULTI", "GET k"},
    {"MULTI", "SET k x"},
    {"PFCOUNT none"},
    {"PUBLISH nobody x"},
    {"EVAL return\\_1 0"},
    {"EVAL_RO return\\_1 0"},
    {"BLPOP none 0.01"},
    {"SET k"},
    {"SORT none"},
};

std::string Field(const std::string& text, const std::string& name) {
  const size_t at = text.find(name);
  if (at == std::string::npos) return "none";
  const size_t begin = at + name.size();
  return text.substr(begin, text.find_first_of(" \r\n", begin) - begin);
}

// Protocol, workers.
class ClientPause : public ::testing::TestWithParam<std::tuple<std::string, int>> {
 protected:
  const std::string protocol_ = std::get<0>(GetParam());
  Cluster cluster_{{.shards = 2, .workers = std::get<1>(GetParam())}};
  RedisNode alone_;
};

// One server, asked by several connections.
class Asked {
 public:
  Asked(uint16_t port, std::string protocol) : port_(port), protocol_(std::move(protocol)) {}

  std::unique_ptr<Wire> Connect(std::string* id) {
    auto wire = std::make_unique<Wire>(port_);
    wire->Ask({"HELLO", protocol_});
    *id = wire->Ask({"CLIENT", "ID"});
    *id = id->substr(1, id->size() - 3);
    return wire;
  }
  std::string Blocked() { return Field(Say("INFO clients"), "blocked_clients:"); }
  bool WaitForBlocked(const std::string& count) {
    return Eventually([&] { return Blocked() == count; });
  }
  std::string Flags(const std::string& id) {
    const std::string list = Say("CLIENT LIST ID " + id);
    return Field(list, " flags=") + " " + Field(list, " cmd=") + " " + Field(list, " multi=");
  }
  std::string Say(const std::string& line) { return operator_.Ask(WordsOf(line)); }

 private:
  uint16_t port_;
  std::string protocol_;
  Wire operator_{port_};
};

TEST_P(ClientPause, WhoIsHeldIsBlocked) {
  std::vector<std::string> told[2];
  for (const bool gemel : {true, false}) {
    std::vector<std::string>& all = told[gemel ? 0 : 1];
    Asked server(gemel ? cluster_.proxy().port() : alone_.port(), protocol_);
    all.push_back(server.Say("CLIENT PAUSE 1000000 WRITE"));
    std::vector<std::unique_ptr<Wire>> clients;
    std::vector<std::string> ids;
    for (const std::vector<std::string>& lines : kAsked) {
      clients.push_back(server.Connect(&ids.emplace_back()));
      for (const std::string& line : lines) clients.back()->Send(Encode(WordsOf(line)));
    }
    // As many as Redis holds; with each of them no further command is carried out.
    EXPECT_TRUE(server.WaitForBlocked("8")) << server.Blocked();
    for (const std::string& id : ids) {
      EXPECT_TRUE(Eventually([&] { return server.Flags(id).find(" client|id ") == id.npos; }));
      all.push_back(server.Flags(id));
    }
    // It is none of those that can be had out of it.
    if (gemel) all.push_back(server.Say("CLIENT UNBLOCK " + ids[1]));
    if (!gemel) all.push_back(":0\r\n");
    // Who leaves is not held any more.
    clients[1].reset();
    EXPECT_TRUE(server.WaitForBlocked("7")) << server.Blocked();
    all.push_back(server.Say("CLIENT KILL ID " + ids[4]));
    EXPECT_TRUE(server.WaitForBlocked("6")) << server.Blocked();
    // All are let go at once.
    all.push_back(server.Say("CLIENT UNPAUSE"));
    EXPECT_TRUE(server.WaitForBlocked("0")) << server.Blocked();
    for (size_t i = 0; i < kAsked.size(); ++i) {
      if (i == 1 || i == 4) continue;
      for (const std::string& line : kAsked[i]) all.push_back(line + ": " + clients[i]->Read());
    }
    for (size_t i = 0; i < ids.size(); ++i) {
      if (i != 1 && i != 4) all.push_back(server.Flags(ids[i]));
    }
  }
  EXPECT_EQ(told[0], told[1]);
}

// A pause that ends by itself lets go, and a later one holds anew.
TEST_P(ClientPause, WhichEndsByItself) {
  for (const bool gemel : {true, false}) {
    Asked server(gemel ? cluster_.proxy().port() : alone_.port(), protocol_);
    std::string id;
    const std::unique_ptr<Wire> client = server.Connect(&id);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(server.Say("CLIENT PAUSE 400 WRITE"), "+OK\r\n");
      EXPECT_EQ(client->Ask({"SET", "k", "v"}), "+OK\r\n");
      EXPECT_EQ(server.Blocked(), "0");
      EXPECT_EQ(server.Flags(id), "N set -1");
    }
  }
}

// So are those who wait for something else, at once and until it is there.
TEST_P(ClientPause, SoIsWhoWaitsForKeysOrCopies) {
  for (const bool gemel : {true, false}) {
    Asked server(gemel ? cluster_.proxy().port() : alone_.port(), protocol_);
    std::string ids[3];
    const std::unique_ptr<Wire> pops = server.Connect(&ids[0]);
    const std::unique_ptr<Wire> waits = server.Connect(&ids[1]);
    const std::unique_ptr<Wire> leaves = server.Connect(&ids[2]);
    EXPECT_EQ(waits->Ask({"SET", "k", "v"}), "+OK\r\n");
    waits->Send(Encode({"WAIT", "9", "0"}));
    pops->Send(Encode({"BLPOP", "list", "0"}));
    leaves->Send(Encode({"BLPOP", "list", "0"}));
    EXPECT_TRUE(server.WaitForBlocked("3")) << server.Blocked();
    for (const std::string& id : ids) EXPECT_EQ(server.Flags(id).substr(0, 2), "b ") << gemel;
    EXPECT_EQ(server.Say("CLIENT UNBLOCK " + ids[2] + " ERROR"), ":1\r\n");
    EXPECT_EQ(leaves->Read(), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    EXPECT_EQ(server.Blocked(), "2");
    EXPECT_EQ(server.Say("RPUSH list x"), ":1\r\n");
    EXPECT_EQ(pops->Read(), Encode({"list", "x"}));
    EXPECT_EQ(server.Blocked(), "1");
    EXPECT_EQ(server.Say("CLIENT UNBLOCK " + ids[1]), ":1\r\n");
    waits->Read();
    EXPECT_EQ(server.Blocked(), "0");
  }
}

// A script or function that says so only reads, by itself, by its SHA1 and in a transaction.
TEST_P(ClientPause, WhatSaysThatItReadsIsNotHeld) {
  const std::string reads = "#!lua flags=no-writes\nreturn 12";
  const std::string library =
      "#!lua name=l\nredis.register_function{function_name='f', "
      "callback=function() return 13 end, flags={'no-writes'}}";
  std::vector<std::string> told[2];
  for (const bool gemel : {true, false}) {
    std::vector<std::string>& all = told[gemel ? 0 : 1];
    Asked server(gemel ? cluster_.proxy().port() : alone_.port(), protocol_);
    std::string ids[2];
    const std::unique_ptr<Wire> reader = server.Connect(&ids[0]);
    const std::unique_ptr<Wire> writer = server.Connect(&ids[1]);
    const auto ask = [&](const Words& words) { all.push_back(reader->Ask(words)); };
    ask({"FUNCTION", "LOAD", "REPLACE", library});
    ask({"SCRIPT", "LOAD", reads});
    const std::string loaded = all.back().substr(all.back().find('\n') + 1, 40);
    writer->Ask({"MULTI"});
    writer->Ask({"EVAL", "return 14", "0"});
    all.push_back(server.Say("CLIENT PAUSE 1000000 WRITE"));
    for (const char* open : {"", "MULTI"}) {
      if (*open != '\0') ask({open});
      ask({"EVAL", reads, "0"});
      ask({"EVALSHA", loaded, "0"});
      ask({"EVAL", reads, "1", "k"});
      ask({"FCALL", "f", "0"});
      if (*open != '\0') ask({"EXEC"});
    }
    EXPECT_EQ(server.Blocked(), "0");
    writer->Send(Encode({"EXEC"}));
    EXPECT_TRUE(server.WaitForBlocked("1"));
    all.push_back(server.Flags(ids[1]));
    all.push_back(server.Say("CLIENT UNPAUSE"));
    all.push_back(writer->Read());
  }
  EXPECT_EQ(told[0], told[1]);
}

INSTANTIATE_TEST_SUITE_P(Ways, ClientPause,
                         ::testing::Combine(::testing::Values("2", "3"), ::testing::Values(1, 2)),
                         [](const auto& info) {
                           return "Resp" + std::get<0>(info.param) +
                                  (std::get<1>(info.param) == 1 ? "" : "Threaded");
                         });

}  // namespace
}  // namespace gemel::e2e::client_pause_test
