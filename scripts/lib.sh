# What the scripts of this folder share: sourced by them, not run. Packages are named here and nowhere else.
# shellcheck shell=bash disable=SC2034

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

packages_build=(g++ cmake make ninja-build pkg-config libuv1-dev liburing-dev libhiredis-dev
  libspdlog-dev libtomlplusplus-dev libgtest-dev libxxhash-dev libcli11-dev libssl-dev
  liblzf-dev libcurl4-openssl-dev nlohmann-json3-dev libzookeeper-st-dev
  libcivetweb-dev)
# Of the backports of this Debian: the suite itself has an older one, which breaks what it promises.
packages_backports=(libraft-dev)
# What a .deb is packed with.
packages_package=("${packages_build[@]}" dpkg-dev file)
packages_run=("${packages_build[@]}" redis-server redis-tools)
packages_fuzz=("${packages_build[@]}" clang libclang-rt-14-dev)
# The engines that a fleet can agree by. The tests start servers of their own.
packages_engines=(etcd-server zookeeper default-jre-headless)
# Clients of other languages, and what is built on them, that the tests use.
packages_clients=(python3 python3-redis python3-celery ruby-redis php-cli php-redis libredis-perl
  prometheus-redis-exporter)
# What looks at what is installed: its unit, its pages, its package.
packages_installed=("${packages_package[@]}" systemd man-db groff-base debootstrap)
packages_test=("${packages_run[@]}" "${packages_fuzz[@]}" "${packages_clients[@]}" "${packages_engines[@]}" ccache
  ca-certificates spin gcc openssl curl prometheus chromium "${packages_installed[@]}")
packages_bench=("${packages_run[@]}" python3 nutcracker haproxy stunnel4 openssl)
packages_faults=("${packages_run[@]}" python3 nutcracker iproute2)
packages_format=(clang-format)
# Those of Debian 13, which speak RESP3. They are unpacked under build/.
newer_clients=(python3-redis ruby-redis ruby-redis-client ruby-connection-pool)
# Those of npm, each NAME@VERSION or ALIAS@npm:NAME@VERSION.
npm_clients=(ioredis@5.4.1 @redis/client@5.9.0 bee-queue@2.0.0 bullmq@6.7.0 redis@6.3.1 redis4@npm:redis@4.7.1
  connect-redis@9.0.0 express-session@1.19.0 rate-limiter-flexible@11.4.0 redlock@5.0.0-beta.2)

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$(basename "$0"): $*"
  exit 1
}

# install_packages GROUP: installs those of packages_GROUP that are missing.
install_packages() {
  local -n wanted="packages_$1"
  local missing=() package
  for package in "${wanted[@]}"; do
    if [[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]]; then
      missing+=("$package")
    fi
  done
  if [[ "$1" == test ]]; then
    # Node.js often comes from elsewhere than Debian; then it brings its own npm.
    command -v node >/dev/null || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
  fi
  if ((${#missing[@]})); then apt_install "${missing[@]}"; fi
  [[ "$1" == format ]] || install_backports
}

# debian_mirror: where this machine's own package sources say that Debian is: the address and "signed-by" of the first
# that has the suite $1.
debian_mirror() {
  local suite="$1" files=() file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    if [[ -r "$file" && "$file" != */gemel-* ]]; then files+=("$file"); fi
  done
  if ((!${#files[@]})); then return; fi
  awk -v suite="$suite" '
    function reset() { uri = ""; suites = ""; key = "" }
    function give() { if (!found && uri != "" && (" " suites " ") ~ (" " suite " ")) { print uri, key; found = 1 } }
    FNR == 1 { give(); reset() }
    /^[[:space:]]*$/ { give(); reset() }
    FILENAME ~ /\.sources$/ && /^URIs:/ { uri = $2 }
    FILENAME ~ /\.sources$/ && /^Suites:/ { $1 = ""; suites = $0 }
    FILENAME ~ /\.sources$/ && /^Signed-By:/ { key = $2 }
    FILENAME !~ /\.sources$/ && /^deb[[:space:]]/ {
      line = $0; options = ""
      if (match(line, /\[[^]]*\]/)) { options = substr(line, RSTART, RLENGTH); sub(/\[[^]]*\] */, "", line) }
      split(line, word, /[[:space:]]+/)
      uri = word[2]; suites = word[3]; key = ""
      if (match(options, /signed-by=[^] ]*/)) key = substr(options, RSTART + 10, RLENGTH - 10)
      give(); reset()
    }
    END { give() }' "${files[@]}"
}

# Without them gemel is built without the engine "raft".
install_backports() {
  local package missing=() codename suite mirror key sudo=()
  for package in "${packages_backports[@]}"; do
    if [[ "$(dpkg-query -W -f='${db:Status-Status} ${Version}' "$package" 2>/dev/null)" != "installed "*~bpo* ]]; then
      missing+=("$package")
    fi
  done
  if ((!${#missing[@]})) || pkg-config --atleast-version=0.22 raft 2>/dev/null; then return; fi
  # shellcheck source=/dev/null
  codename="$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")"
  suite="$codename-backports"
  read -r mirror key <<<"$(debian_mirror "$codename")"
  if [[ -z "$mirror" ]]; then
    say "no package source of this machine has Debian's $codename: gemel is built without the engine \"raft\""
    return
  fi
  if ((EUID != 0)); then sudo=(sudo); fi
  # A file of its own, from which nothing that is installed is taken, or upgraded.
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n%s' "$mirror" "$suite" "${key:+Signed-By: $key
}" | "${sudo[@]}" tee /etc/apt/sources.list.d/gemel-backports.sources >/dev/null
  printf 'Package: *\nPin: release n=%s\nPin-Priority: 1\n\nPackage: %s libraft0\nPin: release n=%s\nPin-Priority: 500\n' \
    "$suite" "${packages_backports[*]}" "$suite" | "${sudo[@]}" tee /etc/apt/preferences.d/gemel-backports >/dev/null
  if ! (apt_install "${missing[@]}") || ! pkg-config --atleast-version=0.22 raft; then
    say "$mirror has no $suite with ${missing[*]}: gemel is built without the engine \"raft\""
    "${sudo[@]}" rm -f /etc/apt/sources.list.d/gemel-backports.sources /etc/apt/preferences.d/gemel-backports
  fi
}

# Debian's redis-server, nutcracker, haproxy, etcd-server and the exporter start a service when they are installed, and
# at every boot: redis on port 6379, where something of the user's may listen. The scripts need the programs alone. So
# policy-rc.d forbids the start during the installation, and services that it brought are disabled.
apt_install() {
  local sudo=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "run as root: apt-get install $*"
    sudo=(sudo)
  fi
  say "installing: $*"
  local policy=/usr/sbin/policy-rc.d made_policy=0 status=0 service
  if [[ ! -e "$policy" ]]; then
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
    "${sudo[@]}" chmod 755 "$policy"
    made_policy=1
  fi
  {
    "${sudo[@]}" apt-get update -q &&
      "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "$@"
  } >&2 || status=$?
  if ((made_policy)); then "${sudo[@]}" rm -f "$policy"; fi
  ((status == 0)) || die "apt-get could not install: $*"
  for service in redis-server nutcracker haproxy stunnel4 prometheus-redis-exporter prometheus etcd; do
    if [[ " $* " == *" $service"[\ -]* ]] && command -v systemctl >/dev/null; then
      "${sudo[@]}" systemctl disable -q "$service" >/dev/null 2>&1 || true
    fi
  done
}

# fetch_packages FOLDER SUITE PACKAGE...: of another suite of Debian, unpacked in that folder and not installed, so
# that no service starts and the system keeps its packages and their sources.
fetch_packages() {
  local folder="$1" suite="$2" apt="$1/apt" package
  shift 2
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  printf 'deb [signed-by=%s] %s %s main\n' \
    /usr/share/keyrings/debian-archive-keyring.gpg http://deb.debian.org/debian "$suite" >"$apt/suite.list"
  local options=(-q -o "Dir::Etc::sourcelist=$apt/suite.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache")
  say "fetching: $*, from $suite, into ${folder#"$root/"}"
  (
    cd "$apt" && apt-get "${options[@]}" update &&
      apt-get "${options[@]}" download "$@" &&
      for package in ./*.deb; do dpkg -x "$package" "$folder"; done
  ) >&2
}

# Tests of nodes of different versions need a newer server beside Debian 12's Redis: its backports have
# Valkey 8. What it links to comes with redis-tools.
install_valkey() {
  local folder="$root/build/valkey"
  if [[ -x "$folder/usr/bin/valkey-server" ]] || command -v valkey-server >/dev/null; then return; fi
  fetch_packages "$folder" bookworm-backports valkey-server valkey-tools ||
    say "Valkey could not be fetched; the tests of nodes of different versions will fail"
}

install_newer_clients() {
  local folder="$root/build/debian13"
  if [[ -d "$folder/usr/lib/python3/dist-packages/redis" &&
    -d "$folder/usr/share/rubygems-integration/all/gems/redis-client-0.22.2" ]]; then return; fi
  fetch_packages "$folder" trixie "${newer_clients[@]}" ||
    say "newer redis-py and Ruby clients could not be fetched; their tests will fail"
}

# Without the npm registry they cannot be installed, and their tests fail and say so: a client that was not tried is no
# client that works.
install_npm_clients() {
  local client name have lacking=0
  for client in "${npm_clients[@]}"; do
    name="${client%@*}"
    have="$root/build/clients/node_modules/${name%@npm:*}/package.json"
    [[ -f "$have" ]] && grep -qE "\"version\": \"v?${client##*@}\"" "$have" || lacking=1
  done
  if ((!lacking)); then return; fi
  mkdir -p "$root/build/clients"
  npm install --no-save --no-audit --no-fund --prefix "$root/build/clients" "${npm_clients[@]}" >&2 ||
    say "the clients of npm could not be installed; their tests will fail"
}

# configure FOLDER [cmake options]: in a folder under build/, with Ninja and, if installed, ccache.
configure() {
  local folder="$1"
  shift
  local launcher=()
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  local generator=(-G Ninja)
  # A folder that was configured by hand keeps its generator.
  if [[ -f "$folder/CMakeCache.txt" ]]; then generator=(); fi
  cmake -S "$root" -B "$folder" "${generator[@]}" "${launcher[@]}" "$@"
}

# Only the lines of debug information, and no optimised tests: the rest takes longer to compile than it saves.
flags_test=(-DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS=-O1 -DCMAKE_CXX_FLAGS_DEBUG=-g1 -DGEMEL_TEST_FLAGS=-O0
  -DGEMEL_UNITY=all "-DGEMEL_E2E_TESTS=$root/build/tests/e2e_tests")

# configure_asan [cmake options]: build/asan, which has the fuzz targets too.
configure_asan() {
  configure "$root/build/asan" -DCMAKE_CXX_COMPILER=clang++ "${flags_test[@]}" \
    -DGEMEL_SANITIZE=address,undefined -DGEMEL_FUZZ=ON "$@"
}

# progress WHAT COMMAND...: on a terminal a bar in place of the command's lines that begin with [3/20], as Ninja's do.
progress() {
  local what="$1" columns
  shift
  if [[ ! -t 2 ]]; then
    "$@" >&2
    return
  fi
  columns="$(tput cols 2>/dev/null)" || columns=80
  (
    set -o pipefail
    "$@" 2>&1 | awk -v what="$what" -v columns="$columns" '
      match($0, /^\[[0-9]+\/[0-9]+\]/) {
        split(substr($0, 2, RLENGTH - 2), part, "/")
        share = part[2] > 0 ? part[1] / part[2] : 1
        text = sprintf(" %3d%% %s of %s, %s", share * 100, part[1], part[2], what)
        width = columns - length(text) - 3
        bar = ""
        for (i = 0; i < width; ++i) bar = bar (i < share * width ? "#" : ".")
        printf "\r\033[K[%s]%s", bar, text
        fflush()
        next
      }
      { printf "\r\033[K%s\n", $0; fflush() }
      END { printf "\r\033[K" }' >&2
  )
}

build_release() {
  progress "configuring" configure "$root/build" -DCMAKE_BUILD_TYPE=Release -DGEMEL_UNITY=all &&
    progress "building gemel" cmake --build "$root/build" --target gemel
}
