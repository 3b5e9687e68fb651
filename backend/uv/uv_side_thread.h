// A thread for calls that may hang (a dead network file system, a resolver), so that neither a loop
// nor anything else has to wait for them, nor the end of the process.

#ifndef GEMEL_BACKEND_UV_UV_SIDE_THREAD_H_
#define GEMEL_BACKEND_UV_UV_SIDE_THREAD_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace gemel {

// Not libuv's pool: that has four threads for all, and the end of the process waits for them.
class UvSideThread {
 public:
  // The loop must turn on after the destructor until it has closed what this had. `name`: of the
  // thread, for top and the like; at most 15 characters.
  UvSideThread(uv_loop_t* loop, const char* name);
  // On the loop's thread. What is under way goes on by itself, what waits is dropped, and no `done`
  // is called any more.
  ~UvSideThread();
  UvSideThread(const UvSideThread&) = delete;
  UvSideThread& operator=(const UvSideThread&) = delete;

  // Runs `work` on the thread, one after the other, and then `done` on the loop. `work` owns what
  // it touches, and throws nothing. False if there is no thread. On the loop's thread.
  bool Run(std::function<void()> work, std::function<void()> done);

  // Waits until no such thread of the process is at work whose owner is gone, but so long at most.
  // False: one is, and it uses what the process's end would take from it. Any thread.
  static bool WaitForAbandoned(int64_t most_ms);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_SIDE_THREAD_H_
