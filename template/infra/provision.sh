#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'END_OF_USAGE'
Create or update the infrastructure of the service: the stack of infra/stack.yml, by change set; GitHub's identity
provider and the service-linked roles, where the account has none; and the two documents infra/ecr-lifecycle-policy.json
and ops/iam-policy-github-actions.json, as they stand. DEPLOY_USER is granted the second one too, and no other user
keeps it. It needs the permissions of an administrator.

  infra/provision.sh                      create or update; run again, it changes only what differs
  infra/provision.sh --plan               say what that would change, and change nothing
  infra/provision.sh --destroy            delete everything except images and log group; asks for the app's name first
  infra/provision.sh --destroy --purge    delete images and log group too
  infra/provision.sh --help

Exit codes:
  0    done
  1    AWS refused a request after changes had begun: the first failure is named, with its reason
  2    invalid usage, or not ready: nothing was changed, and the message says what to do
  3    outcome unknown: CloudFormation or ECS goes on, but it took too long or could no longer be asked
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
    *) not_ready "unknown argument \"$*\": see infra/provision.sh --help" ;;
  esac

  begin
  load_settings
  need aws jq
  check_documents
  check_applied_documents
  check_account
  find_stack
  check_names
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

# A rename of what a stack has replaces what serves, or leaves things behind. Only a role that somebody deleted needs
# another name, and is left in $lost_role with its setting: CloudFormation believes that it is there.
lost_role=""
check_names() {
  local setting had complaint=""
  [[ -n "$had_vpc" ]] || return 0
  pick names "$scratch/described" >"$scratch/names"
  while read -r setting had <&3; do
    if [[ "$setting" == *_ROLE ]] && is_no_role "$had"; then
      [[ "${!setting}" != "$had" ]] || lost_role="$setting $had"
    elif [[ "${!setting}" != "$had" ]]; then
      complaint="${complaint:+$complaint, }$setting=\"$had\""
    fi
  done 3<"$scratch/names"
  [[ -z "$complaint" ]] ||
    not_ready "infra/settings.env renames what the stack $STACK_NAME has, which would break what serves. Set it as it \
was: $complaint. To rename it, delete everything first, with infra/provision.sh --destroy"
}

is_no_role() {
  try_ask iam get-role --role-name "$1"
  case "$refusal" in
    "") return 1 ;;
    *NoSuchEntity*) return 0 ;;
    *) refused "iam get-role" ;;
  esac
}

# --- provision ---

provision() {
  check_changeable
  look_around
  if is_failed_creation; then recreate_stack; fi
  make_change_set
  fact stack "$STACK_NAME: $(pick summary "$scratch/changes")"
  tell_what_is_taken_over
  make_provider
  make_service_linked_roles
  recreate_lost
  if [[ -n "$change_set_arn" ]]; then execute_change_set; fi
  unfinished=""
  touched=yes
  configure_what_was_taken_over
  apply_documents

  check_stack
  tell_cost
  fact url "$(jq -r .Url "$scratch/stack")"
  [[ -z "$DOMAIN_NAME" ]] ||
    fact dns "$DOMAIN_NAME must point (CNAME or alias) to $(jq -r .LoadBalancerDomain "$scratch/stack")"
  fact next "git push origin main, or bash infra/deploy-manual.sh"
}

plan() {
  local role what
  check_changeable
  look_around
  if is_failed_creation; then
    fact stack "$STACK_NAME: its creation failed, so it would be deleted and recreated. Until it is, CloudFormation \
cannot show a change set"
  else
    make_change_set
    fact stack "$STACK_NAME: $(pick summary "$scratch/changes")"
    pick '.[] | "  \(.word | padded(17)) \(.id) (\(.type))"' "$scratch/changes"
    tell_what_is_taken_over
    discard_change_set
  fi
  case "$provider" in
    missing) fact provider "to create: $provider_host" ;;
    incomplete) fact provider "to add audience sts.amazonaws.com to $provider_host" ;;
    *) ;;
  esac
  for role in $missing_roles; do
    fact role "to create, for AWS itself: ${role#*/}"
  done
  for what in $lost; do
    fact "$what" "to recreate: somebody has deleted it"
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

recreate_stack() {
  fact stack "$STACK_NAME: its creation failed, so it is deleted and recreated"
  delete_stack
  status=""
}

# All that is asked before anything is changed.
look_around() {
  check_arns
  find_lost
  find_serving
  choose_network
  find_subject
  find_provider
  find_service_linked_roles
  find_deploy_user
}

check_arns() {
  local complaint
  complaint="$(pick arn_complaint infra/task-definition.json)"
  [[ -z "$complaint" ]] || not_ready "$complaint"
}

# --- what somebody has deleted, and CloudFormation believes to be there: under its name, it is the stack's again ---

lost=""
find_lost() {
  [[ -n "$had_vpc" ]] || return 0
  [[ -z "$lost_role" ]] ||
    not_ready "somebody has deleted the role ${lost_role#* }, and CloudFormation recreates it only under another name: \
set ${lost_role% *}=\"${lost_role#* }-2\" in infra/settings.env, and write that name wherever infra/ and ops/ have \
the old one"
  try_ask ecr describe-repositories --repository-names "$ECR_REPOSITORY"
  case "$refusal" in
    "") ;;
    *RepositoryNotFoundException*) lost="repository" ;;
    *) refused "ecr describe-repositories" ;;
  esac
  ask logs describe-log-groups --log-group-name-prefix "$LOG_GROUP"
  jq --exit-status 'any(.logGroups[]; .logGroupName == env.LOG_GROUP)' "$scratch/answer" >/dev/null || lost="$lost log"
  ask ecs describe-clusters --clusters "$ECS_CLUSTER"
  jq --exit-status 'any(.clusters[]; .status == "ACTIVE")' "$scratch/answer" >/dev/null || lost="$lost cluster"
}

recreate_lost() {
  local what
  for what in $lost; do
    touched=yes
    case "$what" in
      repository) ask_beside_change_set ecr create-repository --repository-name "$ECR_REPOSITORY" ;;
      log) ask_beside_change_set logs create-log-group --log-group-name "$LOG_GROUP" ;;
      cluster) ask_beside_change_set ecs create-cluster --cluster-name "$ECS_CLUSTER" ;;
      *) ;;
    esac
    fact "$what" "recreated, empty: somebody had deleted it"
  done
}

# --- what runs now: its revisions in $scratch/serving, and the subnets of its tasks in $running_subnets ---

export running_subnets=""
find_serving() {
  local revision revisions
  : >"$scratch/serving"
  [[ -n "$had_vpc" && "$lost" != *cluster* ]] || return 0
  ask ecs describe-services --cluster "$ECS_CLUSTER" --services "$ECS_SERVICE"
  running_subnets="$(pick running_subnets "$scratch/answer")"
  revisions="$(pick serving "$scratch/answer")"
  for revision in $revisions; do
    ask ecs describe-task-definition --task-definition "$revision"
    jq .taskDefinition "$scratch/answer" >>"$scratch/serving"
  done
}

# --- the network: as the settings say, else as it is, else the default one ---

export vpc="" subnets="" task_subnets=""
choose_network() {
  local from complaint leaves
  task_subnets="$TASK_SUBNET_IDS"
  if [[ -n "$VPC_ID$SUBNET_IDS" ]]; then
    [[ -n "$VPC_ID" && -n "$SUBNET_IDS" ]] ||
      not_ready "VPC_ID and SUBNET_IDS in infra/settings.env go together: for example VPC_ID=\"vpc-1\" and \
SUBNET_IDS=\"subnet-1,subnet-2\""
    [[ -z "$had_vpc" || "$VPC_ID" == "$had_vpc" ]] ||
      not_ready "the load balancer of the stack $STACK_NAME is in $had_vpc, and none can move to another VPC: set \
VPC_ID=\"$had_vpc\", or delete everything with infra/provision.sh --destroy, and recreate it"
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
  [[ -z "$complaint" ]] ||
    not_ready "$complaint. Choose others with VPC_ID, SUBNET_IDS and TASK_SUBNET_IDS in infra/settings.env"
  leaves="$(pick cut_off "$scratch/answer")"
  [[ -z "$leaves" ]] ||
    not_ready "tasks run in $leaves, and SUBNET_IDS in infra/settings.env takes the load balancer out of that zone: \
they would get no more requests. Move them first: with SUBNET_IDS=\"$had_subnets\", set TASK_SUBNET_IDS to subnets of \
the zones that stay, provision and deploy. Then change SUBNET_IDS"
  fact network "$vpc ($from): $(pick zones "$scratch/answer")"
  fact tasks "$(pick where_tasks_run "$scratch/answer")"
  ask ec2 describe-internet-gateways --cli-input-json "$(pick internet_gateways_to_describe --null-input)"
  jq --exit-status '.InternetGateways != []' "$scratch/answer" >/dev/null ||
    not_ready "$vpc has no internet gateway, and a load balancer that the world reaches needs one: attach it with aws \
ec2 create-internet-gateway and aws ec2 attach-internet-gateway, or choose another VPC with VPC_ID and SUBNET_IDS in \
infra/settings.env"
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
    not_ready "who may deploy is not known: $why. Fix that, or write the subject into infra/settings.env: \
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
provider="" # found, missing, or incomplete: it lacks the audience of AWS
find_provider() {
  provider_arn="arn:$AWS_PARTITION:iam::$AWS_ACCOUNT_ID:oidc-provider/$provider_host"
  try_ask iam get-open-id-connect-provider --open-id-connect-provider-arn "$provider_arn"
  case "$refusal" in
    "") provider="$(jq -r 'if .ClientIDList | any(. == "sts.amazonaws.com") then "found" else "incomplete" end' \
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
      [[ -z "$refusal" || "$refusal" == *EntityAlreadyExists* ]] || give_up "iam create-open-id-connect-provider"
      fact provider "created: $provider_host"
      ;;
    incomplete)
      touched=yes
      ask_beside_change_set iam add-client-id-to-open-id-connect-provider \
        --open-id-connect-provider-arn "$provider_arn" --client-id sts.amazonaws.com
      fact provider "added audience sts.amazonaws.com to $provider_host"
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
    [[ -z "$refusal" || "$refusal" == *"has been taken"* ]] || give_up "iam create-service-linked-role"
    wait_for_role "${role#*/}"
    fact role "created, for AWS itself: ${role#*/}"
  done
}

wait_for_role() {
  local try
  for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
    try_ask iam get-role --role-name "$1"
    [[ -n "$refusal" ]] || return 0
    sleep "$ROLLOUT_POLL"
  done
  discard_change_set
  fail "the role $1 was created, but IAM does not show it after $try looks: run infra/provision.sh again"
}

# --- the documents ---

apply_documents() {
  ask ecr put-lifecycle-policy --repository-name "$ECR_REPOSITORY" --lifecycle-policy-text "file://$lifecycle_policy"
  ask iam put-role-policy --role-name "$DEPLOY_ROLE" --policy-name deploy --policy-document "file://$deploy_policy"
  fact documents "applied: $lifecycle_policy, $deploy_policy"
  grant_deploy_user "$deploy_policy"
}

# CloudFormation takes a resource over as it is, and thinks from then on that it is as the stack says. So it is made so
# on every run: an earlier one may have been interrupted.
configure_what_was_taken_over() {
  ask ecr put-image-tag-mutability --repository-name "$ECR_REPOSITORY" --image-tag-mutability IMMUTABLE
  ask ecr put-image-scanning-configuration --repository-name "$ECR_REPOSITORY" \
    --image-scanning-configuration scanOnPush=true
  ask logs put-retention-policy --log-group-name "$LOG_GROUP" --retention-in-days "$LOG_RETENTION_DAYS"
}

# What that does to those who used it before.
tell_what_is_taken_over() {
  if [[ "$(pick 'takes_over("Repository")' "$scratch/changes")" == true ]]; then
    fact images "in $ECR_REPOSITORY, no tag can be moved from now on: whatever pushes \"latest\" again will fail"
    fact images "in $ECR_REPOSITORY, $lifecycle_policy decides what expires: \
$(jq -r '.rules | map(.description) | join("; ")' "$lifecycle_policy")"
  fi
  if [[ "$(pick 'takes_over("LogGroup")' "$scratch/changes")" == true ]]; then
    fact log "in $LOG_GROUP, lines are deleted after $LOG_RETENTION_DAYS days (LOG_RETENTION_DAYS)"
  fi
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
    not_ready "that is not its name, so nothing was changed. To delete it, type $APP_NAME"

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
  say "Kept: the revisions of the task definition $TASK_FAMILY, which cost nothing."
  say "Kept: the identity provider $provider_host and the roles of AWS itself, which others in this account may use."
}

gone() { fact "$1" "gone: $2"; }

destroy_service() {
  drop application-autoscaling deregister-scalable-target ObjectNotFoundException --service-namespace ecs \
    --scalable-dimension ecs:service:DesiredCount --resource-id "service/$ECS_CLUSTER/$ECS_SERVICE"
  unfinished="ECS goes on stopping the service $ECS_SERVICE. To delete the rest, run this again."
  try_ask ecs delete-service --cluster "$ECS_CLUSTER" --service "$ECS_SERVICE" --force
  case "$refusal" in
    "" | *ServiceNotFoundException* | *ServiceNotActiveException*) wait_for_tasks ;;
    *ClusterNotFoundException*) ;;
    *) refused_because "ecs delete-service" "$refusal" ;;
  esac
  unfinished=""
  gone service "$ECS_SERVICE"
}

# ECS calls a service INACTIVE while its last tasks are still being taken apart: until then, each of them holds the
# cluster and a security group.
export stopped_tasks='[]'
wait_for_tasks() {
  begin_to_wait
  while true; do
    count_tasks
    if [[ "$refusal" == *ClusterNotFoundException* ]]; then
      return
    elif [[ -n "$refusal" ]]; then
      no_answer ECS
    elif [[ -z "$tasks" ]]; then
      return
    else
      lost_answers=0
      still_waiting "waiting for $tasks of $ECS_CLUSTER to stop"
    fi
    pause "the tasks of $ECS_CLUSTER are not gone"
  done
}

# Leaves in $tasks, in words, how many there still are, or nothing where there is none; or a $refusal.
tasks=""
count_tasks() {
  local desired request
  tasks=""
  try_ask ecs describe-services --cluster "$ECS_CLUSTER" --services "$ECS_SERVICE"
  [[ -z "$refusal" ]] || return 0
  tasks="$(pick draining "$scratch/answer")"
  [[ -z "$tasks" ]] || return 0
  : >"$scratch/tasks"
  for desired in RUNNING STOPPED; do
    try_ask ecs list-tasks --cluster "$ECS_CLUSTER" --desired-status "$desired"
    [[ -z "$refusal" ]] || return 0
    cat "$scratch/answer" >>"$scratch/tasks"
  done
  request="$(pick to_describe --slurp "$scratch/tasks")"
  [[ -n "$request" ]] || return 0
  try_ask ecs describe-tasks --cli-input-json "$request"
  [[ -z "$refusal" ]] || return 0
  stopped_tasks="$(pick now_stopped "$scratch/answer")"
  tasks="$(pick not_stopped --slurp "$scratch/tasks")"
}

# A role with a policy that the stack does not know of cannot be deleted.
destroy_policy() {
  find_members
  delete_group
  drop iam delete-role-policy NoSuchEntity --role-name "$DEPLOY_ROLE" --policy-name deploy
}

main "$@"
