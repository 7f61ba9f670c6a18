# shellcheck shell=bash
# Another way in for GitHub: an IAM user with two keys (DEPLOY_USER). It gets what the deploy role may do, through a group
# of the role's name: the document is longer than what IAM keeps on a user itself (2,048 characters; 5,120 on a group).
# Users and keys are created and deleted by people alone.
source infra/lib/common.sh

# Is the user there? Asked before anything is changed.
find_deploy_user() {
  find_members
  [[ -n "$DEPLOY_USER" ]] || return 0
  try_ask iam get-user --user-name "$DEPLOY_USER"
  [[ "$refusal" != *NoSuchEntity* ]] ||
    not_ready "there is no IAM user $DEPLOY_USER, which DEPLOY_USER in infra/settings.env names: create it with aws iam \
create-user --user-name $DEPLOY_USER, or set DEPLOY_USER=\"\" to let GitHub in by the role alone"
  [[ -z "$refusal" ]] || refused "iam get-user"
}

# Leaves the group in $group, empty where there is none, and who is in it in $members, a line each.
group="" members=""
find_members() {
  try_ask iam get-group --group-name "$DEPLOY_ROLE"
  case "$refusal" in
    "")
      group="$DEPLOY_ROLE"
      members="$(jq -r '.Users[].UserName' "$scratch/answer")"
      ;;
    *NoSuchEntity*) ;;
    *) refused "iam get-group" ;;
  esac
}

plan_deploy_user() {
  local user
  for user in $members; do
    [[ "$user" == "$DEPLOY_USER" ]] || fact user "to revoke access: $user"
  done
  [[ -z "$DEPLOY_USER" ]] || fact user "to grant access: $DEPLOY_USER, by the group $DEPLOY_ROLE"
}

# grant_deploy_user DOCUMENT: that user, and no other.
grant_deploy_user() {
  if [[ -z "$DEPLOY_USER" ]]; then
    delete_group
    return
  fi
  touched=yes
  [[ -n "$group" ]] || ask iam create-group --group-name "$DEPLOY_ROLE"
  revoke "$DEPLOY_USER"
  ask iam put-group-policy --group-name "$DEPLOY_ROLE" --policy-name deploy --policy-document "file://$1"
  ask iam add-user-to-group --group-name "$DEPLOY_ROLE" --user-name "$DEPLOY_USER"
  fact user "granted access: $DEPLOY_USER, by the group $DEPLOY_ROLE"
}

# revoke [BUT]
revoke() {
  local user
  for user in $members; do
    [[ "$user" != "${1:-}" ]] || continue
    drop iam remove-user-from-group NoSuchEntity --group-name "$DEPLOY_ROLE" --user-name "$user"
    fact user "revoked access: $user"
  done
}

delete_group() {
  [[ -n "$group" ]] || return 0
  revoke
  drop iam delete-group-policy NoSuchEntity --group-name "$DEPLOY_ROLE" --policy-name deploy
  drop iam delete-group NoSuchEntity --group-name "$DEPLOY_ROLE"
  [[ -z "$members" ]] || say "Kept: the user and its keys. To delete a key: aws iam delete-access-key"
}
