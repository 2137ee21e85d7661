"""A connection that ends in the middle of things."""


class HangUp(ConnectionError):
    """Raised instead of giving an answer.

    Attributes:
        sent: Bytes put on the wire before the connection ends: a piece of an answer, its head included.
        reset: Whether the connection ends with a reset instead of properly.
    """

    def __init__(self, sent: bytes = b"", *, reset: bool = False) -> None:
        """Keep what is to be sent and how it ends."""
        super().__init__("hung up by a fault")
        self.sent = sent
        self.reset = reset
