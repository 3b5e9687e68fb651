// What the owner of a shard says outside of replies to a worker of the member that asked for it:
// messages of channels, and what changed of keys that are tracked. Each is a frame of its own
// (peer_codec.h), in one order with the replies of its link.

#ifndef GEMEL_PROXY_PEERS_PEER_PUSH_H_
#define GEMEL_PROXY_PEERS_PEER_PUSH_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "backend/shard/tracking_sink.h"
#include "proxy/tracking/tracking_batch.h"

namespace gemel {

// A member has no worker of that number or above.
inline constexpr uint32_t kMostPeerWorkers = 1024;

// Whole arrays of RESP2, one behind the other, up to the link's limit of a frame.
void AppendPeerMessages(uint32_t worker, std::string_view messages, std::string* out);
// Of a frame without its length. False: it is bad.
bool ReadPeerMessages(std::string_view body, uint32_t* worker, std::string_view* messages);

// `number_of` gives the asker's number of a session of this process; 0: it is none of the asker's,
// and what is for it alone is left out.
void AppendPeerChanges(uint32_t worker, const TrackingBatch& batch,
                       const std::function<uint32_t(uint32_t session)>& number_of,
                       std::string* out);
// Tells the sink what is in it, for one of so many workers. False: it is bad, and the sink has been
// told a part at most.
bool ReadPeerChanges(std::string_view body, uint32_t workers, TrackingSink* sink);

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_PEER_PUSH_H_
