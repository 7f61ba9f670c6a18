"""`aws` on the PATH of a script: hands everything to warm_aws.py, and ends as the command ends.

Python starts this with -I and -S, so it imports little, and nothing of ours.
"""

import array
import json
import os
import signal
import socket
import sys
from types import FrameType

SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def main() -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until it is known who is to hear of them
    path, *arguments = sys.argv[1:]
    asked = {"arguments": arguments, "environment": dict(os.environ)}
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    descriptors = array.array("i", [0, 1, 2, os.open(".", os.O_RDONLY)])
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)
    message = json.dumps(asked).encode() + b"\n"
    sent = connection.sendmsg([message], [rights])
    connection.sendall(message[sent:])

    answers = connection.makefile()
    command = int(answers.readline())
    heard: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        heard.append(number)
        os.kill(command, number)

    for number in SIGNALS:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    code = answers.readline()
    if code:
        return int(code)
    return die_of(heard[-1] if heard else signal.SIGKILL)


def die_of(number: int) -> int:
    """As the command has."""
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 1


if __name__ == "__main__":
    sys.exit(main())
