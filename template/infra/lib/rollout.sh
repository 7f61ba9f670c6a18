# shellcheck shell=bash
# A rollout: a revision is registered, and the service pointed at it.
source infra/lib/image.sh

sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }

# Leaves in $scratch/plan what ECS is asked for, and in $document a hash of that and of the documents: the same hash
# under the same commit means that a rollout would change nothing.
export document=""
plan() {
  local request
  query plan --slurp infra/{service,task-definition,autoscaling}.json "$scratch/stack" >"$scratch/lines"
  {
    read -r request
    document="$(sha256)"
  } <"$scratch/lines"
  say "$request" >"$scratch/plan"
  document="${document%% *}"
}

# Leaves what the service is at, or on its way to, in $revision, and the state of that rollout in $state.
export state=""
read_primary() {
  query 'primary | .taskDefinition // "", state_of_rollout' "$scratch/service" >"$scratch/lines"
  {
    read -r revision
    read -r state
  } <"$scratch/lines"
}

# Is the service at a revision of this very commit and plan, or on its way there? Leaves that rollout's state in $state,
# or nothing.
find_rollout() {
  local same
  read_primary
  [[ -n "$revision" ]] || return 0

  read_revision
  [[ -z "$refusal" ]] || refused "ecs describe-task-definition"
  query 'is_ours, (.taskDefinition | container.image)' "$scratch/revision" >"$scratch/lines"
  {
    read -r same
    read -r image
  } <"$scratch/lines"
  if [[ "$same" == true ]]; then follow; else state=""; fi
}

# Leaves $revision as ECS has it, with its tags, in $scratch/revision.
read_revision() {
  try_ask ecs describe-task-definition --task-definition "$revision" --include TAGS
  [[ -n "$refusal" ]] || mv "$scratch/answer" "$scratch/revision"
}

# Leaves the ARN of the new revision in $revision.
export revision=""
register_revision() {
  local request
  request="$(query to_register infra/task-definition.json)"
  touched=yes
  ask ecs register-task-definition --cli-input-json "$request"
  mv "$scratch/answer" "$scratch/revision"
  revision="$(jq --raw-output .taskDefinition.taskDefinitionArn "$scratch/revision")"
}

# Points the service at $revision, or makes it where there is none.
export desired=""
start_rollout() {
  local operation=update request
  if [[ -z "$service" ]]; then operation=create; fi
  desired="$(query 'service.desiredCount // 0' "$scratch/service")"
  request="$(query "to_$operation" "$scratch/plan")"
  unfinished="Whether ECS has taken ${revision##*/} is not known. To find out, run $typed again."
  try_ask ecs "$operation-service" --cli-input-json "$request"
  if [[ -n "$refusal" ]]; then
    if said_no; then unfinished=""; fi
    refused "ecs $operation-service"
  fi
  touched=yes
  mv "$scratch/answer" "$scratch/service"
  follow
}

# What to type for this very rollout.
typed="infra/${0##*/}"
goes_on() { unfinished="The rollout of ${revision##*/} goes on in ECS. To watch on, run $typed again."; }

# What tells this rollout apart: its id, when it began, and the revisions that ECS could go back to. $name is FAMILY:N.
export name="" deployment="" began="" earlier=""
follow() {
  name="${revision##*/}"
  query start "$scratch/service" >"$scratch/lines"
  {
    read -r deployment
    read -r began
    read -r earlier
  } <"$scratch/lines"
}
