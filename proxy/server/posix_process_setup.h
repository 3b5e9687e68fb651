// What the process needs of the system before it begins: standard streams, and no signal that ends
// it but those that are meant to.

#ifndef GEMEL_PROXY_SERVER_POSIX_PROCESS_SETUP_H_
#define GEMEL_PROXY_SERVER_POSIX_PROCESS_SETUP_H_

namespace gemel {

// Those of the three that are closed lead to /dev/null: else the next file that is opened would be
// one of them, and what is said on stderr would be written into it. First of all.
void OpenStandardStreams();

// Ignores every signal by which a supervisor, a shell or a limit would end or stop the process, but
// for SIGTERM, SIGINT and SIGQUIT, and those that tell of a fault in it (SIGSEGV, ...). SIGHUP
// waits until somebody takes it. One that is handled or ignored already stays so. Before any
// thread.
void IgnoreSignals();

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_POSIX_PROCESS_SETUP_H_
