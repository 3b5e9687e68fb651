// Members of a fleet over loopback: requests go to the owner and come back, in order, whoever that
// is; strangers and those that say nothing are kept out.

#include "proxy/peers/uv_peers.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/worker/uv_listener.h"
#include "tests/e2e/free_port.h"
#include "tests/io/loop_fixture.h"
#include "tests/unit/peer_world.h"

namespace gemel::peer_test {
namespace {

using Texts = std::vector<std::string>;

struct MemberSetup {
  std::string fleet = "f";
  std::string name;
  std::string secret = "secret";
  uint64_t wait_ms = 60000;
};

// A process, as far as its peers go: what its shards get is answered when the test says so.
class Process {
 public:
  Process(uv_loop_t* loop, UvStreamGroup* streams, MemberSetup setup,
          std::map<std::string, PeerOwner>* owners)
      : dispatcher(ThePool(), 0, 1), asker(&dispatcher), setup_(setup), owners_(owners) {
    UvPeers::Options options;
    options.fleet = setup.fleet;
    options.member = setup.name;
    options.secret = setup.secret;
    options.streams = streams;
    options.chunks = &chunks;
    options.dispatcher = &dispatcher;
    options.gone = &gone;
    options.next_session = [this] { return ++last_session_; };
    options.owner = [this](std::string_view shard) { return OwnerOf(std::string(shard)); };
    options.come_home = [this](Request* request) {
      home.emplace_back(request->frame);
      request->sink->OnReply(request, Reply{"+home\r\n", nullptr});
      return true;
    };
    options.note = [this](const std::string& text) { notes.push_back(text); };
    options.wait_ms = setup.wait_ms;
    options.submit = [this](Request* request) { Take(request); };
    peers = std::make_unique<UvPeers>(std::move(options));
    Listen(loop);
  }
  void Listen(uv_loop_t* loop) {
    gemel::Address address;
    address.host = "127.0.0.1";
    address.port = port.number();
    std::string error;
    std::vector<UniqueFd> sockets = BindListeners(address, 1, {}, &error);
    ASSERT_EQ(sockets.size(), 1u) << error;
    listener = std::make_unique<UvListener>(
        loop, std::move(sockets[0]), false,
        [this](UniqueFd socket, bool) { peers->Accept(std::move(socket)); });
    ASSERT_TRUE(listener->Start(&error)) << error;
  }
  // As if the process had ended, or another one had its memory.
  void Stop() {
    listener.reset();
    peers->Stop();
    AnswerAll();
    peers.reset();
  }
  ~Process() {
    if (peers != nullptr) Stop();
    EXPECT_EQ(dispatcher.requests_in_use(), 0u);
  }

  PeerOwner OwnerOf(const std::string& shard) const {
    PeerOwner owner = (*owners_)[shard];
    owner.mine = owner.member == setup_.name;
    return owner;
  }
  std::string Where() const { return "127.0.0.1:" + std::to_string(port.number()); }
  void Take(Request* request) {
    if (!OwnerOf(ThePool()->OfSlot(request->shard).name).mine) {
      request->not_here = true;
      request->sink->OnReply(request, Reply{{}, nullptr});
      return;
    }
    request->OwnFrame();
    seen.emplace_back(request->frame);
    got.push_back(request);
  }
  void AnswerAll(std::string_view reply = "+OK\r\n") {
    for (Request* request : std::exchange(got, {})) {
      request->sink->OnReply(request, Reply{reply, nullptr});
    }
  }
  void GiveAll() {
    for (Request* request : std::exchange(got, {})) {
      request->not_here = true;
      request->sink->OnReply(request, Reply{{}, nullptr});
    }
  }
  void Write(const std::string& key) {
    peers->Submit(asker.Make(RequestKind::kWrite, {"SET", key, "v"}));
  }
  void Read(const std::string& key) { peers->Submit(asker.Make(RequestKind::kRead, {"GET", key})); }

  ChunkPool chunks;
  GoneSessions gone;
  Dispatcher dispatcher;
  Asker asker;
  e2e::FreePort port;
  std::unique_ptr<UvPeers> peers;
  std::unique_ptr<UvListener> listener;
  Texts seen;
  Texts home;
  Texts notes;
  std::deque<Request*> got;

 private:
  const MemberSetup setup_;
  std::map<std::string, PeerOwner>* owners_;
  uint32_t last_session_ = 0;
};

class UvPeersTest : public LoopTest {
 protected:
  UvPeersTest() : streams_(&loop_) {
    uv_check_init(&loop_, &check_);
    check_.data = this;
    uv_check_start(&check_,
                   [](uv_check_t* check) { static_cast<UvPeersTest*>(check->data)->Turn(); });
  }
  ~UvPeersTest() override {
    processes_.clear();
    strangers_.clear();
    uv_close(reinterpret_cast<uv_handle_t*>(&check_), nullptr);
    uv_run(&loop_, UV_RUN_NOWAIT);
  }
  // What a worker does at the end of a turn, and each tick.
  void Turn() {
    streams_.ReceiveAll();
    const uint64_t now_ms = uv_now(&loop_);
    for (auto& process : processes_) {
      if (process->peers == nullptr) continue;
      process->peers->Tick(now_ms);
      if (process->peers->dirty()) process->peers->Flush();
    }
    streams_.SendAll();
  }
  Process& Add(MemberSetup setup) {
    processes_.push_back(std::make_unique<Process>(&loop_, &streams_, std::move(setup), &owners_));
    return *processes_.back();
  }
  void Own(const std::string& shard, const std::string& member, const std::string& address) {
    owners_[shard] = {false, member, address, ++epoch_, true};
    for (auto& process : processes_) {
      if (process->peers != nullptr) process->peers->OnOwners();
    }
  }
  // A connection by hand.
  int Dial(const Process& to) {
    UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(to.port.number());
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    strangers_.push_back(std::move(socket));
    return strangers_.back().get();
  }
  // All that comes until the other end closes.
  std::string ReadAll(int socket) {
    std::string text;
    EXPECT_TRUE(RunUntil([&] {
      char buffer[4096];
      const ssize_t got = ::recv(socket, buffer, sizeof(buffer), MSG_DONTWAIT);
      if (got > 0) text.append(buffer, static_cast<size_t>(got));
      return got == 0 || (got < 0 && errno == ECONNRESET);
    }));
    return text;
  }

  UvStreamGroup streams_;
  std::map<std::string, PeerOwner> owners_;
  uint64_t epoch_ = 0;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<UniqueFd> strangers_;

 private:
  uv_check_t check_;
};

TEST_F(UvPeersTest, RequestsGoToTheOwnerAndComeBack) {
  Process& a = Add({.name = "a"});
  Process& b = Add({.name = "b"});
  Own("a", "b", b.Where());
  a.Write("1");
  a.Read("2");
  ASSERT_TRUE(RunUntil([&] { return b.got.size() == 2; }));
  EXPECT_EQ(b.seen, (Texts{Set("1"), Get("2")}));
  b.AnswerAll();
  ASSERT_TRUE(RunUntil([&] { return a.asker.replies.size() == 2; }));
  EXPECT_EQ(a.peers->links_up(), 1u);
  EXPECT_EQ(b.peers->guests(), 1u);
}

TEST_F(UvPeersTest, LargeRequestsAndReplies) {
  Process& a = Add({.name = "a"});
  Process& b = Add({.name = "b"});
  Own("a", "b", b.Where());
  const std::string value(20 << 20, 'v');
  a.peers->Submit(a.asker.Make(RequestKind::kWrite, {"SET", "k", value}));
  a.Read("k");
  ASSERT_TRUE(RunUntil([&] { return b.got.size() == 2; }))
      << ::testing::PrintToString(b.notes) << ::testing::PrintToString(a.asker.replies);
  EXPECT_TRUE(b.seen[0] == CommandFrame({"SET", "k", value}));
  std::string reply;
  AppendBulk(&reply, value);
  b.AnswerAll(reply);
  ASSERT_TRUE(RunUntil([&] { return a.asker.replies.size() == 2; }));
  EXPECT_TRUE(a.asker.replies[1] == reply);
}

TEST_F(UvPeersTest, ManyRequestsPassAndKeepTheirOrder) {
  Process& a = Add({.name = "a"});
  Process& b = Add({.name = "b"});
  Own("a", "b", b.Where());
  Texts wanted;
  for (int i = 0; i < 30000; ++i) {
    a.Write(std::to_string(i));
    wanted.push_back(Set(std::to_string(i)));
  }
  ASSERT_TRUE(RunUntil([&] {
    b.AnswerAll();
    return a.asker.replies.size() == 30000;
  }));
  EXPECT_TRUE(b.seen == wanted);
}

TEST_F(UvPeersTest, OrderIsKeptWhenTheShardMovesAndComesHome) {
  Process& a = Add({.name = "a"});
  Process& b = Add({.name = "b"});
  Process& c = Add({.name = "c"});
  Own("a", "b", b.Where());
  for (const char* key : {"1", "2", "3"}) a.Write(key);
  ASSERT_TRUE(RunUntil([&] { return b.got.size() == 3; }));
  Own("a", "c", c.Where());
  a.Write("4");
  b.GiveAll();
  ASSERT_TRUE(RunUntil([&] { return c.got.size() == 4; }));
  EXPECT_EQ(c.seen, (Texts{Set("1"), Set("2"), Set("3"), Set("4")}));
  a.Write("5");
  Own("a", "a", "");
  a.Write("6");
  EXPECT_TRUE(a.peers->Has(0));
  c.GiveAll();
  ASSERT_TRUE(RunUntil([&] { return a.home.size() == 6; }));
  EXPECT_EQ(a.home, (Texts{Set("1"), Set("2"), Set("3"), Set("4"), Set("5"), Set("6")}));
  EXPECT_FALSE(a.peers->Has(0));
}

TEST_F(UvPeersTest, ALostMemberIsNamedAndReadsGoOn) {
  Process& a = Add({.name = "a"});
  Process& b = Add({.name = "b"});
  Process& c = Add({.name = "c"});
  Own("a", "b", b.Where());
  a.Write("1");
  a.Read("2");
  ASSERT_TRUE(RunUntil([&] { return b.got.size() == 2; }));
  b.Stop();
  ASSERT_TRUE(RunUntil([&] { return a.asker.replies.size() == 1; }));
  EXPECT_NE(a.asker.replies[0].find("'b'"), std::string::npos) << a.asker.replies[0];
  EXPECT_NE(a.asker.replies[0].find("may or may not"), std::string::npos);
  Own("a", "c", c.Where());
  ASSERT_TRUE(RunUntil([&] { return c.got.size() == 1; }));
  EXPECT_EQ(c.seen, Texts{Get("2")});
  // What the asker of a lost link had there is nobody's.
  a.Stop();
  ASSERT_TRUE(RunUntil([&] { return c.peers->guests() == 0; }));
}

TEST_F(UvPeersTest, AMemberThatComesBackIsConnectedAgain) {
  Process& a = Add({.name = "a"});
  Process& b = Add({.name = "b"});
  Own("a", "b", b.Where());
  b.listener.reset();
  a.Write("1");
  RunFor(100);
  EXPECT_TRUE(a.asker.replies.empty());
  b.Listen(&loop_);
  ASSERT_TRUE(RunUntil([&] { return b.got.size() == 1; }));
}

TEST_F(UvPeersTest, WithoutAnOwnerThereIsAnError) {
  Process& a = Add({.name = "a", .wait_ms = 50});
  Process& b = Add({.name = "b"});
  a.Write("1");
  ASSERT_TRUE(RunUntil([&] { return a.asker.replies.size() == 1; }));
  EXPECT_TRUE(a.asker.replies[0].starts_with("-CLUSTERDOWN shard 'a'")) << a.asker.replies[0];
  b.listener.reset();
  Own("a", "b", b.Where());
  a.Write("2");
  ASSERT_TRUE(RunUntil([&] { return a.asker.replies.size() == 2; }));
  EXPECT_NE(a.asker.replies[1].find("is not connected: " + b.Where()), std::string::npos)
      << a.asker.replies[1];
}

TEST_F(UvPeersTest, StrangersAreKeptOut) {
  Process& b = Add({.name = "b"});
  const std::pair<MemberSetup, std::string> strangers[] = {
      {{.name = "a", .secret = "other"}, "it does not know the secret of this fleet"},
      {{.fleet = "g", .name = "a"}, "this member is of another fleet"},
  };
  for (const auto& [setup, why] : strangers) {
    MemberSetup short_wait = setup;
    short_wait.wait_ms = 300;
    Process& a = Add(short_wait);
    Own("a", "b", b.Where());
    a.Write("1");
    ASSERT_TRUE(RunUntil([&] { return a.asker.replies.size() == 1; }));
    EXPECT_NE(a.asker.replies[0].find("it refused: " + why), std::string::npos)
        << a.asker.replies[0];
    EXPECT_TRUE(std::any_of(b.notes.begin(), b.notes.end(), [&why = why](const std::string& note) {
      return note.find(why) != std::string::npos;
    }));
    a.Stop();
  }
  EXPECT_TRUE(b.seen.empty());
  EXPECT_EQ(b.peers->guests(), 0u);
}

TEST_F(UvPeersTest, NothingIsReadOfWhoIsNoMember) {
  Process& b = Add({.name = "b"});
  const int redis = Dial(b);
  const std::string command = Set("k");
  ASSERT_EQ(::send(redis, command.data(), command.size(), 0), static_cast<ssize_t>(command.size()));
  EXPECT_NE(ReadAll(redis).find("not how members of a fleet begin"), std::string::npos);
  // A request without a handshake.
  PeerRequest request;
  request.shard = "a";
  request.row = "get";
  request.frame = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
  std::string wire;
  AppendPeerRequest(request, &wire);
  wire += request.frame;
  const int eager = Dial(b);
  ASSERT_EQ(::send(eager, wire.data(), wire.size(), 0), static_cast<ssize_t>(wire.size()));
  ReadAll(eager);
  EXPECT_TRUE(b.seen.empty());
}

TEST_F(UvPeersTest, WhoSaysNothingHasToGo) {
  Process& a = Add({.name = "a"});
  Process& b = Add({.name = "b"});
  std::vector<int> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(Dial(b));
  // The first give way to others,
  ReadAll(silent[0]);
  // who are served meanwhile,
  Own("a", "b", b.Where());
  a.Write("1");
  ASSERT_TRUE(RunUntil([&] { return b.got.size() == 1; }));
  // and the last have their time.
  ReadAll(silent.back());
}

}  // namespace
}  // namespace gemel::peer_test
