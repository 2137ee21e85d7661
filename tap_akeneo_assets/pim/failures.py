"""What it means that no answer came, and what a person can do about it. Pure."""

from __future__ import annotations

import re
import socket
import ssl
from http.client import IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING

import requests
import urllib3

from tap_akeneo_assets.errors import AkeneoError, Fatal
from tap_akeneo_assets.pim.responses import PROXY_WANTS_LOGIN, RequestInfo, Retry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_UNREADABLE_BUNDLE = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE in the environment names no file of certificates."
_UNUSABLE_PROXY = (
    "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY in the environment is not the address of a proxy that is supported."
)
_FAILURES: tuple[tuple[type[BaseException], str], ...] = (
    (urllib3.exceptions.ConnectTimeoutError, "no connection in time"),
    (urllib3.exceptions.DecodeError, "a body that cannot be decompressed"),
    (ConnectionRefusedError, "connection refused"),
    (TimeoutError, "no answer in time"),
    (urllib3.exceptions.TimeoutError, "no answer in time"),
    (RemoteDisconnected, "connection dropped without an answer"),
    (IncompleteRead, "a body cut short"),
    (ConnectionError, "connection dropped"),
)
_PROXY_ERRORS = (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError)
_WRONG_PROXIES = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    urllib3.exceptions.LocationValueError,
    urllib3.exceptions.ProxySchemeUnsupported,
)
# OpenSSL's names for what it makes of an answer in plain HTTP.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE")
# Likewise where both sides speak TLS but have no version or cipher in common.
_OTHER_TLS = (
    "UNSUPPORTED_PROTOCOL",
    "NO_PROTOCOLS_AVAILABLE",
    "WRONG_SSL_VERSION",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",
    "NO_SHARED_CIPHER",
    "DH_KEY_TOO_SMALL",
)
# EAI_NODATA is not everywhere.
_NO_SUCH_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: (\d{3})")
_PROXY_LOGIN = 407


def judge_failure(request_info: RequestInfo, error: Exception, *, answered: bool) -> Retry | AkeneoError:
    """Judge what came instead of an answer.

    Args:
        request_info: the request.
        error: what `requests`, `urllib3` or `http.client` raised.
        answered: whether anything has been answered in this run. Before, what looks like a wrong setting is one; after,
            it is a passing fault of the network.

    Returns:
        What to do about it. No text of the exception is quoted: it may hold queries or a proxy's password.
    """
    # The last calls itself a timeout, whatever it was that kept a connection from being made.
    causes = [cause for cause in _causes(error) if not isinstance(cause, urllib3.exceptions.NewConnectionError)]
    if any(isinstance(cause, _WRONG_PROXIES) for cause in causes):
        return Fatal(_UNUSABLE_PROXY)
    by_proxy = any(isinstance(cause, _PROXY_ERRORS) for cause in causes)
    for cause in causes:
        verdict = (
            _judge_tls(cause, request_info, by_proxy=by_proxy, answered=answered)
            or _judge_name_service(cause, request_info, by_proxy=by_proxy, answered=answered)
            or _judge_tunnel(cause, answered=answered)
        )
        if verdict is not None:
            return verdict
    return Retry(_describe_failure(error, causes, by_proxy=by_proxy, answered=answered))


def _judge_tls(
    cause: BaseException, request_info: RequestInfo, *, by_proxy: bool, answered: bool
) -> Retry | AkeneoError | None:
    who = "The proxy that HTTPS_PROXY names" if by_proxy else request_info.api_url
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = cause.verify_message.rstrip(".")
        return Fatal(
            f"The TLS certificate of {who} is not trusted: {reason}. If an authority of your own issued it, name that "
            "authority's file in the environment variable REQUESTS_CA_BUNDLE."
        )
    no_file = type(cause) is OSError and "CA certificate" in str(cause)
    if no_file or (isinstance(cause, ssl.SSLError) and getattr(cause, "library", None) in ("X509", "PEM")):
        return Fatal(_UNREADABLE_BUNDLE)
    trouble = getattr(cause, "reason", None) if isinstance(cause, ssl.SSLError) else None
    if not answered and trouble in _NOT_TLS:
        setting = "HTTPS_PROXY" if by_proxy else "api_url"
        return Fatal(f"{who} does not speak TLS; is {setting} http://?")
    if not answered and trouble in _OTHER_TLS:
        return Fatal(f"{who} and this machine have no version or cipher of TLS in common ({trouble}).")
    return None


def _judge_name_service(
    cause: BaseException, request_info: RequestInfo, *, by_proxy: bool, answered: bool
) -> Retry | AkeneoError | None:
    if not isinstance(cause, socket.gaierror):
        return None
    host = "The host of the proxy" if by_proxy else f"The host of {request_info.api_url}"
    setting = "HTTP_PROXY or HTTPS_PROXY in the environment" if by_proxy else "api_url"
    if cause.errno in _NO_SUCH_NAME:
        if not answered:
            return Fatal(f"{host} is not found ({cause.strerror}): check {setting}.")
        return Retry("host of the proxy not found" if by_proxy else "host not found")
    # Common in the first second of a container.
    return Retry(f"no answer of the name service ({cause.strerror})")


def _judge_tunnel(cause: BaseException, *, answered: bool) -> Retry | AkeneoError | None:
    tunnel = _TUNNEL_STATUS.match(str(cause)) if type(cause) is OSError else None
    if tunnel is None:
        return None
    status = int(tunnel[1])
    if status == _PROXY_LOGIN:
        return Fatal(PROXY_WANTS_LOGIN)
    if 400 <= status < 500 and not answered:  # noqa: PLR2004
        return Fatal(
            f"The proxy refuses to connect to the PIM: {status}. Let its operator allow it, or name the PIM's host in "
            "NO_PROXY in the environment."
        )
    return Retry(f"no connection by the proxy ({status})")


def _describe_failure(error: Exception, causes: Sequence[BaseException], *, by_proxy: bool, answered: bool) -> str:
    what = _describe_cause(error, causes)
    if by_proxy:
        return f"no connection by the proxy ({what})"
    if what == "connection refused" and not answered:
        return "connection refused (check api_url, and that the PIM is running)"
    return what


def _describe_cause(error: Exception, causes: Sequence[BaseException]) -> str:
    for kind, description in _FAILURES:
        if any(isinstance(cause, kind) for cause in causes):
            return description
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return f"TLS broken off ({getattr(cause, 'reason', None)})"
        if type(cause) is OSError and cause.strerror:
            return f"no connection ({cause.strerror})"
    return f"no valid HTTP answer ({type(error).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that it was made from: `requests` and `urllib3` wrap what really happened several times."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        cause = pending.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        pending += [cause.__context__, cause.__cause__, getattr(cause, "reason", None), *cause.args]
