// A key copied by the commands of its type: what is asked and written, piece by piece.

#include "backend/shard/key_rebuild.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/same_reply.h"

namespace gemel::key_rebuild_test {
namespace {

using Texts = std::vector<std::string>;

std::string Bulk(const std::string& text) {
  std::string reply;
  AppendBulk(&reply, text);
  return reply;
}
std::string Array(const Texts& replies) {
  std::string reply = "*" + std::to_string(replies.size()) + "\r\n";
  for (const std::string& one : replies) reply += one;
  return reply;
}

class KeyRebuildTest : public ::testing::Test {
 protected:
  void Make(KeyRebuild::Options options = {}) {
    rebuild_ = std::make_unique<KeyRebuild>("k", options);
  }
  // What it says now, one command a line, after a 'r' or 'w', long words shortened.
  Texts Said() const {
    if (rebuild_->next() == KeyRebuild::Next::kDone) return {"done"};
    if (rebuild_->next() == KeyRebuild::Next::kFailed) return {"failed: " + rebuild_->why()};
    Texts texts;
    for (const std::string& frame : rebuild_->frames()) {
      std::vector<std::string_view> args;
      SplitFrame(frame, &args);
      std::string text = rebuild_->next() == KeyRebuild::Next::kRead ? "r" : "w";
      for (std::string_view arg : args) {
        text += " " + (arg.size() < 40 ? std::string(arg) : std::to_string(arg.size()) + " bytes");
      }
      texts.push_back(text);
    }
    return texts;
  }
  Texts Read(const Texts& replies) {
    EXPECT_EQ(rebuild_->next(), KeyRebuild::Next::kRead);
    EXPECT_EQ(replies.size(), rebuild_->frames().size());
    rebuild_->OnRead(replies);
    return Said();
  }
  Texts Written() {
    EXPECT_EQ(rebuild_->next(), KeyRebuild::Next::kWrite);
    rebuild_->OnWritten();
    return Said();
  }

  std::unique_ptr<KeyRebuild> rebuild_;
};

TEST_F(KeyRebuildTest, AKeyThatIsNotThereIsDeleted) {
  Make();
  EXPECT_EQ(Said(), Texts{"r TYPE k"});
  EXPECT_EQ(Read({"+none\r\n"}), Texts{"w DEL k"});
  EXPECT_EQ(Written(), Texts{"done"});
}

TEST_F(KeyRebuildTest, ALargeStringComesInPieces) {
  Make();
  EXPECT_EQ(Read({"+string\r\n"}), Texts{"w DEL k"});
  EXPECT_EQ(Written(), (Texts{"r STRLEN k", "r GETRANGE k 0 1048575", "r PEXPIRETIME k"}));
  const std::string mega = Bulk(std::string(1 << 20, 'v'));
  EXPECT_EQ(Read({":1048579\r\n", mega, ":99\r\n"}), Texts{"w SET k 1048576 bytes"});
  EXPECT_EQ(Written(), (Texts{"r GETRANGE k 1048576 2097151", "r PEXPIRETIME k"}));
  EXPECT_EQ(Read({Bulk("end"), ":99\r\n"}), (Texts{"w APPEND k end", "w PEXPIREAT k 99"}));
  EXPECT_EQ(Written(), Texts{"done"});
}

TEST_F(KeyRebuildTest, ThatIsGoneOnTheWay) {
  Make();
  Read({"+string\r\n"});
  Written();
  Read({":1048579\r\n", Bulk(std::string(1 << 20, 'v')), ":99\r\n"});
  Written();
  EXPECT_EQ(Read({Bulk(""), ":-2\r\n"}), Texts{"w DEL k"});
  EXPECT_EQ(Written(), Texts{"done"});
}

TEST_F(KeyRebuildTest, LargeElementsComeFewAtATime) {
  Make({.memory = 8 << 20});
  Read({"+list\r\n"});
  Written();
  EXPECT_EQ(Said(), (Texts{"r LLEN k", "r LRANGE k 0 63", "r PEXPIRETIME k"}));
  Texts elements(64, Bulk(std::string(100000, 'e')));
  Read({":80\r\n", Array(elements), ":-1\r\n"});
  // 8 MB in 80 elements: nine of them are a megabyte, and what came was more.
  EXPECT_EQ(Written(), (Texts{"r LRANGE k 64 67", "r PEXPIRETIME k"}));
  elements.resize(16);
  EXPECT_EQ(Read({Array(elements), ":-1\r\n"}).size(), 1U);
  EXPECT_EQ(Written(), Texts{"done"});
}

TEST_F(KeyRebuildTest, SortedSets) {
  Make({.relative = true});
  Read({"+zset\r\n"});
  EXPECT_EQ(Written(), (Texts{"r ZCARD k", "r ZSCAN k 0 COUNT 64", "r PTTL k"}));
  EXPECT_EQ(
      Read({":3\r\n", Array({Bulk("17"), Array({Bulk("a"), Bulk("0.1"), Bulk("b"), Bulk("-inf")})}),
            ":5\r\n"}),
      Texts{"w ZADD k 0.1 a -inf b"});
  EXPECT_EQ(Written(), (Texts{"r ZSCAN k 17 COUNT 128", "r PTTL k"}));
  EXPECT_EQ(Read({Array({Bulk("0"), Array({})}), ":4\r\n"}), Texts{"w PEXPIRE k 4"});
}

TEST_F(KeyRebuildTest, StreamsForOlderCopiesHaveNoCounters) {
  for (const bool plain : {false, true}) {
    Make({.plain_streams = plain});
    Read({"+stream\r\n"});
    EXPECT_EQ(Written(), (Texts{"r XLEN k", "r XRANGE k - + COUNT 64", "r PEXPIRETIME k"}));
    Read({":1\r\n", Array({Array({Bulk("5-18446744073709551615"), Array({Bulk("f"), Bulk("v")})})}),
          ":-1\r\n"});
    EXPECT_EQ(Said(), Texts{"w XADD k 5-18446744073709551615 f v"});
    EXPECT_EQ(Written(), (Texts{"r XINFO STREAM k", "r XINFO GROUPS k"}));
    const std::string info =
        Array({Bulk("last-generated-id"), Bulk("9-0"), Bulk("max-deleted-entry-id"), Bulk("8-0"),
               Bulk("entries-added"), ":3\r\n"});
    const std::string group =
        Array({Bulk("name"), Bulk("g"), Bulk("pending"), ":1\r\n", Bulk("last-delivered-id"),
               Bulk("5-1"), Bulk("entries-read"), ":2\r\n"});
    EXPECT_EQ(Read({info, Array({group})}),
              plain ? (Texts{"w XSETID k 9-0", "w XGROUP CREATE k g 5-1"})
                    : (Texts{"w XSETID k 9-0 ENTRIESADDED 3 MAXDELETEDID 8-0",
                             "w XGROUP CREATE k g 5-1 ENTRIESREAD 2"}));
    EXPECT_EQ(Written(), Texts{"r XINFO CONSUMERS k g"});
    EXPECT_EQ(Read({Array({Array({Bulk("name"), Bulk("c"), Bulk("pending"), ":1\r\n"})})}),
              Texts{"w XGROUP CREATECONSUMER k g c"});
    EXPECT_EQ(Written(), (Texts{"r XPENDING k g - + 1024", "r TIME"}));
    EXPECT_EQ(Read({Array({Array({Bulk("5-1"), Bulk("c"), ":2500\r\n", ":3\r\n"})}),
                    Array({Bulk("1000"), Bulk("7999")})}),
              Texts{"w XCLAIM k g c 0 5-1 TIME 997507 RETRYCOUNT 3 FORCE JUSTID"});
    EXPECT_EQ(Written(), Texts{"done"});
  }
}

TEST_F(KeyRebuildTest, AStreamThatExpiresOnTheWayIsDeleted) {
  Make();
  Read({"+stream\r\n"});
  Written();
  Read({":0\r\n", Array({}), ":7\r\n"});
  Written();
  EXPECT_EQ(Read({"-ERR no such key\r\n", "-ERR no such key\r\n"}), Texts{"w DEL k"});
  EXPECT_EQ(Written(), Texts{"done"});
}

TEST_F(KeyRebuildTest, WhatCannotBeCopiedSo) {
  Make();
  EXPECT_TRUE(Read({"+ReJSON-RL\r\n"})[0].starts_with("failed: it is of the type 'ReJSON-RL'"));
  Make({.field_expiry = true});
  Read({"+hash\r\n"});
  Written();
  Read({":1\r\n", Array({Bulk("0"), Array({Bulk("f"), Bulk("v")})}), ":-1\r\n"});
  EXPECT_EQ(Written(), Texts{"r HPTTL k FIELDS 1 f"});
  EXPECT_TRUE(Read({Array({":100\r\n"})})[0].starts_with("failed: its fields expire"));
  Make();
  EXPECT_EQ(Read({"-NOPERM no TYPE\r\n"}), Texts{"failed: NOPERM no TYPE"});
}

TEST(SameReply, ScoresThatVersionsWriteInTwoWays) {
  EXPECT_TRUE(DifferInFormatAlone(Bulk("0.1"), Bulk("0.10000000000000001")));
  EXPECT_TRUE(DifferInFormatAlone(Bulk("5e-324"), Bulk("4.9406564584124654e-324")));
  EXPECT_TRUE(DifferInFormatAlone(Array({Bulk("a"), Bulk("0.10000000000000001")}),
                                  Array({Bulk("a"), Bulk("0.1")})));
  EXPECT_FALSE(DifferInFormatAlone(Bulk("0.1"), Bulk("0.10")));
  EXPECT_FALSE(DifferInFormatAlone(Bulk("0.1"), Bulk("0.10000000000000002")));
  EXPECT_FALSE(DifferInFormatAlone(Bulk("a"), Bulk("b")));
  EXPECT_FALSE(DifferInFormatAlone(":1\r\n", ":2\r\n"));
  EXPECT_FALSE(DifferInFormatAlone(Array({Bulk("a"), Bulk("0.1")}), Array({Bulk("a")})));
  EXPECT_FALSE(DifferInFormatAlone(Array({Bulk("a"), Bulk("0.1")}),
                                   Array({Bulk("b"), Bulk("0.10000000000000001")})));
  EXPECT_FALSE(DifferInFormatAlone(Bulk("1"), Array({Bulk("1")})));
}

}  // namespace
}  // namespace gemel::key_rebuild_test
