# shellcheck shell=bash
# Watches the rollout that infra/lib/rollout.sh started, and no other, to its end.
source infra/lib/rollout.sh

# Returns once $revision serves. Any other end ends the script.
watch_rollout() {
  local since elapsed
  fact revision "$name"
  fact rollout "$deployment"
  goes_on
  : >"$scratch/stopped"
  since="$(date +%s)"
  while true; do
    look
    elapsed="$(date +%s)"
    elapsed=$((elapsed - since))
    tell_progress "$elapsed"
    case "$verdict" in
      "going on") tell_stopped_tasks ;;
      serving)
        unfinished=""
        return
        ;;
      *)
        unfinished=""
        tell_stopped_tasks all
        end_badly
        ;;
    esac
    ((elapsed < ROLLOUT_TIMEOUT)) || stop_watching "$name does not serve after $elapsed s (ROLLOUT_TIMEOUT)"
  done
}

stop_watching() {
  summarise "Outcome unknown: $1"
  no_verdict "$1"
}

# Leaves the service as it is now in $scratch/service, and what there is to tell of it in the variables. ECS does not
# always answer, and may at first answer as if it had not heard of this rollout: until it has listed it once, only the
# third such answer is believed.
verdict="" progress="" events="" seen_events="" was_listed=""
look() {
  local lost=0 unlisted=0 listed
  while ((lost < 3 && unlisted < 3)); do
    sleep "$ROLLOUT_POLL"
    try_ask ecs describe-services --cluster "$ECS_CLUSTER" --services "$ECS_SERVICE"
    if [[ -n "$refusal" ]]; then
      lost=$((lost + 1))
      warn "  no answer from ECS ($lost of 3): $refusal"
      continue
    fi
    mv "$scratch/answer" "$scratch/service"
    query news "$scratch/service" >"$scratch/lines"
    {
      read -r listed
      read -r verdict
      read -r progress
      read -r seen_events
      events="$(cat)"
    } <"$scratch/lines"
    [[ "$listed" != true ]] || was_listed=yes
    [[ -z "$was_listed" ]] || return 0
    unlisted=$((unlisted + 1))
  done
  ((lost < 3)) || stop_watching "ECS did not answer three times in a row: $refusal"
}

# Says what is new, and at least every 30 s that there is nothing new. Leaves in $changed whether there was.
changed="" told_progress="" told_at=0
export told_events='[]'
tell_progress() {
  local elapsed="$1" event
  changed=""
  [[ "$progress" == "$told_progress" ]] || changed=yes
  if [[ -n "$events" ]]; then
    changed=yes
    while read -r event; do
      say "  event    $event"
    done <<<"$events"
  fi
  told_events="$seen_events"
  if [[ -n "$changed" ]] || ((elapsed - told_at >= 30)); then
    say "  $elapsed s: $progress"
    told_progress="$progress"
    told_at="$elapsed"
  fi
}

# Says of each task of this rollout that has stopped, once, what it died of. A task takes a while to stop, and only then
# is its exit code known: `all` does not wait for that.
stopping=""
export told_tasks='[]' all=""
tell_stopped_tasks() {
  local request
  all="${1:-}"
  [[ -n "$all$changed$stopping" ]] || return 0
  try_ask ecs list-tasks --cluster "$ECS_CLUSTER" --service-name "$ECS_SERVICE" --desired-status STOPPED
  if [[ -z "$refusal" ]]; then
    request="$(query to_describe "$scratch/answer")"
    [[ -n "$request" ]] || return 0
    try_ask ecs describe-tasks --cli-input-json "$request"
  fi
  if [[ -n "$refusal" ]]; then
    warn "  the stopped tasks cannot be read: $refusal"
    return 0
  fi

  query sort_tasks "$scratch/answer" >"$scratch/lines"
  {
    read -r stopping
    read -r told_tasks
    cat >"$scratch/ended"
  } <"$scratch/lines"
  cat "$scratch/ended" >>"$scratch/stopped"
  query '"  stopped  \(end_of_task)"' "$scratch/ended"
}

# Why, what ECS said, which tasks died of what, the last words of one of them, and what to do. Ends the script.
remedy="fix what the lines above show, commit that, and deploy it"
end_badly() {
  local now why what next="$remedy"
  query reasons "$scratch/service" >"$scratch/lines"
  {
    read -r now
    read -r why
  } <"$scratch/lines"
  case "$verdict" in
    failed) what="$name did not come up: $why" ;;
    "rolled back") what="$name did not come up and was rolled back to $now: $why" ;;
    *overtaken*)
      what="$name ${verdict/overtaken/was overtaken by $now}"
      next="nothing, if $now was deployed on purpose; if it was not, run $typed again"
      ;;
    *)
      what="$name does not serve: somebody deletes the service $ECS_SERVICE"
      next="wait until it is gone (some minutes), then deploy: that creates it again"
      ;;
  esac
  {
    say "Last events of the service:"
    query 'events[-10:] | if . == [] then "  none" else .[] | "  \(.message | line)" end' "$scratch/service"
    say "Stopped tasks of $name:"
    query 'if . == [] then "  none" else .[] | "  \(end_of_task)" end' --slurp "$scratch/stopped"
    tell_log
    say "Next: $next."
  } >"$scratch/details"

  complain "$what"
  show "$scratch/details"
  summarise "Failed: $what" "$scratch/details"
  exit 1
}

# The last lines of the last task that ran at all.
export task=""
tell_log() {
  local stream
  task="$(query 'map(select(has_run)) | last // empty | task_id' --slurp "$scratch/stopped")"
  [[ -n "$task" ]] || return 0
  stream="$(query '.taskDefinition | log_stream // empty' "$scratch/revision")"
  [[ -n "$stream" ]] || return 0
  say "Last lines of the log of $task:"
  try_ask logs get-log-events --log-group-name "$LOG_GROUP" --log-stream-name "$stream" --limit 20
  case "$refusal" in
    "") query 'if .events == [] then "  none" else .events[] | "  \(.message | line)" end' "$scratch/answer" ;;
    *ResourceNotFoundException*) say "  none" ;;
    *) say "  it cannot be read: $refusal" ;;
  esac
}
