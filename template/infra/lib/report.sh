# shellcheck shell=bash
# What a script leaves behind for people: the facts of a run, as lines and as the summary of a workflow's run.
source infra/lib/common.sh

# fact WHAT VALUE: says it, and keeps it for the summary.
fact() {
  printf '%-9s %s\n' "$1" "$2"
  say "| $1 | $2 |" >>"$scratch/facts"
}

# Shows a file of other people's words: in a workflow, none of them is taken for a command to the runner.
show() {
  local token="${scratch##*/}"
  if [[ "${GITHUB_ACTIONS:-}" == true ]]; then
    say "::stop-commands::$token"
    cat "$1"
    say "::$token::"
  else
    cat "$1"
  fi
}

# summarise TITLE [FILE]: for the page of a workflow's run. The file is quoted as it is, so nothing in it is Markdown.
summarise() {
  [[ -n "${GITHUB_STEP_SUMMARY:-}" ]] || return 0
  {
    say "### $1"
    say ""
    say "| | |"
    say "| --- | --- |"
    cat "$scratch/facts"
    say ""
    [[ -z "${2:-}" ]] || sed 's/^/    /' "$2"
  } >>"$GITHUB_STEP_SUMMARY"
}
