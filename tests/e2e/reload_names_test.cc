// Reloads of files with host names, while the name server takes its time. The proxy runs in a mount
// namespace of its own, whose resolver asks a server of the test.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/client.h"
#include "tests/e2e/free_port.h"
#include "tests/e2e/proxy_process.h"
#include "tests/e2e/redis_node.h"

namespace gemel::e2e {
namespace {

// Names that begin with "good" are 127.0.0.1, all others are unknown; nothing is answered before
// Answer.
class NameServer {
 public:
  NameServer()
      : address_("127.53." + std::to_string(getpid() >> 8 & 255) + "." +
                 std::to_string(1 + getpid() % 250)) {
    fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    inet_pton(AF_INET, address_.c_str(), &address.sin_addr);
    good_ = bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    if (good_) thread_ = std::thread([this] { Work(); });
  }
  ~NameServer() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    close(fd_);
  }
  bool good() const { return good_; }
  const std::string& address() const { return address_; }
  int asked() const { return asked_; }  // for addresses (A) of names
  void Answer() { answers_ = true; }

 private:
  struct Query {
    std::string bytes;
    sockaddr_in from;
  };
  void Work() {
    std::vector<Query> waiting;
    while (!stop_) {
      pollfd poll_fd = {fd_, POLLIN, 0};
      if (poll(&poll_fd, 1, 10) > 0) {
        Query query = {std::string(512, '\0'), {}};
        socklen_t size = sizeof(query.from);
        const ssize_t got = recvfrom(fd_, query.bytes.data(), query.bytes.size(), 0,
                                     reinterpret_cast<sockaddr*>(&query.from), &size);
        if (got < 17) continue;
        query.bytes.resize(static_cast<size_t>(got));
        if (IsForA(query.bytes)) ++asked_;
        waiting.push_back(std::move(query));
      }
      if (!answers_) continue;
      for (const Query& query : waiting) Reply(query);
      waiting.clear();
    }
  }
  // Where the question ends: names are labels behind their lengths, then the type and the class.
  static size_t EndOfQuestion(const std::string& bytes) {
    size_t at = 12;
    while (at < bytes.size() && bytes[at] != 0) at += 1 + static_cast<unsigned char>(bytes[at]);
    return std::min(at + 5, bytes.size());
  }
  static bool IsForA(const std::string& bytes) { return bytes[EndOfQuestion(bytes) - 3] == 1; }
  void Reply(const Query& query) {
    const bool known = query.bytes.compare(13, 4, "good") == 0;
    const bool address = known && IsForA(query.bytes);
    std::string reply = query.bytes.substr(0, EndOfQuestion(query.bytes));
    reply[2] = '\x81';
    reply[3] = known ? '\x80' : '\x83';
    for (size_t i = 6; i < 12; ++i) reply[i] = 0;
    if (address) {
      reply[7] = 1;
      reply += std::string("\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1", 16);
    }
    sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&query.from),
           sizeof(query.from));
  }

  const std::string address_;
  int fd_ = -1;
  bool good_ = false;
  std::atomic<bool> stop_{false};
  std::atomic<bool> answers_{false};
  std::atomic<int> asked_{0};
  std::thread thread_;
};

class ReloadNames : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("unshare --mount true 2> /dev/null") != 0 || !names_.good()) {
      GTEST_SKIP() << "no mount namespace or no port 53 here: that needs root";
    }
    const std::string resolver = folder_.path() + "/resolv.conf";
    WriteFile(resolver, "nameserver " + names_.address() + "\noptions timeout:25 attempts:1\n");
    proxy_.set_prefix({"unshare", "--mount", "--propagation", "private", "sh", "-c",
                       "mount --bind " + resolver + " /etc/resolv.conf && exec \"$0\" \"$@\""});
    proxy_.Start(Config());
  }
  std::string Config(const std::string& listen = "", const std::string& replicas = "") const {
    return "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) + "\"" + listen +
           "]\nwatch_config = false\n[timeouts]\ndrain_ms = 200\n[[shard]]\nname = \"a\"\n" +
           "primary = \"" + node_.address() + "\"\nreplicas = [" + replicas + "]\n";
  }
  // On a thread of its own, until the name server is asked.
  void BeginReload(const std::string& config, const std::string& word = "FORCE") {
    WriteFile(proxy_.config_path(), config);
    reload_ = std::thread([this, word] {
      try {
        answer_ = Client(proxy_.port())("PROXY", "RELOAD", word).Text();
      } catch (const std::runtime_error& error) {
        answer_ = error.what();
      }
      answered_ = true;
    });
    EXPECT_TRUE(Eventually([this] { return names_.asked() > 0; }));
  }
  // What it was told.
  std::string EndReload() {
    names_.Answer();
    reload_.join();
    return answer_;
  }
  void TearDown() override {
    if (reload_.joinable()) EndReload();
  }

  NameServer names_;
  TempFolder folder_;
  RedisNode node_;
  FreePort further_;
  ProxyProcess proxy_;
  std::thread reload_;
  std::string answer_;
  std::atomic<bool> answered_{false};
};

TEST_F(ReloadNames, ClientsAreServedWhileAListenersHostIsResolved) {
  const std::string address = "slow.gemel.test:" + std::to_string(further_.number());
  BeginReload(Config(", \"" + address + "\""));
  Client client(proxy_.port());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client("INCR", "n"), ":" + std::to_string(i + 1));
  EXPECT_FALSE(answered_);
  EXPECT_NE(EndReload().find("gemel.toml:2:"), std::string::npos) << answer_;
  EXPECT_NE(answer_.find(address), std::string::npos) << answer_;
}

TEST_F(ReloadNames, AStopAnswersWhoWaitsForAName) {
  BeginReload(Config("", "\"slow.gemel.test:7\""));
  EXPECT_FALSE(answered_);
  proxy_.Signal(SIGTERM);
  // Before the session is gone that is to be told.
  EXPECT_TRUE(Eventually([this] { return answered_.load(); }));
  EXPECT_EQ(EndReload(), "-ERR gemel is being stopped");
  EXPECT_EQ(proxy_.Wait(), 0);
}

TEST_F(ReloadNames, EachHostIsResolvedOnce) {
  names_.Answer();
  std::string replicas;
  for (int port = 1; port <= 5; ++port) {
    replicas +=
        (port > 1 ? ", \"" : "\"") + std::string("good.gemel.test:") + std::to_string(port) + "\"";
  }
  BeginReload(Config("", replicas), "DRYRUN");
  EXPECT_NE(EndReload().find("node good.gemel.test:5 added"), std::string::npos) << answer_;
  EXPECT_EQ(names_.asked(), 1);
}

}  // namespace
}  // namespace gemel::e2e
