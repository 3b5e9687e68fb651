// The journal of systemd as where the log goes.

#ifndef GEMEL_PROXY_LOG_POSIX_JOURNAL_H_
#define GEMEL_PROXY_LOG_POSIX_JOURNAL_H_

namespace gemel {

// Is standard error the journal's, as systemd says in JOURNAL_STREAM? (Not if it was led elsewhere
// since.) Then a line is to begin with its priority, "<4>", and has no need of a time of its own.
bool StderrIsJournal();

}  // namespace gemel

#endif  // GEMEL_PROXY_LOG_POSIX_JOURNAL_H_
