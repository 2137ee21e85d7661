"""A request that the PIM refuses."""

from collections.abc import Mapping, Sequence


class Refusal(Exception):
    """An answer that refuses, sent as `{"code": …, "message": …}`, with `errors` where there are some.

    Attributes:
        status: HTTP status, also the body's `code`.
        message: The body's `message`.
        errors: The body's `errors`, each with a `property` and a `message`.
    """

    def __init__(self, status: int, message: str, errors: Sequence[Mapping[str, str]] = ()) -> None:
        """Keep status, message and errors."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors

    @property
    def body(self) -> dict[str, object]:
        """What is sent."""
        errors = {"errors": list(self.errors)} if self.errors else {}
        return {"code": self.status, "message": self.message, **errors}
