"""Run the tool: `uv run --frozen -m infra COMMAND`."""

import sys

try:
    from infra.tool.cli import main
except KeyboardInterrupt:  # Ctrl-C in the second that the imports take
    sys.exit(130)

main()
