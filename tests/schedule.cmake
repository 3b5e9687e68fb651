# When ctest starts what, if several tests run at once (included when it begins): the long ones first, so that
# none is left for the end, and of those that take a whole core, or much memory, one at a time.

set(all ${sim_tests_TESTS} ${io_tests_TESTS} ${e2e_tests_TESTS} ${many_reloads})

# schedule(REGEX PROPERTIES...): those properties for the tests whose names match.
function(schedule regex)
  foreach(test ${all})
    if(test MATCHES "${regex}")
      set_tests_properties(${test} PROPERTIES ${ARGN})
    endif()
  endforeach()
endfunction()

# CPU time alone, as what is added with compute().
schedule("^sim\\." COST 100 RESOURCE_LOCK core0)
schedule("^e2e\\.LargeValue\\.|HostileRequests\\.MemoryOfClients|^e2e\\.Memory(Faults)?\\." COST 60 RESOURCE_LOCK memory)
schedule("^e2e\\.(Soak|.*/ReloadMany)\\." COST 60)
# It wants half of the places: at the beginning, or else at the end, for in between they are never free at once.
# Two trees that are tested at the same time have it at different ends.
set(cost 200)
if("$ENV{GEMEL_SOAK}" STREQUAL last)
  set(cost 1)
endif()
schedule("^e2e\\.Soak\\.Hostile" COST ${cost} PROCESSORS 4)
# They write as fast as they can.
schedule("^e2e\\.(RemovalsAndFaults|Evictions)\\." COST 50)
# 8 to 20 seconds, mostly of waiting.
schedule("^e2e\\.(CopyByKeys|NodeRights|HungFiles|OddConfigFile|TwoProxies|BusyPair|MixedVersions|FleetRaft|FleetTls)\\." COST 40)
schedule("/(Busy|Pausing|ReloadFaults)\\.|\\.GuessesOfAnAddressAreSlow|^e2e\\.Names\\." COST 40)
# Many clients that write as fast as they can, or large values under a sanitizer: one of them at a time.
schedule("/(BlockFaults|CounterFaults|TransactionsAtomicity|Convergence)\\.|OfLargeValues|OfManyClientsAtOnce" COST 30
         RESOURCE_LOCK transactions)
schedule("^e2e\\.(Hang|Pause|Control|Adoption|ProxyRestart|.*/Upgrade)|/Reload" COST 20)
# A browser each.
schedule("^e2e\\.StatusPage\\." COST 30 RESOURCE_LOCK browser)
