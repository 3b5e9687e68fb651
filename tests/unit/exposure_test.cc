// Which listeners other machines may reach, and what is said of it.

#include "proxy/server/exposure.h"

#include <gtest/gtest.h>

namespace gemel::exposure_test {
namespace {

std::string Warning(const std::vector<std::string>& listen, const std::string& password = "",
                    bool protected_mode = true) {
  PoolConfig pool;
  for (const std::string& text : listen) {
    std::string error;
    pool.listen.push_back(ParseAddress(text, &error).value());
  }
  pool.password = password;
  pool.protected_mode = protected_mode;
  return ExposureWarning(pool);
}

TEST(ExposureTest, OnlyBeyondLoopbackAndWithoutAPassword) {
  for (const char* inside :
       {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1",
        "LocalHost:1", "unix:/run/g.sock", "tls:127.0.0.1:1", "tls:localhost:1"}) {
    EXPECT_EQ(Warning({inside}), "") << inside;
    EXPECT_EQ(Warning({inside}, "", false), "") << inside;
  }
  for (const char* beyond : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[fe80::1%eth0]:1", "db1:1",
                             "localhost.example.com:1", "127.example.com:1"}) {
    EXPECT_EQ(Warning({beyond, "127.0.0.1:1"}),
              "protected mode: there is no password, so on " + std::string(beyond) +
                  " only clients on this machine are served, others get -DENIED: set [proxy] "
                  "password");
    EXPECT_EQ(Warning({beyond}, "secret"), "") << beyond;
    EXPECT_EQ(Warning({beyond}, "secret", false), "") << beyond;
  }
  EXPECT_EQ(Warning({"0.0.0.0:1", "unix:/s", "[::]:2"}, "", false),
            "there is no password and protected_mode is off: whoever reaches 0.0.0.0:1, [::]:2 may "
            "read, write and change the config: set [proxy] password");
}

TEST(ExposureTest, OfMetrics) {
  Config config;
  config.pools.emplace_back();
  config.metrics.listen = {{"127.0.0.1", 9121, ""}, {"localhost", 9122, ""}};
  EXPECT_EQ(MetricsExposureWarning(config), "");
  config.metrics.listen.push_back({"0.0.0.0", 9121, ""});
  EXPECT_EQ(MetricsExposureWarning(config),
            "protected mode: there is no [metrics] password, so on 0.0.0.0:9121 only this machine "
            "may look at the metrics: set [metrics] password");
  config.pool().users.emplace_back().name = "ann";
  config.pool().users[0].rules = {"on", ">p", "+@all"};
  EXPECT_EQ(MetricsExposureWarning(config), "");
  config.pool().protected_mode = false;
  EXPECT_NE(MetricsExposureWarning(config).find("whoever reaches 0.0.0.0:9121"), std::string::npos);
  config.metrics.password = "p";
  EXPECT_EQ(MetricsExposureWarning(config), "");
}

}  // namespace
}  // namespace gemel::exposure_test
