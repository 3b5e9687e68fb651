// The files of the Unix sockets on which gemel listens: its own go with it, and no other's.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>

#include "backend/files/unique_fd.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"

namespace gemel::e2e::unix_socket_test {
namespace {

namespace fs = std::filesystem;

// A Unix socket that somebody listens on, or nobody any more, or of another kind.
UniqueFd BindSocket(const std::string& path, int type, int backlog) {
  UniqueFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0 ||
      (type == SOCK_STREAM && ::listen(socket.get(), backlog) != 0)) {
    throw std::runtime_error("cannot bind " + path);
  }
  return socket;
}

UniqueFd ConnectSocket(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) {
    return {};
  }
  return socket;
}

class UnixSocket : public testing::Test {
 protected:
  UnixSocket() : path_(proxy_.folder() + "/gemel.sock") {
    config_ =
        "[proxy]\nwatch_config = false\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) +
        "\", \"unix:" + path_ + "\"]\n[[shard]]\nname = \"a\"\nprimary = \"" + node_.address() +
        "\"\n";
    WriteFile(proxy_.config_path(), config_);
  }
  Finished TryToStart() {
    return RunProgram({GemelBinary(), "-c", proxy_.config_path()}, "", std::chrono::seconds(20));
  }

  RedisNode node_;
  ProxyProcess proxy_;
  std::string path_;
  std::string config_;
};

TEST_F(UnixSocket, AnotherProcesssIsLeftAtTheEnd) {
  proxy_.Restart();
  EXPECT_EQ(Client::OnUnixSocket(path_)("PING"), "PONG");
  fs::remove(path_);
  const UniqueFd other = BindSocket(path_, SOCK_STREAM, 10);
  EXPECT_EQ(proxy_.Stop(), 0);
  ASSERT_TRUE(fs::exists(path_));
  EXPECT_TRUE(ConnectSocket(path_).valid());
}

TEST_F(UnixSocket, AnotherProcesssIsLeftWhenAReloadRemovesTheListener) {
  proxy_.Restart();
  fs::remove(path_);
  const UniqueFd other = BindSocket(path_, SOCK_STREAM, 10);
  std::string text = config_;
  text.erase(text.find(", \"unix:"), path_.size() + 9);
  WriteFile(proxy_.config_path(), text);
  EXPECT_FALSE(Client(proxy_.port())("PROXY", "RELOAD").IsError());
  ASSERT_TRUE(fs::exists(path_));
  EXPECT_TRUE(ConnectSocket(path_).valid());
}

TEST_F(UnixSocket, ItsOwnIsRemovedAtTheEndAndByAReload) {
  proxy_.Restart();
  std::string text = config_;
  text.erase(text.find(", \"unix:"), path_.size() + 9);
  WriteFile(proxy_.config_path(), text);
  EXPECT_FALSE(Client(proxy_.port())("PROXY", "RELOAD").IsError());
  EXPECT_FALSE(fs::exists(path_));
  WriteFile(proxy_.config_path(), config_);
  EXPECT_FALSE(Client(proxy_.port())("PROXY", "RELOAD").IsError());
  EXPECT_EQ(Client::OnUnixSocket(path_)("PING"), "PONG");
  EXPECT_EQ(proxy_.Stop(), 0);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(UnixSocket, OneThatIsInUseIsNotReplaced) {
  {
    // Somebody listens, and has no time: even connect would wait.
    const UniqueFd busy = BindSocket(path_, SOCK_STREAM, 0);
    std::vector<UniqueFd> clients;
    for (UniqueFd client; (client = ConnectSocket(path_)).valid();) {
      clients.push_back(std::move(client));
    }
    const ino_t before = Look(path_).st_ino;
    const Finished finished = TryToStart();
    EXPECT_EQ(finished.exit_code, 1) << finished.output;
    EXPECT_TRUE(Has(finished.output, "cannot listen on unix:" + path_)) << finished.output;
    EXPECT_EQ(Look(path_).st_ino, before);
  }
  fs::remove(path_);
  {
    const UniqueFd daemon = BindSocket(path_, SOCK_DGRAM, 0);  // as /dev/log
    const ino_t before = Look(path_).st_ino;
    const Finished finished = TryToStart();
    EXPECT_EQ(finished.exit_code, 1) << finished.output;
    ASSERT_TRUE(fs::exists(path_));
    EXPECT_EQ(Look(path_).st_ino, before);
  }
  fs::remove(path_);
  WriteFile(path_, "precious");
  EXPECT_EQ(TryToStart().exit_code, 1);
  EXPECT_EQ(ReadFile(path_), "precious");
  fs::remove(path_);
  BindSocket(path_, SOCK_STREAM, 1);  // nobody is behind it any more
  proxy_.Restart();
  EXPECT_EQ(Client::OnUnixSocket(path_)("PING"), "PONG");
}

// One that it made before it found out that it cannot start.
TEST_F(UnixSocket, AStartThatFailsLeavesNone) {
  const UniqueFd taken = BindSocket(path_ + "2", SOCK_STREAM, 1);
  std::string text = config_;
  text.insert(text.find("]\n[[shard]]"), ", \"unix:" + path_ + "2\"");
  WriteFile(proxy_.config_path(), text);
  EXPECT_EQ(TryToStart().exit_code, 1);
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(fs::exists(path_ + "2"));
}

}  // namespace
}  // namespace gemel::e2e::unix_socket_test
