// What other threads send to a worker: messages of their dispatchers, and closures.

#ifndef GEMEL_PROXY_WORKER_UV_MAILBOX_H_
#define GEMEL_PROXY_WORKER_UV_MAILBOX_H_

#include <uv.h>

#include <functional>
#include <mutex>
#include <vector>

#include "backend/bytes/give_back.h"
#include "proxy/dispatch/dispatcher.h"

namespace gemel {

class UvMailbox {
 public:
  // `on_wake` runs on the loop, once or more often after something was sent. The loop is closed
  // before the mailbox goes.
  UvMailbox(uv_loop_t* loop, std::function<void()> on_wake);
  UvMailbox(const UvMailbox&) = delete;
  UvMailbox& operator=(const UvMailbox&) = delete;

  // --- any thread ---
  void Post(std::function<void()> task);
  // Runs one before the messages that come with it or later.
  void PostFirst(std::function<void()> task);
  // Takes messages that another worker collected; `messages` is empty afterwards.
  void Deliver(std::vector<Message>* messages);

  // --- the loop's thread ---
  // Runs the tasks that go first, and gives the dispatcher all messages that have come.
  void ReceiveAll(Dispatcher* dispatcher);
  // Runs the tasks that have come, after the messages.
  void RunAll(Dispatcher* dispatcher);
  // Gives memory back that is not needed any more.
  void Trim() { GiveBack(&receiving_); }
  // Nothing more is received: what comes from now on is dropped.
  void Close();

 private:
  const std::function<void()> on_wake_;
  uv_async_t wake_;
  std::mutex mutex_;  // guards the four below
  bool closed_ = false;
  std::vector<Message> inbox_;
  std::vector<std::function<void()>> first_;
  std::vector<std::function<void()>> tasks_;
  std::vector<Message> receiving_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_MAILBOX_H_
