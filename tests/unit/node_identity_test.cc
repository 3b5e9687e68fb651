// Whether a node still holds the data that it held.

#include "backend/link/node_identity.h"

#include <gtest/gtest.h>

#include <string>

namespace gemel::node_identity_test {
namespace {

const std::string kZeros(40, '0');
const std::string kReplid = "0123456789abcdef0123456789abcdef01234567";

std::string Info(const std::string& role, const std::string& replid2, const std::string& offset) {
  return "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n# Replication\r\nrole:" + role +
         "\r\nmaster_replid:" + kReplid + "\r\nmaster_replid2:" + replid2 +
         "\r\nsecond_repl_offset:" + offset + "\r\n";
}

TEST(NodeIdentity, IdsFromInfo) {
  EXPECT_EQ(IdFromInfo(Info("master", kZeros, "-1")), "abc+0");
  EXPECT_EQ(IdFromInfo(Info("master", kReplid, "1235")), "abc+0123456789abcdef@1235");
  EXPECT_EQ(IdFromInfo(Info("slave", kZeros, "-1")), "abc+replica");
  EXPECT_EQ(IdFromInfo("run_id:abc\r\n"), "abc");
  EXPECT_EQ(IdFromInfo("ERR no permission"), "unknown");
  EXPECT_EQ(IdFromInfo("# Replication\r\nrole:slave\r\n"), "unknown");
  EXPECT_EQ(IdOfProcess("abc", "role:master\r\nmaster_replid2:" + kZeros + "\r\n"), "abc+0");
  EXPECT_EQ(ProcessOf("abc+0"), "abc");
  EXPECT_EQ(ProcessOf("abc"), "abc");
}

TEST(NodeIdentity, FieldsOfInfo) {
  EXPECT_EQ(InfoField("run_id:a\r\nx:1\n", "run_id"), "a");
  EXPECT_EQ(InfoField("run_id:a\r\nx:1", "x"), "1");
  EXPECT_EQ(InfoField("old_run_id:a\r\n", "run_id"), "");
  EXPECT_EQ(InfoField("", "run_id"), "");
}

TEST(NodeIdentity, SameData) {
  const auto same = [](const char* known, const char* seen) { return HoldsSameData(known, seen); };
  EXPECT_TRUE(same("abc", "abc"));
  EXPECT_FALSE(same("abc", "abd"));
  EXPECT_FALSE(same("unknown", "unknown")) << "it cannot be told from its successor";
  EXPECT_TRUE(same("abc+0", "abc+0"));
  EXPECT_FALSE(same("abc+0", "abd+0"));
  EXPECT_TRUE(same("abc+77@5", "abc+77@5"));
  // It was made a replica, and is one, or was one for a while.
  EXPECT_FALSE(same("abc+0", "abc+replica"));
  EXPECT_FALSE(same("abc", "abc+replica"));
  EXPECT_FALSE(same("abc+77@5", "abc+replica"));
  EXPECT_FALSE(same("abc+0", "abc+77@5"));
  EXPECT_FALSE(same("abc+77@5", "abc+88@5"));
  EXPECT_FALSE(same("abc+77@5", "abc+77@9"));
  // Redis forgets where its data came from when its backlog is freed.
  EXPECT_TRUE(same("abc+77@5", "abc+0"));
  // Nothing to compare with: a state of an older gemel, a node that tells no more.
  EXPECT_TRUE(same("abc", "abc+77@5"));
  EXPECT_TRUE(same("abc+77@5", "abc"));
  // A primary that was a replica from the first, and is put right by hand.
  EXPECT_TRUE(same("abc+replica", "abc+replica"));
  EXPECT_TRUE(same("abc+replica", "abc+77@5"));
}

TEST(NodeIdentity, Versions) {
  struct Case {
    const char* info;
    const char* version;
    int dump;
  };
  for (const Case& c : {Case{"redis_version:7.0.15\r\n", "Redis 7.0.15", 10},
                        {"redis_version:6.2.6\r\n", "Redis 6.2.6", 9},
                        {"redis_version:5.0.3\r\n", "Redis 5.0.3", 9},
                        {"redis_version:4.0.14\r\n", "Redis 4.0.14", 8},
                        {"redis_version:7.2.4\r\n", "Redis 7.2.4", 11},
                        {"redis_version:7.4.1\r\n", "Redis 7.4.1", 12},
                        {"redis_version:8.0.1\r\n", "Redis 8.0.1", 12},
                        {"redis_version:9.0.0\r\n", "Redis 9.0.0", 0},
                        {"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n",
                         "Valkey 8.0.1", 11},
                        {"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.0.0\r\n",
                         "Valkey 9.0.0", 80},
                        {"redis_version:7.2.4\r\nserver_name:other\r\n", "other 7.2.4", 0},
                        {"redis_version:odd\r\n", "Redis odd", 0},
                        {"run_id:abc\r\n", "", 0}}) {
    EXPECT_EQ(VersionFrom(c.info), c.version);
    EXPECT_EQ(DumpVersionFrom(c.info), c.dump) << c.info;
  }
  NodeIdentity older;
  older.dump_version = 10;
  NodeIdentity newer;
  newer.dump_version = 11;
  EXPECT_TRUE(CannotRead(older, newer));
  EXPECT_FALSE(CannotRead(newer, older));
  EXPECT_FALSE(CannotRead(older, older));
  EXPECT_FALSE(CannotRead(NodeIdentity(), newer)) << "that is not known";
  EXPECT_FALSE(CannotRead(older, NodeIdentity()));
}

}  // namespace
}  // namespace gemel::node_identity_test
