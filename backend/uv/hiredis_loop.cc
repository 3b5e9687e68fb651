#include "backend/uv/hiredis_loop.h"

#include <fcntl.h>
#include <hiredis/async.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

namespace gemel {

namespace {

constexpr size_t kReadBytes = 16 * 1024;  // hiredis reads so much at a time
constexpr size_t kMaxReads = 4096;
// Of anything but one text whose length has come: parts take many times in memory what they take on
// the wire, and of a line the end is looked for from its beginning each time that more of it comes.
constexpr size_t kMaxReadsOfOthers = 64;
constexpr size_t kMaxLength = 32;  // digits of a length, and more
constexpr int kMaxParts = 64 * 1024;

// hiredis allocates what an array announces, and looks at all of it in the end.
redisReplyObjectFunctions* BoundedParts(const redisReplyObjectFunctions& given) {
  static const auto create = given.createArray;
  static redisReplyObjectFunctions bounded = [&] {
    redisReplyObjectFunctions functions = given;
    functions.createArray = [](const redisReadTask* task, int parts) -> void* {
      return parts > kMaxParts ? nullptr : create(task, parts);
    };
    return functions;
  }();
  return &bounded;
}

size_t MostReads(const redisReader& reader) {
  const bool text = reader.ridx == 0 && reader.rstack[0].type == REDIS_REPLY_STRING &&
                    std::memchr(reader.buf + reader.pos, '\n',
                                std::min(reader.len - reader.pos, kMaxLength)) != nullptr;
  return text ? kMaxReads : kMaxReadsOfOthers;
}

// Belongs to the context until it is freed, then to the loop until the handles are closed.
//
// What is asked in a turn of the loop is written when it ends, at once: a socket that takes nothing
// is rare, and is the only one of which libuv is asked to tell when it does.
struct Watch {
  uv_poll_t poll;
  uv_prepare_t end_of_turn;
  redisAsyncContext* context = nullptr;  // null once it is freed
  int handles = 2;
  int events = 0;
  int watched = 0;       // of these, what libuv was told
  bool writing = false;  // at the end of a turn
  size_t reads = 0;      // of a reply that is not whole yet

  // hiredis asks again for what it has asked for, and to tell libuv costs a system call.
  void Apply() {
    if (std::exchange(watched, events) == events) return;
    if (events == 0) {
      uv_poll_stop(&poll);
    } else {
      uv_poll_start(&poll, events, &Watch::OnPoll);
    }
  }

  // A reply of which there is no end ends the connection.
  static void Read(Watch* watch) {
    redisAsyncContext* context = watch->context;
    const redisCallback* asked = context->replies.head;
    redisAsyncHandleRead(context);
    if (watch->context == nullptr) return;
    if (context->replies.head != asked || context->c.reader->ridx < 0) {
      watch->reads = 0;
      return;
    }
    const size_t most = MostReads(*context->c.reader);
    if (++watch->reads > most) {
      context->c.err = context->err = REDIS_ERR_PROTOCOL;
      std::snprintf(context->c.errstr, sizeof(context->c.errstr),
                    "the node sent a reply of more than %zu MB", most * kReadBytes >> 20);
      context->errstr = context->c.errstr;
      redisAsyncFree(context);
    }
  }

  static void OnPoll(uv_poll_t* poll, int status, int ready) {
    Watch* watch = static_cast<Watch*>(poll->data);
    // After an error reading and writing are what tells which one.
    if (status != 0) {
      ready = watch->events;
      watch->watched = 0;  // libuv has stopped it
    }
    if ((ready & UV_READABLE) != 0 && watch->context != nullptr) {
      redisAsyncContext* context = watch->context;
      if ((context->c.flags & REDIS_CONNECTED) != 0 && context->replies.head == nullptr) {
        // The end, or something that nobody asked for, at which hiredis 0.14 would assert.
        redisAsyncDisconnect(context);
      } else {
        Read(watch);
      }
    }
    if ((ready & UV_WRITABLE) != 0 && watch->context != nullptr) {
      redisAsyncHandleWrite(watch->context);
    }
    if (status != 0 && watch->context != nullptr) watch->Apply();
  }

  static void OnEndOfTurn(uv_prepare_t* prepare) {
    Watch* watch = static_cast<Watch*>(prepare->data);
    uv_prepare_stop(prepare);
    watch->writing = true;
    redisAsyncHandleWrite(watch->context);
    watch->writing = false;
  }

  static void AddRead(void* data) {
    Watch* watch = static_cast<Watch*>(data);
    watch->events |= UV_READABLE;
    watch->Apply();
  }
  static void RemoveRead(void* data) {
    Watch* watch = static_cast<Watch*>(data);
    watch->events &= ~UV_READABLE;
    watch->Apply();
  }
  static void AddWrite(void* data) {
    Watch* watch = static_cast<Watch*>(data);
    const bool connected = (watch->context->c.flags & REDIS_CONNECTED) != 0;
    if (connected && !watch->writing && (watch->events & UV_WRITABLE) == 0) {
      uv_prepare_start(&watch->end_of_turn, OnEndOfTurn);
      return;
    }
    watch->events |= UV_WRITABLE;
    watch->Apply();
  }
  static void RemoveWrite(void* data) {
    Watch* watch = static_cast<Watch*>(data);
    uv_prepare_stop(&watch->end_of_turn);
    watch->events &= ~UV_WRITABLE;
    watch->Apply();
  }

  static void Cleanup(void* data) {
    Watch* watch = static_cast<Watch*>(data);
    watch->context = nullptr;
    watch->Close();
  }
  void Close() {
    const uv_close_cb closed = [](uv_handle_t* handle) {
      Watch* watch = static_cast<Watch*>(handle->data);
      if (--watch->handles == 0) std::unique_ptr<Watch>(watch).reset();
    };
    uv_close(reinterpret_cast<uv_handle_t*>(&poll), closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&end_of_turn), closed);
  }
};

}  // namespace

bool AttachToLoop(redisAsyncContext* context, uv_loop_t* loop) {
  auto watch = std::make_unique<Watch>();
  if (uv_poll_init(loop, &watch->poll, context->c.fd) != 0) return false;
  watch->poll.data = watch.get();
  uv_prepare_init(loop, &watch->end_of_turn);
  watch->end_of_turn.data = watch.get();
  watch->context = context;
  context->c.reader->fn = BoundedParts(*context->c.reader->fn);
  context->ev.addRead = &Watch::AddRead;
  context->ev.delRead = &Watch::RemoveRead;
  context->ev.addWrite = &Watch::AddWrite;
  context->ev.delWrite = &Watch::RemoveWrite;
  context->ev.cleanup = &Watch::Cleanup;
  context->ev.data = watch.release();
  return true;
}

// The number stays: hiredis and libuv both know the socket by it.
UniqueFd ExchangeSocket(redisAsyncContext* context, UniqueFd socket) {
  auto* watch = static_cast<Watch*>(context->ev.data);
  uv_poll_stop(&watch->poll);
  watch->watched = 0;
  UniqueFd had(::fcntl(context->c.fd, F_DUPFD_CLOEXEC, 0));
  if (!had.valid() || ::dup3(socket.get(), context->c.fd, O_CLOEXEC) < 0) return {};
  watch->Apply();
  return had;
}

}  // namespace gemel
