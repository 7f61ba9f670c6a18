#!/usr/bin/env bash
# Make sure that containers can be built and run here, for the tests that need them.
#
#   tests/container/engine.sh FOLDER [DOCKERFILE...]
#
# Leaves FOLDER/bin/docker, a client that can build, and, where it had to start an engine, FOLDER/dockerd.pid.
# Installs and starts an engine only as root on Debian or Ubuntu, where none answers. Base images of the Dockerfiles (the
# template's, if none is named) that cannot be pulled are replaced by stand-ins of the same name.
set -euo pipefail

folder=$(mkdir -p "${1:?usage: engine.sh FOLDER [DOCKERFILE...]}/bin" && cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
shift
[[ $# -gt 0 ]] || set -- "$here/../../template/Dockerfile"
export DOCKER_BUILDKIT=1 PATH=$folder/bin:$PATH

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

# The first client on PATH that can build: one without its buildx plugin cannot.
find_client() {
  local client
  rm -f "$folder/bin/docker"
  while read -r client; do
    if printf 'FROM scratch\nLABEL a=b\n' | "$client" build --quiet - >/dev/null 2>&1; then
      ln -s "$client" "$folder/bin/docker"
      return
    fi
  done < <(type -ap docker)
  return 1
}

start_engine() {
  [[ $(id -u) == 0 && -x $(command -v apt-get) ]] ||
    fail "No container engine answers: start one (Docker Desktop, or: systemctl start docker)."
  if ! command -v dockerd >/dev/null; then
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --no-install-recommends docker.io >/dev/null
  fi
  setsid dockerd --iptables=false --ip6tables=false --pidfile "$folder/dockerd.pid" >"$folder/dockerd.log" 2>&1 &
  local tries
  for tries in {1..60}; do
    ! find_client || return 0
    sleep 0.5
  done
  tail -n 20 "$folder/dockerd.log" >&2
  fail "dockerd did not come up in $((tries / 2)) s: the lines above are the end of its log."
}

base_images() {
  sed -nE 's/^FROM ([^ ]+:[^ ]+).*/\1/p; s/^COPY --from=([^ ]+:[^ ]+).*/\1/p' "$@" | sort -u
}

find_client || start_engine
for image in $(base_images "$@"); do
  docker image inspect "$image" >/dev/null 2>&1 ||
    timeout 300 docker pull --quiet "$image" 2>/dev/null ||
    "$here/stand-in.sh" "$image" "$folder"
done
