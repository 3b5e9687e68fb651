#include "tests/e2e/fleet_load.h"

#include <algorithm>
#include <stdexcept>

namespace gemel::e2e {
namespace {

constexpr size_t kMostErrors = 20;  // of one member

// An error that says that nothing was done.
bool SaysNotDone(const std::string& error) {
  return error.starts_with("CLUSTERDOWN") && error.find("may or may not") == std::string::npos;
}

}  // namespace

FleetLoad::FleetLoad(std::vector<uint16_t> ports, Options options)
    : ports_(std::move(ports)), answered_(ports_.size()), errors_(ports_.size()) {
  for (size_t member = 0; member < ports_.size(); ++member) {
    for (int i = 0; i < options.threads; ++i) {
      Worker& worker = workers_.emplace_back();
      worker.member = static_cast<int>(member);
      worker.counts.resize(static_cast<size_t>(options.keys));
      worker.clients.resize(ports_.size());
    }
  }
  for (size_t i = 0; i < workers_.size(); ++i) threads_.emplace_back([this, i] { Work(i); });
}

void FleetLoad::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::string FleetLoad::KeyOf(size_t worker, size_t key) {
  return "count:" + std::to_string(worker) + ":" + std::to_string(key);
}

void FleetLoad::Work(size_t index) {
  Worker& worker = workers_[index];
  const auto members = static_cast<int>(ports_.size());
  for (size_t turn = 0; !stop_; ++turn) {
    const size_t key = turn % worker.counts.size();
    Increment(&worker, KeyOf(index, key), &worker.counts[key]);
    const int other = (worker.member + static_cast<int>(turn % ports_.size())) % members;
    Read(&worker, other, KeyOf(index, key), worker.counts[key]);
    LetOthersRun();
  }
}

void FleetLoad::Increment(Worker* worker, const std::string& key, Count* count) {
  bool unknown = false;
  const std::optional<int64_t> value = Ask(worker, worker->member, {"INCR", key}, &unknown);
  count->unknown += unknown ? 1 : 0;
  if (!value) return;
  // What was not known before is known now, for nobody else counts here.
  if (*value <= count->acked || *value > count->acked + count->unknown + 1) {
    const std::lock_guard<std::mutex> lock(mutex_);
    stale_.push_back("INCR " + key + " over member " + std::to_string(worker->member) + " is " +
                     std::to_string(*value) + " after " + std::to_string(count->acked));
  }
  count->unknown -= std::min(count->unknown, *value - count->acked - 1);
  count->acked = *value;
}

void FleetLoad::Read(Worker* worker, int member, const std::string& key, const Count& count) {
  bool unknown = false;
  const std::optional<int64_t> value = Ask(worker, member, {"GET", key}, &unknown);
  if (!value || *value >= count.acked) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  stale_.push_back("GET " + key + " over member " + std::to_string(member) + " is " +
                   std::to_string(*value) + " after " + std::to_string(count.acked));
}

std::optional<int64_t> FleetLoad::Ask(Worker* worker, int member, const Words& words,
                                      bool* unknown) {
  std::optional<Client>& client = worker->clients[static_cast<size_t>(member)];
  bool sent = false;
  try {
    if (!client) client.emplace(ports_[static_cast<size_t>(member)]);
    sent = true;
    const Reply reply = client->Run(words);
    if (reply.IsError()) {
      *unknown = !SaysNotDone(reply.bytes);
      AddError(member, reply.bytes);
      return std::nullopt;
    }
    ++answered_[static_cast<size_t>(member)];
    if (reply.kind == Reply::Kind::kInteger) return reply.integer;
    return reply.kind == Reply::Kind::kNil ? 0 : std::stoll(reply.bytes);
  } catch (const std::runtime_error& error) {
    *unknown = sent;
    client.reset();
    const std::string text = error.what();
    AddError(member, text.find("Resource temporarily") == std::string::npos ? "closed" : "silent");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return std::nullopt;
  }
}

void FleetLoad::AddError(int member, const std::string& error) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string>& errors = errors_[static_cast<size_t>(member)];
  const bool known = std::find(errors.begin(), errors.end(), error) != errors.end();
  if (!known && errors.size() < kMostErrors) errors.push_back(error);
}

::testing::AssertionResult FleetLoad::WaitForMore(int member, uint64_t answers,
                                                  std::chrono::milliseconds patience) const {
  const std::atomic<uint64_t>& answered = answered_[static_cast<size_t>(member)];
  const uint64_t until = answered + answers;
  if (Eventually([&] { return answered >= until; }, patience)) {
    return ::testing::AssertionSuccess();
  }
  auto failure = ::testing::AssertionFailure()
                 << "clients of member " << member << " get no more answers";
  for (const std::string& error : Errors(member)) failure << "\n" << error;
  return failure;
}

std::vector<std::string> FleetLoad::Errors(int member) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return errors_[static_cast<size_t>(member)];
}

void FleetLoad::ExpectNoErrors(int member) const {
  for (const std::string& error : Errors(member)) {
    ADD_FAILURE() << "a client of member " << member << " was told: " << error;
  }
}

void FleetLoad::Verify(uint16_t port) {
  for (const std::string& stale : stale_) ADD_FAILURE() << stale;
  Client client(port);
  for (size_t i = 0; i < workers_.size(); ++i) {
    for (size_t key = 0; key < workers_[i].counts.size(); ++key) {
      const Count& count = workers_[i].counts[key];
      const Reply reply = client("GET", KeyOf(i, key));
      if (reply.kind == Reply::Kind::kNil && count.acked == 0) continue;
      ASSERT_EQ(reply.kind, Reply::Kind::kBulk) << reply;
      const int64_t value = std::stoll(reply.bytes);
      EXPECT_GE(value, count.acked) << KeyOf(i, key) << ": an acknowledged write is lost";
      EXPECT_LE(value, count.acked + count.unknown) << KeyOf(i, key) << ": a write was done twice";
    }
  }
}

}  // namespace gemel::e2e
