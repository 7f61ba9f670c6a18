"""Render the example, lock it, test it, start it and ask it for /health: what `make demo` runs."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

sys.path.insert(0, os.fspath(Path(__file__).resolve().parents[1]))  # it is run as a file

from scripts.narration import (
    ROOT,
    UV,
    print_uv_hint,
    program_of,
    render_example,
    run,
    say,
    show,
)

SERVICE = ROOT / "build" / "ai-assistant"
START_UP = 30  # seconds; it takes one
ANSWER = 5  # seconds for one answer


def free_port() -> int:
    """8080, the port of the service, or any other if it is taken."""
    for port in 8080, 0:
        with socket.socket() as probe:
            if os.name == "posix":  # on Windows it would share a port that is taken
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    sys.exit("No free port on 127.0.0.1.")


def ask(url: str, server: subprocess.Popen[bytes]) -> str:
    """The JSON that `url` answers, as soon as it does.

    Ends this program if `server` ends or START_UP is over.
    """
    deadline = time.monotonic() + START_UP
    problem = ""
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=ANSWER) as response:
                return json.dumps(json.load(response))
        except (OSError, HTTPException, ValueError) as error:  # no answer, half of one, or no JSON
            problem = str(error)
            if isinstance(error, HTTPError):
                error.close()
        time.sleep(0.05)
    if server.poll() is not None:
        sys.exit(f"The server ended with exit code {server.returncode}: the lines above say why.")
    sys.exit(
        f"{url} did not answer within {START_UP} s ({problem}): the lines above say why. "
        "If the machine was busy, run `make demo` again."
    )


def server_command(port: int, system: str = os.name) -> list[str]:
    """gunicorn, as in the image; on Windows, where gunicorn does not run, uvicorn."""
    if system == "nt":
        return ["uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", str(port)]
    return ["gunicorn", "--bind", f"127.0.0.1:{port}"]


def serve() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/health"
    name, *arguments = server_command(port)
    show("uv", "run", name, *arguments)
    program = program_of(SERVICE / ".venv", name)
    started = time.monotonic()
    with subprocess.Popen([program, *arguments], cwd=SERVICE) as server:
        try:
            answer = ask(url, server)
            show("curl", url)
            print(f"  {answer}    ({time.monotonic() - started:.1f} s after start)", flush=True)
        finally:
            server.terminate()
            server.wait()


def main() -> None:
    say("1. Answer the questions with example-answers.yml, and render")
    render_example(SERVICE)
    say("2. Lock its dependencies")
    run(UV, "sync", "--quiet", cwd=SERVICE)
    say("3. Run its tests")
    run(UV, "run", "pytest", "--quiet", cwd=SERVICE)
    say("4. Start it, and ask it for its health")
    serve()
    say("It works. Look around, and start it yourself:")
    print(f"""
  cd {SERVICE.relative_to(ROOT)}
  less README.md          # run, deploy, roll back, watch, update, take down
  uv run gunicorn         # then open http://127.0.0.1:8080/docs

Your own service, from this template:

  uvx copier copy {ROOT} {ROOT.parent / "my-service"}
""")
    print_uv_hint()


if __name__ == "__main__":
    main()
