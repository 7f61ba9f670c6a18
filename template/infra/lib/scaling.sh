# shellcheck shell=bash
# When tasks are added and removed: infra/autoscaling.json, between MIN_TASKS and MAX_TASKS.
source infra/lib/report.sh

# Asked for on every deploy, also one that finds all in place: an earlier one may have got no further than the rollout. A
# policy that the document does not name (any more) is deleted: it would go on adding and removing tasks.
apply_scaling() {
  local request
  query to_scale --slurp infra/autoscaling.json "$scratch/stack" >"$scratch/lines"
  {
    read -r request
    scale register-scalable-target "$request"
    while read -r request; do
      scale put-scaling-policy "$request"
    done
  } <"$scratch/lines"

  scale describe-scaling-policies "$(query 'scaled | tojson' --null-input)"
  query unnamed_policies --slurp "$scratch/answer" infra/autoscaling.json >"$scratch/lines"
  while read -r request; do
    scale delete-scaling-policy "$request"
    say "deleted a scaling policy that infra/autoscaling.json does not name: $(jq --raw-output .PolicyName <<<"$request")"
  done <"$scratch/lines"
}

scale() {
  local operation="$1" request="$2" what
  try_ask application-autoscaling "$operation" --cli-input-json "$request"
  [[ -n "$refusal" ]] || return 0
  what="this commit serves, but its scaling could not be set"
  summarise "$what"
  fail "$what: AWS refused \"application-autoscaling $operation\": $(why_refused). Fix that, and deploy again"
}
