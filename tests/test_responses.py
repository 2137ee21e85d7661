"""Each answer and each failure, and what is made of it."""

from __future__ import annotations

import json
import socket
import ssl
from datetime import UTC, datetime
from http.client import IncompleteRead, RemoteDisconnected
from itertools import pairwise
from time import process_time

import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from tap_akeneo_assets.errors import (
    AkeneoError,
    DamagedPage,
    Fatal,
    Forbidden,
    NotFound,
    Refused,
    RequestFailed,
    Stopped,
)
from tap_akeneo_assets.pim import failures, foreign_pages, responses, waits
from tap_akeneo_assets.pim.responses import Denied, RequestInfo, Retry, Verdict

PIM = "https://pim.example"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
FAMILIES = RequestInfo("GET", PIM, "/api/rest/v1/asset-families")
FAMILY = RequestInfo("GET", PIM, "/api/rest/v1/asset-families/assets")
OPTIONS = RequestInfo("GET", PIM, "/api/rest/v1/asset-families/logos/attributes/assets/options")
ASSETS = RequestInfo("GET", PIM, "/api/rest/v1/asset-families/logos/assets")
ASSET = RequestInfo("GET", PIM, "/api/rest/v1/asset-families/logos/assets/red")
MEDIA = RequestInfo("GET", PIM, "/api/rest/v1/asset-media-files/0/0/logo.png")
TOKEN = RequestInfo("POST", PIM, "/api/oauth/v1/token")
LOGIN_PAGE = b'<!DOCTYPE html><title>Login</title><form><INPUT name="_password" Type = password></form>'


def judged(
    request_info: RequestInfo,
    status: int,
    headers: dict[str, str] | None = None,
    body: bytes = b"{}",
    **rest: responses.Clean,
) -> Verdict:
    return responses.judge_answer(request_info, status, headers or {}, body, now=NOW, **rest)


def refusal(message: str) -> bytes:
    return json.dumps({"code": 422, "message": message}).encode()


@pytest.mark.parametrize("body", [b"{}", b"", b"OK", b"\xef\xbb\xbf\n []", b" " * 200_000 + b"{}"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_whether_a_good_answer_is_json_is_left_to_its_reader(body: bytes, kind: str) -> None:
    assert judged(ASSETS, 200, {"Content-Type": kind}, body=body) is None


def test_json_called_html_is_no_html() -> None:
    assert judged(ASSETS, 200, {"Content-Type": "text/html"}, body=b" {}") is None


def test_html_without_a_login_is_asked_for_again() -> None:
    assert judged(ASSETS, 200, body=b"<html>Maintenance</html>") == Retry("200 with HTML instead of JSON")


@pytest.mark.parametrize("body", [b"", b"\x89PNG", b"<svg/>"])
def test_a_media_file_may_be_anything(body: bytes) -> None:
    assert judged(MEDIA, 200, {"Content-Type": "image/png"}, body) is None


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 520, 599])
def test_a_fault_that_passes_is_asked_for_again(status: int) -> None:
    verdict = judged(ASSETS, status, body=b"<h1>Oops</h1>")
    assert isinstance(verdict, Retry)
    assert verdict.reason.startswith(str(status))
    assert not verdict.crowded


@pytest.mark.parametrize("request_info", [ASSETS, TOKEN, MEDIA])
def test_too_many_requests_concern_all(request_info: RequestInfo) -> None:
    verdict = judged(request_info, 429, {"Retry-After": "7"})
    assert verdict == Retry("429 Too Many Requests", 7.0, crowded=True)


@pytest.mark.parametrize("status", [202, 204, 206])
def test_a_success_of_another_kind_is_no_answer(status: int) -> None:
    assert isinstance(judged(MEDIA, status), Retry)


def test_a_refused_token_wants_another_one() -> None:
    assert judged(ASSETS, 401, body=refusal("Expired.")) == Denied("401 Unauthorized", message="Expired.")


@pytest.mark.parametrize(
    ("request_info", "status", "kind"),
    [
        (ASSETS, 400, Refused),
        (ASSETS, 422, Refused),
        (ASSETS, 403, Forbidden),
        (ASSETS, 404, NotFound),
        (ASSETS, 406, RequestFailed),
        (ASSETS, 304, RequestFailed),
        (ASSETS, 999, RequestFailed),
        (TOKEN, 401, RequestFailed),
        (TOKEN, 403, RequestFailed),
        (TOKEN, 422, RequestFailed),
    ],
)
def test_other_answers_are_final(request_info: RequestInfo, status: int, kind: type[RequestFailed]) -> None:
    verdict = judged(request_info, status, body=refusal("Not\nso."))
    assert type(verdict) is kind
    assert (verdict.status, verdict.reason) == (status, "Not so.")
    assert str(status) in str(verdict)


def test_the_line_names_what_was_asked_and_the_pims_own_words() -> None:
    line = str(judged(ASSETS, 400, body=refusal("Cursor is invalid.")))
    assert line == 'GET /api/rest/v1/asset-families/logos/assets: 400 Bad Request ("Cursor is invalid.").'


@pytest.mark.parametrize(
    ("request_info", "permission", "scope"),
    [
        (FAMILIES, "List asset families", "read_asset_families"),
        (FAMILY, "List asset families", "read_asset_families"),
        (OPTIONS, "List asset families", "read_asset_families"),
        (ASSETS, "List assets", "read_assets"),
        (ASSET, "List assets", "read_assets"),
        (MEDIA, "List assets", "read_assets"),
    ],
)
def test_403_names_the_permission(request_info: RequestInfo, permission: str, scope: str) -> None:
    line = str(judged(request_info, 403, body=refusal(f"No {request_info}")))
    assert f'"{permission}"' in line
    assert f"scope {scope}." in line
    assert "Overall Web API access" in line


def test_403_reads_the_same_for_all_families() -> None:
    other = RequestInfo("GET", PIM, "/api/rest/v1/asset-families/other/assets")
    for body in (refusal("No."), CHALLENGE):
        assert str(judged(ASSETS, 403, body=body)) == str(judged(other, 403, body=body))


@pytest.mark.parametrize("request_info", [TOKEN, FAMILIES])
def test_a_login_page_before_everything_is_fatal(request_info: RequestInfo) -> None:
    verdict = judged(request_info, 200, {"Content-Type": "text/html; charset=UTF-8"}, LOGIN_PAGE)
    assert isinstance(verdict, Fatal)
    assert f"{request_info.url} answers with a login page" in str(verdict)


@pytest.mark.parametrize("request_info", [ASSETS, MEDIA])
def test_a_login_page_elsewhere_loses_the_request(request_info: RequestInfo) -> None:
    assert isinstance(judged(request_info, 200, {"Content-Type": "text/html"}, LOGIN_PAGE), RequestFailed)


def test_a_redirect_to_the_same_route_names_the_address_to_configure() -> None:
    plain = RequestInfo("POST", "http://pim.example", TOKEN.api_path)
    verdict = judged(plain, 301, {"Location": "https://pim.example/api/oauth/v1/token"})
    assert isinstance(verdict, Fatal)
    assert "http://pim.example redirects to https://pim.example " in str(verdict)
    assert "set api_url" in str(verdict)


def test_a_redirect_to_a_mounted_pim_names_the_mount() -> None:
    assert "redirects to https://pim.example/shop " in str(
        judged(FAMILIES, 308, {"Location": "/shop/api/rest/v1/asset-families?page=1"})
    )


@pytest.mark.parametrize("location", ["https://me:pass@sso.example/login?next=secret", "//sso.example/login"])
def test_a_redirect_to_a_login_is_named_without_what_it_carries(location: str) -> None:
    line = str(judged(ASSETS, 302, {"Location": location}))
    assert "https://sso.example/login " in line
    assert "secret" not in line
    assert "pass" not in line


@pytest.mark.parametrize("location", ["", "http://[", FAMILIES.url])
def test_a_redirect_to_nowhere_is_final_too(location: str) -> None:
    assert isinstance(judged(FAMILIES, 303, {"Location": location}), Fatal)
    assert isinstance(judged(ASSETS, 303, {"Location": location}), RequestFailed)


def test_secrets_are_cleaned_before_a_text_is_shortened() -> None:
    verdict = judged(
        ASSETS, 404, body=refusal("x" * 295 + "hunter2"), clean=lambda text: text.replace("hunter2", "***")
    )
    assert isinstance(verdict, NotFound)
    assert verdict.reason == "x" * 295 + "***"


def test_long_texts_of_the_pim_are_shortened() -> None:
    assert len(responses.pim_message(refusal("long " * 1000))) == responses.MAX_QUOTED_CHARACTERS


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"code": 1, "message": 3}', b'{"message": "x"}', b"[" * 100_000, b"\xff\xfe"]
)
def test_a_body_without_a_message_has_none(body: bytes) -> None:
    assert responses.pim_message(body) == ""


@given(st.integers(100, 999), st.binary(), st.dictionaries(st.sampled_from(["Location", "Retry-After"]), st.text()))
def test_any_answer_is_judged(status: int, body: bytes, headers: dict[str, str]) -> None:
    verdict = judged(ASSETS, status, headers, body)
    assert "\n" not in str(verdict)
    assert verdict is None or isinstance(verdict, Retry | RequestFailed | Fatal)
    assert not isinstance(verdict, Fatal) or status == 407  # a proxy that wants a login


@pytest.mark.parametrize(
    ("text", "date", "seconds"),
    [
        ("120", "", 120.0),
        ("1.5", "", 1.5),
        ("0", "", 0.0),
        ("3600", "", 300.0),
        ("9" * 400, "", 300.0),
        ("-1", "", None),
        ("", "", None),
        ("soon", "", None),
        ("1e3", "", None),
        ("٣", "", None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", "", 30.0),
        ("Sunday, 01-Mar-26 12:00:30 GMT", "", 30.0),
        ("Sun, 01 Mar 2026 12:00:30", "", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", "Sun, 01 Mar 2026 12:00:20 GMT", 10.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", "nonsense", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", "", None),
        ("Sun, 01 Mar 2027 12:00:00 GMT", "", 300.0),
    ],
)
def test_retry_after(text: str, date: str, seconds: float | None) -> None:
    assert waits.retry_after({"Retry-After": text, "Date": date}, NOW) == seconds


@pytest.mark.parametrize(
    ("failures", "after", "wait"),
    [
        (1, None, 0.5),
        (2, None, 1.0),
        (7, None, 32.0),
        (8, None, 60.0),
        (5000, None, 60.0),
        (1, 7.0, 7.0),
        (8, 7.0, 60.0),
    ],
)
def test_back_off_doubles_up_to_a_minute(failures: int, after: float | None, wait: float) -> None:
    assert waits.back_off(failures, after, lambda: 1.0) == wait


def test_back_off_is_jittered_fully_but_not_below_what_the_pim_asks() -> None:
    assert waits.back_off(4, None, lambda: 0.0) == 0.0
    assert waits.back_off(4, 300.0, lambda: 0.0) == 300.0


def caused_by(*causes: Exception) -> requests.ConnectionError:
    """The exception of `requests` that wraps the first cause, made from the second, and so on."""
    for cause, origin in pairwise(causes):
        cause.__cause__ = origin
    return requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", causes[0]))


def unconnected(cause: OSError) -> urllib3.exceptions.MaxRetryError:
    """What `urllib3` makes of a connection that could not be made."""
    pool = urllib3.HTTPSConnectionPool("pim.example")
    error = urllib3.exceptions.NewConnectionError(urllib3.connection.HTTPSConnection("pim.example"), "Failed")
    error.__cause__ = cause
    return urllib3.exceptions.MaxRetryError(pool, "/api", error)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (caused_by(urllib3.exceptions.ConnectTimeoutError()), "no connection in time"),
        (unconnected(OSError(113, "No route to host")), "no connection (No route to host)"),
        (unconnected(ConnectionRefusedError(111, "Connection refused")), "connection refused"),
        (requests.ReadTimeout(urllib3.exceptions.TimeoutError()), "no answer in time"),
        (caused_by(TimeoutError()), "no answer in time"),
        (caused_by(ConnectionRefusedError(111, "Connection refused")), "connection refused"),
        (caused_by(ConnectionResetError()), "connection dropped"),
        (caused_by(RemoteDisconnected("")), "connection dropped without an answer"),
        (requests.exceptions.ChunkedEncodingError(IncompleteRead(b"")), "a body cut short"),
        (
            requests.exceptions.ContentDecodingError(urllib3.exceptions.DecodeError()),
            "a body that cannot be decompressed",
        ),
        (
            requests.exceptions.ProxyError(OSError("Tunnel connection failed: 503 x")),
            "no connection by the proxy (503)",
        ),
        (requests.exceptions.ProxyError(ConnectionRefusedError()), "no connection by the proxy (connection refused)"),
        (caused_by(socket.gaierror(-3, "Temporary failure")), "no answer of the name service (Temporary failure)"),
        (caused_by(ssl.SSLEOFError(8, "EOF occurred")), "TLS broken off (None)"),
        (caused_by(OSError(113, "No route to host")), "no connection (No route to host)"),
        (caused_by(socket.gaierror(-2, "Name or service not known")), "host not found"),
        (urllib3.exceptions.HTTPError(), "no valid HTTP answer (HTTPError)"),
    ],
)
def test_a_failure_of_the_network_passes(error: Exception, reason: str) -> None:
    assert failures.judge_failure(ASSETS, error, answered=True) == Retry(reason)


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def bundle_error() -> ssl.SSLError:
    error = ssl.SSLError(136, "no certificate or crl found")
    error.library = "X509"
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (caused_by(certificate_error()), ["self-signed certificate", "REQUESTS_CA_BUNDLE"]),
        (caused_by(bundle_error()), ["REQUESTS_CA_BUNDLE", "no file of certificates"]),
        (OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /x"), ["REQUESTS_CA_BUNDLE"]),
        (caused_by(socket.gaierror(-2, "Name or service not known")), [PIM, "Name or service not known", "api_url"]),
        (caused_by(tls_error("WRONG_VERSION_NUMBER")), [f"{PIM} does not speak TLS; is api_url http://?"]),
        (caused_by(tls_error("UNSUPPORTED_PROTOCOL")), [PIM, "no version or cipher of TLS", "UNSUPPORTED_PROTOCOL"]),
        (
            requests.exceptions.ProxyError(OSError("Tunnel connection failed: 407 x")),
            ["proxy wants a login", "HTTPS_PROXY"],
        ),
        (requests.exceptions.ProxyError(OSError("Tunnel connection failed: 403 x")), ["proxy refuses", "NO_PROXY"]),
        (requests.exceptions.ProxyError(socket.gaierror(-2, "Unknown")), ["The host of the proxy is not found"]),
        (requests.exceptions.ProxyError(tls_error("WRONG_VERSION_NUMBER")), ["is HTTPS_PROXY http://?"]),
        (urllib3.exceptions.ProxySchemeUnknown("ftp"), ["ALL_PROXY"]),
        (requests.exceptions.InvalidProxyURL("http://me:hunter2@"), ["HTTPS_PROXY"]),
        (requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support."), ["ALL_PROXY"]),
    ],
)
def test_what_only_a_person_can_mend_is_fatal(error: Exception, words: list[str]) -> None:
    verdict = failures.judge_failure(ASSETS, error, answered=False)
    assert isinstance(verdict, Fatal)
    assert all(word in str(verdict) for word in words)
    assert "hunter2" not in str(verdict)


def test_a_refused_connection_names_api_url_until_something_was_answered() -> None:
    error = caused_by(ConnectionRefusedError(111, "Connection refused"))
    assert "check api_url" in str(failures.judge_failure(ASSETS, error, answered=False))


@pytest.mark.parametrize("error", [tls_error("WRONG_VERSION_NUMBER"), tls_error("NO_SHARED_CIPHER")])
def test_what_has_worked_before_is_tried_again(error: Exception) -> None:
    assert isinstance(failures.judge_failure(ASSETS, caused_by(error), answered=True), Retry)


# Who refuses

CHALLENGE = b"<!DOCTYPE html><html><head><title>Just a\nmoment&hellip;</title></head><body>hunter2</body></html>"


@pytest.mark.parametrize("request_info", [FAMILIES, ASSETS, MEDIA, TOKEN])
def test_403_of_a_front_server_says_who_refuses_and_what_to_do(request_info: RequestInfo) -> None:
    verdict = judged(request_info, 403, {"Server": "cloudflare", "cf-ray": "1-FRA"}, CHALLENGE)
    assert isinstance(verdict, RequestFailed)
    for words in ("not by the PIM", '"cloudflare"', '"Just a moment…"', "address of this machine", "user_agent"):
        assert words in str(verdict)
    assert "role" not in str(verdict)
    assert "read_asset" not in str(verdict)
    assert verdict.reason == ""


@pytest.mark.parametrize("body", [b"", b"nope", b"[]", b'{"message": "Forbidden"}', b'{"code": 403}', b"<h1>403</h1>"])
def test_advice_about_permissions_is_for_the_pims_own_answer_only(body: bytes) -> None:
    assert "not by the PIM" in str(judged(ASSETS, 403, body=body))
    assert "not by the PIM" not in str(judged(ASSETS, 403, body=refusal("No.")))


def test_other_answers_that_are_not_the_pims_say_whose_they_are() -> None:
    line = str(judged(ASSETS, 404, {"Server": "nginx", "Via": "1.1 squid"}, b"<title>Gone</title>"))
    assert line.endswith(
        '404 Not Found from a proxy or front server, which calls itself "nginx, 1.1 squid" and shows a page "Gone".'
    )
    line = str(judged(TOKEN, 405, {"Server": "nginx"}, b""))
    assert line.startswith("The token route answers 405 Method Not Allowed, as no PIM would: check api_url")
    assert '"nginx"' in line


def test_401_that_is_not_the_pims_says_whose_it_is() -> None:
    verdict = judged(ASSETS, 401, {"Server": "Apache"}, b"<h1>Login</h1>")
    assert isinstance(verdict, Denied)
    assert (verdict.message, verdict.refuser) == ("", 'a front server, which calls itself "Apache"')


def test_a_proxy_that_wants_a_login_is_fatal() -> None:
    verdict = judged(ASSETS, 407, {"Via": "1.1 proxy.corp (squid)"}, b"<title>Denied</title>")
    assert isinstance(verdict, Fatal)
    assert "HTTPS_PROXY" in str(verdict)
    assert "proxy.corp (squid)" in str(verdict)


def test_names_of_others_are_short_and_without_secrets() -> None:
    headers = {"Server": "hunter2" + "x" * 500}
    line = str(judged(ASSETS, 403, headers, b"<title>" + b"y" * 500, clean=lambda text: text.replace("hunter2", "***")))
    assert "hunter2" not in line
    assert '"***xxx' in line
    assert len(line) < 500


# What is foreign may be anything


@pytest.mark.parametrize("piece", [b"<input ", b"<input type", b"type = ", b"<title", b"<title ", b"<", b"\t"])
def test_looking_into_a_page_takes_time_in_proportion_to_its_length(piece: bytes) -> None:
    def seconds(size: int) -> float:
        page = piece * (size // len(piece))
        times = []
        for _ in range(7):
            began = process_time()
            for _ in range(10):
                foreign_pages.has_login_form(page)
                foreign_pages.page_title(page)
                foreign_pages.is_html({}, page)
            times.append(process_time() - began)
        return min(times)

    assert seconds(16 * 4_000) < 64 * seconds(4_000)  # were it quadratic, it would be 256 times as much


def test_only_the_first_part_of_a_page_is_looked_at() -> None:
    beyond = b"<p>" + b" " * foreign_pages.LOOKED_AT_BYTES
    assert not foreign_pages.has_login_form(beyond + LOGIN_PAGE)
    assert foreign_pages.page_title(beyond + LOGIN_PAGE) == ""


def test_long_dates_are_none() -> None:
    assert waits.http_date("Sun, 01 Mar 2026 12:00:00 GMT" + " " * 100) is None


def test_the_line_for_the_user_is_one_line() -> None:
    assert str(AkeneoError("a\r\n\tb\x1b[31m\ud800c")) == "a b [31m c"
    assert str(Stopped()) == "A signal ended the run."
    assert DamagedPage("x").status is None


@pytest.mark.parametrize("text", ["", "yesterday", "Sun, 99 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 99999 12:00:00 GMT"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert waits.http_date(text) is None
