#include "config/address.h"

#include <gtest/gtest.h>

#include <string>

namespace gemel::address_test {
namespace {

struct Good {
  const char* text;
  const char* host;
  uint16_t port;
  const char* path;
  const char* canonical;
};

TEST(Address, ReadsAndWrites) {
  const std::string longest = "unix:/" + std::string(106, 'p');
  const std::string long_label = std::string(63, 'a') + ":1";
  const Good cases[] = {
      {"127.0.0.1:7101", "127.0.0.1", 7101, "", "127.0.0.1:7101"},
      {"0.0.0.0:1", "0.0.0.0", 1, "", "0.0.0.0:1"},
      {"255.255.255.255:65535", "255.255.255.255", 65535, "", "255.255.255.255:65535"},
      {"localhost:6379", "localhost", 6379, "", "localhost:6379"},
      {"Redis-1.Example.COM:6379", "redis-1.example.com", 6379, "", "redis-1.example.com:6379"},
      {"example.com.:6379", "example.com.", 6379, "", "example.com.:6379"},
      {"cache_1:06379", "cache_1", 6379, "", "cache_1:6379"},
      {"1a:80", "1a", 80, "", "1a:80"},
      {"[::1]:7101", "::1", 7101, "", "[::1]:7101"},
      {"[::]:7101", "::", 7101, "", "[::]:7101"},
      {"[0:0:0:0:0:0:0:1]:7101", "::1", 7101, "", "[::1]:7101"},
      {"[2001:DB8::00A]:7101", "2001:db8::a", 7101, "", "[2001:db8::a]:7101"},
      {"[fe80::1%eth0]:7101", "fe80::1%eth0", 7101, "", "[fe80::1%eth0]:7101"},
      {"unix:/tmp/a.sock", "", 0, "/tmp/a.sock", "unix:/tmp/a.sock"},
      {"Unix:/tmp/A.sock", "", 0, "/tmp/A.sock", "unix:/tmp/A.sock"},
      {"unix:/tmp/a b:1]", "", 0, "/tmp/a b:1]", "unix:/tmp/a b:1]"},
      {longest.c_str(), "", 0, longest.c_str() + 5, longest.c_str()},
      {long_label.c_str(), long_label.c_str(), 1, "", long_label.c_str()},
  };
  for (const Good& good : cases) {
    SCOPED_TRACE(good.text);
    std::string error;
    std::optional<Address> address = ParseAddress(good.text, &error);
    ASSERT_TRUE(address) << error;
    EXPECT_EQ(error, "");
    if (good.text != long_label) {
      EXPECT_EQ(address->host, good.host);
    }
    EXPECT_EQ(address->port, good.port);
    EXPECT_EQ(address->path, good.path);
    EXPECT_EQ(address->IsUnix(), good.path[0] != '\0');
    EXPECT_EQ(address->ToString(), good.canonical);
    std::optional<Address> again = ParseAddress(address->ToString(), &error);
    ASSERT_TRUE(again) << error;
    EXPECT_EQ(*again, *address);
  }
}

TEST(Address, SaysWhatWasExpected) {
  const std::string form = "expected host:port, [v6]:port or unix:/path";
  const std::string port = "expected a port from 1 to 65535";
  const std::string v4 = "expected a v4 address of four numbers from 0 to 255";
  const std::string name = "expected a host name of letters, digits, '-', '_' and single dots";
  const std::string v6 = "expected a v6 address between the brackets";
  const std::string brackets = "expected a v6 address to be in brackets, as in [::1]:6380";
  const std::string after = "expected ]:port after the v6 address, as in [::1]:6380";
  const std::string path = "expected an absolute path after unix:, as in unix:/run/redis.sock";
  const std::pair<std::string, std::string> cases[] = {
      {"", form},
      {"localhost", form},
      {"7101", form},
      {"/tmp/a.sock", form},
      {"[::1:7101", form},
      {":7101", "expected a host before the port (0.0.0.0 is every interface)"},
      {"127.0.0.1:", port},
      {"127.0.0.1:0", port},
      {"127.0.0.1:65536", port},
      {"127.0.0.1:-1", port},
      {"127.0.0.1:+1", port},
      {"127.0.0.1: 1", port},
      {"127.0.0.1:1 ", port},
      {"127.0.0.1:0x50", port},
      {"127.0.0.1:99999999999999999999", port},
      {"127.0.0.1:000001", port},
      {"[::1]:0", port},
      {"[::1]:", port},
      {"127.0.0.256:1", v4},
      {"127.0.1:1", v4},
      {"1:1", v4},
      {"127.0.0.1.:1", v4},
      {"127.0.0.1.1:1", v4},
      {"0x7f.1:1", v4},
      {"a.0x7f:1", v4},
      {"a.1:1", v4},
      {"a b:1", name},
      {" a:1", name},
      {"a..b:1", name},
      {".a:1", name},
      {".:1", name},
      {"a..:1", name},
      {"a/b:1", name},
      {"*:6380", name},
      {"caf\xc3\xa9:1", name},
      {std::string("a\0b:1", 5), name},
      {std::string(64, 'a') + ":1", name},
      {std::string(254, 'a') + ":1", "expected a host name of at most 253 characters"},
      {"::1", brackets},
      {"::1:7101", brackets},
      {"a:1:2", brackets},
      {"[::1]", after},
      {"[::1]7101", after},
      {"[::1]x:7101", after},
      {"[]:1", v6},
      {"[::g]:1", v6},
      {"[127.0.0.1]:1", v6},
      {"[localhost]:1", v6},
      {"[1:2:3]:1", v6},
      {"[::1%]:1", v6},
      {"[::1%a/b]:1", v6},
      {"[::1%0123456789abcdef]:1", v6},
      {std::string("[::1\0]:1", 8), v6},
      {"unix:", path},
      {"unix:a.sock", path},
      {"Unix:1", path},
      {"unix:./a.sock", path},
      {"unix:/" + std::string(107, 'p'), "expected a socket path of at most 107 bytes"},
      {"unix:/a\nb", "expected a socket path without control characters"},
      {std::string("unix:/a\0", 8), "expected a socket path without control characters"},
  };
  for (const auto& [text, expected] : cases) {
    SCOPED_TRACE(text);
    std::string error;
    EXPECT_FALSE(ParseAddress(text, &error));
    EXPECT_EQ(error, expected);
  }
}

}  // namespace
}  // namespace gemel::address_test
