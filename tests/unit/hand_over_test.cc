#include "proxy/upgrade/hand_over.h"

#include <gtest/gtest.h>

namespace gemel::hand_over_test {

HandedSession Client() {
  HandedSession session;
  session.socket = 17;
  session.unix_socket = true;
  session.worker = 1;
  session.client.id = 42;
  session.client.peer = "127.0.0.1:5000";
  session.client.local = "127.0.0.1:6380";
  session.client.age_ms = 1000;
  session.client.idle_ms = 10;
  session.client.commands = 99;
  session.client.last_command = "get";
  session.client.protocol = 3;
  session.client.database = 7;
  session.client.name = "worker";
  session.client.library_name = "lib";
  session.client.library_version = "1.2";
  session.client.let_in = true;
  session.client.user = "default";
  session.client.reply_off = true;
  session.client.replies_skipped = 1;
  session.client.monitors = true;
  session.client.closing = true;
  session.subscriptions = {"0news", "1a*", std::string("2\0x", 3)};
  session.tracking = {true, true, true, true, true, true, 5, true, {"a", ""}};
  session.watched = {std::string("\0key", 4)};
  session.transaction = {true, true, {"*1\r\n$4\r\nPING\r\n"}};
  session.waits = true;
  session.wait_left_ms = 1500;
  session.asked = true;
  session.input = std::string("in\0put", 6);
  session.output = "+OK\r\n";
  return session;
}

HandOver Whole() {
  HandOver hand_over;
  hand_over.version = "0.1.0";
  hand_over.binary = "/usr/bin/gemel";
  hand_over.next_session = 43;
  hand_over.pause_left_ms = 20;
  hand_over.pause_all = true;
  hand_over.config = {"file", "text", {{"proxy.password", "\"x\""}}, {{"ann", true, ""}}};
  hand_over.listeners = {{"127.0.0.1:6380", 5, 0, 0}, {"unix:/run/gemel.sock", 6, 1, 2}};
  hand_over.sessions = {Client(), HandedSession()};
  return hand_over;
}

TEST(HandOver, WhatIsWrittenIsRead) {
  std::string error;
  const auto read = ReadHandOver(WriteHandOver(Whole()), &error);
  ASSERT_TRUE(read) << error;
  EXPECT_EQ(read->version, "0.1.0");
  EXPECT_EQ(read->binary, "/usr/bin/gemel");
  EXPECT_EQ(read->next_session, 43u);
  EXPECT_EQ(read->pause_left_ms, 20u);
  EXPECT_TRUE(read->pause_all);
  EXPECT_EQ(read->config.file_text, "file");
  EXPECT_EQ(read->config.sets, Whole().config.sets);
  ASSERT_EQ(read->config.users.size(), 1u);
  EXPECT_TRUE(read->config.users[0].gone);
  ASSERT_EQ(read->listeners.size(), 2u);
  EXPECT_EQ(read->listeners[1].address, "unix:/run/gemel.sock");
  EXPECT_EQ(read->listeners[1].socket, 6u);
  ASSERT_EQ(read->sessions.size(), 2u);
  const HandedSession& client = read->sessions[0];
  EXPECT_EQ(client.socket, 17u);
  EXPECT_EQ(client.client.id, 42u);
  EXPECT_EQ(client.client.protocol, 3u);
  EXPECT_EQ(client.client.user, "default");
  EXPECT_TRUE(client.client.closing);
  EXPECT_EQ(client.subscriptions, Client().subscriptions);
  EXPECT_EQ(client.tracking.redirect, 5u);
  EXPECT_EQ(client.tracking.prefixes, Client().tracking.prefixes);
  EXPECT_EQ(client.watched, Client().watched);
  EXPECT_EQ(client.transaction.frames, Client().transaction.frames);
  EXPECT_EQ(client.wait_left_ms, 1500u);
  EXPECT_EQ(client.input, Client().input);
  EXPECT_EQ(client.output, "+OK\r\n");
  EXPECT_FALSE(read->sessions[1].client.let_in);
}

// No field is written that is not read, or the other way round.
TEST(HandOver, WrittenAgainItIsTheSame) {
  std::string error;
  const std::string text = WriteHandOver(Whole());
  const auto read = ReadHandOver(text, &error);
  ASSERT_TRUE(read) << error;
  EXPECT_EQ(WriteHandOver(*read), text);
}

TEST(HandOver, EveryPieceOfItIsRefused) {
  const std::string text = WriteHandOver(Whole());
  for (size_t size = 0; size < text.size(); ++size) {
    std::string error;
    EXPECT_FALSE(ReadHandOver(std::string_view(text).substr(0, size), &error)) << size;
    EXPECT_FALSE(error.empty());
  }
  std::string error;
  EXPECT_FALSE(ReadHandOver(text + "x", &error));
  EXPECT_EQ(error, "it is not whole");
}

TEST(HandOver, EveryChangedByteIsRefused) {
  const std::string text = WriteHandOver(Whole());
  for (size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 0x41);
    std::string error;
    EXPECT_FALSE(ReadHandOver(changed, &error)) << at;
  }
}

// The hash is that of a friend: what is under it is looked at all the same.
TEST(HandOver, SizesThatAreNotThereAskForNothing) {
  HandOver hand_over;
  std::string text = WriteHandOver(hand_over);
  std::string error;
  ASSERT_TRUE(ReadHandOver(text, &error));
  const size_t head = text.find('\n') + 1;
  // The size of the version, as long as a number can be; and the hash of that.
  for (size_t i = 0; i < 8; ++i) text[head + 16 + i] = '\xff';
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = head + 16; i < text.size(); ++i) {
    hash = (hash ^ static_cast<uint8_t>(text[i])) * 0x100000001b3u;
  }
  for (size_t i = 0; i < 8; ++i) text[head + 8 + i] = static_cast<char>(hash >> (8 * i));
  EXPECT_FALSE(ReadHandOver(text, &error));
  EXPECT_EQ(error, "it is damaged");
}

TEST(HandOver, AnotherFormIsNamed) {
  std::string error;
  EXPECT_FALSE(ReadHandOver("gemel hand-over 9999\nwhatever", &error));
  EXPECT_EQ(error, "it is of another form than this binary reads");
  EXPECT_FALSE(ReadHandOver("", &error));
  EXPECT_EQ(error, "it is no hand-over");
}

}  // namespace gemel::hand_over_test
