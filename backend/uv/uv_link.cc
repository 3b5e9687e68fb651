#include "backend/uv/uv_link.h"

#include <utility>

#include "backend/tls/openssl_tls.h"

namespace gemel {

UvLink::UvLink(UvLinkContext* context, Link* link, Address address,
               std::shared_ptr<NodeAddresses> addresses, bool leads)
    : context_(context),
      link_(link),
      leads_(leads),
      stream_(context->streams, this),
      dial_(
          context->streams->loop(), address, std::move(addresses),
          [this, address](const Address& number) {
            stream_.Connect(number, context_->keepalive_s, TlsToNode(address));
          },
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

void UvLink::Flush() {
  link_->out().FlushDone();
  const size_t queued = link_->out().bytes();
  if (queued == 0) return;
  const Batching::Now now = batching_.Flush(queued, link_->line().bytes());
  if (now == Batching::Now::kHold) return;
  if (now == Batching::Now::kSendAndTime) batching_.OnAsked(uv_hrtime());
  stream_.Send(&link_->out());
}

void UvLink::Heard() {
  if (batching_.OnHeard(batching_.timing() ? uv_hrtime() : 0)) context_->dirty.push_back(this);
}

void UvLink::OnStreamConnected() {
  batching_.Forget();
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
  link_->OnClosed(stream_.WhyEnded(code, "the node closed the connection"), refused, NowMs());
}

}  // namespace gemel
