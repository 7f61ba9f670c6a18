"""Render the example, lock it, test it, start it and ask it for /health: what `make demo` runs."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVICE = ROOT / "build" / "ai-assistant"
START_UP = 30  # seconds; it takes one


def say(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def show(*command: str | Path) -> None:
    program, *words = command
    short = [os.path.relpath(word, ROOT) if isinstance(word, Path) else word for word in words]
    print(f"  $ {Path(program).name} {' '.join(short)}", flush=True)


def run(*command: str | Path, cwd: Path = SERVICE) -> None:
    """Show a command and run it. Ends the demo with its exit code when it fails."""
    show(*command)
    # The service has an environment of its own: the one that runs this script is not meant.
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def free_port() -> int:
    """8080, where the service listens, or any other when that is taken."""
    for port in 8080, 0:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    sys.exit("No free port on 127.0.0.1.")


def ask(url: str, server: subprocess.Popen[bytes]) -> str:
    """The answer of `url`, as soon as there is one."""
    deadline = time.monotonic() + START_UP
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return json.dumps(json.load(response))
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    sys.exit(f"{url} gave no answer: the lines above say why.")


def serve() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/health"
    gunicorn = SERVICE / ".venv" / "bin" / "gunicorn"
    show("uv", "run", "gunicorn", "--bind", f"127.0.0.1:{port}")
    started = time.monotonic()
    with subprocess.Popen([gunicorn, "--bind", f"127.0.0.1:{port}"], cwd=SERVICE) as server:
        try:
            answer = ask(url, server)
            show("curl", url)
            print(f"  {answer}    ({time.monotonic() - started:.1f} s after start)", flush=True)
        finally:
            server.terminate()
            server.wait()


def main() -> None:
    uv = os.environ.get("UV", "uv")  # set by `uv run`
    say("1. Answer the questions with example-answers.yml, and render")
    shutil.rmtree(SERVICE, ignore_errors=True)
    copier = Path(sys.executable).parent / "copier"
    answers = ROOT / "example-answers.yml"
    quiet = "--quiet", "--defaults", "--vcs-ref", "HEAD", "--data-file", answers
    run(copier, "copy", *quiet, ROOT, SERVICE, cwd=ROOT)
    say("2. Lock its dependencies")
    run(uv, "sync", "--quiet")
    say("3. Run its tests")
    run(uv, "run", "pytest", "--quiet")
    say("4. Start it, and ask it for its health")
    serve()
    say("It works. Look around, and start it yourself:")
    print(f"""
  cd {SERVICE.relative_to(ROOT)}
  less README.md          # run, deploy, roll back, watch, update, take down
  uv run gunicorn         # then open http://127.0.0.1:8080/docs

Your own service, from this template:

  uvx copier copy {ROOT} ../my-service
""")


if __name__ == "__main__":
    main()
