"""The error of an operation that AWS would refuse."""


class Refused(Exception):
    """An error of the API, as its model or its documentation names it.

    protocol.py gives it the shape of the protocol that was asked in, so that the CLI prints
    `An error occurred (CODE) when calling the X operation: MESSAGE`.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
