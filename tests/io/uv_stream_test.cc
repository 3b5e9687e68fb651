// Connections on a real loop: the options of their sockets, and what a link hears of its bytes.

#include "backend/uv/uv_stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/bytes/budget.h"
#include "backend/link/batching.h"
#include "backend/uv/uv_link.h"
#include "tests/e2e/child_process.h"
#include "tests/io/loop_fixture.h"
#include "tests/io/raw_server.h"
#include "tests/unit/fake_transport.h"

namespace gemel {
namespace {

std::string Text(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN] = "";
  inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text));
  return std::string(text) + ":" + std::to_string(ntohs(address.sin_port));
}

// The descriptor of this process's TCP connection with these ends; -1 if there is none.
int Find(const std::string& local, const std::string& peer) {
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in near{};
    sockaddr_in far{};
    socklen_t near_size = sizeof(near);
    socklen_t far_size = sizeof(far);
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&near), &near_size) == 0 &&
        getpeername(fd, reinterpret_cast<sockaddr*>(&far), &far_size) == 0 &&
        near.sin_family == AF_INET && Text(near) == local && Text(far) == peer) {
      return fd;
    }
  }
  return -1;
}

int Option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(fd, level, name, &value, &size), 0);
  return value;
}

class UvStreamTest : public LoopTest {
 protected:
  UvStreamTest() : streams_(&loop_) {
    uv_check_init(&loop_, &check_);
    check_.data = this;
    uv_check_start(&check_,
                   [](uv_check_t* check) { static_cast<UvStreamTest*>(check->data)->OnTurn(); });
  }
  ~UvStreamTest() override {
    uv_close(reinterpret_cast<uv_handle_t*>(&check_), nullptr);
    uv_run(&loop_, UV_RUN_NOWAIT);
  }
  virtual void OnTurn() {
    streams_.ReceiveAll();
    streams_.SendAll();
  }

  RawServer server_;
  UvStreamGroup streams_;

 private:
  uv_check_t check_;
};

class Quiet : public UvStreamEvents {
 public:
  void OnStreamConnected() override { connected = true; }
  char* OnStreamBuffer(size_t*) override { return nullptr; }
  void OnStreamData(char*, size_t) override {}
  void OnStreamEnd(int) override {}
  void OnStreamWritable() override {}
  bool connected = false;
};

TEST_F(UvStreamTest, SocketsDoNotDelayAndAreKeptAlive) {
  Quiet events;
  UvStream stream(&streams_, &events);
  for (const uint32_t keepalive_s : {77u, 0u}) {
    // One that connects.
    events.connected = false;
    stream.Connect(Address{"127.0.0.1", server_.port(), {}}, keepalive_s);
    ASSERT_TRUE(RunUntil([&] { return events.connected; }));
    const int made = Find(stream.LocalName(), stream.PeerName());
    ASSERT_GE(made, 0);
    EXPECT_EQ(Option(made, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(Option(made, SOL_SOCKET, SO_KEEPALIVE), keepalive_s > 0 ? 1 : 0);
    if (keepalive_s > 0) {
      EXPECT_EQ(Option(made, IPPROTO_TCP, TCP_KEEPIDLE), 77);
    }

    // One that was accepted: the other end of a connection made by hand.
    const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(listen(listener.get(), 1), 0);
    ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    const UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    UniqueFd accepted(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    const int taken = accepted.get();
    UvStream other(&streams_, &events);
    ASSERT_TRUE(other.Accept(std::move(accepted), /*unix_socket=*/false, keepalive_s));
    EXPECT_EQ(Option(taken, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(Option(taken, SOL_SOCKET, SO_KEEPALIVE), keepalive_s > 0 ? 1 : 0);
    if (keepalive_s > 0) {
      EXPECT_EQ(Option(taken, IPPROTO_TCP, TCP_KEEPIDLE), 77);
    }
  }
}

// Reads to memory of its own, which it keeps.
class Large : public Quiet {
 public:
  static constexpr size_t kBytes = 1024 * 1024;
  explicit Large(size_t* reading) : reading_(reading) {}
  ~Large() override {
    if (!memory_.empty()) Budget::Give(kBytes);
  }
  char* OnStreamBuffer(size_t* size) override {
    ++*reading_;
    if (memory_.empty()) Budget::Take(kBytes);
    memory_.resize(kBytes);
    *size = kBytes;
    return memory_.data();
  }
  void OnStreamData(char*, size_t size) override { got += size; }
  size_t got = 0;

 private:
  size_t* reading_;
  std::string memory_;
};

// However many have something to be read at once.
TEST_F(UvStreamTest, WhereMemoryIsTightOneReadsAndThenItIsLookedWhoMayGoOn) {
  const uint64_t limit = Budget::limit();
  Budget::set_limit(2 * (Budget::Held() + 5 * Large::kBytes / 2));
  size_t reading = 0;
  std::vector<size_t> batches;
  streams_.set_after_batch([&] {
    if (reading > 0) batches.push_back(std::exchange(reading, 0));
  });
  std::vector<UniqueFd> peers;
  std::vector<std::unique_ptr<Large>> owners;
  std::vector<std::unique_ptr<UvStream>> streams;
  for (int i = 0; i < 6; ++i) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    peers.emplace_back(ends[0]);
    ASSERT_EQ(write(ends[0], "some", 4), 4);
    owners.push_back(std::make_unique<Large>(&reading));
    streams.push_back(std::make_unique<UvStream>(&streams_, owners.back().get()));
    ASSERT_TRUE(streams.back()->Accept(UniqueFd(ends[1]), /*unix_socket=*/true, 0));
    streams.back()->StartReading();
  }
  EXPECT_TRUE(RunUntil([&] {
    return std::all_of(owners.begin(), owners.end(),
                       [](const auto& each) { return each->got == 4; });
  }));
  EXPECT_EQ(batches, (std::vector<size_t>{3, 1, 1, 1}));
  streams.clear();
  streams_.set_after_batch({});
  Budget::set_limit(limit);
}

class UvLinkTest : public UvStreamTest, public LinkOwner {
 protected:
  UvLinkTest() { context_.streams = &streams_; }
  void OnTurn() override {
    streams_.ReceiveAll();
    const std::vector<UvLink*> dirty = std::exchange(context_.dirty, {});
    for (UvLink* link : dirty) link->Flush();
    streams_.SendAll();
  }
  // Connects to the server, which answers as a node does.
  void BringUp(Link* link, UvLink* transport) {
    link->set_transport(transport);
    link->Start(uv_now(&loop_));
    ASSERT_TRUE(RunUntil([&] { return server_.Accept() == 1; }));
    server_.Send(HandshakeReplies("r"));
    ASSERT_TRUE(RunUntil([&] { return link->up(); }));
  }
  void OnLinkUp(Link*, const NodeIdentity&) override {}
  void OnLinkReply(Link*, LinkItem*, const Reply& reply, std::string_view) override {
    told_ += reply.bytes;
  }
  void OnLinkLost(Link*, LinkItem*, std::string_view) override {}
  void OnLinkDown(Link* link, const std::string& reason, bool) override {
    down_ = reason;
    rest_unread_ = link->end().rest_unread;
  }

  UvLinkContext context_;
  ChunkPool pool_;
  std::string down_;
  std::string told_;
  bool rest_unread_ = false;
};

// The node's patience is asked in times of the test's own: nothing here waits for a timeout.
TEST_F(UvLinkTest, HearsThatBytesOfALargeRequestWereTaken) {
  Link link(this, 0, &pool_, {});
  UvLink transport(&context_, &link, Address{"127.0.0.1", server_.port(), {}});
  ASSERT_NO_FATAL_FAILURE(BringUp(&link, &transport));

  LinkItem item(LinkItem::Kind::kRequest);
  uv_update_time(&loop_);
  link.Tick(uv_now(&loop_), 0);
  const uint64_t asked_ms = uv_now(&loop_);
  link.Send(&item, std::string(32 << 20, 'x'));
  // The node reads nothing until the connection is full.
  size_t left = 0;
  ASSERT_TRUE(RunUntil([&] {
    const size_t before = std::exchange(left, link.out().bytes());
    RunFor(20);
    return left == before && left == link.out().bytes() && left < (32 << 20);
  }));
  ASSERT_GT(left, 0u);
  // It goes on, later: less than the timeout ago.
  ASSERT_TRUE(RunUntil([&] { return uv_now(&loop_) >= asked_ms + 10; }));
  ASSERT_TRUE(RunUntil([&] {
    while (!server_.Received().empty()) {
    }
    return link.out().bytes() < left;
  }));
  const uint64_t taken_ms = uv_now(&loop_);
  ASSERT_GE(taken_ms, asked_ms + 10);
  link.Tick(asked_ms + 5000, 0);
  EXPECT_TRUE(link.up()) << down_;
  link.Tick(taken_ms + 5000, 0);
  EXPECT_EQ(down_, "no answer within 5000 ms");
  link.Stop();
}

// It says why, and closes with bytes unread, so that the connection is reset; and that is first
// noticed by one who writes.
TEST_F(UvLinkTest, ReadsWhatTheNodeSaidBeforeItClosed) {
  Link link(this, 0, &pool_, {});
  UvLink transport(&context_, &link, Address{"127.0.0.1", server_.port(), {}});
  ASSERT_NO_FATAL_FAILURE(BringUp(&link, &transport));
  while (!server_.Received().empty()) {
  }
  LinkItem first(LinkItem::Kind::kRequest);
  LinkItem second(LinkItem::Kind::kRequest);
  const std::string request(2 * Batching::kBatchBytes, 'x');  // too much to be held back
  link.Send(&first, request);
  ASSERT_TRUE(RunUntil([&] { return link.out().bytes() == 0; }));
  const std::string why = "-ERR Protocol error: invalid bulk length\r\n";
  server_.Send(why);
  server_.CloseAll();
  link.Send(&second, request);
  transport.Flush();
  streams_.SendAll();
  EXPECT_EQ(link.out().bytes(), request.size()) << "the connection was not yet reset";
  ASSERT_TRUE(RunUntil([&] { return !down_.empty(); }));
  EXPECT_EQ(told_, why);
  EXPECT_TRUE(rest_unread_);
  link.Stop();
}

// A node that answers at once, on a Unix socket: what such a one takes at a time is always the
// same.
class NearNode {
 public:
  NearNode() : path_(folder_.path() + "/node") {
    listener_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path_.copy(name.sun_path, sizeof(name.sun_path) - 1);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
  }
  Address address() const {
    Address address;
    address.path = path_;
    return address;
  }
  bool Accept() {
    connection_ =
        UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    return connection_.valid();
  }
  void Send(std::string_view bytes) {
    EXPECT_EQ(send(connection_.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
  }
  size_t Read() {
    char buffer[65536];
    const ssize_t got = recv(connection_.get(), buffer, sizeof(buffer), 0);
    return got > 0 ? static_cast<size_t>(got) : 0;
  }

 private:
  e2e::TempFolder folder_;
  std::string path_;
  UniqueFd listener_;
  UniqueFd connection_;
};

TEST_F(UvLinkTest, SendsTheRestOfARequestThatTheSocketHadNoRoomFor) {
  NearNode node;
  Link link(this, 0, &pool_, {});
  UvLink transport(&context_, &link, node.address());
  link.set_transport(&transport);
  LinkItem item(LinkItem::Kind::kRequest);
  link.Start(uv_now(&loop_));
  size_t taken = 0;
  for (const size_t rest : {size_t{0}, size_t{1}, size_t{100}, size_t{4000}}) {
    ASSERT_TRUE(RunUntil([&] { return node.Accept(); }));
    const std::string replies = HandshakeReplies("r" + std::to_string(rest));
    const size_t asked = replies.find(":7\r\n") + 4;  // what is known of the start of it
    for (const std::string& part : {replies.substr(0, asked), replies.substr(asked)}) {
      ASSERT_TRUE(RunUntil([&] { return node.Read() > 0; }));
      node.Send(part);
    }
    ASSERT_TRUE(RunUntil([&] { return link.up(); }));
    // It is known to be near.
    for (int i = 0; i < 50; ++i) {
      link.Send(&item, "x");
      ASSERT_TRUE(RunUntil([&] { return node.Read() > 0; }));
      node.Send("+OK\r\n");
      ASSERT_TRUE(RunUntil([&] { return link.line().empty(); }));
    }
    const size_t size = rest == 0 ? 32u << 20 : taken + rest;
    link.Send(&item, std::string(size, 'x'));
    ASSERT_TRUE(RunUntil([&] { return link.out().bytes() < size; }));
    if (rest == 0) {
      taken = size - link.out().bytes();
    } else {
      EXPECT_EQ(link.out().bytes(), rest);
    }
    size_t got = 0;
    EXPECT_TRUE(RunUntil([&] { return (got += node.Read()) == size; })) << rest << ": " << got;
    link.Fail("enough");
    link.Tick(uv_now(&loop_) + 1000, 0);
  }
  link.Stop();
}

}  // namespace
}  // namespace gemel
