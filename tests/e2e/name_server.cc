#include "tests/e2e/name_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace gemel::e2e {

namespace {

constexpr size_t kHeader = 12;
constexpr char kTypeA = 1;
constexpr char kTypeAaaa = 28;

// The name in a question, and where the question ends: labels behind their lengths, then the type
// and the class.
std::string NameIn(const std::string& bytes, size_t* end) {
  std::string name;
  size_t at = kHeader;
  while (at < bytes.size() && bytes[at] != 0) {
    const size_t size = static_cast<unsigned char>(bytes[at]);
    if (!name.empty()) name += '.';
    name += bytes.substr(at + 1, size);
    at += 1 + size;
  }
  *end = std::min(at + 5, bytes.size());
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  return name;
}

// The data of a record; empty if the address is of the other kind.
std::string Record(const std::string& address, bool v4) {
  char bytes[16];
  if (inet_pton(v4 ? AF_INET : AF_INET6, address.c_str(), bytes) != 1) return {};
  const std::string data(bytes, v4 ? 4 : 16);
  std::string record("\xc0\x0c\0", 3);
  record += v4 ? kTypeA : kTypeAaaa;
  record += std::string("\0\1\0\0\0\0\0", 7);
  record += static_cast<char>(data.size());
  return record + data;
}

}  // namespace

NameServer::NameServer()
    : address_("127.53." + std::to_string(getpid() >> 8 & 255) + "." +
               std::to_string(1 + getpid() % 250)) {
  fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  inet_pton(AF_INET, address_.c_str(), &address.sin_addr);
  good_ = std::system("unshare --mount true 2> /dev/null") == 0 &&
          bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  // So long that no test's patience outlasts a question that is not answered.
  WriteFile(folder_.path() + "/resolv.conf",
            "nameserver " + address_ + "\noptions timeout:30 attempts:5\n");
  if (good_) thread_ = std::thread([this] { Work(); });
}

NameServer::~NameServer() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  close(fd_);
}

Words NameServer::Prefix() const {
  return {"unshare",
          "--mount",
          "--propagation",
          "private",
          "sh",
          "-c",
          "mount --bind " + folder_.path() + "/resolv.conf /etc/resolv.conf && exec \"$0\" \"$@\""};
}

void NameServer::Set(const std::string& name, const std::vector<std::string>& addresses) {
  const std::lock_guard<std::mutex> lock(mutex_);
  names_[name] = addresses;
}

void NameServer::SetSilent(bool silent) {
  const std::lock_guard<std::mutex> lock(mutex_);
  silent_ = silent;
}

void NameServer::SetSilent(const std::string& name, bool silent) {
  const std::lock_guard<std::mutex> lock(mutex_);
  silent_names_[name] = silent;
}

void NameServer::SetFailing(bool failing) {
  const std::lock_guard<std::mutex> lock(mutex_);
  failing_ = failing;
}

int NameServer::asked() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::accumulate(asked_.begin(), asked_.end(), 0,
                         [](int sum, const auto& entry) { return sum + entry.second; });
}

int NameServer::asked(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = asked_.find(name);
  return found == asked_.end() ? 0 : found->second;
}

int NameServer::waiting() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return static_cast<int>(waiting_.size());
}

bool NameServer::Receive(Query* query) const {
  pollfd poll_fd = {fd_, POLLIN, 0};
  if (poll(&poll_fd, 1, 10) <= 0) return false;
  query->bytes.assign(512, '\0');
  socklen_t size = sizeof(query->from);
  const ssize_t got = recvfrom(fd_, query->bytes.data(), query->bytes.size(), 0,
                               reinterpret_cast<sockaddr*>(&query->from), &size);
  if (got < static_cast<ssize_t>(kHeader) + 5) return false;
  query->bytes.resize(static_cast<size_t>(got));
  size_t end = 0;
  query->name = NameIn(query->bytes, &end);
  query->for_v4 = query->bytes[end - 3] == kTypeA;
  query->bytes.resize(end);
  return true;
}

bool NameServer::MayAnswer(const Query& query) const {
  const auto found = silent_names_.find(query.name);
  return !silent_ && (found == silent_names_.end() || !found->second);
}

std::string NameServer::ReplyTo(const Query& query) const {
  const auto found = names_.find(query.name);
  const bool known = found != names_.end() && !found->second.empty();
  std::string reply = query.bytes;
  reply[2] = '\x81';
  reply[3] = failing_ ? '\x82' : known ? '\x80' : '\x83';
  for (size_t i = 6; i < kHeader; ++i) reply[i] = 0;
  if (failing_ || !known) return reply;
  for (const std::string& address : found->second) {
    const std::string record = Record(address, query.for_v4);
    if (record.empty()) continue;
    ++reply[7];
    reply += record;
  }
  return reply;
}

void NameServer::Work() {
  while (!stop_) {
    Query query;
    const bool received = Receive(&query);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (received) {
      if (query.for_v4) ++asked_[query.name];
      waiting_.push_back(std::move(query));
    }
    std::erase_if(waiting_, [this](const Query& kept) {
      if (!MayAnswer(kept)) return false;
      const std::string reply = ReplyTo(kept);
      sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&kept.from),
             sizeof(kept.from));
      return true;
    });
  }
}

}  // namespace gemel::e2e
