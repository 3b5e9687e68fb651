// At which time of the clock a command makes its key expire.

#include "backend/command/expiry_time.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace gemel::expiry_time_test {
namespace {

int64_t TimeOf(const std::vector<std::string_view>& args) {
  static const CommandTable table;
  return ExpiryTimeMs(*table.Find(args), args);
}

TEST(ExpiryTime, IsFoundInEachFormAndUnit) {
  EXPECT_EQ(TimeOf({"EXPIREAT", "k", "12"}), 12000);
  EXPECT_EQ(TimeOf({"expireat", "k", "12", "NX"}), 12000);
  EXPECT_EQ(TimeOf({"PEXPIREAT", "k", "12"}), 12);
  EXPECT_EQ(TimeOf({"GETEX", "k", "exat", "12"}), 12000);
  EXPECT_EQ(TimeOf({"GETEX", "k", "PXAT", "12"}), 12);
  EXPECT_EQ(TimeOf({"RESTORE", "k", "12", "payload", "REPLACE", "ABSTTL"}), 12);
}

TEST(ExpiryTime, OfWhatNamesNoTimeOfTheClockThereIsNone) {
  EXPECT_EQ(TimeOf({"GETEX", "k"}), -1);
  EXPECT_EQ(TimeOf({"GETEX", "k", "PX", "12"}), -1);
  EXPECT_EQ(TimeOf({"RESTORE", "k", "12", "absttl"}), -1) << "that is the payload";
  EXPECT_EQ(TimeOf({"EXPIRE", "k", "12"}), -1);
  EXPECT_EQ(TimeOf({"SET", "k", "v", "EXAT", "12"}), -1) << "it expires like any other";
  EXPECT_EQ(TimeOf({"EXPIREAT", "k", "x"}), -1);
  EXPECT_EQ(TimeOf({"EXPIREAT", "k", "-1"}), -1);
  EXPECT_EQ(TimeOf({"EXPIREAT", "k", "9223372036854775807"}), -1);
}

}  // namespace
}  // namespace gemel::expiry_time_test
