#include "tests/e2e/client.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <stdexcept>

namespace gemel::e2e {
namespace {

constexpr timeval kConnect = {10, 0};

Reply Convert(const redisReply& from) {
  Reply reply;
  switch (from.type) {
    case REDIS_REPLY_STATUS:
      reply.kind = Reply::Kind::kStatus;
      reply.bytes.assign(from.str, from.len);
      break;
    case REDIS_REPLY_ERROR:
      reply.kind = Reply::Kind::kError;
      reply.bytes.assign(from.str, from.len);
      break;
    case REDIS_REPLY_INTEGER:
      reply.kind = Reply::Kind::kInteger;
      reply.integer = from.integer;
      break;
    case REDIS_REPLY_NIL:
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = Reply::Kind::kArray;
      for (size_t i = 0; i < from.elements; ++i) reply.items.push_back(Convert(*from.element[i]));
      break;
    default:
      reply.kind = Reply::Kind::kBulk;
      reply.bytes.assign(from.str, from.len);
      break;
  }
  return reply;
}

}  // namespace

std::string Reply::Text() const {
  switch (kind) {
    case Kind::kStatus:
    case Kind::kBulk:
      return bytes;
    case Kind::kError:
      return "-" + bytes;
    case Kind::kInteger:
      return ":" + std::to_string(integer);
    case Kind::kNil:
      return "(nil)";
    case Kind::kArray:
      break;
  }
  std::string text = "[";
  for (const Reply& item : items) {
    if (text.size() > 1) text += ' ';
    text += item.Text();
  }
  return text + "]";
}

const Reply& Reply::Field(std::string_view name) const {
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].bytes == name) return items[i + 1];
  }
  throw std::runtime_error("no field " + std::string(name) + " in " + Text());
}

Client::Client(uint16_t port)
    : Client(redisConnectWithTimeout("127.0.0.1", port, kConnect), "port " + std::to_string(port)) {
}

Client Client::OnAddress(const std::string& host, uint16_t port) {
  return Client(redisConnectWithTimeout(host.c_str(), port, kConnect),
                host + ":" + std::to_string(port));
}

Client Client::OnUnixSocket(const std::string& path) {
  return Client(redisConnectUnixWithTimeout(path.c_str(), kConnect), path);
}

Client::Client(redisContext* context, const std::string& name) : context_(context) {
  if (context_ == nullptr || context_->err != 0) {
    throw std::runtime_error("connect to " + name + ": " +
                             (context_ ? context_->errstr : "no memory"));
  }
  const timeval patience = {60, 0};
  redisSetTimeout(context_.get(), patience);
}

Reply Client::Run(const Words& words) {
  Append(words);
  return Read();
}

void Client::Append(const Words& words) {
  std::vector<const char*> data;
  std::vector<size_t> sizes;
  for (const std::string& word : words) {
    data.push_back(word.data());
    sizes.push_back(word.size());
  }
  if (redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), data.data(),
                             sizes.data()) != REDIS_OK) {
    throw std::runtime_error(std::string("append: ") + context_->errstr);
  }
}

Reply Client::Read() {
  void* raw = nullptr;
  if (redisGetReply(context_.get(), &raw) != REDIS_OK || raw == nullptr) {
    throw std::runtime_error(std::string("read: ") + context_->errstr);
  }
  auto* reply = static_cast<redisReply*>(raw);
  Reply converted = Convert(*reply);
  freeReplyObject(reply);
  return converted;
}

void Client::Flush() {
  for (int done = 0; done == 0;) {
    if (redisBufferWrite(context_.get(), &done) != REDIS_OK) {
      throw std::runtime_error(std::string("write: ") + context_->errstr);
    }
  }
}

bool Client::IsClosed() {
  void* raw = nullptr;
  const bool closed =
      redisGetReply(context_.get(), &raw) != REDIS_OK && context_->err == REDIS_ERR_EOF;
  if (raw != nullptr) freeReplyObject(raw);
  return closed;
}

bool Client::Leave() { return shutdown(context_->fd, SHUT_WR) == 0 && IsClosed(); }

}  // namespace gemel::e2e
