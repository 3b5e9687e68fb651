// What is said to etcd, letter by letter, for etcd does not complain of what it does not know; and
// what is understood of its answers.

#include "backend/engines/etcd_messages.h"

#include <gtest/gtest.h>

namespace gemel::etcd_messages_test {
namespace {

constexpr char kHeader[] =
    R"("header":{"cluster_id":"1","member_id":"2","revision":"21","raft_term":"2"})";

std::string With(const std::string& rest) { return std::string("{") + kHeader + rest + "}"; }

TEST(EtcdMessages, Base64IsThereAndBack) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("a"), "YQ==");
  EXPECT_EQ(Base64("ab"), "YWI=");
  EXPECT_EQ(Base64("abc"), "YWJj");
  std::string bytes;
  for (int i = 0; i < 600; ++i) {
    EXPECT_EQ(FromBase64(Base64(bytes)), bytes);
    bytes += static_cast<char>(i * 7);
  }
  for (const char* bad : {"a", "YQ=", "YQ=!", "Y Q="}) EXPECT_FALSE(FromBase64(bad)) << bad;
}

TEST(EtcdMessages, TheEndOfAPrefixIsBehindAllThatBeginSo) {
  EXPECT_EQ(EndOfPrefix("gemel/f/"), "gemel/f0");
  EXPECT_EQ(EndOfPrefix("a\xff\xff"), "b");
  EXPECT_EQ(EndOfPrefix(""), std::string(1, '\0'));
  EXPECT_EQ(EndOfPrefix("\xff"), std::string(1, '\0'));
}

TEST(EtcdMessages, RequestsAreAsEtcdWantsThem) {
  EXPECT_EQ(EtcdReadRequest("k"), R"({"key":"aw=="})");
  EXPECT_EQ(EtcdListRequest("k", "l", 64), R"({"key":"aw==","limit":"64","range_end":"bA=="})");
  EXPECT_EQ(EtcdWriteRequest("k", 7, "text"),
            R"({"compare":[{"key":"aw==","mod_revision":"7","result":"EQUAL","target":"MOD"}],)"
            R"("failure":[{"request_range":{"key":"aw==","keys_only":true}}],)"
            R"("success":[{"request_put":{"key":"aw==","value":"dGV4dA=="}}]})");
  EXPECT_EQ(EtcdWatchRequest("k", "l"), R"({"create_request":{"key":"aw==","range_end":"bA=="}})");
  EXPECT_EQ(EtcdLoginRequest("u\"", "\xff"), "{\"name\":\"u\\\"\",\"password\":\"\xef\xbf\xbd\"}");
}

TEST(EtcdMessages, WhatAServerSaysOfItselfIsRead) {
  const auto standing = ReadEtcdStanding(
      With(R"(,"version":"3.5.9","dbSize":"20480","leader":"10276657743932975437","raftIndex":"8",)"
           R"("raftTerm":"3","raftAppliedIndex":"7","dbSizeInUse":"16384")"));
  ASSERT_TRUE(standing);
  EXPECT_EQ(standing->member, 2U);
  EXPECT_EQ(standing->leader, 10276657743932975437U);
  EXPECT_EQ(standing->term, 3U);
  EXPECT_EQ(standing->index, 8U);
  EXPECT_EQ(standing->applied, 7U);
  EXPECT_EQ(ReadEtcdStanding(With(""))->leader, 0U);
  for (const char* bad : {"", "{}", "[]", R"({"header":{}})"}) EXPECT_FALSE(ReadEtcdStanding(bad));
}

TEST(EtcdMessages, ARangeIsRead) {
  const auto none = ReadEtcdRange(With(""));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->found.empty());
  EXPECT_FALSE(none->more);
  const auto some = ReadEtcdRange(
      With(R"(,"kvs":[{"key":"aw==","create_revision":"3","mod_revision":"9007199254740993",)"
           R"("version":"2","value":"YQ=="},{"key":"bA==","mod_revision":"4"}],"more":true)"));
  ASSERT_TRUE(some);
  EXPECT_TRUE(some->more);
  const std::vector<NamedRegister> expected = {{"k", {"a", 9007199254740993U}}, {"l", {"", 4}}};
  EXPECT_EQ(some->found, expected);
}

TEST(EtcdMessages, AWriteIsDoneOnlyIfItSaysSo) {
  const auto done = ReadEtcdWritten(
      With(R"(,"succeeded":true,"responses":[{"response_put":{"header":{"revision":"21"}}}])"));
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->done);
  EXPECT_EQ(done->version, 21U);
  const auto there = ReadEtcdWritten(
      With(R"(,"responses":[{"response_range":{"kvs":[{"key":"aw==","mod_revision":"8"}]}}])"));
  ASSERT_TRUE(there);
  EXPECT_FALSE(there->done);
  EXPECT_EQ(there->version, 8U);
  const auto absent = ReadEtcdWritten(With(R"(,"responses":[{"response_range":{}}])"));
  ASSERT_TRUE(absent);
  EXPECT_FALSE(absent->done);
  EXPECT_EQ(absent->version, 0U);
}

TEST(EtcdMessages, NonsenseIsNotUnderstood) {
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("[]"), std::string("<html>"),
        std::string("{}"), std::string("null"), With(R"(,"kvs":7)"), With(R"(,"kvs":[7])"),
        With(R"(,"kvs":[{"key":"!","mod_revision":"1"}])"),
        With(R"(,"kvs":[{"key":"aw==","mod_revision":"x"}])"), std::string(2000, '[')}) {
    EXPECT_FALSE(ReadEtcdRange(body)) << body.substr(0, 80);
    EXPECT_FALSE(ReadEtcdWritten(body)) << body.substr(0, 80);
    EXPECT_FALSE(ReadEtcdToken(body)) << body.substr(0, 80);
  }
  // Done, but of what?
  EXPECT_FALSE(ReadEtcdWritten(With(R"(,"succeeded":true)")));
  EXPECT_FALSE(ReadEtcdWritten(With(R"(,"succeeded":true,"responses":[{"response_range":{}}])")));
  EXPECT_FALSE(ReadEtcdToken(R"({"token":"a\r\nHost: b"})"));
  EXPECT_EQ(ReadEtcdToken(R"({"token":"abc.7"})"), "abc.7");
}

TEST(EtcdMessages, AWatchTellsWhatHappens) {
  const auto created = ReadEtcdWatched(R"({"result":{"header":{},"created":true}})");
  ASSERT_TRUE(created);
  EXPECT_TRUE(created->created && !created->changed && !created->ended);
  const auto changed = ReadEtcdWatched(R"({"result":{"header":{},"events":[{"kv":{}}]}})");
  ASSERT_TRUE(changed);
  EXPECT_TRUE(!changed->created && changed->changed && !changed->ended);
  const auto progress = ReadEtcdWatched(R"({"result":{"header":{}}})");
  ASSERT_TRUE(progress);
  EXPECT_TRUE(!progress->created && !progress->changed && !progress->ended);
  const auto ended = ReadEtcdWatched(R"({"result":{"canceled":true,"cancel_reason":"why"}})");
  ASSERT_TRUE(ended);
  EXPECT_TRUE(ended->ended);
  EXPECT_EQ(ended->why, "why");
  const auto failed = ReadEtcdWatched(R"({"error":{"grpc_code":14,"message":"gone"}})");
  ASSERT_TRUE(failed);
  EXPECT_TRUE(failed->ended);
  EXPECT_EQ(failed->why, "gone");
  EXPECT_FALSE(ReadEtcdWatched("?"));
}

TEST(EtcdMessages, OfAnErrorItIsKnownWhetherSomethingWasDone) {
  using Kind = EtcdError::Kind;
  const auto kind = [](const std::string& body) { return ReadEtcdError(500, body).kind; };
  EXPECT_EQ(kind(R"({"error":"etcdserver: request timed out","code":14})"), Kind::kTrouble);
  EXPECT_EQ(kind(R"({"error":"?","code":2})"), Kind::kTrouble);
  EXPECT_EQ(kind(R"({"error":"etcdserver: permission denied","code":7})"), Kind::kRefused);
  EXPECT_EQ(kind(R"({"error":"etcdserver: mvcc: database space exceeded","code":8})"),
            Kind::kRefused);
  EXPECT_EQ(kind(R"({"error":"etcdserver: invalid auth token","code":16})"), Kind::kLogin);
  EXPECT_EQ(kind(R"({"error":"etcdserver: revision of auth store is old","code":3})"),
            Kind::kLogin);
  EXPECT_EQ(kind("<html>"), Kind::kTrouble);
  EXPECT_EQ(ReadEtcdError(404, "").why, "HTTP status 404");
  EXPECT_EQ(ReadEtcdError(503, R"({"error":"a","message":"b","code":14})").why, "b");
}

}  // namespace
}  // namespace gemel::etcd_messages_test
