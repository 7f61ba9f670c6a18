#!/usr/bin/env bash
# Build a stand-in for a base image that cannot be pulled, under the same name.
#
#   tests/container/stand-in.sh python:3.14-slim-trixie SCRATCH_FOLDER
#   tests/container/stand-in.sh ghcr.io/astral-sh/uv:0.13.9 SCRATCH_FOLDER
#
# Python comes out of Debian's packages, uv out of its wheel. Like the official
# image, the stand-in ships no bytecode of the standard library, so what is measured on it holds there too.
set -euo pipefail

image=${1:?usage: stand-in.sh IMAGE SCRATCH_FOLDER} scratch=${2:?usage: stand-in.sh IMAGE SCRATCH_FOLDER}
tag=${image##*:}
suite=forky # the first suite of Debian that has Python 3.14

python_image() {
  local version=${tag%%-*} mirror script root=$scratch/python
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
  # Certificates that this machine trusts, for a build behind a proxy.
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  find "$root" -xdev -name __pycache__ -prune -exec rm -rf {} +
  rm -rf "$root"/usr/share/{doc,man,info,locale,lintian}/* "$root"/var/{cache/apt,lib/apt/lists,log}/*
  tar --directory "$root" --numeric-owner --create . | docker import \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV LANG=C.UTF-8' \
    --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
    --change 'CMD ["python3"]' - "$image" >/dev/null
  rm -rf "$root"
}

uv_image() {
  local root=$scratch/uv
  rm -rf "$root"
  python3 -m venv "$root"
  "$root/bin/pip" install --quiet --disable-pip-version-check "uv==$tag"
  tar --directory "$root/bin" --owner=0 --group=0 --create uv uvx |
    docker import --change 'ENTRYPOINT ["/uv"]' - "$image" >/dev/null
}

echo "$image cannot be pulled here: building a stand-in" >&2
case $image in
  python:*) python_image ;;
  ghcr.io/astral-sh/uv:*) uv_image ;;
  *)
    echo "There is no stand-in for $image." >&2
    exit 1
    ;;
esac
