#include "backend/uv/uv_link.h"

#include <algorithm>

namespace gemel {

UvLink::UvLink(UvLinkContext* context, Link* link, Address address)
    : context_(context), link_(link), address_(std::move(address)), stream_(context->loop, this) {}

UvLink::~UvLink() { std::erase(context_->dirty, this); }

void UvLink::Connect() { stream_.Connect(address_, context_->keepalive_s); }

void UvLink::Close() { stream_.Close(); }

void UvLink::Flush() {
  link_->FlushDone();
  stream_.Flush(&link_->out());
}

void UvLink::OnStreamConnected() { link_->OnConnected(NowMs()); }

char* UvLink::OnStreamBuffer(size_t* size) {
  if (char* direct = link_->DirectSpace(size)) {
    direct_ = true;
    return direct;
  }
  direct_ = false;
  *size = context_->read_buffer.size();
  return context_->read_buffer.data();
}

void UvLink::OnStreamData(char* data, size_t size) {
  if (direct_) {
    link_->OnDirect(size, NowMs());
  } else {
    link_->OnData(data, size, NowMs());
  }
}

void UvLink::OnStreamEnd(int code) {
  std::string reason = code == UV_EOF ? "the node closed the connection" : uv_strerror(code);
  link_->OnClosed(reason, IsRefusal(code), NowMs());
}

}  // namespace gemel
