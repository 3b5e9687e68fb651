// How much what has happened matters to an operator.

#ifndef GEMEL_BACKEND_EVENTS_NOTE_H_
#define GEMEL_BACKEND_EVENTS_NOTE_H_

#include <cstdint>

namespace gemel {

enum class NoteLevel : uint8_t { kInfo, kWarn, kError };

}  // namespace gemel

#endif  // GEMEL_BACKEND_EVENTS_NOTE_H_
