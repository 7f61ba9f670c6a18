"""The real `aws` without its half second of imports: a process that has done them, and forks.

Each call is a child of its own, which takes on the arguments, the environment, the folder and the
three streams of the caller, and runs what the command of awscli runs. warm_client.py is what stands
on the PATH. Started as a program, this file is the process; its stdin ends when its owner does.
"""

import array
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

# Their models are read ahead.
SERVICES = ("application-autoscaling", "cloudformation", "ecr", "ecs", "iam", "logs", "sts")


class WarmAws:
    """The process, as its owner sees it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.socket = folder / "socket"
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, self.socket],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def wait(self) -> None:
        """Until it can be called."""
        assert self._process.stdout
        ready = self._process.stdout.readline()
        assert ready, "awscli cannot be imported: uv sync"

    def stop(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve(path: str) -> None:
    import awscli.clidriver

    remember_files()
    session = awscli.clidriver.create_clidriver().session
    session.get_data("cli")
    for service in SERVICES:
        session.create_client(
            service, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
    # awscli adds the place of its data on import; a caller's environment lacks it.
    data = {"AWS_DATA_PATH": os.environ["AWS_DATA_PATH"]} if "AWS_DATA_PATH" in os.environ else {}
    gc.freeze()  # children share these pages

    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the scripts
    print("ready", flush=True)
    with selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if sys.stdin in ready:
                return
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                answer(connection, data)
            connection.close()


def remember_files() -> None:
    """Have awscli read and list its own files once, not in every child."""
    import botocore.loaders  # awscli's own copy

    loaders: Any = botocore.loaders
    load = cache(loaders.JSONFileLoader().load_file)
    available = loaders.Loader.list_available_services
    known: dict[tuple[str, ...], Any] = {}

    def list_available_services(self: Any, type_name: str) -> Any:
        key = (type_name, *self.search_paths)
        if key not in known:
            known[key] = available(self, type_name)
        return known[key]

    loaders.JSONFileLoader.load_file = lambda _, path: load(path)
    loaders.Loader.list_available_services = list_available_services


def answer(connection: socket.socket, data: dict[str, str]) -> NoReturn:
    """Be the command that a client asks for."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asked, descriptors = received(connection)
    connection.sendall(f"{os.getpid()}\n".encode())
    *streams, folder = descriptors
    os.fchdir(folder)
    os.close(folder)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", 1)
    os.environ.clear()
    os.environ.update(data | asked["environment"])
    sys.argv = ["aws", *asked["arguments"]]
    code = run()
    connection.sendall(f"{code}\n".encode())
    os._exit(code)


def run() -> int:
    """What the script `aws` of awscli does."""
    import awscli.clidriver

    try:
        code = awscli.clidriver.main()
    except SystemExit as ended:
        code = ended.code
    except KeyboardInterrupt:
        code = 130
    for stream in sys.stdout, sys.stderr:
        try:
            stream.flush()
        except BrokenPipeError:
            code = 120  # as Python itself ends then
    return code if isinstance(code, int) else 0


def received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    message, ancillary, _, _ = connection.recvmsg(1 << 16, socket.CMSG_SPACE(4 * 4))
    descriptors = array.array("i")
    for _, _, passed in ancillary:
        descriptors.frombytes(passed)
    while not message.endswith(b"\n"):
        message += connection.recv(1 << 16)
    asked: dict[str, Any] = json.loads(message)
    return asked, list(descriptors)


if __name__ == "__main__":
    serve(sys.argv[1])
