"""The files that .dockerignore lets into the build context: the image could contain any of them."""

CONTEXT = {
    "app/main.py": True,
    "app/data/words.txt": True,
    "app/.env.example": True,
    "app/data/.env.template": True,
    "gunicorn.conf.py": True,
    "pyproject.toml": True,
    "uv.lock": True,
    ".env": False,
    "app/.env": False,
    "app/.env.local": False,
    "app/data/.env.production": False,
    "app/data/__pycache__/words.pyc": False,
    ".git/config": False,
    ".venv/pyvenv.cfg": False,
    "infra/settings.toml": False,
    "infra/tool/cli.py": False,
    "ops/iam-policy-github-actions.json": False,
    "tests/test_main.py": False,
}
EDIT = "edit .dockerignore until it lets in what is True in tests/support/build_context.py"
