// The process's log, by spdlog, with a limit on how many lines a second clients and nodes can
// cause.

#ifndef GEMEL_PROXY_LOG_LOG_H_
#define GEMEL_PROXY_LOG_LOG_H_

#include <cstdint>
#include <memory>
#include <string>

#include "backend/events/note.h"
#include "config/config.h"

namespace gemel {

// Opens the log: stderr, or a file that is rotated. False and *error (a sentence) if the file
// cannot be opened. Once, before any thread is started.
bool OpenLog(const LogConfig& config, std::string* error);

// A log that is open, to be used later.
class NextLog;
// Null and *error if the file cannot be opened. May block for long; any thread.
std::shared_ptr<NextLog> PrepareLog(const LogConfig& config, std::string* error);
// The log goes there from now on, at that level. Does not block. Any thread.
void UseLog(std::shared_ptr<NextLog> next);

// Writes into the file that is at the log's path now: the one before may have been renamed or
// deleted. False and *error (a sentence), and the log stays where it is, if it cannot be opened; it
// is tried again then. Blocks, for two seconds at most. Any thread.
bool ReopenLog(std::string* error);

// One line. Any thread. Above LineLimit's lines a second further ones are counted instead of
// written, and the count is told before the next that is.
void Log(NoteLevel level, const std::string& text);

// One that is written however many there are: its cause bounds them (a change of roles waits for
// the disk).
void LogAlways(NoteLevel level, const std::string& text);

// Waits until all that was logged is written, for two seconds at most: it is written by a thread of
// its own, so that nobody else waits for a file.
void FlushLog();

// Lines that were not written, for the file or stderr did not take them in time, or not at all.
// (The log says so, too, where they are missing.)
uint64_t LostLogLines();
// Why lines are lost now, a phrase; empty: none are.
std::string LogError();

}  // namespace gemel

#endif  // GEMEL_PROXY_LOG_LOG_H_
