"""A connection that ends in the middle of things, or on which more comes than one answer."""

from collections.abc import Iterable


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


class OnTheWire(Exception):
    """Raised instead of giving an answer, whose bytes it holds; the connection stays open.

    Attributes:
        pieces: Bytes put on the wire, each by itself.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        """Keep what is to be sent."""
        super().__init__("answered by a fault")
        self.pieces = pieces
