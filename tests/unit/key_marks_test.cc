#include "backend/forget/key_marks.h"

#include <gtest/gtest.h>

namespace gemel {
namespace {

TEST(ForgetKeyMarks, AKeyIsNewWhenItsDeletionIsAnswered) {
  KeyMarks marks;
  const uint64_t number = marks.Sent();
  marks.Set("a", 7, number);
  ASSERT_NE(marks.Find("a"), nullptr);
  EXPECT_EQ(marks.Find("a")->pending, number);
  marks.Answered(number, {"a"}, true);
  EXPECT_EQ(marks.Find("a")->pending, 0u);
  EXPECT_EQ(marks.Find("a")->ring, 7u);
}

TEST(ForgetKeyMarks, ADeletionThatFailedLeavesNoMark) {
  KeyMarks marks;
  const uint64_t number = marks.Sent();
  marks.Set("a", 7, number);
  marks.Answered(number, {"a"}, false);
  EXPECT_EQ(marks.Find("a"), nullptr);
  EXPECT_FALSE(marks.Reaches(1, 1));
}

TEST(ForgetKeyMarks, AnEarlierDeletionSaysNothingOfALaterMark) {
  KeyMarks marks;
  const uint64_t first = marks.Sent();
  marks.Set("a", 7, first);
  const uint64_t second = marks.Sent();
  marks.Set("a", 8, second);
  marks.Answered(first, {"a"}, true);
  EXPECT_EQ(marks.Find("a")->pending, second);
  EXPECT_EQ(marks.size(), 1u);
}

TEST(ForgetKeyMarks, KnowsWhichDeletionsAreNotAnswered) {
  KeyMarks marks;
  const uint64_t first = marks.Sent();
  const uint64_t second = marks.Sent();
  EXPECT_EQ(marks.next_number(), second + 1);
  marks.Answered(second, {}, true);
  EXPECT_TRUE(marks.AwaitsBefore(second));
  EXPECT_FALSE(marks.AwaitsBefore(first));
  marks.Clear();
  EXPECT_FALSE(marks.AwaitsNone());
  marks.Answered(first, {}, true);
  EXPECT_TRUE(marks.AwaitsNone());
}

TEST(ForgetKeyMarks, KeysCountAndBytesCount) {
  KeyMarks marks;
  marks.Set("key", 1, marks.Sent());
  marks.Set("key", 2, marks.Sent());
  EXPECT_TRUE(marks.Reaches(1, 1000));
  EXPECT_TRUE(marks.Reaches(2, 67));
  EXPECT_FALSE(marks.Reaches(2, 68));
}

}  // namespace
}  // namespace gemel
