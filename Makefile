.DEFAULT_GOAL := help
.PHONY: help demo rehearse test test-containers test-recipes test-slow test-all docs site reference benchmark

UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv),.uv/bin/uv)

help:  ## List the commands
	@awk -F ':.*## *' '/^[a-z-]+:.*##/ { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/ready  ## Render the example into build/, lock it, test it, start it and request /health
	@$(UV) run --no-sync python scripts/demo.py

rehearse: .venv/ready  ## Provision, deploy, roll back and tear down on a simulated AWS (DOCKER=yes: with a real docker)
	@$(UV) run --no-sync python scripts/rehearse.py $(if $(DOCKER),--docker)

test: .venv/ready  ## Test the template: renders, linters, deploys and their failures: a few minutes
	$(UV) run --no-sync pytest

test-containers: .venv/ready  ## Test the image on a real container engine
	$(UV) run --no-sync pytest -m container

test-recipes: .venv/ready  ## Apply every recipe of docs/recipes to fresh services, and test those: a few minutes
	$(UV) run --no-sync pytest -m "recipe and not container" -p tests.recipes.scheduling

test-slow: .venv/ready  ## Test every failure and every update, and ask an independent AWS emulator and checkov
	$(UV) run --no-sync pytest -m "slow and not container and not recipe"

test-all: test test-recipes test-slow test-containers  ## Test everything

docs: .venv/ready  ## Build the documentation site into build/site; a broken link or anchor is an error
	$(UV) run --no-sync zensical build --strict

site: docs  ## Build the site as it is published: without a request to another site (needs npm)
	$(UV) run --no-sync python scripts/site.py

reference: .venv/ready  ## Write the pages of docs/reference and the section of the README that follow from the sources
	PYTHONPATH=.:template $(UV) run --no-sync python -m scripts.reference --write

benchmark: .venv/ready  ## Measure the image and the server beside others' (root on Linux; OPTIONS="--rounds 3")
	tests/container/engine.sh build/engine template/Dockerfile benchmarks/subjects/*/Dockerfile
	PATH=$(CURDIR)/build/engine/bin:$$PATH $(UV) run --no-sync python benchmarks/runtime.py $(OPTIONS)

# No lock file: it would name the index it was made from. The pins are in pyproject.toml.
.venv/ready: pyproject.toml $(UV)
	$(UV) sync --quiet
	@touch $@

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
