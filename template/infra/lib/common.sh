# shellcheck shell=bash
# What every script in infra/ begins with: the settings, how a script speaks and ends, and one way to ask AWS.
# Sourcing this only defines things. A script then calls `begin`, in the folder of the service.

begin() {
  scratch="$(mktemp -d)"
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# The last to run, however the script ends. While `unfinished` says something, the outcome is unknown. It speaks to
# stderr: a signal may have come while stdout went to a file.
unfinished="" explained=""
finish() {
  local code=$?
  rm -rf "$scratch"
  case "$code" in
    0 | 130 | 143) ;;
    *)
      if [[ -z "$explained" ]]; then
        complain "${0##*/}: unexpected error; see the output above"
        code=1
      fi
      [[ -z "$unfinished" ]] || code=3
      ;;
  esac
  [[ -z "$unfinished" ]] || warn "$unfinished"
  exit "$code"
}

# The names in infra/settings.env: those that need a value, and those that may be empty.
valued="APP_NAME AWS_ACCOUNT_ID AWS_REGION AWS_PARTITION STACK_NAME ECR_REGISTRY ECR_REPOSITORY ECS_CLUSTER ECS_SERVICE \
TASK_FAMILY CONTAINER_NAME LOG_GROUP EXECUTION_ROLE TASK_ROLE DEPLOY_ROLE MIN_TASKS MAX_TASKS ROLLOUT_POLL \
ROLLOUT_TIMEOUT ASSIGN_PUBLIC_IP LOG_RETENTION_DAYS"
optional="GITHUB_REPO GITHUB_ENVIRONMENT GITHUB_SUBJECT DEPLOY_USER VPC_ID SUBNET_IDS TASK_SUBNET_IDS CERTIFICATE_ARN \
DOMAIN_NAME ALARM_TOPIC_ARN SECRETS_KMS_KEY_ARN BEDROCK_MODELS S3_READ_BUCKETS TRACING"

# All of them are exported: jq reads them as `env.NAME`, and AWS_REGION reaches aws. What the shell of the caller calls
# by the same names does not count. Times are told in UTC, by either version of aws.
load_settings() {
  [[ -f infra/settings.env ]] || not_ready "infra/settings.env is missing: git restore infra/settings.env"
  local name
  for name in $valued $optional; do
    unset "$name"
  done
  set -a +u
  # shellcheck source=/dev/null
  source infra/settings.env
  set +a -u
  for name in $valued; do
    [[ -n "${!name:-}" ]] ||
      not_ready "infra/settings.env has no $name, or an empty one: give it back its value, which git log --patch \
infra/settings.env shows"
  done
  for name in $optional; do
    [[ -n "${!name+set}" ]] || not_ready "infra/settings.env has no $name: add $name=\"\""
  done
  export AWS_DEFAULT_REGION="$AWS_REGION" AWS_PAGER="" TZ=UTC

  local example
  for example in MIN_TASKS=1 MAX_TASKS=4 ROLLOUT_POLL=5 ROLLOUT_TIMEOUT=1500; do
    name="${example%=*}"
    [[ "${!name}" =~ ^(0|[1-9][0-9]*)$ ]] ||
      not_ready "$name in infra/settings.env is a whole number, not \"${!name}\": for example $name=\"${example#*=}\""
  done
  ((MIN_TASKS > 0)) || not_ready "MIN_TASKS in infra/settings.env is 1 or more: for example MIN_TASKS=\"1\""
  ((MIN_TASKS <= MAX_TASKS)) ||
    not_ready "MIN_TASKS ($MIN_TASKS) is above MAX_TASKS ($MAX_TASKS) in infra/settings.env: for example 1 and 4"
}

say() { printf '%s\n' "$*"; }

warn() { printf '%s\n' "$*" >&2; }

# fact WHAT VALUE: one line of what a script found or did.
fact() { printf '%-9s %s\n' "$1" "$2"; }

# An error, in one line: what is wrong, and what to do. In a workflow it becomes an annotation of the run.
complain() {
  local text="$1" newline=$'\n' return=$'\r'
  explained=yes
  if [[ "${GITHUB_ACTIONS:-}" == true ]]; then
    text="${text//[%]/%25}"
    text="${text//$return/%0D}"
    text="${text//$newline/%0A}"
    warn "::error title=${0##*/}::$text"
  elif [[ -t 2 && -z "${NO_COLOR:-}" ]]; then
    warn $'\033[31m'"error:"$'\033[0m'" $text"
  else
    warn "error: $text"
  fi
}

# fail: it was tried, and did not work. not_ready: nothing was changed. no_verdict: outcome unknown, it may still work.
fail() {
  complain "$1"
  exit 1
}
not_ready() {
  complain "$1"
  exit 2
}
no_verdict() {
  complain "$1"
  exit 3
}

# try_ask SERVICE OPERATION [ARGUMENT]...: leaves the answer of AWS in the file $scratch/answer, and what it said
# instead of an answer in $refusal. Never fails: that is for the caller to judge.
refusal=""
try_ask() {
  refusal=""
  if ! aws "$@" --output json >"$scratch/answer" 2>"$scratch/refusal"; then
    refusal="$(tr -s '[:cntrl:][:space:]' ' ' <"$scratch/refusal")"
    refusal="${refusal# }"
    refusal="${refusal% }"
    refusal="${refusal:-aws gave no reason}"
  fi
}

# ask SERVICE OPERATION [ARGUMENT]...: the same, where without an answer there is nothing left to do.
ask() {
  try_ask "$@"
  [[ -z "$refusal" ]] || refused "$1 $2"
}

# drop SERVICE OPERATION GONE [ARGUMENT]...: where AWS says GONE, there is nothing left to do.
drop() {
  local service="$1" operation="$2" gone="$3"
  shift 3
  touched=yes
  try_ask "$service" "$operation" "$@"
  [[ -z "$refusal" || "$refusal" =~ $gone ]] || refused "$service $operation"
}

# Did AWS say no, or its client? Where the call itself broke, nobody knows whether it was taken.
said_no() { [[ "$refusal" == *"An error occurred ("* || "$refusal" == *"Parameter validation failed"* ]]; }

# Until `touched` is set, nothing has been changed in AWS.
touched=""
permissions="what it needs is in ops/iam-policy-github-actions.json: an administrator applies that by infra/provision.sh"
refused() {
  local text
  text="AWS refused \"$1\": $(why_refused)"
  if [[ -n "$touched" ]]; then fail "$text"; else not_ready "$text"; fi
}

# The refusal; where it is for a lack of permissions, with who can fix it.
why_refused() {
  case "$refusal" in
    *AccessDenied* | *"not authorized"* | *"missing the following permissions"*) say "$refusal ($permissions)" ;;
    *) say "$refusal" ;;
  esac
}

# query PROGRAM [ARGUMENT]...: jq with the definitions of infra/lib/ecs.jq, which read exported variables as `env.NAME`.
query() {
  local program="$1"
  shift
  jq --raw-output -L infra/lib "include \"ecs\"; $program" "$@"
}
