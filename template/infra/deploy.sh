#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'END'
Roll out this commit: build and push its image where ECR has none of it yet, register a revision, point the service
at it (or make the service), watch that rollout to its end, and set the scaling: its policies become those of
infra/autoscaling.json, and any other is deleted.

An image that ECR has under the tag of this commit is taken for the image of this commit, and not looked into. Which
commit answers in the end, `uv run --frozen -m infra status` asks the service itself, and so does the last step of the workflow.

  infra/deploy.sh [--help]

Run again, it changes nothing where this commit serves already, and watches on where its rollout is under way.

Exit codes:
  0    this commit serves
  1    it does not: it failed, was rolled back or overtaken, or AWS refused something
  2    not ready: nothing was changed, and the message says what to do
  3    outcome unknown: the rollout goes on, but it took too long or ECS could no longer be asked
  130  stopped by Ctrl-C: a rollout that was under way goes on

Settings are in infra/settings.env. DOCKER_BUILD_FLAGS in the environment are passed to docker build, for example
  DOCKER_BUILD_FLAGS="--network=host" infra/deploy.sh
END
}

here="$(dirname "${BASH_SOURCE[0]}")"
CDPATH="" cd -- "$here/.."
source infra/lib/watch.sh
source infra/lib/scaling.sh

main() {
  take_no_arguments "$@"
  begin
  load_settings
  check_tools
  check_repository
  check_lock
  check_tree
  check_documents
  check_cli
  check_account
  check_stack
  check_service
  fact commit "$commit"

  plan
  find_rollout
  case "$state" in
    COMPLETED)
      say "It serves already: nothing is built, registered or rolled out."
      fact image "$image"
      fact revision "$name"
      ;;
    IN_PROGRESS)
      say "Its rollout is under way: watching on."
      fact image "$image"
      watch_rollout
      ;;
    *)
      provide_image
      register_revision
      start_rollout
      watch_rollout
      ;;
  esac
  apply_scaling
  succeed
}

succeed() {
  local url
  url="$(jq --raw-output .Url "$scratch/stack")"
  fact url "$url"
  fact took "$SECONDS s"
  summarise "Deployed: $name serves"
  [[ -z "${GITHUB_OUTPUT:-}" ]] || say "url=$url" >>"$GITHUB_OUTPUT"
  say "serving $APP_NAME ${commit:0:7} as $name at $url"
}

main "$@"
