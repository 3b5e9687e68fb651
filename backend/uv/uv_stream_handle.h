// What libuv holds of a UvStream. For the files of it.

#ifndef GEMEL_BACKEND_UV_UV_STREAM_HANDLE_H_
#define GEMEL_BACKEND_UV_UV_STREAM_HANDLE_H_

#include <uv.h>

#include <memory>

#include "backend/files/unique_fd.h"
#include "backend/uv/uv_stream.h"

namespace gemel {

// The libuv handles of one connection. They outlive the UvStream until libuv has closed them.
struct UvStream::Handle {
  UvStream* owner;
  UniqueFd socket;
  bool is_unix;
  bool connecting = false;
  int watched = 0;  // what the loop watches for
  uv_poll_t poll;
  std::unique_ptr<uv_timer_t> fail;  // tells of an error at the next turn
  int fail_code = 0;
  bool rest = false;  // what came before the error is to be read first
  int open_handles = 0;

  static void OnClosed(uv_handle_t* handle) {
    Handle* self = static_cast<Handle*>(handle->data);
    if (--self->open_handles == 0) delete self;
  }
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_STREAM_HANDLE_H_
