// What a link is told about its node and about how long to wait for it.

#ifndef GEMEL_BACKEND_LINK_LINK_OPTIONS_H_
#define GEMEL_BACKEND_LINK_LINK_OPTIONS_H_

#include <cstdint>
#include <string>

#include "backend/resp/reply_reader.h"

namespace gemel {

class OtherProxies;

struct LinkOptions {
  std::string name;  // the node's address
  std::string user;
  std::string password;
  // All items are about this one; 0: each about its own, and the link selects that.
  uint32_t database = 0;
  // How many databases clients may choose from; a node may have fewer.
  uint32_t databases = 1;
  // One that no client has, and of which none hears; 0: there is none.
  uint32_t hidden_database = 0;
  ReplyLimits limits;
  uint64_t max_reply = uint64_t{1} << 30;  // a larger one is not kept, twice as large ends the link
  uint32_t connect_timeout_ms = 1000;
  uint32_t request_timeout_ms = 5000;
  uint32_t reconnect_min_ms = 20;
  uint32_t reconnect_max_ms = 1000;
  // What the connection is called in the node's CLIENT LIST; empty: nothing.
  std::string client_name;
  // An earlier process may have been killed: what it had sent on connections of that name, and the
  // node has not read yet, is thrown away when the first connection is made.
  bool after_crash = false;
  // Who else may serve the node is looked for at each connection; null: nobody is looked for.
  OtherProxies* others = nullptr;
  bool newcomer = false;  // see OtherProxies::OnRival
  // The owner subscribes to channels: what they bring is no reply (see LinkOwner::OnLinkPush).
  bool subscriber = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_LINK_OPTIONS_H_
