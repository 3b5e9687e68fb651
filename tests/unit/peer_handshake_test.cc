// Two members shake hands, and whoever is none, or says what another one said, does not.

#include "backend/peer/peer_handshake.h"

#include <gtest/gtest.h>

#include <string>

namespace gemel {
namespace {

using Side = PeerHandshake::Side;
using State = PeerHandshake::State;

std::string Nonce(char of) { return std::string(PeerHandshake::kNonce, of); }

struct Dialler {
  std::string fleet = "f1";
  std::string self = "a";
  std::string other = "b";
  std::string secret = "s3cret";
  std::string nonce = Nonce('1');
  PeerHandshake Make() const {
    return PeerHandshake(Side::kDials, {fleet, self, other}, secret, nonce, 0);
  }
};

PeerHandshake Server(const std::string& secret = "s3cret", const std::string& nonce = Nonce('2')) {
  return PeerHandshake(Side::kServes, {"f1", "b"}, secret, nonce, 0);
}

// What was said on a connection, in turn.
struct Talk {
  std::string hello;
  std::string challenge;
  std::string proof;
  std::string welcome;
};

std::string Give(PeerHandshake* to, std::string_view bytes) {
  std::string out;
  size_t used = 0;
  to->OnBytes(bytes, &used, &out);
  return out;
}

Talk Shake(PeerHandshake* dials, PeerHandshake* serves) {
  Talk talk;
  dials->Begin(&talk.hello);
  talk.challenge = Give(serves, talk.hello);
  talk.proof = Give(dials, talk.challenge);
  talk.welcome = Give(serves, talk.proof);
  Give(dials, talk.welcome);
  return talk;
}

TEST(PeerHandshakeTest, MembersKnowEachOther) {
  PeerHandshake dials = Dialler().Make();
  PeerHandshake serves = Server();
  Shake(&dials, &serves);
  EXPECT_EQ(dials.state(), State::kDone) << dials.error();
  EXPECT_EQ(serves.state(), State::kDone) << serves.error();
  EXPECT_EQ(dials.peer(), "b");
  EXPECT_EQ(serves.peer(), "a");
}

TEST(PeerHandshakeTest, BytesMayComeOneByOneAndMoreBehindThem) {
  PeerHandshake dials = Dialler().Make();
  PeerHandshake serves = Server();
  std::string to_server;
  dials.Begin(&to_server);
  std::string to_dialler;
  size_t used = 0;
  for (int turn = 0; turn < 4; ++turn) {
    for (const char c : to_server) serves.OnBytes({&c, 1}, &used, &to_dialler);
    to_server.clear();
    for (const char c : to_dialler) dials.OnBytes({&c, 1}, &used, &to_server);
    to_dialler.clear();
  }
  EXPECT_EQ(serves.state(), State::kDone);
  EXPECT_EQ(dials.state(), State::kDone);

  PeerHandshake again = Dialler().Make();
  PeerHandshake other = Server();
  std::string hello;
  again.Begin(&hello);
  const std::string proof = Give(&again, Give(&other, hello)) + "requests";
  std::string welcome;
  EXPECT_EQ(other.OnBytes(proof, &used, &welcome), State::kDone);
  EXPECT_EQ(proof.substr(used), "requests");
  welcome += "replies";
  EXPECT_EQ(again.OnBytes(welcome, &used, &hello), State::kDone);
  EXPECT_EQ(welcome.substr(used), "replies");
}

TEST(PeerHandshakeTest, StrangersAreToldWhy) {
  struct Case {
    Dialler dialler;
    std::string said;
  };
  const Case cases[] = {
      {{.secret = "wrong"}, "it does not know the secret of this fleet"},
      {{.fleet = "f2"}, "this member is of another fleet"},
      {{.other = "c"}, "this is not the member that it wants"},
      {{.self = "b"}, "it has this member's own name"},
  };
  for (const Case& one : cases) {
    PeerHandshake dials = one.dialler.Make();
    PeerHandshake serves = Server();
    Shake(&dials, &serves);
    // The sentence travels.
    std::string hello;
    PeerHandshake told = one.dialler.Make();
    PeerHandshake tells = Server();
    told.Begin(&hello);
    std::string answer = Give(&tells, hello);
    if (tells.state() == State::kUnderWay) answer = Give(&tells, Give(&told, answer));
    Give(&told, answer);
    EXPECT_EQ(tells.error(), one.said);
    EXPECT_EQ(told.error(), "it refused: " + one.said);
    EXPECT_EQ(serves.state(), State::kRefused);
    EXPECT_EQ(dials.state(), State::kRefused);
  }
}

TEST(PeerHandshakeTest, WithoutASecretNobodyIsBelieved) {
  PeerHandshake dials = Dialler{.secret = ""}.Make();
  std::string out;
  dials.Begin(&out);
  EXPECT_EQ(dials.state(), State::kRefused);
  EXPECT_EQ(out, "");
  PeerHandshake asks = Dialler().Make();
  PeerHandshake serves = Server("");
  asks.Begin(&out);
  Give(&serves, out);
  EXPECT_EQ(serves.state(), State::kRefused);
}

// Whatever bit of whatever is said is another: nobody is done who should not be.
TEST(PeerHandshakeTest, EachBitCounts) {
  PeerHandshake first = Dialler().Make();
  PeerHandshake second = Server();
  const Talk talk = Shake(&first, &second);
  ASSERT_EQ(second.state(), State::kDone);
  const auto flip = [](std::string text, size_t bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    return text;
  };
  for (size_t bit = 0; bit < 8 * talk.hello.size(); ++bit) {
    PeerHandshake serves = Server();
    Give(&serves, flip(talk.hello, bit));
    Give(&serves, talk.proof);
    EXPECT_NE(serves.state(), State::kDone) << bit;
  }
  for (size_t bit = 0; bit < 8 * talk.challenge.size(); ++bit) {
    PeerHandshake dials = Dialler().Make();
    PeerHandshake serves = Server();
    std::string hello;
    dials.Begin(&hello);
    Give(&serves, hello);
    const std::string proof = Give(&dials, flip(talk.challenge, bit));
    Give(&dials, Give(&serves, proof));
    EXPECT_NE(serves.state(), State::kDone) << bit;
    EXPECT_NE(dials.state(), State::kDone) << bit;
  }
  for (size_t bit = 0; bit < 8 * talk.proof.size(); ++bit) {
    PeerHandshake serves = Server();
    Give(&serves, talk.hello);
    Give(&serves, flip(talk.proof, bit));
    EXPECT_NE(serves.state(), State::kDone) << bit;
  }
  for (size_t bit = 0; bit < 8 * talk.welcome.size(); ++bit) {
    PeerHandshake dials = Dialler().Make();
    std::string hello;
    dials.Begin(&hello);
    Give(&dials, talk.challenge);
    Give(&dials, flip(talk.welcome, bit));
    EXPECT_NE(dials.state(), State::kDone) << bit;
  }
}

TEST(PeerHandshakeTest, WhatWasSaidOnceIsOfNoUse) {
  PeerHandshake first = Dialler().Make();
  PeerHandshake second = Server();
  const Talk talk = Shake(&first, &second);
  // To a server with another nonce,
  PeerHandshake serves = Server("s3cret", Nonce('3'));
  Give(&serves, talk.hello);
  Give(&serves, talk.proof);
  EXPECT_EQ(serves.state(), State::kRefused);
  // and to one who dials with another.
  PeerHandshake dials = Dialler{.nonce = Nonce('4')}.Make();
  std::string hello;
  dials.Begin(&hello);
  Give(&dials, talk.challenge);
  Give(&dials, talk.welcome);
  EXPECT_EQ(dials.state(), State::kRefused);
}

// Who does not know the secret has a member prove itself to itself.
TEST(PeerHandshakeTest, NobodyIsItsOwnMirror) {
  PeerHandshake dials = Dialler().Make();
  std::string hello;
  dials.Begin(&hello);
  EXPECT_EQ(Give(&dials, hello), "");
  EXPECT_EQ(dials.state(), State::kRefused);

  // Its own nonce as the challenge,
  PeerHandshake mirrored = Dialler().Make();
  hello.clear();
  mirrored.Begin(&hello);
  std::string challenge = hello.substr(hello.size() - PeerHandshake::kNonce);
  challenge = std::string("\x21\0\0\0\x66", 5) + challenge;
  EXPECT_EQ(Give(&mirrored, challenge), "");
  EXPECT_EQ(mirrored.state(), State::kRefused);

  // and its own proof as the welcome.
  PeerHandshake proves = Dialler().Make();
  PeerHandshake serves = Server();
  hello.clear();
  proves.Begin(&hello);
  std::string proof = Give(&proves, Give(&serves, hello));
  proof[4] = 104;  // kWelcome
  Give(&proves, proof);
  EXPECT_EQ(proves.state(), State::kRefused);
}

TEST(PeerHandshakeTest, NoMoreIsReadThanThereMayBe) {
  PeerHandshake serves = Server();
  std::string out;
  size_t used = 0;
  serves.OnBytes(std::string("\xff\xff\xff\x7f", 4) + std::string(5000, 'x'), &used, &out);
  EXPECT_EQ(serves.state(), State::kRefused);
  EXPECT_EQ(used, 4u);
  const std::string refusal = out;
  serves.OnBytes(std::string(5000, 'x'), &used, &out);
  EXPECT_EQ(used, 0u);
  EXPECT_EQ(out, refusal);
}

TEST(PeerHandshakeTest, ItEndsInTime) {
  PeerHandshake serves = Server();
  EXPECT_EQ(serves.Tick(PeerHandshake::kMostMs - 1), State::kUnderWay);
  EXPECT_EQ(serves.Tick(PeerHandshake::kMostMs), State::kRefused);
  EXPECT_NE(serves.error(), "");
}

TEST(PeerHandshakeTest, AnotherVersionIsNamed) {
  PeerHandshake dials = Dialler().Make();
  std::string hello;
  dials.Begin(&hello);
  hello[4 + 1 + 10] = 9;  // length, kind, "gemel-peer"
  PeerHandshake serves = Server();
  Give(&serves, hello);
  EXPECT_NE(serves.error().find("version 9"), std::string::npos) << serves.error();
}

}  // namespace
}  // namespace gemel
