#include "proxy/worker/uv_mailbox.h"

#include <utility>

namespace gemel {

UvMailbox::UvMailbox(uv_loop_t* loop, std::function<void()> on_wake)
    : on_wake_(std::move(on_wake)) {
  uv_async_init(loop, &wake_,
                [](uv_async_t* handle) { static_cast<UvMailbox*>(handle->data)->on_wake_(); });
  wake_.data = this;
}

void UvMailbox::Post(std::function<void()> task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  tasks_.push_back(std::move(task));
  uv_async_send(&wake_);
}

void UvMailbox::PostFirst(std::function<void()> task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  first_.push_back(std::move(task));
  uv_async_send(&wake_);
}

void UvMailbox::Close() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
}

void UvMailbox::Deliver(std::vector<Message>* messages) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) {
    messages->clear();
    return;
  }
  const bool wake = inbox_.empty();
  if (wake) {
    inbox_.swap(*messages);
  } else {
    inbox_.insert(inbox_.end(), messages->begin(), messages->end());
  }
  messages->clear();
  if (wake) uv_async_send(&wake_);
}

void UvMailbox::ReceiveAll(Dispatcher* dispatcher) {
  std::vector<Message> messages;
  receiving_.clear();
  messages.swap(receiving_);  // its memory is kept
  std::vector<std::function<void()>> first;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    messages.swap(inbox_);
    first.swap(first_);
  }
  for (std::function<void()>& task : first) task();
  for (const Message& message : messages) dispatcher->Receive(message);
  receiving_.swap(messages);
}

void UvMailbox::RunAll(Dispatcher* dispatcher) {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks.swap(tasks_);
  }
  ReceiveAll(dispatcher);
  for (std::function<void()>& task : tasks) task();
}

}  // namespace gemel
