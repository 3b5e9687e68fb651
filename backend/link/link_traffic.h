// What a link counts of its node, over all its connections.

#ifndef GEMEL_BACKEND_LINK_LINK_TRAFFIC_H_
#define GEMEL_BACKEND_LINK_LINK_TRAFFIC_H_

#include <cstdint>
#include <memory>

#include "backend/link/answer_times.h"

namespace gemel {

struct LinkTraffic {
  uint64_t received_bytes = 0;  // from the node
  uint64_t sent_bytes = 0;      // to the node
  uint64_t error_replies = 0;
  uint64_t lost = 0;                     // connections that were up and ended
  uint64_t overdue = 0;                  // of these, given up since no answer came in time
  uint64_t now_us = 0;                   // for the answers that are read next, while they are timed
  std::unique_ptr<AnswerTimes> answers;  // null: nobody times them
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_LINK_TRAFFIC_H_
