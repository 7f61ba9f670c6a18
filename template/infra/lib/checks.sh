# shellcheck shell=bash
# Is everything ready? Each check ends the script with one line that says what to do, or leaves in $found, in a few
# words, what it saw. None changes anything.
source infra/lib/common.sh

export found=""

not_there_yet() { not_ready "the infrastructure does not exist yet: $1. Create it with infra/provision.sh"; }

# need COMMAND...: names all that are missing at once.
need() {
  local command missing=""
  for command in "$@"; do
    command -v "$command" >/dev/null || missing="${missing:+$missing, }$command"
  done
  [[ -z "$missing" ]] || not_ready "not installed: $missing. Install what is missing, somewhere on the PATH"
  found="$*"
}

# Leaves in $platform what the image is built for.
platform=""
check_documents() {
  need jq
  local name type
  for name in service autoscaling; do
    type="$(jq --raw-output type "infra/$name.json" 2>&1)" || true
    [[ "$type" == object ]] || not_ready "infra/$name.json is not one JSON object: ${type:-it is empty}"
  done
  platform="$(query 'task_complaint // platform' infra/task-definition.json 2>&1)" || true
  [[ "$platform" == linux/* ]] || not_ready "infra/task-definition.json: ${platform:-it is empty}"
  found="for $platform"
}

account=""
check_credentials() {
  need aws jq
  try_ask sts get-caller-identity
  case "$refusal" in
    "") ;;
    *"ndpoint"* | *onnect* | *SSL*)
      not_ready "cannot reach AWS in $AWS_REGION: check AWS_REGION in infra/settings.env, and the network ($refusal)"
      ;;
    *redentials* | *oken* | *SSO* | *sso* | *profile* | *SignatureDoesNotMatch*)
      not_ready "AWS does not know who you are: $refusal (sign in, for example with: aws sso login)"
      ;;
    *) refused "sts get-caller-identity" ;;
  esac
  query '.Account, .Arn' "$scratch/answer" >"$scratch/lines"
  {
    read -r account
    read -r found
  } <"$scratch/lines"
}

check_account() {
  check_credentials
  [[ "$account" == "$AWS_ACCOUNT_ID" ]] ||
    not_ready "these credentials are of account $account, and the service lives in $AWS_ACCOUNT_ID: sign in there"
  found="$account"
}

# Leaves in $stack what state the stack is in, empty where there is none or, with a $refusal, where nobody knows; in
# $scratch/stack what it puts out, which nobody can know before it is made; and in $missing what of that it lacks.
stack="" missing=""
read_stack() {
  stack=""
  try_ask cloudformation describe-stacks --stack-name "$STACK_NAME"
  if [[ "$refusal" == *"Stack with id"*"does not exist"* ]]; then
    refusal=""
    return
  fi
  [[ -z "$refusal" ]] || return 0
  query '.Stacks[0].StackStatus, missing_outputs, (outputs | tojson)' "$scratch/answer" >"$scratch/lines"
  {
    read -r stack
    read -r missing
    cat >"$scratch/stack"
  } <"$scratch/lines"
}

check_stack() {
  need aws jq
  read_stack
  [[ -z "$refusal" ]] || refused "cloudformation describe-stacks"
  case "$stack" in
    "") not_there_yet "$AWS_REGION has no stack $STACK_NAME" ;;
    CREATE_COMPLETE | IMPORT_COMPLETE | UPDATE_COMPLETE | UPDATE_ROLLBACK_COMPLETE) ;;
    REVIEW_IN_PROGRESS) not_there_yet "the stack $STACK_NAME was only planned" ;;
    *_IN_PROGRESS) not_ready "the stack $STACK_NAME is being changed ($stack): wait until it is done, then deploy" ;;
    *) not_ready "the stack $STACK_NAME is in state $stack and cannot be deployed to: fix it with infra/provision.sh" ;;
  esac
  [[ -z "$missing" ]] ||
    not_ready "the stack $STACK_NAME lacks these outputs: $missing. Update it with infra/provision.sh"
  found="$STACK_NAME, $stack"
}
