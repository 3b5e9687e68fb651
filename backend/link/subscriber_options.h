// What a link is told that subscribes to what a node says of its own accord, beside the main link.

#ifndef GEMEL_BACKEND_LINK_SUBSCRIBER_OPTIONS_H_
#define GEMEL_BACKEND_LINK_SUBSCRIBER_OPTIONS_H_

#include <string_view>

#include "backend/link/link_options.h"

namespace gemel {

// Of the main link's `options`. `name_end`: what its name in CLIENT LIST ends with, one of those
// that other_proxies.cc knows.
inline LinkOptions SubscriberOptions(LinkOptions options, std::string_view name_end) {
  if (!options.client_name.empty()) options.client_name += name_end;
  options.after_crash = false;
  options.others = nullptr;  // the main link looks for them
  options.subscriber = true;
  return options;
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_SUBSCRIBER_OPTIONS_H_
