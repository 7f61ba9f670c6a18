# shellcheck shell=bash
# The stack of infra/stack.yml: it is changed by a change set, and watched by its events.
source infra/lib/checks.sh

# pick PROGRAM [ARGUMENT]...: jq with the definitions of infra/lib/stack.jq.
pick() {
  local program="$1"
  shift
  jq --raw-output -L infra/lib "include \"stack\"; $program" "$@"
}

# Leaves in $status what state the stack is in, or nothing where there is none; in $stack_id its id; and what it has of
# what the settings may leave open, if it has ever come up. Its description stays in $scratch/described.
export status=""
export had_vpc="" had_subnets="" had_subject=""
stack_id=""
find_stack() {
  try_ask cloudformation describe-stacks --stack-name "$STACK_NAME"
  [[ "$refusal" != *"Stack with id"*"does not exist"* ]] || return 0
  [[ -z "$refusal" ]] || refused "cloudformation describe-stacks"
  mv "$scratch/answer" "$scratch/described"
  pick stack "$scratch/described" >"$scratch/found"
  {
    read -r status
    read -r stack_id
    read -r had_vpc
    read -r had_subnets
    read -r had_subject
  } <"$scratch/found"
}

# --- a change set ---

# Leaves what would change in $scratch/changes.
export change_set=""
change_set_arn=""
make_change_set() {
  local request template
  change_set="provision-$(date +%s)-$$"
  template="$(<infra/stack.yml)"
  request="$(pick "to_create_change_set(\$template; \$serving)" --arg template "$template"$'\n' \
    --slurpfile serving "$scratch/serving" infra/task-definition.json)"
  unfinished="The change set $change_set may be left in the stack $STACK_NAME. It does no harm: run this again."
  try_ask cloudformation create-change-set --cli-input-json "$request"
  case "$refusal" in
    "") ;;
    *"Unknown parameter in input"*)
      unfinished=""
      not_ready "this aws is too old for what is asked of it: update the AWS CLI"
      ;;
    *) refused_because "cloudformation create-change-set" "$refusal" ;;
  esac
  change_set_arn="$(jq -r .Id "$scratch/answer")"
  stack_id="$(jq -r .StackId "$scratch/answer")"
  wait_for_change_set
  pick changes "$scratch/answer" >"$scratch/changes"
}

wait_for_change_set() {
  local why
  begin_to_wait
  while true; do
    try_ask cloudformation describe-change-set --change-set-name "$change_set_arn"
    if [[ -n "$refusal" ]]; then
      why="$refusal"
      discard_change_set
      refused_because "cloudformation describe-change-set" "$why"
    fi
    case "$(jq -r .Status "$scratch/answer")" in
      CREATE_COMPLETE) return ;;
      FAILED)
        why="$(jq -r '.StatusReason // "no reason given"' "$scratch/answer")"
        case "$why" in
          *"didn't contain changes"* | *"No updates are to be performed"*)
            discard_change_set
            echo '{}' >"$scratch/answer"
            return
            ;;
          *)
            find_what_is_not_valid
            discard_change_set
            refused_because "the change set" "${not_valid:-$why}"
            ;;
        esac
        ;;
      *)
        still_waiting "waiting for the change set"
        pause "the change set $change_set is not ready"
        ;;
    esac
  done
}

# The reason of a change set may say only that something is not valid. Leaves the first such thing in $not_valid, or
# nothing where there is none, or where aws is too old to ask.
not_valid=""
find_what_is_not_valid() {
  try_ask cloudformation describe-events --change-set-name "$change_set_arn" --filters FailedEvents=true
  [[ -n "$refusal" ]] || not_valid="$(pick not_valid "$scratch/answer")"
}

refused_because() {
  refusal="$2"
  if said_no; then unfinished=""; fi
  refused "$1"
}

# A stack that only its change set has brought into being goes with it, unless somebody has carried it out meanwhile.
discard_change_set() {
  local now=""
  [[ -n "$change_set_arn" ]] || return 0
  if [[ -z "$status" ]]; then
    try_ask cloudformation describe-stacks --stack-name "$stack_id"
    [[ -n "$refusal" ]] || now="$(jq -r '.Stacks[0].StackStatus' "$scratch/answer")"
  fi
  if [[ "$now" == REVIEW_IN_PROGRESS ]]; then
    try_ask cloudformation delete-stack --stack-name "$stack_id"
  else
    try_ask cloudformation delete-change-set --change-set-name "$change_set_arn"
  fi
  [[ -z "$refusal" ]] || warn "the change set $change_set is left in the stack $STACK_NAME: $refusal"
  change_set_arn=""
  unfinished=""
}

# What else is asked for between a change set and its execution: a refusal leaves nothing of the change set behind.
ask_beside_change_set() {
  try_ask "$@"
  [[ -z "$refusal" ]] || give_up "$1 $2"
}

give_up() {
  local why="$refusal"
  discard_change_set
  refused_because "$1" "$why"
}

# By its token, CloudFormation knows the request again where the client repeats it because an answer was lost.
execute_change_set() {
  begin_to_follow
  touched=yes
  goes_on
  try_ask cloudformation execute-change-set --change-set-name "$change_set_arn" --client-request-token "$change_set"
  [[ -z "$refusal" ]] || refused_because "cloudformation execute-change-set" "$refusal"
  follow
  case "$state" in
    CREATE_COMPLETE | UPDATE_COMPLETE | IMPORT_COMPLETE) ;;
    *) end_badly "the stack $STACK_NAME was not created or updated as asked ($state)" ;;
  esac
}

delete_stack() {
  begin_to_follow
  [[ "$(pick newest_state "$scratch/answer")" != DELETE_COMPLETE ]] || return 0
  touched=yes
  goes_on
  try_ask cloudformation delete-stack --stack-name "$stack_id"
  [[ -z "$refusal" ]] || refused_because "cloudformation delete-stack" "$refusal"
  follow
  [[ "$state" == DELETE_COMPLETE ]] || end_badly "the stack $STACK_NAME was not deleted ($state)"
}

# --- what becomes of it ---

goes_on() { unfinished="CloudFormation goes on with $STACK_NAME. Wait until it is done, then run this again."; }

# What has been told of the stack is told no more. Its id finds a stack that is gone, too.
export told='[]'
failure=""
begin_to_follow() {
  ask cloudformation describe-stack-events --stack-name "$stack_id" --no-paginate
  told="$(pick now_told "$scratch/answer")"
  failure=""
}

# Tells of each resource as it finishes, and at least every 30 s what is waited for. Leaves the end of it in $state.
state=""
follow() {
  state=""
  begin_to_wait
  while true; do
    pause "the stack $STACK_NAME is not done"
    try_ask cloudformation describe-stack-events --stack-name "$stack_id" --no-paginate
    if [[ -n "$refusal" ]]; then
      no_answer CloudFormation
      continue
    fi
    lost_answers=0
    tell_events
    case "$state" in
      "" | *_IN_PROGRESS) ;;
      *)
        unfinished=""
        return
        ;;
    esac
  done
}

# Resources that fail after the first mostly fail because of it.
tell_events() {
  local digest now waiting first news
  digest="$(pick digest "$scratch/answer")"
  {
    read -r now
    read -r first
    read -r told
    read -r waiting
    news="$(cat)"
  } <<<"$digest"
  state="${now:-$state}"
  failure="${failure:-$first}"
  if [[ -n "$news" ]]; then
    say "$news"
    told_at="$elapsed"
  else
    still_waiting "$waiting"
  fi
}

end_badly() { fail "$1: ${failure:-no reason given}. Fix that, and run infra/provision.sh${again:+ $again} again"; }

# --- waiting: begin_to_wait, then in each round a look, still_waiting, and pause ---

began=0 elapsed=0 told_at=0 lost_answers=0
begin_to_wait() {
  began="$(date +%s)"
  elapsed=0 told_at=0 lost_answers=0
}

# still_waiting FOR_WHAT: says so at least every 30 s.
still_waiting() {
  ((elapsed - told_at >= 30)) || return 0
  say "  $elapsed s: $1"
  told_at="$elapsed"
}

# pause OVERDUE: until the next look. When the time is up, OVERDUE is what is not so yet.
pause() {
  sleep "$ROLLOUT_POLL"
  elapsed=$(($(date +%s) - began))
  ((elapsed < ROLLOUT_TIMEOUT)) || no_verdict "$1 after $elapsed s (ROLLOUT_TIMEOUT)"
}

# no_answer FROM: two in a row may be lost.
no_answer() {
  lost_answers=$((lost_answers + 1))
  warn "  no answer from $1 ($lost_answers of 3): $refusal"
  ((lost_answers < 3)) || no_verdict "$1 did not answer three times in a row: $refusal"
}
