#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'END_OF_USAGE'
Make or update what the service stands on: the stack of infra/stack.yml, by change set; GitHub's identity provider and
the service-linked roles, where the account has none; and the two documents infra/ecr-lifecycle-policy.json and
ops/iam-policy-github-actions.json, as they stand. DEPLOY_USER gets the second one, too, and nobody else keeps it. It
needs the permissions of an administrator.

  infra/provision.sh                      do it; run again, it changes only what is not so yet
  infra/provision.sh --plan               say what that would change, and change nothing
  infra/provision.sh --destroy            take all of it down, but images and logs; asks for the app's name first
  infra/provision.sh --destroy --purge    images and logs too
  infra/provision.sh --help

Exit codes:
  0    done
  1    AWS said no half-way: the first thing that failed is named, with its reason
  2    asked wrongly, or not ready: nothing was changed, and the message says what to do
  3    no verdict: CloudFormation goes on, but it took too long or could no longer be asked
  130  stopped by Ctrl-C: what was under way goes on, and running this again is safe

Settings are in infra/settings.env.
END_OF_USAGE
}

here="$(dirname "${BASH_SOURCE[0]}")"
CDPATH="" cd -- "$here/.."
source infra/lib/stack.sh
source infra/lib/deploy_user.sh

export permissions="sign in as an administrator of the account"
lifecycle_policy="infra/ecr-lifecycle-policy.json"
deploy_policy="ops/iam-policy-github-actions.json"
again=""

main() {
  local task=provision
  case "$*" in
    "") ;;
    --plan) task=plan ;;
    --destroy | "--destroy --purge" | "--purge --destroy") task="destroy" again="$*" ;;
    -h | --help)
      usage
      exit
      ;;
    *) not_ready "infra/provision.sh takes no \"$*\": see infra/provision.sh --help" ;;
  esac

  begin
  load_settings
  need aws jq
  check_documents
  check_applied_documents
  check_account
  find_stack
  fact service "$APP_NAME, in $AWS_REGION of account $AWS_ACCOUNT_ID"
  "$task"
}

check_applied_documents() {
  local name type
  for name in "$lifecycle_policy" "$deploy_policy"; do
    type="$(jq --raw-output type "$name" 2>&1)" || true
    [[ "$type" == object ]] || not_ready "$name is not one JSON object: ${type:-it is empty}"
  done
}

# --- provision ---

provision() {
  check_changeable
  look_around
  if is_failed_creation; then start_anew; fi
  make_change_set
  fact stack "$STACK_NAME: $(pick summary "$scratch/changes")"
  make_provider
  make_service_linked_roles
  if [[ -n "$change_set_arn" ]]; then execute_change_set; fi
  touched=yes
  mend_what_was_taken_over
  apply_documents

  check_stack
  tell_cost
  fact url "$(jq -r .Url "$scratch/stack")"
  fact next "infra/deploy-manual.sh, or git push origin main"
}

plan() {
  local role
  check_changeable
  look_around
  if is_failed_creation; then
    fact stack "$STACK_NAME: its creation failed, so it would be deleted, and made anew"
  else
    make_change_set
    fact stack "$STACK_NAME: $(pick summary "$scratch/changes")"
    pick '.[] | "  \(.word | padded(17)) \(.id) (\(.type))"' "$scratch/changes"
    if [[ -n "$change_set_arn" ]]; then discard_change_set; fi
  fi
  case "$provider" in
    missing) fact provider "to make: $provider_host" ;;
    deaf) fact provider "to teach the audience sts.amazonaws.com: $provider_host" ;;
    *) ;;
  esac
  for role in $missing_roles; do
    fact role "to make, for AWS itself: ${role#*/}"
  done
  fact documents "to apply: $lifecycle_policy, $deploy_policy"
  plan_deploy_user
  tell_cost
  say "Nothing was changed. To do it: infra/provision.sh"
}

check_changeable() {
  case "$status" in
    "" | REVIEW_IN_PROGRESS | *_COMPLETE) ;;
    *_IN_PROGRESS)
      not_ready "the stack $STACK_NAME is being changed ($status): wait until it is done, then run this again"
      ;;
    DELETE_FAILED)
      not_ready "the stack $STACK_NAME is half deleted: infra/provision.sh --destroy finishes that. Then run this again"
      ;;
    UPDATE_*)
      not_ready "the stack $STACK_NAME is stuck ($status): run aws cloudformation continue-update-rollback --region \
$AWS_REGION --stack-name $STACK_NAME, wait until it is done, then run this again"
      ;;
    *) ;;
  esac
}

# CloudFormation can only delete a stack that has never come up.
is_failed_creation() { [[ "$status" == ROLLBACK_* || "$status" == CREATE_FAILED ]]; }

start_anew() {
  fact stack "$STACK_NAME: its creation failed, so it is deleted, and made anew"
  delete_stack
  status=""
}

# All that is asked before anything is changed.
look_around() {
  choose_network
  find_subject
  find_provider
  find_service_linked_roles
  find_deploy_user
}

# --- the network: as the settings say, else as it is, else the default one ---

export vpc="" subnets="" task_subnets=""
choose_network() {
  local from complaint
  task_subnets="$TASK_SUBNET_IDS"
  if [[ -n "$VPC_ID$SUBNET_IDS" ]]; then
    [[ -n "$VPC_ID" && -n "$SUBNET_IDS" ]] ||
      not_ready "VPC_ID and SUBNET_IDS in infra/settings.env go together: for example VPC_ID=\"vpc-1\" and \
SUBNET_IDS=\"subnet-1,subnet-2\""
    [[ -z "$had_vpc" || "$VPC_ID" == "$had_vpc" ]] ||
      not_ready "the load balancer of the stack $STACK_NAME is in $had_vpc, and none can move to another VPC: set \
VPC_ID=\"$had_vpc\", or take all down with infra/provision.sh --destroy, and make it anew"
    vpc="$VPC_ID" subnets="$SUBNET_IDS"
    from="as infra/settings.env says"
  elif [[ -n "$had_vpc" ]]; then
    vpc="$had_vpc" subnets="$had_subnets"
    from="as it is"
  else
    find_default_network
    from="the default one"
  fi
  ask ec2 describe-subnets --cli-input-json "$(pick subnets_to_describe --null-input)"
  complaint="$(pick subnet_complaint "$scratch/answer")"
  [[ -z "$complaint" ]] || not_ready "$complaint. Choose with VPC_ID and SUBNET_IDS in infra/settings.env"
  fact network "$vpc ($from): $(pick zones "$scratch/answer")"
  fact tasks "$(pick where_tasks_run "$scratch/answer")"
}

find_default_network() {
  ask ec2 describe-vpcs --cli-input-json '{"Filters": [{"Name": "is-default", "Values": ["true"]}]}'
  vpc="$(jq -r '.Vpcs[0].VpcId // ""' "$scratch/answer")"
  [[ -n "$vpc" ]] ||
    not_ready "$AWS_REGION has no default VPC in this account: set VPC_ID and SUBNET_IDS in infra/settings.env, for \
example VPC_ID=\"vpc-1\" and SUBNET_IDS=\"subnet-1,subnet-2\", or make one with aws ec2 create-default-vpc"
  ask ec2 describe-subnets --cli-input-json "$(pick default_subnets_to_describe --null-input)"
  subnets="$(jq -r '.Subnets | sort_by(.AvailabilityZone) | map(.SubnetId) | join(",")' "$scratch/answer")"
  [[ -n "$subnets" ]] ||
    not_ready "the default VPC $vpc has no default subnets: set VPC_ID and SUBNET_IDS in infra/settings.env, for \
example VPC_ID=\"$vpc\" and SUBNET_IDS=\"subnet-1,subnet-2\""
}

# --- who may deploy: the subject that GitHub's token carries ---

export subject=""
find_subject() {
  local why="" from="infra/settings.env"
  subject="$GITHUB_SUBJECT"
  if [[ -z "$subject" ]]; then
    from="GitHub"
    find_repository
    if [[ -z "$repository" ]]; then
      why="git has no remote \"origin\" on github.com, and GITHUB_REPO in infra/settings.env is empty"
    elif ask_github "repos/$repository/actions/oidc/customization/sub"; then
      subject="$(pick subject "$scratch/github" 2>/dev/null)" || subject=""
      why="GitHub does not say how the subjects of $repository begin, or it has made its own kind"
    else
      why="GitHub does not tell about $repository: it is private or not there yet, gh is not signed in, or no network"
    fi
  fi
  if [[ -z "$subject" ]]; then
    subject="$had_subject"
    from="as it is, since $why"
  fi
  [[ -n "$subject" ]] ||
    not_ready "who may deploy is not known: $why. Mend that, or write the subject into infra/settings.env: \
GITHUB_SUBJECT=\"repo:OWNER@OWNER_ID/NAME@NAME_ID:ref:refs/heads/main\", or without the ids for a repository that has \
none in its subjects: \"repo:OWNER/NAME:ref:refs/heads/main\""
  fact subject "$subject ($from)"
}

# Leaves OWNER/NAME in $repository, or nothing.
repository=""
find_repository() {
  local url address='^(https://([^@/]+@)?github\.com/|(ssh://)?git@(ssh\.)?github\.com(:[0-9]+)?[:/])([^/]+/[^/]+)$'
  repository="$GITHUB_REPO"
  [[ -z "$repository" ]] || return 0
  url="$(git remote get-url origin 2>/dev/null)" || return 0
  url="${url%/}"
  [[ "${url%.git}" =~ $address ]] || return 0
  repository="${BASH_REMATCH[6]}"
}

# gh knows who asks, which a private repository needs; for any other, curl will do.
ask_github() {
  if command -v gh >/dev/null &&
    GH_PROMPT_DISABLED=1 gh api --hostname github.com "$1" >"$scratch/github" 2>/dev/null; then
    return
  fi
  command -v curl >/dev/null &&
    curl --silent --fail --location --max-time 10 "https://api.github.com/$1" >"$scratch/github" 2>/dev/null
}

# --- GitHub's identity provider: one for each account, so it is never deleted ---

provider_host="token.actions.githubusercontent.com"
provider="" # found, missing, or deaf: it does not listen to AWS's audience
find_provider() {
  provider_arn="arn:$AWS_PARTITION:iam::$AWS_ACCOUNT_ID:oidc-provider/$provider_host"
  try_ask iam get-open-id-connect-provider --open-id-connect-provider-arn "$provider_arn"
  case "$refusal" in
    "") provider="$(jq -r 'if .ClientIDList | any(. == "sts.amazonaws.com") then "found" else "deaf" end' \
      "$scratch/answer")" ;;
    *NoSuchEntity*) provider="missing" ;;
    *) refused "iam get-open-id-connect-provider" ;;
  esac
}

make_provider() {
  case "$provider" in
    missing)
      touched=yes
      try_ask iam create-open-id-connect-provider --url "https://$provider_host" --client-id-list sts.amazonaws.com
      [[ -z "$refusal" || "$refusal" == *EntityAlreadyExists* ]] || refused "iam create-open-id-connect-provider"
      fact provider "made: $provider_host"
      ;;
    deaf)
      touched=yes
      ask iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn "$provider_arn" \
        --client-id sts.amazonaws.com
      fact provider "taught the audience sts.amazonaws.com: $provider_host"
      ;;
    *) ;;
  esac
}

# --- roles that AWS itself takes on, which a new account lacks ---

missing_roles=""
find_service_linked_roles() {
  local role
  for role in ecs.amazonaws.com/AWSServiceRoleForECS \
    ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService \
    elasticloadbalancing.amazonaws.com/AWSServiceRoleForElasticLoadBalancing; do
    try_ask iam get-role --role-name "${role#*/}"
    case "$refusal" in
      "") ;;
      *NoSuchEntity*) missing_roles="${missing_roles:+$missing_roles }$role" ;;
      *) refused "iam get-role" ;;
    esac
  done
}

make_service_linked_roles() {
  local role
  for role in $missing_roles; do
    touched=yes
    try_ask iam create-service-linked-role --aws-service-name "${role%/*}"
    [[ -z "$refusal" || "$refusal" == *"has been taken"* ]] || refused "iam create-service-linked-role"
    wait_for_role "${role#*/}"
    fact role "made, for AWS itself: ${role#*/}"
  done
}

wait_for_role() {
  local try
  for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
    try_ask iam get-role --role-name "$1"
    [[ -n "$refusal" ]] || return 0
    sleep "$ROLLOUT_POLL"
  done
  fail "the role $1 was made, but IAM does not show it after $try looks: run infra/provision.sh again"
}

# --- the documents ---

apply_documents() {
  ask ecr put-lifecycle-policy --repository-name "$ECR_REPOSITORY" --lifecycle-policy-text "file://$lifecycle_policy"
  ask iam put-role-policy --role-name "$DEPLOY_ROLE" --policy-name deploy --policy-document "file://$deploy_policy"
  fact documents "applied: $lifecycle_policy, $deploy_policy"
  let_in_deploy_user "$deploy_policy"
}

# CloudFormation takes a resource over as it is, and thinks from then on that it is as the stack says. So it is made so on
# every run: an earlier one may have been interrupted.
mend_what_was_taken_over() {
  ask ecr put-image-tag-mutability --repository-name "$ECR_REPOSITORY" --image-tag-mutability IMMUTABLE
  ask ecr put-image-scanning-configuration --repository-name "$ECR_REPOSITORY" \
    --image-scanning-configuration scanOnPush=true
  ask logs put-retention-policy --log-group-name "$LOG_GROUP" --retention-in-days "$LOG_RETENTION_DAYS"
}

tell_cost() { fact costs "$(pick cost infra/task-definition.json)"; }

# --- destroy ---

destroy() {
  local answer="" purge=""
  [[ "$again" != *--purge* ]] || purge=yes
  case "$status" in
    REVIEW_IN_PROGRESS | DELETE_IN_PROGRESS) ;;
    *_IN_PROGRESS)
      not_ready "the stack $STACK_NAME is being changed ($status): wait until it is done, then run this again"
      ;;
    *) ;;
  esac

  say "This deletes the ECS service $ECS_SERVICE and the stack $STACK_NAME."
  if [[ -n "$purge" ]]; then
    say "It deletes every image in $ECR_REPOSITORY and the whole log $LOG_GROUP, too."
  else
    say "It keeps the images in $ECR_REPOSITORY and the log $LOG_GROUP."
  fi
  printf 'To go on, type the name of the app: '
  read -r answer || say ""
  [[ "$answer" == "$APP_NAME" ]] ||
    not_ready "that is not its name, so nothing was changed. To take it down, type $APP_NAME"

  destroy_service
  destroy_policy
  if [[ -n "$status" ]]; then delete_stack; fi
  gone stack "$STACK_NAME"
  if [[ -n "$purge" ]]; then
    drop ecr delete-repository RepositoryNotFoundException --repository-name "$ECR_REPOSITORY" --force
    gone images "$ECR_REPOSITORY"
    drop logs delete-log-group ResourceNotFoundException --log-group-name "$LOG_GROUP"
    gone log "$LOG_GROUP"
  else
    say "Kept: the images in $ECR_REPOSITORY and the log $LOG_GROUP. infra/provision.sh takes them over again;"
    say "infra/provision.sh --destroy --purge deletes them."
  fi
  say "Kept: the identity provider $provider_host and the roles of AWS itself, which others in this account may use."
}

gone() { fact "$1" "gone: $2"; }

destroy_service() {
  drop application-autoscaling deregister-scalable-target ObjectNotFoundException --service-namespace ecs \
    --scalable-dimension ecs:service:DesiredCount --resource-id "service/$ECS_CLUSTER/$ECS_SERVICE"
  unfinished="ECS goes on stopping the service $ECS_SERVICE. To take the rest down, run this again."
  try_ask ecs delete-service --cluster "$ECS_CLUSTER" --service "$ECS_SERVICE" --force
  case "$refusal" in
    "") wait_for_service ;;
    *ServiceNotFoundException* | *ServiceNotActiveException* | *ClusterNotFoundException*) ;;
    *) refused_because "ecs delete-service" "$refusal" ;;
  esac
  unfinished=""
  gone service "$ECS_SERVICE"
}

wait_for_service() {
  local since elapsed running tries=0
  told_at=0
  since="$(date +%s)"
  while true; do
    sleep "$ROLLOUT_POLL"
    elapsed="$(date +%s)"
    elapsed=$((elapsed - since))
    ((elapsed < ROLLOUT_TIMEOUT)) || no_verdict "the service is not gone after $elapsed s (ROLLOUT_TIMEOUT)"
    try_ask ecs describe-services --cluster "$ECS_CLUSTER" --services "$ECS_SERVICE"
    [[ "$refusal" != *ClusterNotFoundException* ]] || return 0
    if [[ -n "$refusal" ]]; then
      tries=$((tries + 1))
      warn "  no answer from ECS ($tries of 3): $refusal"
      ((tries < 3)) || no_verdict "ECS did not answer three times in a row: $refusal"
      continue
    fi
    tries=0
    running="$(jq -r '.services[0] | select(. != null and .status != "INACTIVE") | .runningCount' "$scratch/answer")"
    [[ -n "$running" ]] || return 0
    if ((elapsed - told_at >= 30)); then
      say "  $elapsed s: waiting for $running tasks of $ECS_SERVICE to stop"
      told_at="$elapsed"
    fi
  done
}

# A role with a policy that the stack does not know of cannot be deleted.
destroy_policy() {
  find_members
  delete_group
  drop iam delete-role-policy NoSuchEntity --role-name "$DEPLOY_ROLE" --policy-name deploy
}

main "$@"
