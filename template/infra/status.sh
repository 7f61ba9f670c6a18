#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'END'
Say on one screen what runs now: the url and what it answers, the revision, its tasks, its rollout, alarms, the last
events and log lines, and what to do next. It changes nothing.

  infra/status.sh           look once
  infra/status.sh --logs    follow the log, from ten minutes ago: one JSON document a line
  infra/status.sh --help

What cannot be read is reported and does not affect the exit code.

Exit codes:
  0    it serves as wanted
  1    it does not, and the last line says why: for example a rollout that failed, too few tasks, an alarm
  2    the service could not be read: the message says what to do
  130  stopped by Ctrl-C, which is how --logs ends

Settings are in infra/settings.env.
END
}

here="$(dirname "${BASH_SOURCE[0]}")"
CDPATH="" cd -- "$here/.."
source infra/lib/rollout.sh

main() {
  local task=look
  if [[ "$*" == --logs ]]; then
    task=follow_log
  else
    take_no_arguments "$@"
  fi
  begin
  load_settings
  need aws jq
  check_account
  "$task"
}

look() {
  tell service "$APP_NAME, in $AWS_REGION of account $AWS_ACCOUNT_ID"
  find_all
  tell_url
  tell_revision
  tell_tasks
  tell_rollout
  tell_alarms
  tell_events
  tell_log
  tell next "$(advice)"
  [[ -z "$trouble" ]] || fail "$APP_NAME does not serve as wanted: $trouble"
}

# On one line of a screen.
tell() { fact "$1" "${2:0:110}"; }

# worry WHAT: why it does not serve as wanted.
trouble=""
worry() { trouble="${trouble:+$trouble; }$1"; }

# give_up WHAT NEXT: there is nothing more to see.
give_up() {
  tell next "$2"
  fail "$APP_NAME does not serve: $1"
}

# answered WHAT: has AWS just answered? Where not, that is what is told of it.
answered() {
  [[ -n "$refusal" ]] || return 0
  # Which action is denied stands behind the long name of who asks.
  local denied="not authorized to perform: "
  if [[ "$refusal" == *"$denied"* ]]; then refusal="$denied${refusal#*"$denied"}"; fi
  tell "$1" "cannot be read: $refusal"
  return 1
}

# --- what is there ---

export now=""
url="" stack_refusal=""
find_all() {
  now="$(date +%s)"
  read_stack
  stack_refusal="$refusal"
  [[ -n "$stack$refusal" ]] || give_up "there is no stack $STACK_NAME" "create the infrastructure: infra/provision.sh"
  if [[ -n "$stack" ]]; then url="$(jq --raw-output '.Url // ""' "$scratch/stack")"; fi

  read_service
  if [[ -n "$refusal" && "$refusal" != *ClusterNotFoundException* ]]; then refused "ecs describe-services"; fi
  [[ -n "$service" ]] ||
    give_up "there is no service $ECS_SERVICE" "deploy it: infra/deploy-manual.sh, or git push origin main"
  query 'primary | .taskDefinition // "", .rolloutState // ""' "$scratch/service" >"$scratch/lines"
  {
    read -r revision
    read -r state
  } <"$scratch/lines"
}

# Leaves the commit that the url answers with in $answers.
answers=""
tell_url() {
  local code seconds
  refusal="$stack_refusal"
  answered url || return 0
  if [[ -z "$url" ]]; then
    tell url "none: the stack $STACK_NAME is $stack"
    worry "its stack is $stack"
  elif ! command -v curl >/dev/null; then
    tell url "$url (not asked: curl is not installed)"
  elif ! curl --silent --show-error --max-time 5 --write-out '\n%{http_code} %{time_total}\n' "$url/health" \
    >"$scratch/health" 2>"$scratch/refusal"; then
    tell url "$url: no answer, $(query line --raw-input --slurp "$scratch/refusal")"
    worry "its url gives no answer"
  else
    query health --raw-input --slurp "$scratch/health" >"$scratch/lines"
    {
      read -r code
      read -r seconds
      read -r answers
    } <"$scratch/lines"
    tell url "$url: $code in $seconds ms${answers:+, commit ${answers:0:7}}"
    [[ "$code" == 200 ]] || worry "its url answers $code"
  fi
}

tell_revision() {
  local image
  read_revision
  answered revision || return 0
  query 'tag("commit"), (.taskDefinition | container.image // "" | split("/") | last)' "$scratch/revision" \
    >"$scratch/lines"
  {
    read -r commit
    read -r image
  } <"$scratch/lines"
  tell revision "${revision##*/}, commit ${commit:-unknown}"
  tell image "$image"
  [[ "$state" != COMPLETED || -z "$answers" || -z "$commit" || "$answers" == "$commit" ]] ||
    worry "its url answers as commit ${answers:0:7}, and ${commit:0:7} was deployed"
}

wanted=""
tell_tasks() {
  local running counts
  query 'service | .desiredCount, .runningCount, tasks' "$scratch/service" >"$scratch/lines"
  {
    read -r wanted
    read -r running
    read -r counts
  } <"$scratch/lines"
  ((running >= wanted)) || worry "$running of $wanted tasks run"
  ((wanted > 0)) || worry "no task is wanted"

  try_ask application-autoscaling describe-scalable-targets --service-namespace ecs \
    --scalable-dimension ecs:service:DesiredCount --resource-ids "service/$ECS_CLUSTER/$ECS_SERVICE"
  if answered scaling; then counts="$counts; $(query bounds "$scratch/answer")"; fi
  tell tasks "$counts"
}

tell_rollout() {
  if [[ "$service" == DRAINING ]]; then worry "it is being deleted"; fi
  if [[ "$state" == FAILED ]]; then worry "its rollout failed"; fi
  tell rollout "$(query rollout "$scratch/service")"
}

tell_alarms() {
  local ringing text
  refusal="$stack_refusal"
  answered alarms || return 0
  try_ask cloudwatch describe-alarms --alarm-name-prefix "$APP_NAME-"
  answered alarms || return 0
  query alarms --slurp "$scratch/answer" "$scratch/stack" >"$scratch/lines"
  {
    read -r ringing
    read -r text
  } <"$scratch/lines"
  tell alarms "$text"
  [[ -z "$ringing" ]] || worry "alarm $ringing"
}

tell_events() {
  say "last events"
  query last_events "$scratch/service"
}

# CloudWatch gives the first lines of a time, never the last: so the last minute is asked for, which is enough of a busy
# service, and of a quiet one then the last quarter of an hour.
tell_log() {
  local minutes count=0
  for minutes in 1 15; do
    ((count < 5)) || break
    ask_log "$(((now - minutes * 60) * 1000))"
    answered log || return 0
    count="$(jq '.events | length' "$scratch/answer")"
  done
  say "last log lines"
  query last_lines "$scratch/answer"
}

ask_log() { try_ask logs filter-log-events --log-group-name "$LOG_GROUP" --start-time "$1"; }

advice() {
  if [[ "$service" == DRAINING ]]; then
    say "wait until it is gone (some minutes); then a deploy creates it again"
  elif [[ "$wanted" == 0 ]]; then
    say "it is scaled to zero: a deploy starts its MIN_TASKS tasks again"
  elif [[ "$state" == IN_PROGRESS ]]; then
    say "wait until the rollout ends, or go back at once: infra/rollback.sh"
  elif [[ -n "$trouble" ]]; then
    say "find out why (infra/status.sh --logs), then deploy a fix, or go back: infra/rollback.sh"
  else
    say "nothing: it serves as wanted"
  fi
}

# --- the log ---

# Lines may come late: the last 15 s are asked for again each time, and what was told is told no more.
export since=""
follow_log() {
  local told='[]' lost=2 # where the first question has no answer, that is the end
  since="$((($(date +%s) - 600) * 1000))"
  while true; do
    ask_log "$since"
    if [[ -n "$refusal" ]]; then
      lost=$((lost + 1))
      ((lost < 3)) || refused "logs filter-log-events"
      warn "no answer from CloudWatch ($lost of 3): $refusal"
    else
      lost=0
      say "$told" >"$scratch/told" # no variable of the environment holds as many as a busy service writes
      query fresh_lines --slurp "$scratch/told" "$scratch/answer" >"$scratch/lines"
      {
        read -r since
        read -r told
        cat >"$scratch/fresh"
      } <"$scratch/lines"
      [[ ! -s "$scratch/fresh" ]] || show "$scratch/fresh"
    fi
    sleep "$ROLLOUT_POLL"
  done
}

main "$@"
