// Every byte between a connection and its session passes one place, both ways: shown by a filter
// that turns all of them around.

#include "proxy/session/byte_pipe.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/session_fakes.h"

namespace gemel::byte_pipe_test {
namespace {

using session_test::FakeClient;
using session_test::World;

std::string Turned(std::string_view bytes) {
  std::string turned(bytes);
  for (char& c : turned) c = static_cast<char>(c ^ 0x5a);
  return turned;
}

struct Seen {
  size_t decoded = 0;
  size_t encoded = 0;
  bool ended = false;
};

// Greets who says "?", keeps the last byte back until another comes, and takes no "!".
class TurningFilter : public ByteFilter {
 public:
  explicit TurningFilter(Seen* seen) : seen_(seen) {}
  bool Decode(std::string_view bytes, ByteBuffer* plain, OutQueue* wire) override {
    seen_->decoded += bytes.size();
    if (bytes == "?") {
      wire->Append("welcome");
      return true;
    }
    plain->Append(kept_ + Turned(bytes.substr(0, bytes.size() - 1)));
    kept_ = Turned(bytes.substr(bytes.size() - 1));
    return bytes != "!";
  }
  void DecodeEnd(ByteBuffer* plain) override {
    plain->Append(kept_);
    seen_->ended = true;
  }
  void Encode(std::string_view plain, OutQueue* wire) override {
    EXPECT_FALSE(plain.empty());
    seen_->encoded += plain.size();
    wire->Append(Turned(plain));
  }

 private:
  Seen* seen_;
  std::string kept_;
};

class BytePipeTest : public testing::Test {
 protected:
  FakeClient& Connect() { return world_.Connect(0, std::make_unique<TurningFilter>(&seen_)); }
  World world_;
  Seen seen_;
};

TEST_F(BytePipeTest, EveryByteIsTurnedBothWays) {
  FakeClient& client = Connect();
  const std::string sent = Command({"SET", "k", "v"}) + Command({"GET", "k"}) + Command({"PING"});
  client.Send(Turned(sent) + Turned("\r"));  // the last byte is kept back: nothing of the command
  world_.Run();
  const std::string answer = "+OK\r\n$1\r\nv\r\n+PONG\r\n";
  EXPECT_EQ(client.Take(), Turned(answer));
  EXPECT_EQ(seen_.decoded, sent.size() + 1);
  EXPECT_EQ(seen_.encoded, answer.size());
}

// Where there is no filter the rest of a large request is read to where it will lie; that way, too,
// goes through it.
TEST_F(BytePipeTest, LargeRequestsDoNotPassItBy) {
  const std::string value(3 * 1024 * 1024, 'x');
  const std::string sent = Turned(Command({"SET", "k", value}) + Command({"GET", "k"}) + "\r");
  FakeClient& plain = world_.Connect();
  FakeClient& client = Connect();
  for (size_t at = 0; at < sent.size(); at += 50000) {
    client.Send(std::string_view(sent).substr(at, 50000));
    EXPECT_EQ(client.last_direct, nullptr);
    plain.Send(Turned(std::string_view(sent).substr(at, 50000)));
  }
  EXPECT_NE(plain.last_direct, nullptr);
  world_.Run();
  const std::string answer = "+OK\r\n$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  EXPECT_TRUE(client.Take() == Turned(answer));
  EXPECT_EQ(seen_.decoded, sent.size());
  EXPECT_EQ(seen_.encoded, answer.size());
  EXPECT_TRUE(plain.Take() == answer);
}

// No more is encoded ahead than a little: the rest waits where [limits] count it.
TEST_F(BytePipeTest, WhatIsNotTakenWaitsInTheSession) {
  const std::string value(1024 * 1024, 'x');
  world_.Ask(world_.Connect(), {"SET", "k", value});
  FakeClient& client = Connect();
  client.takes = 1000;
  client.Send(Turned(Command({"GET", "k"}) + "\r"));
  for (int i = 0; i < 20; ++i) {
    world_.Exchange();
    for (auto& node : world_.nodes) node.Serve();
    client.Turn();
  }
  EXPECT_GT(seen_.encoded, 0u);
  EXPECT_LE(seen_.encoded, 20u * 1000 + 128 * 1024);
  EXPECT_GE(client.session.Held() + seen_.encoded, value.size());
  client.takes = ~size_t{0};
  world_.Run();
  EXPECT_EQ(seen_.encoded, value.size() + std::string("$1048576\r\n\r\n").size());
  EXPECT_EQ(client.session.Held(), client.session.input().capacity());
}

TEST_F(BytePipeTest, TheEndOfTheInputBringsWhatWasKeptBack) {
  FakeClient& client = Connect();
  const std::string sent = Turned(Command({"PING"}));
  client.Send(sent);
  world_.Run();
  EXPECT_EQ(client.Take(), "");
  EXPECT_FALSE(seen_.ended);
  client.pipe.OnEnd();
  EXPECT_TRUE(seen_.ended);
  EXPECT_FALSE(client.pipe.WantsClose());  // the answer is not sent yet
  client.Turn();
  EXPECT_EQ(client.Take(), Turned("+PONG\r\n"));
  EXPECT_TRUE(client.closed);
}

// A handshake: the peer is answered, and the session has neither heard nor said anything.
TEST_F(BytePipeTest, AFilterMayAnswerForItself) {
  FakeClient& client = Connect();
  client.Send("?");
  EXPECT_TRUE(client.dirty);
  client.Turn();
  EXPECT_EQ(client.Take(), "welcome");
  EXPECT_EQ(client.session.facts().commands, 0u);
  EXPECT_EQ(seen_.encoded, 0u);
}

TEST_F(BytePipeTest, WhatTheFilterDoesNotTakeEndsTheConnection) {
  FakeClient& client = Connect();
  client.Send(Turned(Command({"GET", "k"}) + "\r"));
  client.Send("!");
  EXPECT_FALSE(client.closed);
  world_.Run();
  EXPECT_EQ(client.Take(), Turned("$-1\r\n"));
  EXPECT_TRUE(client.closed);
}

// What waits in the filter is not forgotten when the session has nothing more to say.
TEST_F(BytePipeTest, ClosesWhenAllThatIsEncodedIsSent) {
  FakeClient& client = Connect();
  client.takes = 2;
  client.Send(Turned(Command({"QUIT"}) + "\r"));
  client.Turn();
  EXPECT_TRUE(client.session.WantsClose());
  EXPECT_FALSE(client.pipe.WantsClose());
  EXPECT_FALSE(client.closed);
  for (int i = 0; i < 3; ++i) client.Turn();
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(client.Take(), Turned("+OK\r\n"));
}

}  // namespace
}  // namespace gemel::byte_pipe_test
