// How replies of RESP3 read in RESP2. What Redis says of each command is in
// tests/e2e/resp2_oracle_test.cc.

#include "backend/resp/resp2_form.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace gemel::resp2_form_test {
namespace {

std::string InResp2(std::string_view reply, Resp2Form form = Resp2Form::kPlain) {
  std::string out = "before";
  AppendInResp2(reply, form, &out);
  EXPECT_TRUE(out.starts_with("before"));
  return out.substr(6);
}

TEST(Resp2Form, WhatIsTheSameStays) {
  for (const char* reply :
       {"+OK\r\n", "-ERR no\r\n", ":5\r\n", "$3\r\nabc\r\n", "$0\r\n\r\n", "$-1\r\n", "*-1\r\n",
        "*0\r\n", "*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "$7\r\n_\r\n,1\r\n\r\n"}) {
    EXPECT_TRUE(ReadsSameInResp2(reply, Resp2Form::kPlain)) << reply;
    for (const Resp2Form form :
         {Resp2Form::kPlain, Resp2Form::kNullArray, Resp2Form::kLastNullArray, Resp2Form::kPairs}) {
      EXPECT_EQ(InResp2(reply, form), reply);
    }
  }
}

// Pairs of strings are flat in RESP2 though no type in them is another: HRANDFIELD WITHVALUES.
TEST(Resp2Form, PairsOfStringsAreFlat) {
  const std::string pairs = "*1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n";
  EXPECT_TRUE(ReadsSameInResp2(pairs, Resp2Form::kPlain));
  EXPECT_FALSE(ReadsSameInResp2(pairs, Resp2Form::kFlatPairs));
  EXPECT_EQ(InResp2(pairs, Resp2Form::kFlatPairs), "*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
  EXPECT_TRUE(ReadsSameInResp2("*2\r\n$1\r\nf\r\n$1\r\nv\r\n", Resp2Form::kFlatPairs));
  EXPECT_TRUE(ReadsSameInResp2("*0\r\n", Resp2Form::kFlatPairs));
}

// From a node that is none of ours: what follows the reply must not be taken for a part of it.
TEST(Resp2Form, WhatIsNoPairAmongPairs) {
  EXPECT_EQ(InResp2("*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n:3\r\n", Resp2Form::kFlatPairs),
            "*4\r\n:1\r\n:2\r\n*1\r\n:3\r\n$-1\r\n");
}

TEST(Resp2Form, EachTypeOfRESP3) {
  const struct {
    const char* resp3;
    const char* resp2;
  } kPairs[] = {
      {"_\r\n", "$-1\r\n"},
      {"#t\r\n", ":1\r\n"},
      {"#f\r\n", ":0\r\n"},
      {",1.5\r\n", "$3\r\n1.5\r\n"},
      {",inf\r\n", "$3\r\ninf\r\n"},
      {",-inf\r\n", "$4\r\n-inf\r\n"},
      {"(123456789012345678901234567890\r\n", "$30\r\n123456789012345678901234567890\r\n"},
      {"=7\r\ntxt:abc\r\n", "$3\r\nabc\r\n"},
      {"=4\r\nmkd:\r\n", "$0\r\n\r\n"},
      {"!7\r\nERR a b\r\n", "-ERR a b\r\n"},
      {"~2\r\n:1\r\n:2\r\n", "*2\r\n:1\r\n:2\r\n"},
      {"%2\r\n+a\r\n:1\r\n+b\r\n_\r\n", "*4\r\n+a\r\n:1\r\n+b\r\n$-1\r\n"},
      {"%0\r\n", "*0\r\n"},
      {">2\r\n+a\r\n#t\r\n", "*2\r\n+a\r\n:1\r\n"},
      {"*2\r\n%1\r\n,1\r\n~1\r\n_\r\n$1\r\nx\r\n",
       "*2\r\n*2\r\n$1\r\n1\r\n*1\r\n$-1\r\n$1\r\nx\r\n"},
  };
  for (const auto& [resp3, resp2] : kPairs) {
    EXPECT_FALSE(ReadsSameInResp2(resp3, Resp2Form::kPlain)) << resp3;
    EXPECT_TRUE(ReadsSameInResp2(resp3, Resp2Form::kAsItIs)) << resp3;
    EXPECT_EQ(InResp2(resp3), resp2);
  }
}

TEST(Resp2Form, AttributesAreLeftOut) {
  const std::string attribute = "|1\r\n+key\r\n*2\r\n|1\r\n+in\r\n+it\r\n,0.5\r\n:2\r\n";
  EXPECT_EQ(InResp2(attribute + ":1\r\n"), ":1\r\n");
  EXPECT_EQ(InResp2(attribute + attribute + ":1\r\n"), ":1\r\n");
  EXPECT_EQ(InResp2("*2\r\n" + attribute + ":1\r\n" + attribute + "_\r\n"), "*2\r\n:1\r\n$-1\r\n");
  EXPECT_EQ(InResp2(attribute + "%1\r\n+k\r\n" + attribute + "*0\r\n", Resp2Form::kPairs),
            "*1\r\n*2\r\n+k\r\n*0\r\n");
}

TEST(Resp2Form, NullsOfArrays) {
  EXPECT_EQ(InResp2("_\r\n", Resp2Form::kNullArray), "*-1\r\n");
  EXPECT_EQ(InResp2("*2\r\n_\r\n*2\r\n,1\r\n,2\r\n", Resp2Form::kNullArray),
            "*2\r\n*-1\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  EXPECT_EQ(InResp2("*4\r\n:0\r\n_\r\n_\r\n_\r\n", Resp2Form::kLastNullArray),
            "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n");
  EXPECT_EQ(InResp2("*0\r\n", Resp2Form::kLastNullArray), "*0\r\n");
  EXPECT_EQ(InResp2("_\r\n", Resp2Form::kLastNullArray), "$-1\r\n");
}

TEST(Resp2Form, PairsThatAreFlat) {
  EXPECT_EQ(
      InResp2("*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2.5\r\n", Resp2Form::kFlatPairs),
      "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$3\r\n2.5\r\n");
  EXPECT_EQ(InResp2("*2\r\n$1\r\na\r\n,1\r\n", Resp2Form::kFlatPairs),
            "*2\r\n$1\r\na\r\n$1\r\n1\r\n");
  EXPECT_EQ(InResp2("*0\r\n", Resp2Form::kFlatPairs), "*0\r\n");
  EXPECT_EQ(InResp2("_\r\n", Resp2Form::kFlatPairs), "$-1\r\n");
}

TEST(Resp2Form, MapsThatArePairs) {
  EXPECT_EQ(InResp2("%2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n_\r\n$1\r\nt\r\n*0\r\n",
                    Resp2Form::kPairs),
            "*2\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n*2\r\n$1\r\nt\r\n*0\r\n");
  EXPECT_EQ(InResp2("_\r\n", Resp2Form::kPairs), "*-1\r\n");
  EXPECT_EQ(InResp2("-ERR no\r\n", Resp2Form::kPairs), "-ERR no\r\n");
}

// However deep a script nests them, no stack is taken.
TEST(Resp2Form, DeepNesting) {
  constexpr int kDeep = 200000;
  std::string resp3;
  std::string resp2;
  for (int i = 0; i < kDeep; ++i) {
    resp3 += "~1\r\n";
    resp2 += "*1\r\n";
  }
  EXPECT_TRUE(InResp2(resp3 + "_\r\n") == resp2 + "$-1\r\n");
}

}  // namespace
}  // namespace gemel::resp2_form_test
