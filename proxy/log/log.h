// The process's log, by spdlog, with a limit on how many lines a second clients and nodes can
// cause.

#ifndef GEMEL_PROXY_LOG_LOG_H_
#define GEMEL_PROXY_LOG_LOG_H_

#include <string>

#include "backend/shard/shard.h"
#include "config/config.h"

namespace gemel {

// Opens the log: stderr, or a file that is rotated. False and *error (a sentence) if the file
// cannot be opened. Once, before any thread is started.
bool OpenLog(const LogConfig& config, std::string* error);

// The log goes there from now on, at that level. False and *error, and the log stays where it is,
// if the file cannot be opened. Any thread.
bool ChangeLog(const LogConfig& config, std::string* error);

// One line. Any thread. Above LineLimit's lines a second further ones are counted instead of
// written, and the count is told before the next that is.
void Log(NoteLevel level, const std::string& text);

// One that is written however many there are: its cause bounds them (a change of roles waits for
// the disk).
void LogAlways(NoteLevel level, const std::string& text);

// Writes out what is buffered.
void FlushLog();

}  // namespace gemel

#endif  // GEMEL_PROXY_LOG_LOG_H_
