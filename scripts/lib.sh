# What the scripts of this folder share: sourced by them, not run. Packages are named here and nowhere else.
# shellcheck shell=bash disable=SC2034

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

packages_build=(g++ cmake make ninja-build pkg-config libuv1-dev liburing-dev libhiredis-dev
  libspdlog-dev libtomlplusplus-dev libgtest-dev libxxhash-dev libcli11-dev libssl-dev)
packages_run=("${packages_build[@]}" redis-server redis-tools)
packages_fuzz=("${packages_build[@]}" clang libclang-rt-14-dev)
packages_test=("${packages_run[@]}" "${packages_fuzz[@]}" ccache python3 python3-redis ca-certificates)
packages_bench=("${packages_run[@]}" python3 nutcracker haproxy)
packages_faults=("${packages_run[@]}" python3 nutcracker iproute2)
packages_format=(clang-format)
ioredis_version=5.4.1
node_redis_version=5.9.0
bee_queue_version=2.0.0

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
}

# Debian's redis-server, nutcracker and haproxy start a service when they are installed, and at every boot:
# redis on port 6379, where something of the user's may listen. The scripts need the programs alone. So
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
  for service in redis-server nutcracker haproxy; do
    if [[ " $* " == *" $service "* ]] && command -v systemctl >/dev/null; then
      "${sudo[@]}" systemctl disable -q "$service" >/dev/null 2>&1 || true
    fi
  done
}

# Tests of nodes of different versions need a newer server beside Debian 12's Redis: its backports have
# Valkey 8. It is unpacked under build/ and not installed, so that no service starts and the system keeps
# its sources of packages; what it links to comes with redis-tools.
install_valkey() {
  local folder="$root/build/valkey"
  if [[ -x "$folder/usr/bin/valkey-server" ]] || command -v valkey-server >/dev/null; then return; fi
  local apt="$folder/apt" package
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  printf 'deb [signed-by=%s] %s bookworm-backports main\n' \
    /usr/share/keyrings/debian-archive-keyring.gpg http://deb.debian.org/debian >"$apt/backports.list"
  local options=(-q -o "Dir::Etc::sourcelist=$apt/backports.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache")
  say "fetching: valkey-server, from bookworm-backports, into build/valkey"
  (
    cd "$apt" && apt-get "${options[@]}" update &&
      apt-get "${options[@]}" download valkey-server valkey-tools &&
      for package in ./*.deb; do dpkg -x "$package" "$folder"; done
  ) >&2 || say "Valkey could not be fetched; the tests of nodes of different versions will fail"
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

build_release() {
  configure "$root/build" -DCMAKE_BUILD_TYPE=Release -DGEMEL_UNITY=all >&2 &&
    cmake --build "$root/build" --target gemel >&2
}
