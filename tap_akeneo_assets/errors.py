"""The exceptions of the tap.

What ends a request, a family or a run is an `AkeneoError`; its `str()` is the one line for the user:

    AkeneoError
    ├── Fatal            no further request can succeed in this run
    ├── Stopped          the run is ending, nothing is wrong
    ├── OutputLost       what was read cannot be written
    └── RequestFailed    this request cannot succeed, others may
        ├── NotFound     404
        ├── Forbidden    403; its text is the same for all resources that are refused for one reason
        ├── Refused      400 and 422: the PIM does not take this cursor or filter
        ├── DamagedPage  an answer that cannot be used; asking again gives the same
        └── StorageUnreadable  whether a media file is stored cannot be seen

What pure functions find wrong with data is a `ValueError`; whoever knows where the data came from says so:

    ValueError
    ├── NotJson          a body is no JSON, or only a part of it
    ├── UnusableJson     a body is JSON that cannot be used
    ├── WrongAnswer      an answer says that it belongs to another request
    ├── NotTheFile       an answer is not the media file that was asked for, or only a part of it
    ├── UnexpectedShape  data of a shape that the schema does not admit
    ├── PaginationLoop   a listing that repeats itself
    └── UnreadableState  a state that cannot be used
"""

from __future__ import annotations

from decimal import Decimal


class AkeneoError(Exception):
    """What stands in the way; `str()` is the one line for the user, without secrets."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class Fatal(AkeneoError):
    """No further request can succeed in this run."""


class Stopped(AkeneoError):
    """The run is ending by a signal; what was asked was not answered, and nothing is known to be wrong.

    Attributes:
        signal: its number; 0 where whoever raises this does not know it.
    """

    def __init__(self, message: str = "A signal ended the run.", *, signal: int = 0) -> None:
        super().__init__(message)
        self.signal = signal


class OutputLost(AkeneoError):
    """What was read cannot be written, so no STATE may vouch for it: the run ends at once."""


class RequestFailed(AkeneoError):
    """A request cannot succeed; others may.

    Attributes:
        status: the HTTP status of the last answer; None when there was none.
        reason: the PIM's own message, in one line, or "".
    """

    def __init__(self, message: str, *, status: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class NotFound(RequestFailed):
    """404: it does not exist, or is not for this user to see."""


class Forbidden(RequestFailed):
    """403: the connection's role, or the App, lacks a permission, or a front server refuses; the message tells."""


class Refused(RequestFailed):
    """400 or 422: the PIM does not take this cursor or filter."""


class DamagedPage(RequestFailed):
    """An answer that cannot be used; asking again gives the same."""


def one_line(text: str) -> str:
    """A text without line breaks, control characters and lone surrogates."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


class StorageUnreadable(RequestFailed):
    """Whether a media file is stored cannot be seen, since the storage does not answer."""


class NotJson(ValueError):
    """A body is no JSON, or only a part of it; str() tells where. Asking again may help."""


class UnusableJson(ValueError):
    """A body is JSON that cannot be used, and asking again gives the same; str() tells why."""


class WrongAnswer(ValueError):
    """An answer says that it belongs to another request: its connection is broken. Asking again helps."""


class NotTheFile(ValueError):
    """An answer is not the media file that was asked for, or a part of it; str() tells why. Asking again may help."""


_JSON_KINDS = {
    dict: "an object",
    list: "an array",
    str: "a text",
    bool: "a boolean",
    int: "a number",
    Decimal: "a number",
}


class UnexpectedShape(ValueError):
    """An answer has a shape that its schema does not admit.

    Attributes:
        path: where, such as `values.*[].locale`.
        expected: what is due there, such as `an object`.
    """

    def __init__(self, path: str, value: object, expected: str) -> None:
        super().__init__(f"`{path}` holds {_JSON_KINDS.get(type(value), 'nothing')} where {expected} is due.")
        self.path = path
        self.expected = expected


class PaginationLoop(ValueError):
    """A listing gives the same pages again and again; str() tells how."""


class UnreadableState(ValueError):
    """The state cannot be used; str() says why, in one line."""


def release(error: Exception) -> None:
    """Drop the traceback of an error that has been dealt with.

    Its frames hold a whole family, and often the error too. Python frees such circles late.
    """
    error.__traceback__ = None
