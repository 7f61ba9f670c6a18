"""The infrastructure of this service, and its tool: `uv run --frozen -m infra --help`."""
