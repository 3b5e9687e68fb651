// One TCP or Unix-socket connection on a libuv loop: reads into a buffer of the owner's choice,
// writes an OutQueue without copying it.

#ifndef GEMEL_BACKEND_UV_UV_STREAM_H_
#define GEMEL_BACKEND_UV_UV_STREAM_H_

#include <uv.h>

#include <cstdint>
#include <memory>
#include <string>

#include "backend/bytes/out_queue.h"
#include "config/address.h"

namespace gemel {

// What a connection tells its owner. Called on the loop's thread, never inside UvStream's methods.
class UvStreamEvents {
 public:
  virtual ~UvStreamEvents() = default;
  // Connect has succeeded.
  virtual void OnStreamConnected() {}
  // Where the next bytes should go; *size at least 1.
  virtual char* OnStreamBuffer(size_t* size) = 0;
  // `size` bytes were read to that place.
  virtual void OnStreamData(char* data, size_t size) = 0;
  // The peer has said all it will, but may still listen. If this returns false the connection is
  // ended, with OnStreamEnd(UV_EOF); if true the owner closes it when it is done.
  virtual bool OnStreamInputEnd() { return false; }
  // The connection is over, or could not be made; nothing more is called. `code` is libuv's.
  virtual void OnStreamEnd(int code) = 0;
  // A write that had to wait is done: there may be more to flush.
  virtual void OnStreamWritable() = 0;
};

// Destroying it closes the connection. The loop must turn until its handles are closed.
class UvStream {
 public:
  // `events` and `loop` outlive it.
  UvStream(uv_loop_t* loop, UvStreamEvents* events);
  ~UvStream();
  UvStream(const UvStream&) = delete;
  UvStream& operator=(const UvStream&) = delete;

  // Connects, resolving a host name first. Failures come as OnStreamEnd.
  void Connect(const Address& address, uint32_t keepalive_s);
  // Takes a connection that waits at `server`. False if there is none to take.
  bool Accept(uv_stream_t* server, bool unix_socket, uint32_t keepalive_s);
  // Ends the connection; no event comes any more. Connect may be called again.
  void Close();

  void StartReading();
  void StopReading();

  // Writes as much of `out` as the socket takes now and arranges for the rest; `out` must live
  // until Close. Returns how many bytes were taken at once; 0 while an earlier write waits or on an
  // error (which comes as OnStreamEnd).
  size_t Flush(OutQueue* out);

  bool open() const { return handle_ != nullptr; }
  // "host:port" of either end; empty if not known.
  std::string PeerName() const;
  std::string LocalName() const;

 private:
  struct Handle;
  struct Resolve;

  void MakeHandle(bool unix_socket);
  void ConnectTo(const sockaddr* address, uint32_t keepalive_s);
  void Fail(int code);
  static void OnConnect(uv_connect_t* request, int status);
  static void OnAlloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer);
  static void OnRead(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer);
  static void OnWritten(uv_write_t* request, int status);
  static void OnFail(uv_timer_t* timer);

  uv_loop_t* loop_;
  UvStreamEvents* events_;
  Handle* handle_ = nullptr;    // freed by its close callback
  Resolve* resolve_ = nullptr;  // freed by its callback
};

// Is this libuv error code hard evidence that nobody serves there?
bool IsRefusal(int code);

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_STREAM_H_
