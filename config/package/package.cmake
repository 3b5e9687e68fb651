# What is installed and where, and the .deb of it. Paths that stand in files (the unit, the man pages) are those of
# the configuration: for a package of Debian -DCMAKE_INSTALL_PREFIX=/usr, by which the others become /etc and /var.

include(GNUInstallDirs)

set(package_folder ${CMAKE_CURRENT_LIST_DIR})
set(made ${CMAKE_BINARY_DIR}/installed)

set(GEMEL_BINARY ${CMAKE_INSTALL_FULL_BINDIR}/gemel)
set(config_folder ${CMAKE_INSTALL_FULL_SYSCONFDIR}/gemel)
set(GEMEL_CONFIG ${config_folder}/gemel.toml)
# Of systemd's StateDirectory, whatever the prefix.
set(GEMEL_STATE_FOLDER /var/lib/gemel)

configure_file(${package_folder}/gemel.service.in ${made}/gemel.service @ONLY)
configure_file(${package_folder}/gemel.sysusers.in ${made}/gemel.conf @ONLY)

# The service's file: the example, with a folder of its own for the state.
set(relative_state [[state_dir = "state"          #]])
set(absolute_state "state_dir = \"${GEMEL_STATE_FOLDER}\" #")
string(FIND "${GEMEL_EXAMPLE_CONFIG}" "${relative_state}" found)
if(found EQUAL -1)
  message(FATAL_ERROR "config/gemel.toml has no line ${relative_state}")
endif()
string(REPLACE "${relative_state}" "${absolute_state}" service_config "${GEMEL_EXAMPLE_CONFIG}")
file(CONFIGURE OUTPUT ${made}/gemel.toml CONTENT "@service_config@" @ONLY)

# The page of the file is made of the file.
find_program(AWK awk REQUIRED)
find_program(GZIP gzip REQUIRED)
configure_file(${package_folder}/gemel.1.in ${made}/gemel.1 @ONLY)
configure_file(${package_folder}/gemel.toml.5.in ${made}/gemel.toml.5.begin @ONLY)
execute_process(COMMAND ${AWK} -f ${package_folder}/toml_man.awk ${CMAKE_SOURCE_DIR}/config/gemel.toml
                OUTPUT_VARIABLE options COMMAND_ERROR_IS_FATAL ANY)
file(READ ${made}/gemel.toml.5.begin begin)
file(READ ${package_folder}/gemel.toml.5.end end)
file(CONFIGURE OUTPUT ${made}/gemel.toml.5 CONTENT "@begin@@options@@end@" @ONLY)
foreach(page gemel.1 gemel.toml.5)
  execute_process(COMMAND ${GZIP} -9 -n -k -f ${made}/${page} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${package_folder}/toml_man.awk ${package_folder}/gemel.toml.5.end)

install(TARGETS gemel RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${made}/gemel.toml DESTINATION ${config_folder})
install(FILES ${made}/gemel.service DESTINATION lib/systemd/system)
install(FILES ${made}/gemel.conf DESTINATION lib/sysusers.d)
install(FILES ${made}/gemel.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${made}/gemel.toml.5.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES ${package_folder}/gemel.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME gemel)
# The page and those that it links to, which lie as they do here, so that the links hold.
install(FILES ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
foreach(page backend/acl/USERS.md backend/command/COMMANDS.md backend/fleet/FLEET.md backend/tls/TLS.md
             proxy/CLIENTS.md proxy/WHAT_HAPPENS.md proxy/reload/RELOADING.md proxy/server/OPERATING.md
             proxy/tracking/CLIENT_CACHING.md scripts/FIGURES.md)
  cmake_path(GET page PARENT_PATH folder)
  install(FILES ${CMAKE_SOURCE_DIR}/${page} DESTINATION ${CMAKE_INSTALL_DOCDIR}/${folder})
endforeach()

# What is installed is gemel, which is built by its name: not the tests.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME gemel)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The gemel developers <gemel@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Redis-protocol cache proxy that keeps two equal copies of every key")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Clients see one Redis. Behind it stand shards, each a primary and its replicas on\n\
ordinary Redis servers. gemel hashes keys onto the shards, sends every write to all\n\
copies in one order, promotes a replica when a primary dies, and makes what missed a\n\
write equal again before it serves.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# It is loaded by name, so the list of shared libraries does not have it.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, libcurl4")
if(GEMEL_RAFT)
  # Its list of symbols does not tell that an older one breaks what it promises.
  string(APPEND CPACK_DEBIAN_PACKAGE_DEPENDS ", libraft0 (>= 0.22)")
endif()
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "redis-server, redis-tools")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${package_folder}/postinst ${package_folder}/prerm ${package_folder}/postrm ${package_folder}/conffiles)
include(CPack)
