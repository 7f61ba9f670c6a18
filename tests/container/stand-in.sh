#!/usr/bin/env bash
# Build a stand-in for a base image that cannot be pulled, under the same name.
#
#   tests/container/stand-in.sh python:3.14-slim-trixie SCRATCH_FOLDER
#   tests/container/stand-in.sh ghcr.io/astral-sh/uv:0.13.9 SCRATCH_FOLDER
#   tests/container/stand-in.sh ghcr.io/astral-sh/uv:python3.14-trixie-slim SCRATCH_FOLDER
#
# Python comes out of Debian's packages, uv out of its wheel. Like the official image, the stand-in has pip and apt, keeps
# nothing that apt downloads, and ships no bytecode of the standard library, so what is measured on it holds there too.
set -euo pipefail

image=${1:?usage: stand-in.sh IMAGE SCRATCH_FOLDER} scratch=${2:?usage: stand-in.sh IMAGE SCRATCH_FOLDER}
tag=${image##*:}
suite=forky # the first suite of Debian that has Python 3.14

# The slim images of one Python differ in Debian's release; their stand-ins do not.
python_image() {
  local version=$1 found
  found=$(docker images --quiet --filter "label=stand-in=python$version" | sed -n 1p)
  if [[ -n $found ]]; then
    docker tag "$found" "$image"
  else
    install_python "$version" "$scratch/python"
    tar --directory "$scratch/python" --numeric-owner --create . | docker import \
      --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
      --change 'ENV LANG=C.UTF-8' \
      --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
      --change 'CMD ["python3"]' \
      --change "LABEL stand-in=python$version" - "$image" >/dev/null
    rm -rf "$scratch/python"
  fi
}

install_python() {
  local version=$1 root=$2 mirror script packages
  DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --no-install-recommends \
    debian-archive-keyring debootstrap >/dev/null
  # shellcheck disable=SC2016  # a format of apt-get, not a command
  mirror=$(apt-get indextargets --format '$(SITE)' 'Identifier: Packages' | sed -n 1p)
  script=/usr/share/debootstrap/scripts/$suite
  [[ -e $script ]] || script=/usr/share/debootstrap/scripts/sid # older than the suite
  rm -rf "$root"
  debootstrap --variant=minbase --include="ca-certificates,netbase,tzdata,python$version" \
    "$suite" "$root" "$mirror" "$script" >"$scratch/debootstrap.log"
  ln -sf "python$version" "$root/usr/bin/python3"
  ln -sf python3 "$root/usr/bin/python"
  packages=$root/usr/local/lib/python$version/dist-packages
  python3 -m pip install --quiet --disable-pip-version-check --no-compile --target "$packages" pip
  rm -rf "${packages:?}/bin"
  printf '%s\n' '#!/bin/sh' 'exec python3 -m pip "$@"' >"$root/usr/local/bin/pip"
  chmod 755 "$root/usr/local/bin/pip"
  rm -f "$root"/usr/lib/python*/EXTERNALLY-MANAGED
  # Certificates that this machine trusts, for a build behind a proxy; and a mirror whose index may be a day old.
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/stand-in"
  # shellcheck disable=SC2016  # for apt, not for this shell
  echo 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin"; };' \
    >"$root/etc/apt/apt.conf.d/docker-clean"
  printf 'path-exclude /usr/share/%s/*\n' doc man info locale lintian >"$root/etc/dpkg/dpkg.cfg.d/docker"
  find "$root" -xdev -name __pycache__ -prune -exec rm -rf {} +
  rm -rf "$root"/usr/share/{doc,man,info,locale,lintian}/* "$root"/var/{cache/apt,lib/apt/lists,log}/*
}

uv_image() {
  local root=$scratch/uv
  rm -rf "$root"
  python3 -m venv "$root"
  "$root/bin/pip" install --quiet --disable-pip-version-check "uv$1"
  tar --directory "$root/bin" --owner=0 --group=0 --create uv uvx |
    docker import --change 'ENTRYPOINT ["/uv"]' - "$image" >/dev/null
}

uv_python_image() {
  python_image "$1" # under this name, and uv on top of it
  docker image inspect ghcr.io/astral-sh/uv:latest >/dev/null 2>&1 ||
    "${BASH_SOURCE[0]}" ghcr.io/astral-sh/uv:latest "$scratch"
  printf '%s\n' "FROM $image" "LABEL stand-in=uv" 'COPY --from=ghcr.io/astral-sh/uv:latest /uv /uvx /usr/local/bin/' |
    docker build --quiet --tag "$image" - >/dev/null
}

echo "$image cannot be pulled here: building a stand-in" >&2
case $image in
  python:*-slim*) python_image "${tag%%-*}" ;;
  ghcr.io/astral-sh/uv:latest) uv_image "" ;;
  ghcr.io/astral-sh/uv:python*)
    tag=${tag#python}
    uv_python_image "${tag%%-*}"
    ;;
  ghcr.io/astral-sh/uv:*) uv_image "==$tag" ;;
  *)
    echo "There is no stand-in for $image." >&2
    exit 1
    ;;
esac
