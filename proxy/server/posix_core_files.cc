#include "proxy/server/posix_core_files.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace gemel {

void ForbidCoresUnlessAsked() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur > 0) return;
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace gemel
