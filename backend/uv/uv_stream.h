// One TCP or Unix-socket connection on a libuv loop: reads into a buffer of the owner's choice,
// writes an OutQueue without copying it. With TLS the owner sees no difference: it reads and writes
// plain bytes, from a buffer of the stream's own.

#ifndef GEMEL_BACKEND_UV_UV_STREAM_H_
#define GEMEL_BACKEND_UV_UV_STREAM_H_

#include <uv.h>

#include <cstdint>
#include <memory>
#include <string>

#include "backend/bytes/out_queue.h"
#include "backend/files/unique_fd.h"
#include "backend/tls/openssl_channel.h"
#include "backend/uv/uv_stream_group.h"
#include "config/address.h"

namespace gemel {

// What a connection tells its owner. Called on the loop's thread, never inside UvStream's methods.
class UvStreamEvents {
 public:
  virtual ~UvStreamEvents() = default;
  // Connect has succeeded; with TLS: and the handshake.
  virtual void OnStreamConnected() {}
  // Where the next bytes should go; *size at least 1. It stays there until OnStreamData, or until
  // the stream is closed. Null: anywhere.
  virtual char* OnStreamBuffer(size_t* size) = 0;
  // `size` bytes were read to that place, or to one that is good during this call.
  virtual void OnStreamData(char* data, size_t size) = 0;
  // The peer has said all it will, but may still listen. If this returns false the connection is
  // ended, with OnStreamEnd(UV_EOF); if true the owner closes it when it is done.
  virtual bool OnStreamInputEnd() { return false; }
  // It has, or the connection is over: told while nothing is read, after WatchHangUp, once.
  virtual void OnStreamHangUp() {}
  // The connection is over, or could not be made; nothing more is called. `code` is libuv's.
  virtual void OnStreamEnd(int code) = 0;
  // Of what Send was asked for, `bytes` were taken. (Called by UvStreamGroup::SendAll.)
  virtual void OnStreamSent(size_t bytes) { (void)bytes; }
  // The socket, which was full, takes more: send again.
  virtual void OnStreamWritable() = 0;
};

// Destroying it closes the connection. The loop must turn until its handles are closed.
class UvStream {
 public:
  // `group` and `events` outlive it.
  UvStream(UvStreamGroup* group, UvStreamEvents* events);
  ~UvStream();
  UvStream(const UvStream&) = delete;
  UvStream& operator=(const UvStream&) = delete;

  // Connects to an address in numbers, or to a Unix socket; a name is looked up by UvDial. Failures
  // come as OnStreamEnd. `tls`: what is spoken there; without one an address with TLS fails.
  void Connect(const Address& address, uint32_t keepalive_s,
               std::unique_ptr<OpensslChannel> tls = nullptr);
  // Takes a connection that was accepted, non-blocking. False if there is no memory for it. With
  // `tls` the owner hears nothing before the handshake has succeeded, and may ask to Send.
  bool Accept(UniqueFd socket, bool unix_socket, uint32_t keepalive_s,
              std::unique_ptr<OpensslChannel> tls = nullptr);
  // Ends the connection; no event comes any more. Connect may be called again.
  void Close();

  void StartReading();
  void StopReading();
  // Of one that is not read from: has the owner told when the peer will say no more. (That comes
  // behind what it said: it is not known before the kernel has room for all of that.)
  void WatchHangUp();

  // Has the group send what is in `out`, which lives until then or until Close. What the socket
  // does not take stays there until OnStreamWritable. False if there is nothing to send, or the
  // socket is full still.
  bool Send(OutQueue* out);

  bool open() const { return handle_ != nullptr; }
  // "host:port" of either end; empty if not known.
  std::string PeerName() const;
  std::string LocalName() const;
  // Bytes have come that were not read yet. A system call.
  bool HasInput() const;
  // The other end has not shaken hands yet.
  bool shaking() const {
    return tls_ != nullptr && tls_->state() == OpensslChannel::State::kShaking;
  }
  // Within OnStreamEnd, of its code: why, a phrase; `at_end` where the peer has closed it.
  std::string WhyEnded(int code, const char* at_end = "it closed the connection") const;
  // Within OnStreamEnd: why TLS has failed, a phrase; empty if it has not.
  const std::string& tls_error() const { return tls_error_; }

 private:
  friend class UvStreamGroup;
  struct Handle;

  bool MakeHandle(UniqueFd socket, bool unix_socket);
  void ConnectTo(const sockaddr* address, size_t size, uint32_t keepalive_s);
  void OnConnectEnd(int error);
  void Fail(int code);
  void FailToSend(int code);
  void FailNextTurn();
  void EnterReadable();
  void End(int code);
  // Has the loop watch for what is waited for now.
  void Watch();
  void EnterToSend();
  // --- with TLS (uv_stream_tls.cc) ---
  void BeginTls();
  // Bytes came. Returns what a read of plain ones would have: 0 is the end, an error of libuv's.
  ssize_t OnTlsBytes(const char* data, size_t size);
  void EndTls();
  int PrepareTlsSend(iovec* parts, size_t* count, size_t* bytes);
  void OnTlsSent(size_t bytes, ssize_t result);
  static void OnFail(uv_timer_t* timer);
  static void OnPoll(uv_poll_t* poll, int status, int events);

  // --- for the group ---
  // Where a receive is to go, if not to *place. Returns the socket.
  int PrepareReceive(iovec* place);
  void OnReceived(char* data, ssize_t result);
  // The front of what is to be sent. Returns the socket.
  int PrepareSend(iovec* parts, size_t most, size_t* count, size_t* bytes);
  void OnSent(size_t bytes, ssize_t result);

  UvStreamGroup* group_;
  UvStreamEvents* events_;
  Handle* handle_ = nullptr;  // freed by its close callback
  OutQueue* out_ = nullptr;
  std::unique_ptr<OpensslChannel> tls_;  // null: there is none
  std::string tls_error_;
  bool connects_ = false;
  size_t sealed_ = 0;  // of the front of *out_: is in what tls_ has to send
  size_t readable_at_ = UvStreamGroup::kNowhere;
  size_t to_send_at_ = UvStreamGroup::kNowhere;
  bool reading_ = false;
  bool hang_up_ = false;  // is to be told
  bool full_ = false;     // the socket: what is to be sent waits
};

// Is this libuv error code hard evidence that nobody serves there?
bool IsRefusal(int code);

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_STREAM_H_
