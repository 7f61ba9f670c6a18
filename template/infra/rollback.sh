#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'END'
Go back: point the service at an earlier revision, and watch that rollout to its end as a deploy does. Nothing is built
or registered, and nothing else of the service changes, but that one scaled to zero gets its MIN_TASKS tasks back. It
asks no questions.

  infra/rollback.sh             to the revision that served last before this one; while a rollback goes on, watches it
  infra/rollback.sh REVISION    to that one: its number, for example 41, or FAMILY:41
  infra/rollback.sh --help

The next deploy rolls out what is on main again. So revert there what was bad, then push:
  git revert HEAD         or, where HEAD is a merge commit:
  git revert -m 1 HEAD

Exit codes:
  0    the earlier revision serves
  1    it does not: it failed, was rolled back or overtaken, or AWS refused something
  2    not ready, or there is nothing to go back to: nothing was changed, and the message says what to do
  3    outcome unknown: the rollout goes on, but it took too long or ECS could no longer be asked
  130  stopped by Ctrl-C: a rollout that was under way goes on

Settings are in infra/settings.env.
END
}

here="$(dirname "${BASH_SOURCE[0]}")"
CDPATH="" cd -- "$here/.."
source infra/lib/watch.sh

main() {
  case "$*" in
    -h | --help)
      usage
      exit
      ;;
    *) ;;
  esac
  begin
  load_settings
  read_arguments "$@"
  need aws jq
  check_account
  check_service
  [[ -n "$service" ]] || not_ready "there is no service $ECS_SERVICE yet, so nothing to go back to: deploy first"

  find_present
  if [[ -z "$number" ]]; then choose_revision; fi
  if [[ "$number" == "$present" && "$state" != IN_PROGRESS ]]; then
    not_ready "the service is at $TASK_FAMILY:$number already (${state:-no task runs}): to go back, name an earlier one"
  fi
  find_revision
  typed="infra/rollback.sh $number"
  remedy="name a revision further back (infra/rollback.sh REVISION), or revert on main and deploy"
  if [[ "$number" == "$present" ]]; then
    say "Its rollout is under way: watching on."
    follow
  else
    check_revision
    say "Going back from $TASK_FAMILY:$present to $TASK_FAMILY:$number."
    jq --null-input '{cluster: env.ECS_CLUSTER}' >"$scratch/plan"
    start_rollout
  fi
  watch_rollout

  say "serving $APP_NAME ${commit:0:7} as $name"
  say "The next deploy rolls out main again: revert there what was bad (git revert, or git revert -m 1 for a merge \
commit), before anybody deploys."
}

# Leaves the number of the revision to go back to in $number, empty where none is named.
export number=""
read_arguments() {
  [[ -n "$*" ]] || return 0
  [[ "$*" =~ ^(([^:[:space:]]+):)?([1-9][0-9]*)$ ]] ||
    not_ready "infra/rollback.sh takes the number of a revision, and no \"$*\": for example infra/rollback.sh 41"
  number="${BASH_REMATCH[3]}"
  [[ "${BASH_REMATCH[2]:-$TASK_FAMILY}" == "$TASK_FAMILY" ]] ||
    not_ready "$* is no revision of $TASK_FAMILY, which this service runs: for example $TASK_FAMILY:$number"
}

# Leaves the number of the revision that the service is at in $present.
export present=""
find_present() {
  read_primary
  present="${revision##*:}"
  fact present "${revision##*/}${state:+, $state}"
}

# Leaves in $number the revision that served last before the present one; or the present one, where the service is on its
# way back to it.
export served=""
choose_revision() {
  local request
  list_deployments
  request="$(query to_describe_served "$scratch/deployments")"
  if [[ -n "$request" ]]; then
    ask ecs describe-service-revisions --cli-input-json "$request"
    served="$(query served --slurp "$scratch/deployments" "$scratch/answer")"
    number="$(query goes_back_to "$scratch/service")"
  fi
  [[ -n "$number" ]] ||
    not_ready "nothing to go back to: ECS lists no revision before $TASK_FAMILY:$present that served (it remembers 90 \
days). Name one all the same (infra/rollback.sh REVISION), or revert on main and deploy"
}

# Leaves the deployments that succeeded in $scratch/deployments, from all pages of the answer.
export next_page=""
list_deployments() {
  : >"$scratch/pages"
  while true; do
    try_ask ecs list-service-deployments --cli-input-json "$(query to_list_served --null-input)"
    [[ "$refusal" != *"nvalid choice"* ]] ||
      not_ready "this aws is too old to ask what has served: update it, or name the revision (infra/rollback.sh REVISION)"
    [[ -z "$refusal" ]] || refused "ecs list-service-deployments"
    cat "$scratch/answer" >>"$scratch/pages"
    next_page="$(query '.nextToken // ""' "$scratch/answer")"
    [[ -n "$next_page" ]] || break
  done
  query '{serviceDeployments: map(.serviceDeployments[])}' --slurp "$scratch/pages" >"$scratch/deployments"
}

# Leaves the ARN of revision $number in $revision, its commit in $commit, its status in $status and, as ECR is asked for
# it, its image in $image_id.
status="" image_id=""
find_revision() {
  revision="$TASK_FAMILY:$number"
  read_revision
  [[ "$refusal" != *"Unable to describe task definition"* ]] || cannot "ECS has no such revision"
  [[ -z "$refusal" ]] || refused "ecs describe-task-definition"
  query '.taskDefinition.taskDefinitionArn, .taskDefinition.status, tag("commit"), (.taskDefinition | image_id)' \
    "$scratch/revision" >"$scratch/lines"
  {
    read -r revision
    read -r status
    read -r commit
    read -r image_id
  } <"$scratch/lines"
  commit="${commit:-unknown}"
  fact commit "$commit"
}

# Can it be rolled out?
check_revision() {
  [[ "$status" == ACTIVE ]] || cannot "it is $status, because somebody deregistered it"
  [[ -n "$image_id" ]] || cannot "its image is not in the ECR repository $ECR_REPOSITORY, so nobody knows what it is"
  find_image "$image_id"
  [[ -n "$digest" ]] || cannot "its image is gone from ECR (infra/ecr-lifecycle-policy.json says how many are kept)"
}

cannot() {
  local others=""
  if [[ -n "$served" ]]; then
    others="$(query '. - ([env.number, env.present] | map(tonumber)) | join(", ")' <<<"$served")"
  fi
  not_ready "cannot go back to $TASK_FAMILY:$number: $1. Name another${others:+, of those that served: $others}, or \
revert on main and deploy"
}

main "$@"
