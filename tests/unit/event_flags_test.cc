// notify-keyspace-events.

#include "backend/settings/event_flags.h"

#include <gtest/gtest.h>

#include <string>

namespace gemel::event_flags_test {
namespace {

TEST(EventFlags, WhatLacksIsAdded) {
  struct Case {
    const char* own;
    bool tells;
    const char* with;
  };
  const Case cases[] = {
      {"", false, "xeE"},
      {"AKE", true, "AKE"},
      {"KEA", true, "AKE"},
      {"AE", true, "AE"},
      {"Exe", true, "xeE"},
      {"xeE", true, "xeE"},
      {"Ex", false, "xeE"},
      {"Ee", false, "xeE"},
      {"xe", false, "xeE"},
      {"E", false, "xeE"},
      {"K", false, "xeKE"},
      {"Kxe", false, "xeKE"},  // by their keys, not by what happens
      {"KA", false, "AKE"},
      {"A", false, "AE"},
      {"KEg$", false, "g$xeKE"},
      {"Elsh", false, "lshxeE"},
      {"Em", false, "xemE"},
      {"AKEm", true, "AmKE"},
      {"Kn", false, "xenKE"},
      {"KEg$lshzxetd", true, "AKE"},
      {"Eg$lshzxet", true, "g$lshzxetE"},  // all of a server before 6.0
      {"Eg$lshztd", false, "AE"},
      {"EExx", false, "xeE"},
      {"KEq?", false, "xeKE?q"},  // of a later version
  };
  for (const Case& test : cases) {
    EXPECT_EQ(TellsRemovals(test.own), test.tells) << test.own;
    EXPECT_EQ(WithRemovals(test.own), test.with) << test.own;
    EXPECT_TRUE(TellsRemovals(WithRemovals(test.own))) << test.own;
    EXPECT_EQ(WithRemovals(WithRemovals(test.own)), test.with) << test.own;
    EXPECT_TRUE(SameEvents(test.own, CanonicalEvents(test.own))) << test.own;
  }
}

TEST(EventFlags, TheOrderOfTheLettersMeansNothing) {
  EXPECT_TRUE(SameEvents("", ""));
  EXPECT_TRUE(SameEvents("Exe", "xeE"));
  EXPECT_TRUE(SameEvents("AKE", "KEg$lshzxetd"));
  EXPECT_FALSE(SameEvents("", "E"));
  EXPECT_FALSE(SameEvents("xeE", "xeKE"));
  EXPECT_FALSE(SameEvents("AKE", "AKEm"));
  EXPECT_TRUE(SameEvents("AE", "Eg$lshzxet")) << "before 6.0 that was all";
  EXPECT_FALSE(SameEvents("Eg$lshzxd", "Eg$lshzx"));
}

}  // namespace
}  // namespace gemel::event_flags_test
