"""Keeps secrets out of every text."""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator


# Shorter ones stand in too many words.
MIN_SECRET_CHARACTERS = 4
# Two per renewal: those of a run of four days on a PIM whose tokens last an hour.
KEPT_TOKENS = 200


class Redactor(logging.Filter):
    """Blanks secrets in log records and other texts: raw, URL-encoded, in base64, and as JSON and Python escape them.

    A secret of fewer than 4 characters is left alone: blanking it would garble every text, and the next reader could
    tell it from the gaps.

    Args:
        secrets: what to blank from the beginning on.
    """

    def __init__(self, *secrets: str) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._secrets: set[str] = set()
        self._token_spellings: deque[frozenset[str]] = deque(maxlen=KEPT_TOKENS)
        self._longest_first: list[str] = []
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Learn secrets of the settings."""
        with self._lock:
            self._secrets.update(*map(_spellings, secrets))
            self._sort()

    def add_tokens(self, *tokens: str | None) -> None:
        """Learn tokens that the PIM gave; only the latest 200 are kept in mind, earlier ones are spent."""
        with self._lock:
            self._token_spellings.extend(frozenset(_spellings(token)) for token in tokens if token is not None)
            self._sort()

    def _sort(self) -> None:
        self._longest_first = sorted(self._secrets.union(*self._token_spellings), key=len, reverse=True)

    def clean(self, text: str) -> str:
        """The text with `***` for each secret."""
        for spelling in self._longest_first:
            text = text.replace(spelling, "***")
        return text

    def is_secret(self, text: str) -> bool:
        """Whether a text as a whole is a secret, in whatever spelling."""
        return text.rstrip("=") in self._longest_first or text in self._longest_first

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean a record: its message with the arguments, its traceback and its stack."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = f"{record.msg} {record.args}"
        cleaned = self.clean(message)
        if cleaned != message:
            record.msg, record.args = cleaned, None
        if record.exc_info:
            text = record.exc_text or logging.Formatter().formatException(record.exc_info)
            cleaned = self.clean(text)
            if cleaned != text:
                record.exc_info, record.exc_text = None, cleaned
        if record.stack_info:
            record.stack_info = self.clean(record.stack_info)
        return True

    def install(self, *handlers: logging.Handler) -> None:
        """Clean all that these handlers write; a logger's own filters would miss the loggers below it."""
        for handler in handlers:
            handler.addFilter(self)


def all_handlers() -> list[logging.Handler]:
    """The handlers of all loggers, also of those that a configuration file has made."""
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    return list({handler: None for logger in loggers for handler in logger.handlers})


def _spellings(secret: str) -> Iterator[str]:
    if len(secret) < MIN_SECRET_CHARACTERS:
        return
    raw = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield repr(secret)[1:-1]
    for escaped in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield escaped
        yield escaped.replace("/", "\\/")
    for encoded in (quote(raw), quote(raw, safe=""), quote_plus(raw)):
        yield encoded
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)
    yield base64.b64encode(raw).decode().rstrip("=")
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
