# shellcheck shell=bash
# The stack of infra/stack.yml: it is changed by a change set, and watched by its events.
source infra/lib/checks.sh
source infra/lib/report.sh

# pick PROGRAM [ARGUMENT]...: jq with the definitions of infra/lib/stack.jq.
pick() {
  local program="$1"
  shift
  jq --raw-output -L infra/lib "include \"stack\"; $program" "$@"
}

# Leaves in $status what state the stack is in, or nothing where there is none; in $stack_id its id; and what it has of
# what the settings may leave open, if it has ever come up.
export status=""
export had_vpc="" had_subnets="" had_subject=""
stack_id=""
find_stack() {
  try_ask cloudformation describe-stacks --stack-name "$STACK_NAME"
  [[ "$refusal" != *"Stack with id"*"does not exist"* ]] || return 0
  [[ -z "$refusal" ]] || refused "cloudformation describe-stacks"
  pick stack "$scratch/answer" >"$scratch/found"
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
  request="$(pick "to_create_change_set(\$template)" --arg template "$template"$'\n' infra/task-definition.json)"
  try_ask cloudformation create-change-set --cli-input-json "$request"
  case "$refusal" in
    "") ;;
    *"Unknown parameter in input"*) not_ready "this aws is too old for what is asked of it: update the AWS CLI" ;;
    *) refused "cloudformation create-change-set" ;;
  esac
  unfinished="The change set $change_set may be left in the stack $STACK_NAME. It does no harm."
  change_set_arn="$(jq -r .Id "$scratch/answer")"
  stack_id="$(jq -r .StackId "$scratch/answer")"
  wait_for_change_set
  pick changes "$scratch/answer" >"$scratch/changes"
  unfinished=""
}

wait_for_change_set() {
  local why
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
      *) sleep "$ROLLOUT_POLL" ;;
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

# A stack that only its change set has brought into being goes with it.
discard_change_set() {
  if [[ -z "$status" ]]; then
    try_ask cloudformation delete-stack --stack-name "$stack_id"
  else
    try_ask cloudformation delete-change-set --change-set-name "$change_set_arn"
  fi
  [[ -z "$refusal" ]] || warn "the change set $change_set is left in the stack $STACK_NAME: $refusal"
  change_set_arn=""
  unfinished=""
}

execute_change_set() {
  begin_to_follow
  touched=yes
  goes_on
  try_ask cloudformation execute-change-set --change-set-name "$change_set_arn"
  [[ -z "$refusal" ]] || refused_because "cloudformation execute-change-set" "$refusal"
  follow
  case "$state" in
    CREATE_COMPLETE | UPDATE_COMPLETE | IMPORT_COMPLETE) ;;
    *) end_badly "the stack $STACK_NAME was not made as asked ($state)" ;;
  esac
}

delete_stack() {
  begin_to_follow
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
  local since elapsed tries=0
  state=""
  told_at=0
  since="$(date +%s)"
  while true; do
    sleep "$ROLLOUT_POLL"
    elapsed="$(date +%s)"
    elapsed=$((elapsed - since))
    ((elapsed < ROLLOUT_TIMEOUT)) || no_verdict "the stack $STACK_NAME is not done after $elapsed s (ROLLOUT_TIMEOUT)"
    try_ask cloudformation describe-stack-events --stack-name "$stack_id" --no-paginate
    if [[ -n "$refusal" ]]; then
      tries=$((tries + 1))
      warn "  no answer from CloudFormation ($tries of 3): $refusal"
      ((tries < 3)) || no_verdict "CloudFormation did not answer three times in a row: $refusal"
      continue
    fi
    tries=0
    tell_events "$elapsed"
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
told_at=0
tell_events() {
  local elapsed="$1" digest now waiting first news
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
  elif ((elapsed - told_at >= 30)); then
    say "  $elapsed s: $waiting"
    told_at="$elapsed"
  fi
}

end_badly() { fail "$1: ${failure:-no reason given}. Mend that, and run infra/provision.sh${again:+ $again} again"; }
