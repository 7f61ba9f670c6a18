#!/usr/bin/env bash
set -euo pipefail

# Deploy from this machine: check everything that a deploy needs, one line each, then deploy.
#
#   bash infra/deploy-manual.sh
#
# Exit codes: 2 if a check failed (nothing was changed), else those of `uv run --frozen -m infra deploy --help`.

CDPATH="" cd -- "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v uv >/dev/null; then
  echo "error: uv is not installed: https://docs.astral.sh/uv/getting-started/installation/" >&2
  exit 2
fi

uv run --frozen -m infra check
exec uv run --frozen -m infra deploy
