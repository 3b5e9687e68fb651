#include "backend/engines/uv_zookeeper_watch.h"

#include <zookeeper/zookeeper.h>

#include <memory>
#include <utility>

namespace gemel {

UvZookeeperWatch::UvZookeeperWatch(std::string prefix, std::function<void()> told)
    : prefix_(std::move(prefix)), told_(std::move(told)) {}

void UvZookeeperWatch::Begin(zhandle_t* handle) {
  if (handle != handle_) watched_.clear();
  handle_ = handle;
  WatchChildren();
}

void UvZookeeperWatch::Forget() {
  handle_ = nullptr;
  watched_.clear();
}

void UvZookeeperWatch::WatchChildren() {
  zoo_awget_children(handle_, prefix_.c_str(), OnEvent, this, OnChildren, this);
}

void UvZookeeperWatch::OnChildren(int result, const String_vector* children, const void* self) {
  auto* watch = static_cast<UvZookeeperWatch*>(const_cast<void*>(self));
  if (watch->handle_ == nullptr) return;
  if (result == ZNONODE) {
    watch->WatchOne(watch->prefix_);
  } else if (result == ZOK) {
    for (int32_t i = 0; i < children->count; ++i) {
      watch->WatchOne(watch->prefix_ + "/" + children->data[i]);
    }
    watch->told_();
  }
  // Else the connection is lost, and Begin comes when there is one.
}

void UvZookeeperWatch::WatchOne(const std::string& path) {
  if (!watched_.insert(path).second) return;
  auto armed = std::make_unique<Armed>(Armed{this, path});
  if (zoo_awexists(handle_, path.c_str(), OnEvent, this, OnArmed, armed.get()) == ZOK) {
    armed.release();  // OnArmed's now
  } else {
    watched_.erase(path);
  }
}

void UvZookeeperWatch::OnArmed(int result, const Stat*, const void* data) {
  const std::unique_ptr<Armed> armed(static_cast<Armed*>(const_cast<void*>(data)));
  UvZookeeperWatch* watch = armed->watch;
  if (watch->handle_ == nullptr) return;
  if (result != ZOK && result != ZNONODE) {
    watch->watched_.erase(armed->path);
    return;
  }
  if (armed->path != watch->prefix_) {
    watch->told_();
  } else if (result == ZOK) {
    watch->WatchChildren();  // it was made in between
  }
}

void UvZookeeperWatch::OnEvent(zhandle_t*, int type, int, const char* path, void* self) {
  auto* watch = static_cast<UvZookeeperWatch*>(self);
  if (watch->handle_ == nullptr || type == ZOO_SESSION_EVENT || type == ZOO_NOTWATCHING_EVENT) {
    return;
  }
  watch->watched_.erase(path);
  if (path == watch->prefix_) {
    watch->WatchChildren();
  } else if (type == ZOO_DELETED_EVENT) {
    watch->told_();
  } else {
    watch->WatchOne(path);
  }
}

}  // namespace gemel
