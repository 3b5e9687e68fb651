// Who may look at the metrics.

#include "proxy/metrics/http_access.h"

#include <gtest/gtest.h>

namespace gemel::http_access_test {
namespace {

Config With(const std::string& password, bool protected_mode = true) {
  Config config;
  config.pools.emplace_back();
  config.pool().protected_mode = protected_mode;
  config.metrics.password = password;
  return config;
}

PageRequest From(const std::string& peer, const std::string& authorization = "",
                 const std::string& host = "127.0.0.1:9121") {
  PageRequest request;
  request.method = "GET";
  request.peer = peer;
  request.authorization = authorization;
  request.host = host;
  return request;
}

TEST(HttpAccess, WithoutAPasswordThisMachineAlone) {
  const Config config = With("");
  for (const char* peer : {"127.0.0.1:5", "127.9.9.9:5", "[::1]:5", "[::ffff:127.0.0.1]:5"}) {
    EXPECT_EQ(JudgeHttp(config, From(peer)), HttpVerdict::kServed) << peer;
  }
  for (const char* peer : {"10.0.0.1:5", "[fe80::1]:5", "nonsense", ""}) {
    EXPECT_EQ(JudgeHttp(config, From(peer)), HttpVerdict::kTurnedAway) << peer;
  }
  EXPECT_EQ(JudgeHttp(With("", false), From("10.0.0.1:5")), HttpVerdict::kServed);
  EXPECT_NE(Refusal(HttpVerdict::kTurnedAway)->body.find("protected mode"), std::string::npos);
}

TEST(HttpAccess, NoPageOfAnotherSiteReadsThem) {
  const Config config = With("");
  for (const char* host :
       {"", "localhost", "LOCALHOST:9121", "127.0.0.1:9121", "[::1]:9121", "10.1.2.3"}) {
    EXPECT_EQ(JudgeHttp(config, From("127.0.0.1:5", "", host)), HttpVerdict::kServed) << host;
  }
  for (const char* host : {"evil.example", "evil.example:9121", "127.0.0.1.evil.example:1"}) {
    EXPECT_EQ(JudgeHttp(config, From("127.0.0.1:5", "", host)), HttpVerdict::kStrangeHost) << host;
  }
  EXPECT_EQ(JudgeHttp(With("p"), From("10.0.0.1:5", "Bearer p", "gemel.example")),
            HttpVerdict::kServed);
  PageRequest request = From("127.0.0.1:5");
  EXPECT_FALSE(IsFromElsewhere(request));
  request.origin = "http://127.0.0.1:9121";
  EXPECT_FALSE(IsFromElsewhere(request));
  for (const char* origin : {"http://evil.example", "null", "http://127.0.0.1:9122"}) {
    request.origin = origin;
    EXPECT_TRUE(IsFromElsewhere(request)) << origin;
  }
}

TEST(HttpAccess, APassword) {
  const Config config = With("open sesame:now");
  const auto judge = [&](const char* header) {
    return JudgeHttp(config, From("10.0.0.1:5", header));
  };
  EXPECT_EQ(judge(""), HttpVerdict::kNoPassword);
  EXPECT_EQ(judge("Bearer open sesame:now"), HttpVerdict::kServed);
  EXPECT_EQ(judge("bearer  open sesame:now"), HttpVerdict::kServed);
  EXPECT_EQ(judge("Basic YWRtaW46b3BlbiBzZXNhbWU6bm93"), HttpVerdict::kServed);  // admin:...
  EXPECT_EQ(judge("Basic Om9wZW4gc2VzYW1lOm5vdw=="), HttpVerdict::kServed);      // :...
  for (const char* wrong :
       {"Bearer", "Bearer ", "Bearer open sesame", "Basic", "Basic ", "Basic !!!!", "Basic YQ==",
        "Basic YWRtaW46eA==", "Basic YWRtaW46b3BlbiBzZXNhbWU6bm9", "Digest x", "open sesame:now"}) {
    EXPECT_EQ(judge(wrong), HttpVerdict::kWrongPassword) << wrong;
  }
  EXPECT_EQ(Refusal(HttpVerdict::kNoPassword)->status, 401);
  EXPECT_NE(Refusal(HttpVerdict::kWrongPassword)->headers.find("WWW-Authenticate: Basic"),
            std::string::npos);
  EXPECT_FALSE(Refusal(HttpVerdict::kServed));
}

}  // namespace
}  // namespace gemel::http_access_test
