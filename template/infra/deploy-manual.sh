#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'END'
Check this machine, saying each thing that a deploy needs, then deploy as infra/deploy.sh does.

  infra/deploy-manual.sh [--help]

Exit codes:
  2    something is missing: all that is gets a line with NO, and nothing was changed
  else those of infra/deploy.sh
END
}

here="$(dirname "${BASH_SOURCE[0]}")"
CDPATH="" cd -- "$here/.."
source infra/lib/checks.sh

trouble=""

# look_at WHAT CHECK [ARGUMENT]...: one line, and on to the next whatever it says.
look_at() {
  local what="$1" told status verdict=ok
  shift
  set +e
  told="$(
    set -e
    GITHUB_ACTIONS=""
    "$@" 2>&1
    say "$found"
  )"
  status=$?
  set -e
  if ((status != 0)); then
    verdict=NO
    trouble=yes
  fi
  printf '%-2s  %-11s  %s\n' "$verdict" "$what" "${told#error: }"
}

main() {
  take_no_arguments "$@"
  local shell_region="${AWS_REGION:-${AWS_DEFAULT_REGION:-}}"
  begin
  load_settings
  look_at bash check_bash
  look_at tools check_tools
  look_at docker check_docker
  look_at repository check_repository
  look_at lock check_lock
  look_at tree check_tree
  look_at documents check_documents
  look_at cli check_cli
  look_at region check_region "$shell_region"
  look_at credentials check_credentials
  look_at account check_account
  look_at stack check_stack
  look_at service check_service
  [[ -z "$trouble" ]] || not_ready "not deployed: fix each line with NO, then run infra/deploy-manual.sh again"

  rm -rf "$scratch"
  exec infra/deploy.sh
}

main "$@"
