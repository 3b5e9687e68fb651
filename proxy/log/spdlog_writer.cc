#include "proxy/log/spdlog_writer.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace gemel {

namespace {

constexpr auto kAgain = std::chrono::seconds(1);
constexpr int kWaitMs = 100;
constexpr int kLastWaits = 10;  // when it is to end
constexpr size_t kChunk = 64 << 10;

std::atomic<uint64_t> all_lost = 0;

constexpr char kSlow[] = "it does not take the lines as fast as they come";

}  // namespace

// Shared with the thread, which may hang for longer than its owner is there.
struct LogWriter::State {
  struct Item {
    std::string line;
    std::optional<LogConfig> reopen = {};
  };

  // The thread's alone.
  std::unique_ptr<LogTarget> target;
  std::function<std::string(uint64_t)> lost_line;
  bool torn = false;  // what is written last is not the end of a line
  std::string failure;

  mutable std::mutex mutex;  // over what follows
  std::condition_variable work;
  std::condition_variable progress;
  std::deque<Item> items;
  size_t bytes = 0;
  uint64_t pushed = 0;
  uint64_t done = 0;  // of those: written or lost
  // Lost since the last line that is written or waits. While there are any no other line is taken,
  // so that they are missed where they are told to be missing.
  uint64_t lost = 0;
  std::string error;         // of writing
  std::string reopen_error;  // it is tried again
  std::optional<LogConfig> again;
  bool end = false;
  bool stalled = false;  // it waits for the target

  void Lose(uint64_t lines) {
    lost += lines;
    all_lost += lines;
  }
  // Waits for something to do. False: it is the end.
  bool Take(std::deque<Item>* taken, uint64_t* untold);
  void Reopen(const LogConfig& config);
  // Returns whether it is to end.
  bool Stall(bool is_stalled) {
    const std::lock_guard<std::mutex> lock(mutex);
    stalled = is_stalled;
    progress.notify_all();
    return end;
  }
  // Returns how many of the lines were lost.
  uint64_t Write(std::string_view lines);
  void WriteAll(std::deque<Item>* taken);
  void TellLost(uint64_t untold);
};

bool LogWriter::State::Take(std::deque<Item>* taken, uint64_t* untold) {
  std::unique_lock<std::mutex> lock(mutex);
  const auto ready = [this] { return !items.empty() || end; };
  bool retry = false;
  while (!ready() && !retry) {
    if (lost == 0 && !again) {
      work.wait(lock);
    } else if (lost > 0 && error.empty()) {
      retry = true;  // it keeps up again
    } else {
      retry = work.wait_for(lock, kAgain) == std::cv_status::timeout;
    }
  }
  taken->swap(items);
  bytes = 0;
  *untold = 0;
  if (taken->empty()) *untold = std::exchange(lost, 0);
  return !taken->empty() || !end || *untold > 0;
}

void LogWriter::State::Reopen(const LogConfig& config) {
  std::string why;
  target->Configure(config);
  const bool opened = target->Reopen(&why);
  const std::lock_guard<std::mutex> lock(mutex);
  reopen_error = why;
  again = opened ? std::nullopt : std::optional(config);
}

uint64_t LogWriter::State::Write(std::string_view lines) {
  std::string begun;
  if (torn) {
    begun = "\n" + std::string(lines);
    lines = begun;
  }
  failure.clear();
  for (int waits = 0;; ++waits) {
    const size_t before = lines.size();
    const LogTarget::Wrote wrote = target->Write(&lines);
    if (lines.size() < before) torn = *(lines.data() - 1) != '\n';
    if (wrote != LogTarget::Wrote::kLater && waits > 0) Stall(false);
    if (wrote == LogTarget::Wrote::kAll) return 0;
    if (wrote == LogTarget::Wrote::kFailed) {
      failure = target->error();
      break;
    }
    if (waits > 0 && Stall(true) && waits > kLastWaits) {
      failure = kSlow;
      break;
    }
    target->WaitUntilWritable(kWaitMs);
  }
  return static_cast<uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
}

void LogWriter::State::WriteAll(std::deque<Item>* taken) {
  while (!taken->empty()) {
    uint64_t items_done = 1;
    uint64_t missed = 0;
    if (taken->front().reopen) {
      Reopen(*taken->front().reopen);
      taken->pop_front();
    } else {
      if (taken->front().line.size() > target->Room()) target->Rotate();
      const uint64_t room = std::min<uint64_t>(target->Room(), kChunk);
      std::string chunk = std::move(taken->front().line);
      taken->pop_front();
      for (; !taken->empty() && !taken->front().reopen; ++items_done) {
        if (chunk.size() + taken->front().line.size() > room) break;
        chunk += taken->front().line;
        taken->pop_front();
      }
      missed = Write(chunk);
    }
    const std::lock_guard<std::mutex> lock(mutex);
    error = failure;
    done += items_done;
    if (missed > 0) {
      // What waits behind them would be written, or not, without a word of what is missing.
      for (const Item& item : *taken) missed += item.reopen ? 0 : 1;
      std::erase_if(*taken, [this](const Item& item) {
        done += item.reopen ? 0 : 1;
        return !item.reopen;
      });
      Lose(missed);
    }
    progress.notify_all();
  }
}

void LogWriter::State::TellLost(uint64_t untold) {
  const uint64_t missed = Write(lost_line(untold));
  const std::lock_guard<std::mutex> lock(mutex);
  error = failure;
  if (missed > 0) lost += untold;
  progress.notify_all();
}

void LogWriter::Run(const std::shared_ptr<State>& state) {
  std::deque<State::Item> taken;
  uint64_t untold = 0;
  while (state->Take(&taken, &untold)) {
    state->WriteAll(&taken);
    if (untold > 0) state->TellLost(untold);
    std::optional<LogConfig> again;
    {
      const std::lock_guard<std::mutex> lock(state->mutex);
      again = state->again;
      if (state->end && state->items.empty() && !state->error.empty()) return;
    }
    if (again) state->Reopen(*again);
  }
}

LogWriter::LogWriter(std::unique_ptr<LogTarget> target,
                     std::function<std::string(uint64_t lost)> lost_line)
    : state_(std::make_shared<State>()) {
  state_->target = std::move(target);
  state_->lost_line = std::move(lost_line);
  // Signals are for the loops.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::exception_ptr failed;
  try {
    std::thread thread([state = state_] { Run(state); });
    pthread_setname_np(thread.native_handle(), "gemel-log");
    thread.detach();
  } catch (...) {
    failed = std::current_exception();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failed) std::rethrow_exception(failed);
}

LogWriter::~LogWriter() {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->end = true;
  state_->work.notify_one();
}

void LogWriter::Push(std::string line) {
  State& state = *state_;
  const std::lock_guard<std::mutex> lock(state.mutex);
  if (state.lost > 0 || state.items.size() >= kMaxLines || state.bytes + line.size() > kMaxBytes) {
    state.Lose(1);
    return;
  }
  ++state.pushed;
  state.bytes += line.size();
  state.items.push_back({std::move(line)});
  state.work.notify_one();
}

void LogWriter::Flush(int64_t most_ms) {
  std::unique_lock<std::mutex> lock(state_->mutex);
  const uint64_t upto = state_->pushed;
  state_->progress.wait_for(lock, std::chrono::milliseconds(most_ms), [&] {
    return state_->done >= upto && (state_->lost == 0 || !state_->error.empty());
  });
}

bool LogWriter::Reopen(const LogConfig& config, int64_t most_ms, std::string* error) {
  State& state = *state_;
  std::unique_lock<std::mutex> lock(state.mutex);
  if (!state.items.empty() && state.items.back().reopen) {
    state.items.back().reopen = config;
  } else {
    ++state.pushed;
    state.items.push_back({{}, config});
  }
  const uint64_t upto = state.pushed;
  state.work.notify_one();
  state.progress.wait_for(lock, std::chrono::milliseconds(most_ms),
                          [&] { return state.done >= upto || state.stalled; });
  *error = state.done >= upto ? state.reopen_error : kSlow;
  return error->empty();
}

uint64_t LogWriter::Lost() { return all_lost; }

std::string LogWriter::Error() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  if (!state_->error.empty()) return state_->error;
  if (!state_->reopen_error.empty()) return state_->reopen_error;
  return state_->lost > 0 ? kSlow : "";
}

}  // namespace gemel
