// Ties a hiredis context to a libuv loop.
//
// Instead of <hiredis/adapters/libuv.h>, because the one of hiredis 0.14 ignores what the poll
// reports as an error, and that is how a refused connection is reported.

#ifndef GEMEL_BACKEND_UV_HIREDIS_LOOP_H_
#define GEMEL_BACKEND_UV_HIREDIS_LOOP_H_

#include <uv.h>

#include "backend/files/unique_fd.h"

struct redisAsyncContext;

namespace gemel {

// To be called once for a new context, before its callbacks are set. False if the loop cannot watch
// it. The handle is closed when the context is freed; the loop must turn once more after that.
bool AttachToLoop(redisAsyncContext* context, uv_loop_t* loop);

// The context, whose connection has just been made and which has not written yet, goes on with
// another one, `socket`, which is closed here. Returns the one that it had.
UniqueFd ExchangeSocket(redisAsyncContext* context, UniqueFd socket);

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_HIREDIS_LOOP_H_
