// For callbacks that may come when who asked for them is gone.

#ifndef GEMEL_BACKEND_LIFE_ALIVE_H_
#define GEMEL_BACKEND_LIFE_ALIVE_H_

#include <memory>
#include <utility>

namespace gemel {

// A member of who asks, and as alive as that. One thread.
class Alive {
 public:
  // Outlives it, and tells whether it is gone.
  class Watch {
   public:
    explicit Watch(const std::shared_ptr<char>& token) : token_(token) {}
    bool gone() const { return token_.expired(); }

   private:
    std::weak_ptr<char> token_;
  };

  Alive() = default;
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;

  Watch watch() const { return Watch(token_); }
  // What calls `call` with the same arguments, and does nothing once this is gone.
  template <typename Call>
  auto Guard(Call call) const {
    return [watch = watch(), call = std::move(call)](auto&&... args) {
      if (!watch.gone()) call(std::forward<decltype(args)>(args)...);
    };
  }
  // Gone before its time: the first thing that a destructor does which calls others.
  void End() { token_.reset(); }

 private:
  std::shared_ptr<char> token_ = std::make_shared<char>();
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LIFE_ALIVE_H_
