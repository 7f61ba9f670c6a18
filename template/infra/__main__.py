"""Run the tool: `uv run --frozen -m infra COMMAND`."""

from infra.tool.cli import main

main()
