// The digest of a value: the same for the same content, another one for any other.

#include "backend/audit/value_digest.h"

#include <gtest/gtest.h>

#include "backend/resp/resp_writer.h"

namespace gemel::value_digest_test {
namespace {

std::string Array(std::initializer_list<std::string_view> words) {
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(words.size()));
  for (std::string_view word : words) AppendBulk(&out, word);
  return out;
}

TEST(ValueDigest, MembersInAnyOrder) {
  const auto digest = [](std::initializer_list<std::string_view> words) {
    return DigestOf(ValuePart::kMembers, Array(words));
  };
  EXPECT_EQ(digest({"a", "b", "c"}), digest({"c", "a", "b"}));
  EXPECT_NE(digest({"a", "b"}), digest({"a", "b", "c"}));
  EXPECT_NE(digest({"a", "b"}), digest({"a", "c"}));
  EXPECT_NE(digest({"ab", "c"}), digest({"a", "bc"}));
  EXPECT_NE(digest({}), digest({""}));
}

TEST(ValueDigest, PairsInAnyOrder) {
  const auto digest = [](std::initializer_list<std::string_view> words) {
    return DigestOf(ValuePart::kPairs, Array(words));
  };
  EXPECT_EQ(digest({"f", "1", "g", "2"}), digest({"g", "2", "f", "1"}));
  EXPECT_NE(digest({"f", "1", "g", "2"}), digest({"f", "2", "g", "1"}));
  EXPECT_NE(digest({"f", "1"}), digest({"1", "f"}));
}

TEST(ValueDigest, BytesAsTheyAre) {
  EXPECT_EQ(DigestOf(ValuePart::kBytes, Array({"a", "b"})),
            DigestOf(ValuePart::kBytes, Array({"a", "b"})));
  EXPECT_NE(DigestOf(ValuePart::kBytes, Array({"a", "b"})),
            DigestOf(ValuePart::kBytes, Array({"b", "a"})));
  EXPECT_NE(DigestOf(ValuePart::kBytes, "$-1\r\n"), DigestOf(ValuePart::kBytes, "$0\r\n\r\n"));
}

TEST(ValueDigest, OfAStreamNotHowItIsStored) {
  const auto digest = [](std::string_view nodes, std::string_view last) {
    return DigestOf(ValuePart::kStreamInfo,
                    Array({"length", "5", "radix-tree-nodes", nodes, "last-generated-id", last}));
  };
  EXPECT_EQ(digest("1", "7-7"), digest("2", "7-7"));
  EXPECT_NE(digest("1", "7-7"), digest("1", "7-8"));
}

TEST(ValueDigest, RepliesOfAnotherShapeAreTheirBytes) {
  for (ValuePart part :
       {ValuePart::kMembers, ValuePart::kPairs, ValuePart::kStreamInfo, ValuePart::kGroups}) {
    EXPECT_EQ(DigestOf(part, "+what\r\n"), DigestOf(part, "+what\r\n"));
    EXPECT_NE(DigestOf(part, "+what\r\n"), DigestOf(part, "+this\r\n"));
  }
}

TEST(ValueQuestions, NothingThatIsNotThere) {
  EXPECT_TRUE(ValueQuestions(ValueKind::kNone, ValueLook::kContent, "k").empty());
  EXPECT_TRUE(ValueQuestions(ValueKind::kModule, ValueLook::kLength, "k").empty());
  EXPECT_EQ(ValueKindOf("string"), ValueKind::kString);
  EXPECT_EQ(ValueKindOf("ReJSON-RL"), ValueKind::kModule);
  // DEBUG DIGEST-VALUE leaves the groups of a stream out.
  EXPECT_EQ(ValueQuestions(ValueKind::kStream, ValueLook::kDigest, "k").size(), 3u);
}

}  // namespace
}  // namespace gemel::value_digest_test
