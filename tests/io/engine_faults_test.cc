// Engines whose servers die, hang, come back, or want to know who asks.

#include <algorithm>

#include "backend/engines/etcd_messages.h"
#include "backend/engines/uv_http.h"
#include "tests/io/engine_servers.h"
#include "tests/io/engine_views.h"

namespace gemel::engines_test {
namespace {

std::vector<std::string> AddressesOf(const std::vector<std::unique_ptr<EtcdServer>>& servers) {
  std::vector<std::string> addresses;
  for (const auto& server : servers) addresses.push_back(server->address());
  return addresses;
}

// A count that is to lose nothing, whatever happens: 1 more each time that it is known to be done.
class Count {
 public:
  Count(Turning* turning, Registers* view) : turning_(turning), view_(view) {}

  // Until one more is known to be done, by patience's end.
  bool Up() {
    return e2e::Eventually([this] {
      const auto now = ReadFrom(turning_, view_, "count");
      if (!now) return false;
      const uint64_t count = now->text.empty() ? 0 : std::stoull(now->text);
      EXPECT_GE(count, done_) << "what was done is gone";
      EXPECT_LE(count, done_ + unknown_) << "what was not done is there";
      const WriteAnswer answer =
          WriteTo(turning_, view_, "count", now->version, std::to_string(count + 1));
      EXPECT_NE(answer.outcome, RegisterOutcome::kConflict) << "nobody else writes";
      if (answer.outcome == RegisterOutcome::kUnknown) ++unknown_;
      if (answer.outcome != RegisterOutcome::kDone) return false;
      ++done_;
      return true;
    });
  }

 private:
  Turning* turning_;
  Registers* view_;
  uint64_t done_ = 0;
  uint64_t unknown_ = 0;
};

TEST(EtcdFaults, OneOfThreeServersMayDieOrHang) {
  const auto servers = StartEtcd(3);
  Turning turning;
  const EngineOptions options = OptionsFor("etcd", AddressesOf(servers));
  ASSERT_TRUE(Ready(&turning, options)) << servers[0]->Log();
  const std::unique_ptr<Registers> view = Open(&turning.loop_, options);
  EngineOptions last = options;
  last.servers = {options.servers[2]};
  ASSERT_TRUE(Ready(&turning, last)) << servers[2]->Log();
  const std::unique_ptr<Registers> writer = Open(&turning.loop_, last);
  int told = 0;
  view->set_on_change([&] { ++told; });
  Count count(&turning, view.get());
  ASSERT_TRUE(count.Up());
  ASSERT_TRUE(turning.RunUntil([&] { return told > 0; }));
  // The one that it asks first, then the next one.
  for (const size_t server : {0, 1}) {
    const bool dies = server == 0;
    if (dies) {
      servers[server]->Kill();
    } else {
      servers[server]->Pause();
    }
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(count.Up()) << view->trouble();
    // Its watch is with another one by now.
    const int before = told;
    ReadAtLast(&turning, writer.get(), "other");
    uint64_t version = 0;
    ASSERT_TRUE(e2e::Eventually([&] {
      version = ReadAtLast(&turning, writer.get(), "other")->version;
      return WriteTo(&turning, writer.get(), "other", version, "x").outcome ==
             RegisterOutcome::kDone;
    }));
    ASSERT_TRUE(turning.RunUntil([&] { return told > before; }));
    if (dies) {
      servers[server]->Start();
      last.servers = {options.servers[server]};
      ASSERT_TRUE(Ready(&turning, last)) << servers[server]->Log();
    } else {
      servers[server]->Resume();
    }
  }
  ASSERT_TRUE(count.Up());
}

TEST(EtcdFaults, PeopleSeeWhoLeadsAndWhoIsReached) {
  using Contact = EngineStatus::Contact;
  const auto servers = StartEtcd(3);
  Turning turning;
  const EngineOptions options = OptionsFor("etcd", AddressesOf(servers));
  ASSERT_TRUE(Ready(&turning, options)) << servers[0]->Log();
  const std::unique_ptr<Registers> view = Open(&turning.loop_, options);
  for (const EngineStatus::Server& server : view->Status().servers) {
    EXPECT_EQ(server.contact, Contact::kNotAsked);
  }
  EXPECT_EQ(view->Status().answer_ms, std::nullopt);
  const auto index_of = [&](const std::string& address) {
    const auto& all = options.servers;
    return static_cast<size_t>(std::find(all.begin(), all.end(), address) - all.begin());
  };
  size_t leader = 3;
  ASSERT_TRUE(turning.RunUntil([&] {
    const EngineStatus status = view->Status();
    leader = index_of(status.leader);
    return leader < 3 && std::all_of(status.servers.begin(), status.servers.end(),
                                     [](const auto& server) { return server.lag.has_value(); });
  })) << view->Status().leader;
  for (const EngineStatus::Server& server : view->Status().servers) {
    EXPECT_EQ(server.contact, Contact::kReached) << server.name;
  }
  Count count(&turning, view.get());
  ASSERT_TRUE(count.Up());
  EXPECT_NE(view->Status().answer_ms, std::nullopt);
  servers[leader]->Kill();
  EXPECT_TRUE(turning.RunUntil([&] {
    const EngineStatus status = view->Status();
    const size_t next = index_of(status.leader);
    return next < 3 && next != leader && status.servers[leader].contact == Contact::kNot;
  })) << view->Status().leader;
}

TEST(EtcdFaults, WithoutAMajorityNothingIsAnswered) {
  const auto servers = StartEtcd(3);
  Turning turning;
  const EngineOptions options = OptionsFor("etcd", AddressesOf(servers));
  ASSERT_TRUE(Ready(&turning, options)) << servers[0]->Log();
  const std::unique_ptr<Registers> view = Open(&turning.loop_, options);
  Count count(&turning, view.get());
  ASSERT_TRUE(count.Up());
  servers[1]->Kill();
  servers[2]->Kill();
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(ReadFrom(&turning, view.get(), "count")) << "it may have another one by now";
    EXPECT_NE(view->trouble(), "");
    const WriteAnswer answer = WriteTo(&turning, view.get(), "other", 0, "x");
    EXPECT_TRUE(answer.outcome == RegisterOutcome::kUnknown ||
                answer.outcome == RegisterOutcome::kUnreachable);
  }
  servers[1]->Start();
  ASSERT_TRUE(count.Up()) << view->trouble();
  EXPECT_EQ(view->trouble(), "");
}

TEST(EtcdFaults, WhoAsksMustBeWhoMay) {
  const auto servers = StartEtcd(1);
  Turning turning;
  EngineOptions options = OptionsFor("etcd", AddressesOf(servers));
  ASSERT_TRUE(Ready(&turning, options)) << servers[0]->Log();
  auto http = std::make_unique<UvHttp>(&turning.loop_);
  const auto post = [&](const std::string& path, const std::string& body) {
    std::optional<HttpAnswer> answer;
    HttpRequest request;
    request.url = "http://" + servers[0]->address() + path;
    request.body = body;
    http->Post(request, [&](const HttpAnswer& is) { answer = is; });
    ASSERT_TRUE(turning.RunUntil([&] { return answer.has_value(); }));
    ASSERT_EQ(answer->status, 200U) << answer->error << answer->body;
  };
  const std::string key = Base64("gemel/f/");
  for (const char* user : {"root", "gemel"}) {
    const std::string name = user;
    post("/v3/auth/user/add", R"({"name":")" + name + R"(","password":"secret"})");
    post("/v3/auth/role/add", R"({"name":")" + name + R"("})");
    post("/v3/auth/user/grant", R"({"user":")" + name + R"(","role":")" + name + R"("})");
  }
  post("/v3/auth/role/grant", R"({"name":"gemel","perm":{"permType":"READWRITE","key":")" + key +
                                  R"(","range_end":")" + Base64("gemel/f0") + R"("}})");
  post("/v3/auth/enable", "{}");
  http.reset();

  options.user = "gemel";
  options.password = "wrong";
  std::unique_ptr<Registers> view = Open(&turning.loop_, options);
  EXPECT_FALSE(ReadFrom(&turning, view.get(), "a"));
  EXPECT_NE(view->trouble().find("refused"), std::string::npos) << view->trouble();
  EXPECT_EQ(WriteTo(&turning, view.get(), "a", 0, "x").outcome, RegisterOutcome::kUnreachable);

  options.password = "secret";
  options.prefix = "elsewhere";
  view = Open(&turning.loop_, options);
  EXPECT_FALSE(ReadFrom(&turning, view.get(), "a"));
  EXPECT_EQ(WriteTo(&turning, view.get(), "a", 0, "x").outcome, RegisterOutcome::kUnreachable);
  EXPECT_NE(view->trouble().find("permission denied"), std::string::npos) << view->trouble();

  options.prefix = "";
  view = Open(&turning.loop_, options);
  int told = 0;
  view->set_on_change([&] { ++told; });
  Count count(&turning, view.get());
  ASSERT_TRUE(count.Up()) << view->trouble();
  ASSERT_TRUE(turning.RunUntil([&] { return told > 0; }));
  // The tokens go with its process.
  servers[0]->Kill();
  servers[0]->Start();
  ASSERT_TRUE(count.Up()) << view->trouble();
  const int before = told;
  ASSERT_TRUE(count.Up()) << view->trouble();
  ASSERT_TRUE(turning.RunUntil([&] { return told > before; }));
}

TEST(ZookeeperFaults, WhatHangsIsLeftAndComesBack) {
  ZookeeperServer server(1000);
  server.Start();
  Turning turning;
  const EngineOptions options = OptionsFor("zookeeper", {server.address()});
  ASSERT_TRUE(Ready(&turning, options)) << server.Log();
  const std::unique_ptr<Registers> view = Open(&turning.loop_, options);
  const std::unique_ptr<Registers> idle = Open(&turning.loop_, options);
  int told = 0;
  idle->set_on_change([&] { ++told; });
  Count count(&turning, view.get());
  ASSERT_TRUE(count.Up());
  ASSERT_TRUE(turning.RunUntil([&] { return told > 0; }));
  server.Pause();
  EXPECT_FALSE(ReadFrom(&turning, view.get(), "count"));
  EXPECT_NE(view->trouble().find("zookeeper at " + server.address()), std::string::npos)
      << view->trouble();
  EXPECT_NE(WriteTo(&turning, view.get(), "other", 0, "x").outcome, RegisterOutcome::kDone);
  // Longer than a session lives.
  turning.RunFor(1500);
  const int before = told;
  server.Resume();
  ASSERT_TRUE(count.Up()) << view->trouble();
  EXPECT_EQ(view->trouble(), "");
  // Also to who asked nothing.
  ASSERT_TRUE(turning.RunUntil([&] { return told > before; }));
  EXPECT_TRUE(ReadAtLast(&turning, idle.get(), "count"));
}

TEST(ZookeeperFaults, PeopleSeeTheServerThatIsSpokenTo) {
  using Contact = EngineStatus::Contact;
  ZookeeperServer server;
  server.Start();
  Turning turning;
  EngineOptions options = OptionsFor("zookeeper", {server.address()});
  ASSERT_TRUE(Ready(&turning, options)) << server.Log();
  options.servers.push_back("127.0.0.1:1");
  const std::unique_ptr<Registers> view = Open(&turning.loop_, options);
  ASSERT_TRUE(ReadAtLast(&turning, view.get(), "a"));
  EngineStatus status = view->Status();
  EXPECT_EQ(status.leader, "");
  EXPECT_FALSE(status.leaderless);
  EXPECT_NE(status.answer_ms, std::nullopt);
  ASSERT_EQ(status.servers.size(), 2U);
  EXPECT_EQ(status.servers[0].contact, Contact::kReached);
  EXPECT_EQ(status.servers[1].contact, Contact::kNotAsked);
  server.Kill();
  EXPECT_TRUE(turning.RunUntil([&] {
    status = view->Status();
    return status.servers[0].contact != Contact::kReached &&
           status.servers[1].contact != Contact::kReached;
  }));
}

TEST(ZookeeperFaults, TheNextServerIsTried) {
  ZookeeperServer server;
  const e2e::FreePort nobody;
  server.Start();
  Turning turning;
  EngineOptions options = OptionsFor("zookeeper", {server.address()});
  ASSERT_TRUE(Ready(&turning, options)) << server.Log();
  // By its name too.
  options.servers = {"127.0.0.1:" + std::to_string(nobody.number()),
                     "localhost" + server.address().substr(server.address().find(':'))};
  const std::unique_ptr<Registers> view = Open(&turning.loop_, options);
  EXPECT_TRUE(ReadAtLast(&turning, view.get(), "a"));
}

TEST(ZookeeperFaults, WhoAsksMustBeWhoMay) {
  ZookeeperServer server;
  server.Start();
  Turning turning;
  EngineOptions options = OptionsFor("zookeeper", {server.address()});
  ASSERT_TRUE(Ready(&turning, options)) << server.Log();
  options.user = "gemel";
  options.password = "secret";
  std::unique_ptr<Registers> view = Open(&turning.loop_, options);
  Count count(&turning, view.get());
  ASSERT_TRUE(count.Up()) << view->trouble();
  ASSERT_TRUE(count.Up()) << view->trouble();
  options.password = "wrong";
  view = Open(&turning.loop_, options);
  EXPECT_FALSE(ReadFrom(&turning, view.get(), "count"));
  EXPECT_NE(view->trouble().find("refused"), std::string::npos) << view->trouble();
  EXPECT_EQ(WriteTo(&turning, view.get(), "other", 0, "x").outcome, RegisterOutcome::kUnreachable);
  EXPECT_EQ(WriteTo(&turning, view.get(), "count", 2, "x").outcome, RegisterOutcome::kUnreachable);
}

}  // namespace
}  // namespace gemel::engines_test
