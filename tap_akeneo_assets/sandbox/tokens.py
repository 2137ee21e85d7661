"""OAuth tokens: a connection's access and refresh tokens, and the tokens of Apps."""

import secrets
from collections.abc import Callable
from threading import Lock
from typing import Any

from tap_akeneo_assets.sandbox.refusal import Refusal

# Awkward on purpose: a secret with a colon breaks clients that split at the wrong one, `%C3` and `é` those that encode
# or decode once too often.
CLIENT_ID = "1_sandbox3fh7k2"
CLIENT_SECRET = "2qk:w4c8:sandbox+secret/=="  # noqa: S105 (the sandbox's own, worth nothing elsewhere)
USERNAME = "warehouse_4711"
PASSWORD = "café 100%C3&more"  # noqa: S105 (likewise)

REFRESH_TOKEN_SECONDS = 14 * 24 * 3600


class Tokens:
    """The tokens a PIM has given out.

    Attributes:
        issued: Every token ever given out, access and refresh, Apps' too: what must appear in no log.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        """Start without tokens; `now` gives the PIM's time in seconds."""
        self._now = now
        self._lock = Lock()
        self._ends: dict[str, float] = {}
        self._refresh_ends: dict[str, float] = {}
        self._apps: set[str] = set()
        self.issued: list[str] = []

    def log_in(self, username: object, password: object, seconds: int) -> dict[str, Any]:
        """The answer to grant type `password`; 422 for a wrong user or password."""
        if not username or not password:
            raise Refusal(422, 'Parameter "grant_type", "username" or "password" is missing or empty')
        if (username, password) != (USERNAME, PASSWORD):
            raise Refusal(422, "No user found for the given username and password")
        return self._pair(seconds)

    def refresh(self, refresh_token: object, seconds: int) -> dict[str, Any]:
        """The answer to grant type `refresh_token`, which is spent by it; 422 if spent, expired or unknown."""
        with self._lock:
            ends = self._refresh_ends.pop(str(refresh_token), 0)
        if ends <= self._now():
            raise Refusal(422, "Refresh token is invalid or has expired")
        return self._pair(seconds)

    def _pair(self, seconds: int) -> dict[str, Any]:
        access, refresh = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
        with self._lock:
            self._ends[access] = self._now() + seconds
            self._refresh_ends[refresh] = self._now() + REFRESH_TOKEN_SECONDS
            self.issued += [access, refresh]
        return {
            "access_token": access,
            "expires_in": seconds,
            "token_type": "bearer",
            "scope": None,
            "refresh_token": refresh,
        }

    def check(self, token: str | None) -> None:
        """Refuse (401) a request without a token, or with one that is unknown, revoked or expired."""
        if not token:
            raise Refusal(401, "Authentication is required")
        with self._lock:
            if token in self._apps:
                return
            ends = self._ends.get(token)
        if ends is None:
            raise Refusal(401, "The access token provided is invalid.")
        if ends <= self._now():
            raise Refusal(401, "The access token provided has expired.")

    def add_app(self) -> str:
        """A new App's token, which has no end but may be revoked."""
        token = secrets.token_urlsafe(48)
        with self._lock:
            self._apps.add(token)
            self.issued.append(token)
        return token

    def is_app(self, token: str) -> bool:
        """Whether a token is an App's."""
        with self._lock:
            return token in self._apps

    def revoke(self, token: str) -> None:
        """End an access token or an App's token before its time."""
        with self._lock:
            self._apps.discard(token)
            self._ends.pop(token, None)

    def revoke_all(self, *, refresh_tokens: bool = False) -> None:
        """End all access tokens of the connection, and its refresh tokens if asked to."""
        with self._lock:
            self._ends.clear()
            if refresh_tokens:
                self._refresh_ends.clear()
