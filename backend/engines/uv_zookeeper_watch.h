// A watch of all registers in ZooKeeper: of the prefix's children, and of each of them.

#ifndef GEMEL_BACKEND_ENGINES_UV_ZOOKEEPER_WATCH_H_
#define GEMEL_BACKEND_ENGINES_UV_ZOOKEEPER_WATCH_H_

#include <cstdint>
#include <functional>
#include <set>
#include <string>

struct Stat;
struct String_vector;
typedef struct _zhandle zhandle_t;

namespace gemel {

// ZooKeeper's watches fire once. Each that has fired is set anew, and only when it is set is it
// told that there was a change: a look after that sees all that came before, and what comes later
// fires again. All of it happens inside the client's callbacks.
class UvZookeeperWatch {
 public:
  // `told` is called inside the client's callbacks.
  UvZookeeperWatch(std::string prefix, std::function<void()> told);
  UvZookeeperWatch(const UvZookeeperWatch&) = delete;
  UvZookeeperWatch& operator=(const UvZookeeperWatch&) = delete;

  // The handle is connected, for the first time or again. It is closed before this goes.
  void Begin(zhandle_t* handle);
  // That handle is gone, and its watches with it.
  void Forget();
  bool watching() const { return handle_ != nullptr; }

 private:
  struct Armed {
    UvZookeeperWatch* watch;
    std::string path;
  };

  static void OnEvent(zhandle_t* handle, int type, int state, const char* path, void* self);
  static void OnChildren(int result, const String_vector* children, const void* self);
  static void OnArmed(int result, const Stat* stat, const void* armed);
  void WatchChildren();
  // Also of what is not there.
  void WatchOne(const std::string& path);

  const std::string prefix_;
  const std::function<void()> told_;
  zhandle_t* handle_ = nullptr;  // not ours to close
  std::set<std::string> watched_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_UV_ZOOKEEPER_WATCH_H_
