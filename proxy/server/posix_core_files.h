// Whether the process leaves a core behind, in which its passwords and what clients keep could be
// read.

#ifndef GEMEL_PROXY_SERVER_POSIX_CORE_FILES_H_
#define GEMEL_PROXY_SERVER_POSIX_CORE_FILES_H_

namespace gemel {

// Whoever wants core files has said so by their limit (ulimit -c, LimitCORE=): unless the soft one
// is above 0 there are none from here on, also for handlers in core_pattern that are given them
// whatever the limit is, and however it is raised later. Then nobody but root may look into the
// process, either. Before any thread.
void ForbidCoresUnlessAsked();

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_POSIX_CORE_FILES_H_
