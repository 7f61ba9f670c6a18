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

check_tools() { need aws docker git jq; }

check_docker() {
  need docker
  found="$(docker version --format '{{.Server.Version}}' 2>/dev/null)" ||
    not_ready "docker does not answer: start Docker Desktop, or: sudo systemctl start docker"
}

# Leaves in $commit what is deployed. A service is a repository of its own: its commit must say what runs.
export commit=""
check_repository() {
  need git
  local above
  above="$(git rev-parse --show-prefix 2>&1)" ||
    not_ready "this is not a git repository ($above): git init --initial-branch main, then commit"
  [[ -z "$above" ]] ||
    not_ready "${above%/} is a folder of another git repository: move it out, and make it one of its own with git init"
  commit="$(git rev-parse --quiet --verify HEAD)" ||
    not_ready "nothing is committed yet: git add . && git commit --message 'Start from the template'"
  found="$commit"
}

check_lock() {
  need git
  [[ -f uv.lock ]] || not_ready "uv.lock is missing: run uv sync, then commit the uv.lock that it makes"
  git ls-files --error-unmatch uv.lock >/dev/null 2>&1 ||
    not_ready "uv.lock is not committed: git add --force uv.lock && git commit --message 'Lock the dependencies'"
  found="uv.lock"
}

# What is built is what lies here, and it is named after the commit: so the two must be the same.
check_tree() {
  need git
  local changes change names="" count=0
  changes="$(git status --porcelain --untracked-files=normal)" || not_ready "git status does not work here: see above"
  while IFS= read -r change; do
    [[ -n "$change" ]] || continue
    count=$((count + 1))
    ((count > 3)) || names="${names:+$names, }${change:3}"
  done <<<"$changes"
  ((count == 0)) || not_ready "not committed: $names ($count in all). Commit, stash or ignore them, then deploy"
  found="clean"
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

# Does aws know all that infra/service.json asks for? It would say so itself, but only after image and revision.
check_cli() {
  need aws jq
  local unknown
  try_ask ecs create-service --generate-cli-skeleton input # which asks nobody
  [[ -z "$refusal" ]] || not_ready "aws does not work on this machine: $refusal"
  unknown="$(query 'unknown_members | join(", ")' --slurp infra/service.json "$scratch/answer")"
  [[ -z "$unknown" ]] ||
    not_ready "this aws is too old, or infra/service.json is wrong: aws ecs create-service does not know $unknown. \
Update the AWS CLI (2.22.2, 1.36.7 or newer), or correct infra/service.json"
  found="aws"
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

# Leaves the service as it is in $scratch/service, and its status in $service, empty where there is none or, with a
# $refusal, where nobody knows.
service=""
read_service() {
  service=""
  try_ask ecs describe-services --cluster "$ECS_CLUSTER" --services "$ECS_SERVICE"
  [[ -z "$refusal" ]] || return 0
  mv "$scratch/answer" "$scratch/service"
  service="$(query 'service.status // ""' "$scratch/service")"
}

check_service() {
  need aws jq
  read_service
  [[ "$refusal" != *ClusterNotFoundException* ]] || not_there_yet "$AWS_REGION has no cluster $ECS_CLUSTER"
  [[ -z "$refusal" ]] || refused "ecs describe-services"
  [[ "$service" != DRAINING ]] ||
    not_ready "the service $ECS_SERVICE is being deleted: wait until it is gone (some minutes), then deploy"
  found="${service:-not there yet: the first deploy makes it}"
}
