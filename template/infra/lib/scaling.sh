# shellcheck shell=bash
# When tasks are added and removed: infra/autoscaling.json, between MIN_TASKS and MAX_TASKS.
source infra/lib/report.sh

# Asked for on every deploy, also one that finds all in place: an earlier one may have got no further than the rollout.
apply_scaling() {
  local target policy
  query to_scale --slurp infra/autoscaling.json "$scratch/stack" >"$scratch/lines"
  {
    read -r target
    scale register-scalable-target "$target"
    while read -r policy; do
      scale put-scaling-policy "$policy"
    done
  } <"$scratch/lines"
}

scale() {
  local operation="$1" request="$2" what
  try_ask application-autoscaling "$operation" --cli-input-json "$request"
  [[ -n "$refusal" ]] || return 0
  what="this commit serves, but its scaling could not be set"
  summarise "$what"
  fail "$what: AWS refused \"application-autoscaling $operation\": $refusal. Mend that, and deploy again"
}
