"""A request that the PIM refuses."""


class Refusal(Exception):
    """An answer other than 200, sent as `{"code": …, "message": …}`.

    Attributes:
        status: HTTP status, also the body's `code`.
        message: The body's `message`.
    """

    def __init__(self, status: int, message: str) -> None:
        """Keep status and message."""
        super().__init__(message)
        self.status = status
        self.message = message
