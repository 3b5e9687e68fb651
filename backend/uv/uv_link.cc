#include "backend/uv/uv_link.h"

#include <algorithm>
#include <utility>

namespace gemel {

namespace {

// So much is written at once in any case.
constexpr size_t kBatchBytes = 4096;
// A node that answers sooner is near.
constexpr uint64_t kNearNs = 500 * 1000;

}  // namespace

UvLink::UvLink(UvLinkContext* context, Link* link, Address address,
               std::shared_ptr<NodeAddresses> addresses, bool leads)
    : context_(context),
      link_(link),
      leads_(leads),
      stream_(context->streams, this),
      dial_(
          context->streams->loop(), std::move(address), std::move(addresses),
          [this](const Address& number) { stream_.Connect(number, context_->keepalive_s); },
          [this](const std::string& why) {
            link_->OnClosed("its host name cannot be resolved: " + why, false, NowMs());
          }) {}

UvLink::~UvLink() {
  std::erase(context_->dirty, this);
  if (connected_ && leads_) dial_.addresses().Release();
}

void UvLink::Connect() { dial_.Begin(); }

void UvLink::Close() {
  Lost();
  dial_.Stop();
  stream_.Close();
}

// Who accepts a connection and then is no node to be used has not worked: another address may.
void UvLink::Lost() {
  if (!std::exchange(connected_, false)) return;
  NodeAddresses& addresses = dial_.addresses();
  if (leads_) addresses.Release();
  if (!link_->up()) {
    addresses.OnFailed(dial_.number(), UvNames::NowMs());
    addresses.OnAllFailed(UvNames::NowMs());
  }
}

// Under load from many clients a turn brings only a few requests for a node, and each write costs a
// system call here and, worse, a wake-up there. So while the node has something unanswered, little
// output is collected until it has answered (what J. Nagle's algorithm does for a TCP connection,
// RFC 896): one batch is on its way, the next one grows. Only if the node is near: a request waits
// for less than one of its answers.
void UvLink::Flush() {
  link_->FlushDone();
  const size_t queued = link_->out().bytes();
  if (queued == 0) return;
  const bool idle = link_->pending_bytes() == queued;
  held_ = !idle && !rest_ && queued < kBatchBytes && answer_ns_ < kNearNs && answer_ns_ != 0;
  if (held_) return;
  rest_ = false;
  if (idle) asked_ns_ = uv_hrtime();
  stream_.Send(&link_->out());
}

void UvLink::Heard() {
  if (asked_ns_ != 0) {
    const uint64_t took_ns = std::max<uint64_t>(uv_hrtime() - asked_ns_, 1);
    answer_ns_ = answer_ns_ == 0 ? took_ns : (answer_ns_ * 7 + took_ns) / 8;
    asked_ns_ = 0;
  }
  if (held_) {
    held_ = false;
    context_->dirty.push_back(this);
  }
}

void UvLink::OnStreamConnected() {
  held_ = rest_ = false;
  asked_ns_ = answer_ns_ = 0;
  connected_ = true;
  const bool moved = leads_ && dial_.addresses().Hold(dial_.number());
  dial_.Connected();
  if (on_connected_) on_connected_(moved);
  link_->OnConnected(NowMs());
}

char* UvLink::OnStreamBuffer(size_t* size) {
  char* direct = link_->DirectSpace(size);
  direct_ = direct != nullptr;
  return direct;
}

void UvLink::OnStreamData(char* data, size_t size) {
  Heard();
  if (direct_) {
    link_->OnDirect(size, NowMs());
  } else {
    link_->OnData(data, size, NowMs());
  }
}

void UvLink::OnStreamEnd(int code) {
  bool refused = IsRefusal(code);
  if (!connected_) {
    if (dial_.Failed(refused)) return;
    refused = dial_.all_refused();
  }
  Lost();
  std::string reason = code == UV_EOF ? "the node closed the connection" : uv_strerror(code);
  link_->OnClosed(reason, refused, NowMs());
}

}  // namespace gemel
