// Who may look at the metrics.

#include "proxy/metrics/http_access.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

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

HttpLooker Look(const Config& config, const PageRequest& request) {
  static const CommandTable table;
  static const AclUsers none(PoolConfig(), &table, nullptr);  // whose catalog takes long to make
  return JudgeHttp(config, AclUsers(config.pool(), &table, &none), request);
}

HttpVerdict Judge(const Config& config, const PageRequest& request) {
  return Look(config, request).verdict;
}

// "Basic" of that name and password.
std::string Basic(const std::string& pair) {
  std::string text(pair.size() * 2 + 4, '\0');
  text.resize(static_cast<size_t>(EVP_EncodeBlock(
      reinterpret_cast<unsigned char*>(text.data()),
      reinterpret_cast<const unsigned char*>(pair.data()), static_cast<int>(pair.size()))));
  return "Basic " + text;
}

void AddUser(Config* config, const std::string& name, std::vector<std::string> rules) {
  UserConfig& user = config->pool().users.emplace_back();
  user.name = name;
  user.rules = std::move(rules);
}

TEST(HttpAccess, WithoutAPasswordThisMachineAlone) {
  const Config config = With("");
  for (const char* peer : {"127.0.0.1:5", "127.9.9.9:5", "[::1]:5", "[::ffff:127.0.0.1]:5"}) {
    EXPECT_EQ(Judge(config, From(peer)), HttpVerdict::kServed) << peer;
  }
  for (const char* peer : {"10.0.0.1:5", "[fe80::1]:5", "nonsense", ""}) {
    EXPECT_EQ(Judge(config, From(peer)), HttpVerdict::kTurnedAway) << peer;
  }
  EXPECT_EQ(Judge(With("", false), From("10.0.0.1:5")), HttpVerdict::kServed);
  EXPECT_NE(HttpRefusal(HttpVerdict::kTurnedAway)->body.find("protected mode"), std::string::npos);
}

TEST(HttpAccess, NoPageOfAnotherSiteReadsThem) {
  const Config config = With("");
  for (const char* host :
       {"", "localhost", "LOCALHOST:9121", "127.0.0.1:9121", "[::1]:9121", "10.1.2.3"}) {
    EXPECT_EQ(Judge(config, From("127.0.0.1:5", "", host)), HttpVerdict::kServed) << host;
  }
  for (const char* host : {"evil.example", "evil.example:9121", "127.0.0.1.evil.example:1"}) {
    EXPECT_EQ(Judge(config, From("127.0.0.1:5", "", host)), HttpVerdict::kStrangeHost) << host;
  }
  EXPECT_EQ(Judge(With("p"), From("10.0.0.1:5", "Bearer p", "gemel.example")),
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
  const auto judge = [&](const char* header) { return Judge(config, From("10.0.0.1:5", header)); };
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
  EXPECT_EQ(HttpRefusal(HttpVerdict::kNoPassword)->status, 401);
  EXPECT_NE(HttpRefusal(HttpVerdict::kWrongPassword)->headers.find("WWW-Authenticate: Basic"),
            std::string::npos);
  EXPECT_FALSE(HttpRefusal(HttpVerdict::kServed));
}

// A user's name and password, as for AUTH.
TEST(HttpAccess, UsersByNameAndPassword) {
  Config config = With("");
  AddUser(&config, "ann", {"on", ">secret:1", ">other", "+@all"});
  AddUser(&config, "bob", {"off", ">secret:1", "+@all"});
  AddUser(&config, "guest", {"on", "nopass", "+@all"});
  for (const char* right : {"ann:secret:1", "ann:other"}) {
    const HttpLooker looker = Look(config, From("10.0.0.1:5", Basic(right), "gemel.example"));
    EXPECT_EQ(looker.verdict, HttpVerdict::kServed) << right;
    EXPECT_TRUE(looker.password);
    ASSERT_NE(looker.user, nullptr);
    EXPECT_EQ(looker.user->name(), "ann");
  }
  // Who needs none is nobody here, as is the open default user.
  for (const char* wrong : {"ann:secret", "ann:", "Ann:other", ":other", "bob:secret:1",
                            "guest:", "guest:x", "default:", "default:other", "nobody:other"}) {
    for (const char* peer : {"10.0.0.1:5", "127.0.0.1:5"}) {
      const HttpLooker looker = Look(config, From(peer, Basic(wrong)));
      EXPECT_EQ(looker.verdict, HttpVerdict::kWrongPassword) << wrong;
      EXPECT_FALSE(looker.password);
      EXPECT_EQ(looker.user, nullptr);
      EXPECT_EQ(looker.name + ":", std::string(wrong).substr(0, looker.name.size() + 1));
    }
  }
  EXPECT_EQ(Judge(config, From("127.0.0.1:5", "Basic !!!!")), HttpVerdict::kWrongPassword);
  EXPECT_EQ(Judge(config, From("10.0.0.1:5", "Bearer other")), HttpVerdict::kNoPassword);
}

// Where there is somebody to ask for, others are asked for a name and a password.
TEST(HttpAccess, WithUsersThisMachineLooksAsBefore) {
  Config config = With("");
  AddUser(&config, "ann", {"on", ">p", "+@all"});
  const HttpLooker here = Look(config, From("127.0.0.1:5"));
  EXPECT_EQ(here.verdict, HttpVerdict::kServed);
  EXPECT_FALSE(here.password);
  EXPECT_EQ(Judge(config, From("10.0.0.1:5")), HttpVerdict::kNoPassword);
  EXPECT_EQ(Judge(config, From("127.0.0.1:5", "", "evil.example")), HttpVerdict::kNoPassword);
  config.pool().protected_mode = false;
  EXPECT_EQ(Judge(config, From("10.0.0.1:5")), HttpVerdict::kServed);
  // Nobody to ask for.
  config.pool().users[0].rules = {"off", ">p"};
  config.pool().protected_mode = true;
  EXPECT_EQ(Judge(config, From("10.0.0.1:5")), HttpVerdict::kTurnedAway);
  EXPECT_EQ(Judge(config, From("127.0.0.1:5", Basic("ann:x"))), HttpVerdict::kServed);
}

TEST(HttpAccess, ThePasswordOfMetricsHoldsBesideUsers) {
  Config config = With("open");
  config.pool().password = "of-clients";
  AddUser(&config, "ann", {"on", ">p", "+@all"});
  EXPECT_EQ(Judge(config, From("127.0.0.1:5")), HttpVerdict::kNoPassword);
  for (const char* name : {"ann", "anybody", ""}) {
    const HttpLooker looker = Look(config, From("10.0.0.1:5", Basic(std::string(name) + ":open")));
    EXPECT_EQ(looker.verdict, HttpVerdict::kServed);
    EXPECT_TRUE(looker.password);
    EXPECT_EQ(looker.user, nullptr);  // whatever it calls itself
  }
  EXPECT_EQ(Look(config, From("10.0.0.1:5", Basic("ann:p"))).user->name(), "ann");
  // Of the user that clients are who say no name, [proxy] password.
  EXPECT_EQ(Look(config, From("10.0.0.1:5", Basic("default:of-clients"))).user->name(), "default");
  EXPECT_EQ(Judge(config, From("10.0.0.1:5", Basic("bob:p"))), HttpVerdict::kWrongPassword);
  EXPECT_EQ(Judge(config, From("10.0.0.1:5", "Bearer p")), HttpVerdict::kWrongPassword);
}

}  // namespace
}  // namespace gemel::http_access_test
