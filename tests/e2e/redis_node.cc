#include "tests/e2e/redis_node.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>

namespace gemel::e2e {

RedisNode::RedisNode(Words options, bool own_network)
    : options_(std::move(options)), own_network_(own_network) {
  Start();
}

void RedisNode::Start(bool with_dump) {
  Words command = {program_,
                   "--port",
                   std::to_string(port()),
                   "--bind",
                   "127.0.0.1",
                   "--save",
                   "",
                   "--appendonly",
                   "no",
                   "--enable-debug-command",
                   "yes",
                   "--repl-diskless-sync-delay",
                   "0",
                   "--dir",
                   folder_.path()};
  command.insert(command.end(), options_.begin(), options_.end());
  if (own_network_) {
    command.insert(command.end(), {"--unixsocket", socket()});
    Words network = {"unshare", "--net"};
    if (geteuid() != 0) network.push_back("--map-root-user");
    command.insert(command.begin(), network.begin(), network.end());
  }
  const std::string log = folder_.path() + "/log";
  // What a copy by REPLICAOF leaves, to be loaded by nobody.
  if (!with_dump) std::filesystem::remove(folder_.path() + "/dump.rdb");
  process_.Start(command, log);
  const bool answers = Eventually([this] {
    if (!process_.running()) return true;
    try {
      const Reply reply = Connect()("PING");
      return reply == "PONG" || reply.Text().starts_with("-NOAUTH");
    } catch (const std::runtime_error&) {
      return false;
    }
  });
  if (!answers || !process_.running()) {
    throw std::runtime_error("redis-server does not answer: " + ReadFile(log));
  }
}

void RedisNode::Stop() {
  process_.Signal(SIGTERM);
  process_.Wait();
}

void RedisNode::Kill() { process_.Kill(); }
void RedisNode::Pause() { process_.Signal(SIGSTOP); }
void RedisNode::Resume() { process_.Signal(SIGCONT); }

std::string RedisNode::Digest() const { return Connect()("DEBUG", "DIGEST").Text(); }

int PlainClients(const RedisNode& node) {
  const std::string list = node.Connect()("CLIENT", "LIST").bytes;
  const std::string local = " laddr=127.0.0.1:" + std::to_string(node.port()) + " ";
  int count = -1;
  for (size_t at = list.find(local); at != std::string::npos; at = list.find(local, at + 1)) {
    ++count;
  }
  return count;
}

std::string ValkeyServer() {
  std::string path = GEMEL_SOURCE "/build/valkey/usr/bin/valkey-server";
  if (access(path.c_str(), X_OK) == 0) return path;
  const char* const folders_text = std::getenv("PATH");
  std::istringstream folders(folders_text == nullptr ? "" : folders_text);
  for (std::string folder; std::getline(folders, folder, ':');) {
    path = folder + "/valkey-server";
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  throw std::runtime_error(
      "there is no valkey-server: scripts/test gets it from Debian's backports");
}

}  // namespace gemel::e2e
