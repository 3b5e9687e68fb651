// Sends and receives by the ring and without it: the same results.

#include "backend/uv/uring_socket_batch.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "backend/files/unique_fd.h"

namespace gemel {
namespace {

using Kind = SocketOp::Kind;

struct Pair {
  explicit Pair(int family = AF_UNIX) {
    if (family == AF_UNIX) {
      int ends[2];
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
      near = UniqueFd(ends[0]);
      far = UniqueFd(ends[1]);
      return;
    }
    const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener.get(), 1), 0);
    EXPECT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    near = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(near.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    far = UniqueFd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  UniqueFd near;
  UniqueFd far;
};

// Many of them, each with memory of its own.
class Ops {
 public:
  explicit Ops(size_t count) : ops_(count), parts_(count) {}
  void Receive(size_t at, int fd, std::string* place) {
    parts_[at] = {{place->data(), place->size()}};
    ops_[at] = {Kind::kReceive, fd, parts_[at].data(), 1, 12345};
  }
  void Send(size_t at, int fd, std::vector<std::string>* texts) {
    for (std::string& text : *texts) parts_[at].push_back({text.data(), text.size()});
    ops_[at] = {Kind::kSend, fd, parts_[at].data(), parts_[at].size(), 12345};
  }
  std::vector<ssize_t> Run(SocketBatch* batch) {
    batch->Run(ops_);
    std::vector<ssize_t> results;
    for (const SocketOp& op : ops_) results.push_back(op.result);
    return results;
  }

 private:
  std::vector<SocketOp> ops_;
  std::vector<std::vector<iovec>> parts_;
};

class SocketBatchTest : public testing::TestWithParam<bool> {  // by the ring
 protected:
  void SetUp() override {
    std::string why;
    if (!batch_.UseRing(GetParam(), &why)) GTEST_SKIP() << "io_uring: " << why;
    EXPECT_EQ(batch_.uses_ring(), GetParam());
  }
  // It was not broken on the way.
  void TearDown() override {
    if (IsSkipped()) return;
    EXPECT_EQ(batch_.uses_ring(), GetParam());
  }
  SocketBatch batch_;
};
INSTANTIATE_TEST_SUITE_P(Ways, SocketBatchTest, testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "Ring" : "Plain");
});

TEST_P(SocketBatchTest, BytesEndNothingAndErrors) {
  Pair with_bytes, empty, ended, gone, reset(AF_INET);
  ASSERT_EQ(write(with_bytes.far.get(), "hello", 5), 5);
  ended.far = UniqueFd();
  gone.far = UniqueFd();
  // What was not read when an end is closed makes it a reset.
  ASSERT_EQ(write(reset.near.get(), "unread", 6), 6);
  const linger hard{1, 0};
  setsockopt(reset.far.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  reset.far = UniqueFd();
  std::array<std::string, 4> places;
  places.fill(std::string(100, '?'));
  std::vector<std::string> text = {"x"};
  Ops ops(6);
  ops.Receive(0, with_bytes.near.get(), &places[0]);
  ops.Receive(1, empty.near.get(), &places[1]);
  ops.Receive(2, ended.near.get(), &places[2]);
  ops.Send(3, gone.near.get(), &text);
  ops.Receive(4, reset.near.get(), &places[3]);
  ops.Send(5, empty.near.get(), &text);
  EXPECT_EQ(ops.Run(&batch_), (std::vector<ssize_t>{5, -EAGAIN, 0, -EPIPE, -ECONNRESET, 1}));
  EXPECT_EQ(places[0].substr(0, 6), "hello?");
  char byte = 0;
  EXPECT_EQ(read(empty.far.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
}

TEST_P(SocketBatchTest, SeveralPartsInTheirOrder) {
  Pair one, other;
  std::vector<std::string> parts;
  std::string whole;
  for (int i = 0; i < 16; ++i) whole += parts.emplace_back(static_cast<size_t>(i + 1), 'a' + i);
  std::vector<std::string> more = {"left", "right"};
  Ops ops(2);
  ops.Send(0, one.near.get(), &parts);
  ops.Send(1, other.near.get(), &more);
  EXPECT_EQ(ops.Run(&batch_), (std::vector<ssize_t>{static_cast<ssize_t>(whole.size()), 9}));
  std::string came(whole.size() + 10, '?');
  ASSERT_EQ(read(one.far.get(), came.data(), came.size()), static_cast<ssize_t>(whole.size()));
  EXPECT_EQ(came.substr(0, whole.size()), whole);
  ASSERT_EQ(read(other.far.get(), came.data(), came.size()), 9);
  EXPECT_EQ(came.substr(0, 9), "leftright");
}

TEST_P(SocketBatchTest, AsManyAtOnceAsThereCanBe) {
  for (int round = 0; round < 3; ++round) {
    std::vector<Pair> pairs(SocketBatch::kMax);
    std::vector<std::vector<std::string>> texts(pairs.size());
    std::vector<ssize_t> expected;
    Ops sends(pairs.size());
    for (size_t i = 0; i < pairs.size(); ++i) {
      texts[i] = {std::string(i + 1, static_cast<char>('A' + i))};
      sends.Send(i, pairs[i].near.get(), &texts[i]);
      expected.push_back(static_cast<ssize_t>(i + 1));
    }
    EXPECT_EQ(sends.Run(&batch_), expected);
    std::vector<std::string> places(pairs.size(), std::string(100, '?'));
    Ops receives(pairs.size());
    for (size_t i = 0; i < pairs.size(); ++i) {
      receives.Receive(i, pairs[i].far.get(), &places[i]);
    }
    EXPECT_EQ(receives.Run(&batch_), expected);
    for (size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_EQ(places[i].substr(0, i + 2), texts[i][0] + "?");
    }
  }
}

TEST_P(SocketBatchTest, AFullSocketTakesAPartAndThenNothing) {
  Pair full, other;
  std::vector<std::string> large = {std::string(8 << 20, 'a'), std::string(8 << 20, 'b')};
  std::vector<std::string> small = {"x"};
  Ops first(2);
  first.Send(0, full.near.get(), &large);
  first.Send(1, other.near.get(), &small);
  const std::vector<ssize_t> taken = first.Run(&batch_);
  EXPECT_GT(taken[0], 0);
  EXPECT_LT(taken[0], 16 << 20);
  EXPECT_EQ(taken[1], 1);
  Ops again(2);
  again.Send(0, full.near.get(), &large);
  again.Send(1, other.near.get(), &small);
  EXPECT_EQ(again.Run(&batch_), (std::vector<ssize_t>{-EAGAIN, 1}));
  // And not a byte more arrives than it said.
  full.near = UniqueFd();
  std::string place(1 << 20, '?');
  ssize_t came = 0;
  for (ssize_t size; (size = read(full.far.get(), place.data(), place.size())) > 0;) came += size;
  EXPECT_EQ(came, taken[0]);
}

TEST_P(SocketBatchTest, OneAloneAndTheOtherWayAfterwards) {
  Pair pair;
  std::vector<std::string> text = {"alone"};
  Ops one(1);
  one.Send(0, pair.near.get(), &text);
  EXPECT_EQ(one.Run(&batch_), std::vector<ssize_t>{5});
  std::string why;
  if (!batch_.UseRing(!GetParam(), &why)) return;
  std::string place(10, '?');
  std::vector<std::string> back = {"back"};
  Ops both(2);
  both.Receive(0, pair.far.get(), &place);
  both.Send(1, pair.far.get(), &back);
  EXPECT_EQ(both.Run(&batch_), (std::vector<ssize_t>{5, 4}));
  ASSERT_TRUE(batch_.UseRing(GetParam(), &why));
}

}  // namespace
}  // namespace gemel
