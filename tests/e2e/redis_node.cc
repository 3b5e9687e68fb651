#include "tests/e2e/redis_node.h"

#include <signal.h>

#include <stdexcept>

namespace gemel::e2e {

RedisNode::RedisNode(Words options) : options_(std::move(options)) { Start(); }

void RedisNode::Start() {
  Words command = {"redis-server",
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
  const std::string log = folder_.path() + "/log";
  process_.Start(command, log);
  const bool answers = Eventually([this] {
    if (!process_.running()) return true;
    try {
      const Reply reply = Client(port())("PING");
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

}  // namespace gemel::e2e
