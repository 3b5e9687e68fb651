// A link's transport for unit tests: records what was asked of it, and lets the test be the node.

#ifndef GEMEL_TESTS_UNIT_FAKE_TRANSPORT_H_
#define GEMEL_TESTS_UNIT_FAKE_TRANSPORT_H_

#include <string>

#include "backend/link/link.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

class FakeTransport : public LinkTransport {
 public:
  void Connect() override { ++connects; }
  void Close() override { ++closes; }
  void WantFlush() override { ++flushes; }

  // Takes what was sent.
  std::string Sent(Link* link) {
    std::string bytes;
    link->out().ForEach([&bytes](const char* data, size_t size) {
      bytes.append(data, size);
      return true;
    });
    link->out().Consume(bytes.size());
    link->out().FlushDone();
    return bytes;
  }
  // The connection takes so many bytes, and no more.
  static void Take(Link* link, size_t bytes, uint64_t now_ms) {
    link->out().Consume(bytes);
    link->OnTaken(bytes, now_ms);
  }

  int connects = 0;
  int closes = 0;
  int flushes = 0;
};

inline void Answer(Link* link, const std::string& bytes, uint64_t now_ms = 0) {
  link->OnData(bytes.data(), bytes.size(), now_ms);
}

// The replies to PING, INFO server, CLIENT ID, CONFIG GET of limits, ROLE and DBSIZE, and to MULTI,
// EXEC and HELLO 3, which the node does not know, and a subscriber does not say. `databases`: the
// link has several. `fsync`: it writes an AOF, and that is what CONFIG GET appendfsync says, and
// `on_rewrite` what no-appendfsync-on-rewrite is.
inline std::string HandshakeReplies(const std::string& run_id, uint64_t keys = 0,
                                    bool is_replica = false, const std::string& fsync = "",
                                    const std::string& on_rewrite = "no", bool subscriber = false,
                                    bool databases = false) {
  std::string out = "+PONG\r\n";
  AppendBulk(&out, "# Server\r\nredis_version:7.0.15\r\nrun_id:" + run_id + "\r\n" +
                       (fsync.empty() ? "" : "aof_enabled:1\r\n"));
  out += ":7\r\n";
  if (!fsync.empty()) {
    out += "*2\r\n";
    AppendBulk(&out, "appendfsync");
    AppendBulk(&out, fsync);
    out += "*2\r\n";
    AppendBulk(&out, "no-appendfsync-on-rewrite");
    AppendBulk(&out, on_rewrite);
  }
  out += "*0\r\n*0\r\n*0\r\n";  // limits
  out += is_replica ? "*3\r\n$5\r\nslave\r\n:0\r\n*0\r\n" : "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";
  AppendInteger(&out, static_cast<int64_t>(keys));
  if (databases) {  // INFO keyspace, SELECT of the last one and back
    AppendBulk(&out, "# Keyspace\r\ndb0:keys=" + std::to_string(keys) + ",expires=0\r\n");
    out += "+OK\r\n+OK\r\n";
  }
  if (!subscriber) out += "+OK\r\n*0\r\n-ERR unknown command 'HELLO'\r\n";
  return out;
}
inline std::string SubscriberHandshake(const std::string& run_id) {
  return HandshakeReplies(run_id, 0, false, "", "no", /*subscriber=*/true);
}

// Makes the connection and answers the handshake, also where the link ends an older connection
// first.
inline void MakeUp(Link* link, FakeTransport* transport, const std::string& replies,
                   uint64_t now_ms = 0) {
  link->OnConnected(now_ms);
  transport->Sent(link);
  Answer(link, replies, now_ms);
  // What the handshake asked for on the way.
  if (transport->Sent(link).find("KILL") != std::string::npos) Answer(link, ":1\r\n", now_ms);
}

inline std::string Command(std::vector<std::string_view> args) {
  std::string out;
  AppendCommand(&out, args);
  return out;
}

}  // namespace gemel

#endif  // GEMEL_TESTS_UNIT_FAKE_TRANSPORT_H_
