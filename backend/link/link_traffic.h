// What a link counts of its node, over all its connections.

#ifndef GEMEL_BACKEND_LINK_LINK_TRAFFIC_H_
#define GEMEL_BACKEND_LINK_LINK_TRAFFIC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "backend/link/answer_times.h"

namespace gemel {

struct LinkTraffic {
  // Bytes came, by which all up to that place in line is answered.
  void OnCame(size_t bytes, uint64_t answered_place) {
    received_bytes += bytes;
    if (answers != nullptr) [[unlikely]]
      answers->OnAnswered(answered_place, now_us);
  }
  // --- the transport's, while somebody wants to know how long the node takes (else: Untimed) ---
  // All up to that place in line is on its way, at that time of any clock. Where there is no memory
  // it is not timed.
  void OnFlushed(uint64_t last_place, uint64_t answered_place, uint64_t at_us) {
    if (answers == nullptr) answers.reset(new (std::nothrow) AnswerTimes());
    if (answers != nullptr) answers->OnSent(last_place, answered_place, at_us);
  }
  // What comes next comes at that time.
  void AnswersComeAt(uint64_t at_us) { now_us = at_us; }
  void Untimed() { answers.reset(); }

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
