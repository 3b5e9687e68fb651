#include "tests/e2e/load.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/e2e/client.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e {
std::string Load::Name(const char* kind, int thread, size_t key) const {
  return kind + options_.name + ":" + std::to_string(thread) + ":" + std::to_string(key);
}

Load::Load(uint16_t port, Options options) : port_(port), options_(std::move(options)) {
  keys_.resize(static_cast<size_t>(options_.threads));
  for (auto& keys : keys_) keys.resize(static_cast<size_t>(options_.keys));
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this, i] { Work(i); });
}

void Load::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

::testing::AssertionResult Load::WaitForMore(uint64_t requests,
                                             std::chrono::milliseconds patience) const {
  const uint64_t goal = answered_ + requests;
  const bool answered =
      Eventually([&] { return answered_ >= goal || HasErrors(); }, patience) && !HasErrors();
  if (answered) return ::testing::AssertionSuccess();
  std::lock_guard lock(mutex_);
  return ::testing::AssertionFailure()
         << (errors_.empty() ? std::to_string(goal - answered_) + " answers are still to come"
                             : errors_.front());
}

bool Load::HasErrors() const {
  std::lock_guard lock(mutex_);
  return !errors_.empty();
}

void Load::AddError(const std::string& error) {
  std::lock_guard lock(mutex_);
  errors_.push_back(error);
}

void Load::Work(int thread) {
  try {
    Client client(port_);
    std::vector<Key>& keys = keys_[static_cast<size_t>(thread)];
    for (int64_t round = 1; !stop_; ++round) {
      // What is sent together, and what each reply must be. A key is bumped before its reply is
      // known: with no errors allowed, every reply is an acknowledgement.
      std::vector<std::string> expected;
      std::vector<std::string> asked;
      auto send = [&](const Words& words, const std::string& reply) {
        client.Append(words);
        asked.push_back(words[0] + " " + words[1]);
        expected.push_back(reply);
      };
      for (int i = 0; i < options_.pipeline; ++i) {
        const size_t at = static_cast<size_t>(round + i) % keys.size();
        Key& key = keys[at];
        switch ((round + i) % 5) {
          case 0:
            send({"INCR", Name("count", thread, at)}, ":" + std::to_string(++key.count));
            break;
          case 1:
            key.value = round * 1000 + i;
            send({"SET", Name("value", thread, at), std::to_string(key.value)}, "OK");
            send({"GET", Name("value", thread, at)}, std::to_string(key.value));
            break;
          case 2:
            send({"RPUSH", Name("list", thread, at), std::to_string(round)},
                 ":" + std::to_string(++key.list));
            break;
          case 3:
            send({"LLEN", Name("list", thread, at)}, ":" + std::to_string(key.list));
            break;
          default:
            send({"GET", Name("count", thread, at)},
                 key.count == 0 ? "(nil)" : std::to_string(key.count));
            break;
        }
      }
      for (size_t i = 0; i < expected.size(); ++i) {
        const std::string reply = client.Read().Text();
        ++answered_;
        if (reply != expected[i]) {
          AddError(asked[i] + " answered " + reply + ", expected " + expected[i]);
          return;
        }
      }
      LetOthersRun();
    }
  } catch (const std::runtime_error& error) {
    AddError("thread " + std::to_string(thread) + ": " + error.what());
  }
}

void Load::Verify(uint16_t port) {
  {
    std::lock_guard lock(mutex_);
    for (const std::string& error : errors_) ADD_FAILURE() << error;
    if (!errors_.empty()) return;
  }
  Client client(port);
  for (int thread = 0; thread < options_.threads; ++thread) {
    const std::vector<Key>& keys = keys_[static_cast<size_t>(thread)];
    for (size_t i = 0; i < keys.size(); ++i) {
      const Key& key = keys[i];
      auto text = [](int64_t number) { return number == 0 ? "(nil)" : std::to_string(number); };
      EXPECT_EQ(client("GET", Name("count", thread, i)), text(key.count));
      EXPECT_EQ(client("GET", Name("value", thread, i)), text(key.value));
      EXPECT_EQ(client("LLEN", Name("list", thread, i)), ":" + std::to_string(key.list));
    }
  }
}

}  // namespace gemel::e2e
