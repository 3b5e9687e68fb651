#include "backend/uv/uv_side_thread.h"

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace gemel {

namespace {

// How many abandoned threads are at work. Never destroyed: they may end after all else.
struct Abandoned {
  std::mutex mutex;
  std::condition_variable changed;
  size_t count = 0;
};

Abandoned& OfProcess() {
  static auto* const abandoned = new Abandoned;
  return *abandoned;
}

struct Wake {
  uv_async_t async;
  std::function<void()> woken;
};

struct CloseWake {
  void operator()(Wake* wake) const {
    wake->woken = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&wake->async), [](uv_handle_t* closed) {
      std::unique_ptr<Wake>(static_cast<Wake*>(closed->data)).reset();
    });
  }
};

}  // namespace

struct UvSideThread::State {
  struct Task {
    std::function<void()> work;
    std::function<void()> done;
  };

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Task> waiting;
  std::vector<std::function<void()>> ended;
  bool busy = false;
  bool end = false;
  bool started = false;
  std::unique_ptr<Wake, CloseWake> wake;

  void Work();
  void Deliver();
};

void UvSideThread::State::Work() {
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return end || !waiting.empty(); });
    if (end) return;
    Task task = std::move(waiting.front());
    waiting.pop_front();
    busy = true;
    lock.unlock();
    task.work();
    task.work = nullptr;  // what it owns goes before anybody is told
    lock.lock();
    busy = false;
    if (!end) {
      ended.push_back(std::move(task.done));
      uv_async_send(&wake->async);
      continue;
    }
    lock.unlock();
    task.done = nullptr;
    Abandoned& abandoned = OfProcess();
    const std::lock_guard<std::mutex> counted(abandoned.mutex);
    --abandoned.count;
    abandoned.changed.notify_all();
    return;
  }
}

void UvSideThread::State::Deliver() {
  std::vector<std::function<void()>> dones;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    dones.swap(ended);
  }
  for (std::function<void()>& done : dones) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      if (end) return;  // the one before has ended all
    }
    done();
  }
}

UvSideThread::UvSideThread(uv_loop_t* loop, const char* name) : state_(std::make_shared<State>()) {
  auto wake = std::make_unique<Wake>();
  wake->async.data = wake.get();
  const int status = uv_async_init(loop, &wake->async, [](uv_async_t* async) {
    // A copy: what it calls may close this.
    const std::function<void()> woken = static_cast<Wake*>(async->data)->woken;
    if (woken) woken();
  });
  if (status != 0) return;  // no descriptors
  wake->woken = [state = std::weak_ptr<State>(state_)] {
    if (const std::shared_ptr<State> held = state.lock()) held->Deliver();
  };
  state_->wake.reset(wake.release());
  // Signals are for the loops.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread thread([state = state_] { state->Work(); });
    pthread_setname_np(thread.native_handle(), name);
    thread.detach();
    state_->started = true;
  } catch (const std::system_error&) {
    state_->wake.reset();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

UvSideThread::~UvSideThread() {
  std::deque<State::Task> dropped;
  std::vector<std::function<void()>> ended;
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->end = true;
  state_->wake.reset();
  dropped.swap(state_->waiting);
  ended.swap(state_->ended);
  if (state_->busy) {
    Abandoned& abandoned = OfProcess();
    const std::lock_guard<std::mutex> counted(abandoned.mutex);
    ++abandoned.count;
  }
  state_->changed.notify_all();
}

bool UvSideThread::Run(std::function<void()> work, std::function<void()> done) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  if (!state_->started) return false;
  state_->waiting.push_back({std::move(work), std::move(done)});
  state_->changed.notify_one();
  return true;
}

bool UvSideThread::WaitForAbandoned(int64_t most_ms) {
  Abandoned& abandoned = OfProcess();
  std::unique_lock<std::mutex> lock(abandoned.mutex);
  return abandoned.changed.wait_for(lock, std::chrono::milliseconds(most_ms),
                                    [&] { return abandoned.count == 0; });
}

}  // namespace gemel
