// PROXY RELOAD, CONFIG SET and CONFIG REWRITE: the order that becomes of the client's words, and
// the reply that becomes of its outcome.

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/session_fakes.h"

namespace gemel::process_orders_test {
namespace {

using session_test::Args;
using session_test::FakeClient;
using session_test::World;

class ProcessOrdersTest : public testing::Test {
 protected:
  ProcessOrdersTest() {
    world_.workers[0]->local.set_on_process_order([this](ReloadOrder order, ReloadDone done) {
      orders_.push_back(std::move(order));
      dones_.push_back(std::move(done));
    });
  }
  // Sends a command of which one order is to become.
  const ReloadOrder& Order(const Args& args) {
    const size_t before = orders_.size();
    EXPECT_EQ(world_.Ask(client_, args), "");
    EXPECT_EQ(orders_.size(), before + 1);
    return orders_.back();
  }
  std::string End(ReloadOutcome outcome) {
    dones_.back()(outcome);
    world_.Run();
    return client_.Take();
  }
  std::string Refusal(const Args& args) {
    const size_t before = orders_.size();
    std::string reply = world_.Ask(client_, args);
    EXPECT_EQ(orders_.size(), before) << "nothing of it goes to the process";
    return reply;
  }

  World world_{1, "[commands]\nnode_options = false", 2};
  FakeClient& client_ = world_.Connect(1);  // of the worker that does not keep the config
  std::vector<ReloadOrder> orders_;
  std::vector<ReloadDone> dones_;
};

TEST_F(ProcessOrdersTest, Reload) {
  const ReloadOrder& order = Order({"PROXY", "RELOAD"});
  EXPECT_EQ(order.cause, "PROXY RELOAD");
  EXPECT_FALSE(order.dry_run || order.force || order.rewrite || order.patient || order.seen);
  EXPECT_TRUE(order.sets.empty());
  EXPECT_EQ(End({true, true, "one\ntwo\n"}), "*2\r\n$3\r\none\r\n$3\r\ntwo\r\n");
}

TEST_F(ProcessOrdersTest, ReloadWithWords) {
  EXPECT_TRUE(Order({"proxy", "reload", "dryRun"}).dry_run);
  EXPECT_EQ(End({false, false, "a bad\nfile"}), "-ERR a bad file\r\n");
  const ReloadOrder& both = Order({"PROXY", "RELOAD", "FORCE", "DRYRUN"});
  EXPECT_TRUE(both.dry_run && both.force);
  EXPECT_EQ(End({true, false, ""}), "*0\r\n");
  EXPECT_EQ(Refusal({"PROXY", "RELOAD", "FORCE", "now"}),
            "-ERR expected PROXY RELOAD [DRYRUN] [FORCE]\r\n");
}

TEST_F(ProcessOrdersTest, ConfigSet) {
  const ReloadOrder& order =
      Order({"CONFIG", "SET", "maxclients", "7", "health.timeout_ms", "900", "LOGLEVEL", "notice"});
  EXPECT_EQ(order.cause, "CONFIG SET limits.max_clients health.timeout_ms log.level");
  const std::vector<std::pair<std::string, std::string>> sets = {
      {"limits.max_clients", "7"}, {"health.timeout_ms", "900"}, {"log.level", "\"info\""}};
  EXPECT_EQ(order.sets, sets);
  EXPECT_EQ(End({true, true, "what changed\n"}), "+OK\r\n");
  Order({"CONFIG", "SET", "maxclients", "7"});
  EXPECT_EQ(End({false, false, "too\nfew"}), "-ERR CONFIG SET failed - too few\r\n");
}

TEST_F(ProcessOrdersTest, WhatConfigSetCannotBe) {
  EXPECT_EQ(Refusal({"CONFIG", "SET", "maxclients", "7", "more"}), "-ERR syntax error\r\n");
  EXPECT_EQ(Refusal({"CONFIG", "SET", "maxclients", "7", "no\nsuch", "1"}),
            "-ERR Unknown option or number of arguments for CONFIG SET - 'no such'\r\n");
  EXPECT_EQ(Refusal({"CONFIG", "SET", std::string(200, 'x'), "1"}),
            "-ERR Unknown option or number of arguments for CONFIG SET - '" +
                std::string(100, 'x') + "'\r\n");
  // By the name that the client gave it.
  for (const std::string name : {"maxclients", "MaxClients", "limits.max_clients"}) {
    EXPECT_EQ(Refusal({"CONFIG", "SET", name, "many"}),
              "-ERR CONFIG SET failed (possibly related to argument '" +
                  std::string(name[0] == 'l' ? "limits.max_clients" : "maxclients") +
                  "') - argument couldn't be parsed into an integer\r\n");
  }
  EXPECT_EQ(Refusal({"CONFIG", "SET", "logfile", std::string(70000, 'x')}),
            "-ERR an order to the proxy takes 65536 bytes at most\r\n");
}

TEST_F(ProcessOrdersTest, ConfigRewrite) {
  const ReloadOrder& order = Order({"CONFIG", "REWRITE"});
  EXPECT_EQ(order.cause, "CONFIG REWRITE");
  EXPECT_TRUE(order.rewrite);
  EXPECT_EQ(End({false, false, "no disk"}), "-ERR Rewriting config file: no disk\r\n");
  Order({"CONFIG", "REWRITE"});
  EXPECT_EQ(End({true, false, "nothing changes"}), "+OK\r\n");
}

TEST_F(ProcessOrdersTest, OfAClientOneAtATime) {
  client_.Send(Command({"CONFIG", "REWRITE"}) + Command({"PING"}) +
               Command({"PROXY", "RELOAD", "DRYRUN"}));
  world_.Run();
  ASSERT_EQ(orders_.size(), 1u);
  EXPECT_EQ(End({true, false, ""}), "+OK\r\n+PONG\r\n");
  ASSERT_EQ(orders_.size(), 2u);
  EXPECT_TRUE(orders_[1].dry_run);
  EXPECT_EQ(End({true, false, "x\n"}), "*1\r\n$1\r\nx\r\n");
}

TEST_F(ProcessOrdersTest, SaysWhoAsksAndWhetherHeIsThere) {
  const ReloadOrder& order = Order({"CONFIG", "SET", "maxclients", "7"});
  EXPECT_EQ(order.local, client_.session.state().access.local_peer());
  ASSERT_NE(order.gone, nullptr);
  EXPECT_FALSE(*order.gone);
  client_.Close();
  EXPECT_TRUE(*order.gone);
  dones_.back()({false, false, "the client has left"});
  world_.Run();
}

}  // namespace
}  // namespace gemel::process_orders_test
