"""A load balancer for TCP on 127.0.0.1, which hands new connections to another server at will."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Balancer:
    def __init__(self, target: int) -> None:
        self.target = target  # the port of new connections; those that are open stay where they are
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])

    def accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.forward, args=(client,), daemon=True).start()

    def forward(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            with server:
                back = threading.Thread(target=pump, args=(server, client), daemon=True)
                back.start()
                pump(client, server)
                back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy bytes until the source ends, and end the sink then."""
    with suppress(OSError):
        while piece := source.recv(2**16):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def balancing(target: int) -> Iterator[Balancer]:
    balancer = Balancer(target)
    threading.Thread(target=balancer.accept, daemon=True).start()
    try:
        yield balancer
    finally:
        balancer.listener.shutdown(socket.SHUT_RDWR)
        balancer.listener.close()
