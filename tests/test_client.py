"""The client against a server that answers by a script."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_akeneo_assets.errors import DamagedPage, Fatal, Forbidden, NotFound, NotJson, Refused, RequestFailed, Stopped
from tap_akeneo_assets.pim import bodies
from tap_akeneo_assets.pim.auth import AppToken, PasswordGrant
from tap_akeneo_assets.pim.client import Client
from tap_akeneo_assets.pim.rate_limit import Clock, RateLimiter
from tap_akeneo_assets.pim.urls import (
    base_url,
    encode_media_code,
    encode_segment,
    is_loopback,
    is_other_resource,
    next_query,
    other_host,
    path_and_query,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_akeneo_assets.pim.exchange import Answer

CONNECTION = PasswordGrant("id", "se:crét", "api_user", "hunter22")
TOKEN_PATH = "/api/oauth/v1/token"  # noqa: S105  # an address
ROOT = "/api/rest/v1"


class Scripted(NamedTuple):
    """One answer; `cut` bytes of the body are promised but not sent, and `drop` sends nothing at all."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = {}  # noqa: RUF012  # never changed
    cut: int = 0
    drop: bool = False


class Asked(NamedTuple):
    """One request, as the server saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def read_json(body: bytes) -> bytes:
    """Give a body itself, if it is JSON."""
    try:
        json.loads(body)
    except ValueError:
        raise NotJson("at byte 7") from None
    return body


def get(client: Client, path: str, query: str = "", read: Callable[[bytes], bytes] = read_json) -> Answer[bytes]:
    return client.get(path, query, read=read)


OK = Scripted()
DENIED = Scripted(401, b'{"code": 401, "message": "The access token provided is invalid."}')
BUSY = Scripted(503, b"<h1>Sorry</h1>")


class Pim(ThreadingHTTPServer):
    """Answers token requests by `token_script`, data requests by `by_target` and `script`, and well when those end.

    `meanwhile` is called with each request for data before it is answered.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Scripted] = []
        self.token_script: list[Scripted] = []
        self.usual = OK
        self.by_target: dict[str, Scripted] = {}
        self.meanwhile: Callable[[Asked], object] = lambda _: None
        self.asked: list[Asked] = []
        self.token_requests: list[Asked] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, asked: Asked) -> Scripted:
        with self.lock:
            if asked.target.endswith(TOKEN_PATH):
                self.token_requests.append(asked)
                number = len(self.token_requests)
                grant = {"access_token": f"token-{number}", "refresh_token": f"refresh-{number}", "expires_in": 3600}
                return self.token_script.pop(0) if self.token_script else Scripted(body=json.dumps(grant).encode())
            self.asked.append(asked)
            if asked.target in self.by_target:
                return self.by_target[asked.target]
            return self.script.pop(0) if self.script else self.usual

    @property
    def tokens(self) -> list[str]:
        return [asked.headers["Authorization"].removeprefix("Bearer ") for asked in self.asked]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Pim

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = Asked(self.command, self.path, dict(self.headers), body)
        answer = self.server.answer(asked)
        if asked.method == "GET":
            self.server.meanwhile(asked)
        if answer.drop:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) + answer.cut))
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = bool(answer.cut)

    do_POST = do_GET  # noqa: N815  # as the base class calls it

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as in the base class
        pass


class Watch(Clock):
    """A clock that jumps instead of waiting, and notes how far."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__(stop)
        self.now = 0.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        super().wait(0)
        if seconds > 0:
            self.waits.append(round(seconds, 3))
            self.now += seconds


class House(NamedTuple):
    """A client, the PIM that it asks, its clock, and what stops it."""

    client: Client
    pim: Pim
    watch: Watch
    stop: threading.Event


@contextmanager
def served() -> Iterator[Pim]:
    with Pim() as pim:
        thread = threading.Thread(target=pim.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield pim
        finally:
            pim.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pim() -> Iterator[Pim]:
    with served() as pim:
        yield pim


@pytest.fixture
def make(pim: Pim) -> Iterator[Callable[..., House]]:
    clients: list[Client] = []

    def make(**settings: Any) -> House:  # noqa: ANN401  # the client's own
        stop = threading.Event()
        watch = Watch(stop)
        settings = {"api_url": pim.url, "credentials": CONNECTION, "user_agent": "test/1", **settings}
        clients.append(Client(stop=stop, clock=watch, random=lambda: 1.0, **settings))
        return House(clients[-1], pim, watch, stop)

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def house(make: Callable[..., House]) -> House:
    return make()


def test_nothing_is_asked_before_the_first_get(house: House) -> None:
    assert not house.pim.token_requests


def test_a_request_for_data(house: House) -> None:
    house.pim.script = [Scripted(body=b'{"a": 1}', headers={"Content-Type": "application/json"})]
    answer = get(house.client, "/asset-families/a%20b/assets", "search=%7B%7D&x=")
    assert answer.data == b'{"a": 1}'
    assert answer.date is not None
    assert abs((datetime.now(UTC) - answer.date).total_seconds()) < 60
    (asked,) = house.pim.asked
    assert (asked.method, asked.target) == ("GET", f"{ROOT}/asset-families/a%20b/assets?search=%7B%7D&x=")
    assert asked.headers["Accept"] == "application/json"
    assert asked.headers["Authorization"] == "Bearer token-1"
    assert asked.headers["User-Agent"] == "test/1"


def test_a_request_for_a_token(house: House) -> None:
    get(house.client, "/asset-families")
    (asked,) = house.pim.token_requests
    assert asked.method == "POST"
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["Authorization"] == f"Basic {base64.b64encode('id:se:crét'.encode()).decode()}"
    assert json.loads(asked.body) == {"grant_type": "password", "username": "api_user", "password": "hunter22"}


def test_a_media_file_is_taken_as_it_is(house: House) -> None:
    house.pim.script = [Scripted(body=b"\x89PNG", headers={"Content-Type": "image/png"})]
    assert get(house.client, "/asset-media-files/0/0/a%20b.png", read=bytes).data == b"\x89PNG"
    assert house.pim.asked[0].headers["Accept"] == "*/*"
    assert house.pim.asked[0].target == f"{ROOT}/asset-media-files/0/0/a%20b.png"


def test_what_is_encoded_reaches_the_server_as_it_is(house: House) -> None:
    get(house.client, "/asset-families/%2E%2E/%7e%2f", "a=%2e%2E&b=c+d&&e=~")
    assert house.pim.asked[0].target == f"{ROOT}/asset-families/%2E%2E/%7e%2f?a=%2e%2E&b=c+d&&e=~"


def test_a_compressed_body_is_given_decompressed(house: House) -> None:
    house.pim.script = [Scripted(body=gzip.compress(b"[1]"), headers={"Content-Encoding": "gzip"})]
    assert get(house.client, "/x").data == b"[1]"


def test_cookies_are_not_kept(house: House) -> None:
    house.pim.script = [Scripted(headers={"Set-Cookie": "session=1"})]
    get(house.client, "/x")
    get(house.client, "/x")
    assert "Cookie" not in house.pim.asked[1].headers


def test_a_netrc_does_not_replace_the_token(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine")
    monkeypatch.setenv("NETRC", str(netrc))
    get(house.client, "/x")
    assert house.pim.tokens == ["token-1"]


# Faults that pass


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (BUSY, "503 Service Unavailable"),
        (Scripted(408), "408 Request Timeout"),
        (Scripted(drop=True), "connection dropped without an answer"),
        (Scripted(body=b'{"a": 1}', cut=5), "a body cut short"),
        (Scripted(body=b'{"a": '), "200 with a body that is not JSON (at byte 7)"),
        (Scripted(body=b"{}", headers={"Content-Encoding": "gzip"}), "a body that cannot be decompressed"),
    ],
)
def test_a_fault_that_passes_costs_a_wait(
    house: House, fault: Scripted, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    house.pim.script = [fault]
    assert get(house.client, "/asset-families", "x=1").data == b"{}"
    assert house.watch.waits == [0.5]
    assert caplog.messages == [f"GET {ROOT}/asset-families: {reason}; waiting 0.5 s before try 2 of 9"]
    assert caplog.records[0].levelno == logging.WARNING


def test_waits_double_and_the_pims_own_wins(house: House) -> None:
    house.pim.script = [BUSY, BUSY, BUSY._replace(headers={"Retry-After": "7"}), BUSY]
    get(house.client, "/x")
    assert house.watch.waits == [0.5, 1.0, 7.0, 4.0]


def test_when_tries_run_out_the_line_says_what_how_often_and_why(make: Callable[..., House]) -> None:
    house = make(max_retries=2)
    house.pim.usual = BUSY
    with pytest.raises(RequestFailed) as lost:
        get(house.client, "/asset-families/x", "search=long")
    url = f"{house.pim.url}{ROOT}/asset-families/x"
    assert str(lost.value) == f"GET {url}: asked 3 times, the last answer: 503 Service Unavailable."
    assert len(house.pim.asked) == 3


def test_without_retries_there_is_one_try(make: Callable[..., House]) -> None:
    house = make(max_retries=0)
    house.pim.script = [BUSY]
    with pytest.raises(RequestFailed, match="asked once"):
        get(house.client, "/x")


def test_what_the_reader_cannot_read_counts_as_a_try(make: Callable[..., House]) -> None:
    house = make(max_retries=2)
    house.pim.usual = Scripted(body=b"[")
    reason = r"200 with a body that is not JSON \(at byte 7\)"
    with pytest.raises(RequestFailed, match=f"asked 3 times, the last answer: {reason}"):
        get(house.client, "/x")
    assert house.watch.waits == [0.5, 1.0]


def test_what_the_reader_gives_up_is_not_asked_for_again(house: House) -> None:
    def give_up(_: bytes) -> bytes:
        raise DamagedPage("beyond repair")

    with pytest.raises(DamagedPage, match="beyond repair"):
        get(house.client, "/x", read=give_up)
    assert len(house.pim.asked) == 1


def test_an_answer_tells_the_size_of_its_body(house: House) -> None:
    house.pim.script = [Scripted(body=gzip.compress(b"[1, 2]"), headers={"Content-Encoding": "gzip"})]
    answer = house.client.get("/x", read=json.loads)
    assert (answer.data, answer.size) == ([1, 2], 6)


def test_a_time_out_passes(make: Callable[..., House]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        house = make(
            api_url=f"http://127.0.0.1:{deaf.getsockname()[1]}",
            credentials=AppToken("app-token"),
            request_timeout_seconds=0.05,
            max_retries=1,
        )
        with pytest.raises(RequestFailed, match="asked 2 times, the last answer: no answer in time"):
            get(house.client, "/x")


def test_too_many_requests_make_all_wait(make: Callable[..., House]) -> None:
    house = make(credentials=AppToken("app-token"))
    house.pim.script = [Scripted(429, headers={"Retry-After": "30"})]
    get(house.client, "/x")
    assert house.watch.waits == [30.0]


# Answers that are final


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (422, Refused), (404, NotFound), (406, RequestFailed)])
def test_a_final_answer_is_not_asked_for_again(house: House, status: int, kind: type[Exception]) -> None:
    house.pim.script = [Scripted(status, b'{"code": 4, "message": "Because of hunter22."}')]
    with pytest.raises(kind, match=r"Because of \*\*\*\.") as refused:
        get(house.client, "/asset-families/x/assets")
    assert isinstance(refused.value, RequestFailed)
    assert (refused.value.status, refused.value.reason) == (status, "Because of ***.")
    assert len(house.pim.asked) == 1


@pytest.mark.parametrize(
    "odd",
    [
        {"headers": {"Content-Encoding": "gzip"}},
        {"cut": 100},
        {"body": b"x" * 3_000_000},
        {"body": b"\xff\xfe", "headers": {"Content-Type": "text/html"}},
        {"body": b"[" * 100_000},
    ],
)
@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (403, Forbidden), (404, NotFound), (418, RequestFailed)])
def test_the_status_of_an_error_is_known_whatever_its_body_is(
    house: House, odd: dict[str, Any], status: int, kind: type[RequestFailed]
) -> None:
    house.pim.script = [Scripted(**{"status": status, "body": b'{"code": 1, "message": "no"}', **odd})]
    with pytest.raises(kind, match=str(status)) as refused:
        get(house.client, "/x")
    assert refused.value.status == status
    assert len(house.pim.asked) == 1
    get(house.client, "/x")


def test_a_redirect_is_never_followed(house: House) -> None:
    with served() as elsewhere:
        house.pim.script = [Scripted(302, headers={"Location": f"{elsewhere.url}{ROOT}/x"})]
        with pytest.raises(RequestFailed, match="set api_url"):
            get(house.client, "/x")
        house.pim.script = [Scripted(307, headers={"Location": f"{elsewhere.url}/login"})]
        with pytest.raises(Fatal, match="login page"):
            get(house.client, "/asset-families")
        assert not elsewhere.asked


def test_the_tokens_redirect_is_not_followed_either(house: House) -> None:
    with served() as elsewhere:
        house.pim.token_script = [Scripted(301, headers={"Location": elsewhere.url + TOKEN_PATH})]
        with pytest.raises(Fatal, match="set api_url to that"):
            get(house.client, "/x")
        assert not elsewhere.token_requests


def test_a_page_may_not_be_endless(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 1000)
    house.pim.usual = Scripted(body=gzip.compress(b"[" + b" " * 1000 + b"]"), headers={"Content-Encoding": "gzip"})
    with pytest.raises(DamagedPage, match="larger than 256 MB"):
        get(house.client, "/x")
    with pytest.raises(RequestFailed, match="larger than 256 MB"):
        get(house.client, "/asset-media-files/x", "")
    house.pim.usual = OK
    get(house.client, "/x")
    assert len(house.pim.asked) == 3


def test_an_unknown_host_is_a_typing_error(make: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", name_service(socket.EAI_NONAME))
    house = make(api_url="https://no-such-host.invalid")
    with pytest.raises(Fatal, match=r"The host of https://no-such-host.invalid is not found"):
        get(house.client, "/x")
    assert not house.watch.waits


def test_a_name_service_that_is_not_ready_is_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", name_service(socket.EAI_AGAIN, times=2))
    get(house.client, "/x")
    assert house.watch.waits == [0.5, 1.0]


def name_service(code: int, times: int = 99) -> Callable[..., Any]:
    """A name service that fails so often."""
    real, left = socket.getaddrinfo, [code] * times

    def look_up(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as the real one
        if left:
            raise socket.gaierror(left.pop(), "Name or service not known")
        return real(*args, **kwargs)

    return look_up


def test_a_missing_bundle_of_certificates_is_named(make: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
    house = make(api_url="https://127.0.0.1:1", credentials=AppToken("app-token"))
    with pytest.raises(Fatal, match="REQUESTS_CA_BUNDLE"):
        get(house.client, "/x")


# Proxies


def test_a_proxy_of_the_environment_is_used(make: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    with served() as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:proxy-pass@127.0.0.1:{proxy.server_port}")
        house = make(api_url="http://pim.invalid", credentials=AppToken("app-token"))
        get(house.client, "/x")
        assert proxy.asked[0].target == f"http://pim.invalid{ROOT}/x"
        assert house.client.redactor.clean("proxy-pass") == "***"


def test_no_proxy_is_honoured(make: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    house = make()
    get(house.client, "/x")
    assert len(house.pim.asked) == 1


# Tokens


def test_a_refused_token_is_renewed_at_once(house: House) -> None:
    house.pim.script = [DENIED]
    get(house.client, "/x")
    assert house.pim.tokens == ["token-1", "token-2"]
    assert json.loads(house.pim.token_requests[1].body) == {"grant_type": "refresh_token", "refresh_token": "refresh-1"}
    assert not house.watch.waits


def test_a_second_refusal_in_a_row_costs_a_wait(house: House) -> None:
    house.pim.script = [DENIED, DENIED]
    get(house.client, "/x")
    assert house.pim.tokens == ["token-1", "token-2", "token-3"]
    assert house.watch.waits == [0.5]


@pytest.mark.parametrize(("path", "probes"), [("/asset-families", 0), ("/asset-families/x", 1)])
def test_a_third_refusal_is_fatal_when_nothing_else_can_be_had_either(house: House, path: str, probes: int) -> None:
    house.pim.usual = DENIED
    with pytest.raises(Fatal, match="The access token provided is invalid"):
        get(house.client, path)
    assert house.pim.tokens == ["token-1", "token-2", "token-3", *["token-3"] * probes]


def test_refusals_with_other_faults_between_are_not_in_a_row(house: House) -> None:
    house.pim.script = [DENIED, BUSY, DENIED, BUSY, DENIED, DENIED]
    get(house.client, "/x")
    assert len(house.pim.asked) == 7


def test_a_refusal_is_fatal_at_once_when_there_are_no_retries(make: Callable[..., House]) -> None:
    house = make(credentials=AppToken("app-token"), max_retries=0)
    house.pim.usual = DENIED
    with pytest.raises(Fatal, match="revoked"):
        get(house.client, "/asset-families")


def test_a_revoked_app_is_fatal_and_named(make: Callable[..., House]) -> None:
    house = make(credentials=AppToken("app-token"))
    house.pim.usual = DENIED
    with pytest.raises(Fatal, match="revoked"):
        get(house.client, "/x")
    assert house.pim.tokens == ["app-token"] * 4


def test_a_token_that_others_are_answered_with_is_not_to_blame(make: Callable[..., House]) -> None:
    house = make(credentials=AppToken("app-token"))
    house.pim.by_target = {f"{ROOT}/x": DENIED}
    with pytest.raises(RequestFailed, match=f"GET {ROOT}/x: The PIM refuses access_token"):
        get(house.client, "/x")


def test_wrong_credentials_are_fatal(house: House) -> None:
    house.pim.token_script = [
        Scripted(422, b'{"code": 422, "message": "No user found for the given username and password"}')
    ]
    for _ in range(2):
        with pytest.raises(Fatal, match="refuses username or password"):
            get(house.client, "/x")
    assert len(house.pim.token_requests) == 1


@pytest.mark.parametrize("fault", [BUSY, Scripted(429), Scripted(body=b"{}"), Scripted(drop=True)])
def test_the_token_route_has_the_same_rule(house: House, fault: Scripted) -> None:
    house.pim.token_script = [fault]
    get(house.client, "/x")
    assert house.pim.tokens == ["token-2"]
    assert house.watch.waits == [0.5]


def test_without_a_token_nothing_can_be_had(make: Callable[..., House]) -> None:
    house = make(max_retries=1)
    house.pim.token_script = [BUSY] * 9
    for _ in range(2):
        with pytest.raises(Fatal, match=f"{TOKEN_PATH}: asked 2 times, the last answer: 503"):
            get(house.client, "/x")
    assert len(house.pim.token_requests) == 2


def test_threads_share_one_token(house: House) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(get, house.client), ["/x"] * 40))
    assert len(house.pim.token_requests) == 1
    assert len(house.pim.asked) == 40


def test_tokens_show_nowhere(house: House) -> None:
    get(house.client, "/x")
    assert house.client.redactor.clean("token-1 refresh-1 hunter22 se:crét") == "*** *** *** ***"


# When a PIM answers no more


def lose(house: House, times: int) -> None:
    for _ in range(times):
        with pytest.raises(RequestFailed):
            get(house.client, "/x")


def test_a_pim_that_answers_no_more_ends_the_run(make: Callable[..., House]) -> None:
    house = make(max_retries=1)
    house.pim.usual = BUSY
    lose(house, 4)
    waited = len(house.watch.waits)
    with pytest.raises(Fatal, match="answers no more: 4 requests in a row ran out of tries"):
        get(house.client, "/x")
    assert len(house.watch.waits) == waited
    assert house.pim.asked[-1].target == ROOT
    assert "Authorization" not in house.pim.asked[-1].headers


def test_a_good_answer_between_shows_that_it_lives(make: Callable[..., House]) -> None:
    house = make(max_retries=0)
    for _ in range(3):
        house.pim.usual = BUSY
        lose(house, 3)
        house.pim.usual = OK
        get(house.client, "/x")


def test_a_pim_of_which_only_parts_fail_goes_on(make: Callable[..., House]) -> None:
    house = make(max_retries=1)
    house.pim.usual = BUSY
    lose(house, 4)
    house.pim.script = [BUSY, Scripted(404)]
    lose(house, 1)


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_a_refusal_is_a_sign_of_life(make: Callable[..., House], status: int) -> None:
    house = make(max_retries=1)
    house.pim.usual = BUSY
    house.pim.by_target = {ROOT: Scripted(status)}
    lose(house, 6)


@pytest.mark.parametrize("answer", [Scripted(500), Scripted(429), Scripted(drop=True)])
def test_no_answer_or_a_passing_fault_is_no_sign_of_life(make: Callable[..., House], answer: Scripted) -> None:
    house = make(max_retries=1)
    house.pim.usual = BUSY
    house.pim.by_target = {ROOT: answer}
    lose(house, 4)
    with pytest.raises(Fatal, match="answers no more"):
        get(house.client, "/x")


# Ending


def test_a_stopped_client_asks_nothing(house: House) -> None:
    house.stop.set()
    with pytest.raises(Stopped):
        get(house.client, "/x")
    assert not house.pim.asked


def test_stopping_ends_a_wait(pim: Pim) -> None:
    stop = threading.Event()
    client = Client(api_url=pim.url, credentials=CONNECTION, user_agent="", stop=stop, random=lambda: 1.0)
    pim.script = [BUSY._replace(headers={"Retry-After": "300"})]
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(get, client, "/x")
        threading.Timer(0.05, stop.set).start()
        with pytest.raises(Stopped):
            future.result(timeout=5)
    client.close()


def test_stopping_ends_reading(house: House) -> None:
    house.pim.meanwhile = lambda _: house.stop.set()
    with pytest.raises(Stopped):
        get(house.client, "/x")
    assert len(house.pim.asked) == 1


# Warnings


def test_plain_http_is_warned_of_once(
    make: Callable[..., House], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with served() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        house = make(api_url="http://pim.invalid")
        get(house.client, "/x")
        get(house.client, "/x")
    assert caplog.messages == ["http://pim.invalid is not https: credentials and tokens travel unencrypted."]


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:80", True),
        ("http://pim.localhost", True),
        ("http://127.0.0.2", True),
        ("http://[::1]:8080", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:  # noqa: FBT001  # a parameter of the test
    assert is_loopback(url) is loopback


def test_links_to_another_host_are_warned_of_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        house.client.warn_of_other_host("http://me:pass@internal:8080/x?y")
        house.client.warn_of_other_host("?y")
        house.client.warn_of_other_host(house.pim.url)
    assert caplog.messages == [
        f"Links of the PIM lead to internal:8080; everything is asked of {house.pim.url} all the same."
    ]


# The gate


def test_the_gate_lets_a_burst_pass_and_then_keeps_the_rate() -> None:
    watch = Watch(threading.Event())
    gate = RateLimiter(watch, 10)
    for _ in range(10):
        gate.enter()
    assert watch.now == 0
    for _ in range(30):
        gate.enter()
    assert watch.now == pytest.approx(3.0, abs=0.01)


def test_a_slow_gate_is_slow_from_the_first_request_on() -> None:
    watch = Watch(threading.Event())
    gate = RateLimiter(watch, 0.5)
    for _ in range(3):
        gate.enter()
    assert watch.now == pytest.approx(4.0, abs=0.01)


def test_an_open_gate_never_waits_but_for_a_pause() -> None:
    watch = Watch(threading.Event())
    gate = RateLimiter(watch, 0)
    for _ in range(1000):
        gate.enter()
    assert not watch.waits
    gate.pause(30)
    gate.pause(5)
    gate.enter()
    assert watch.waits == [30.0]


# Addresses


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://pim.example", "https://pim.example"),
        (" https://pim.example/ ", "https://pim.example"),
        ("HTTPS://Pim.Example:443//", "https://pim.example"),
        ("http://pim.example:8080/api/rest/v1", "http://pim.example:8080"),
        ("https://pim.example/api/rest/v1/asset-families/", "https://pim.example"),
        ("https://pim.example/api/oauth/v1/token", "https://pim.example"),
        ("https://pim.example/shop/pim/", "https://pim.example/shop/pim"),
        ("https://pim.example/shop/api/rest/v1/", "https://pim.example/shop"),
        ("https://pim.example/api/rest/v1x", "https://pim.example/api/rest/v1x"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("https://püm.example", "https://xn--pm-xka.example"),
    ],
)
def test_base_url(text: str, url: str) -> None:
    assert base_url(text) == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://me:hunter22@pim.example", "credentials"),
        ("me:hunter22@pim.example", "credentials"),
        ("pim.example", "https://"),
        ("localhost:8080", "https://"),
        ("ftp://pim.example", "https://"),
        ("https://", "https://"),
        ("https:///x", "https://"),
        ("", "https://"),
        ("https://pim.example/?token=hunter22", "query"),
        ("https://pim.example/#x", "fragment"),
        ("https://pim.example/a b", "blank"),
        ("https://pim.example\\x", "backslash"),
        ("https://pim.example:99999", "host and port"),
        ("https://pim.example:port", "host and port"),
        ("https://[::1", "host and port"),
        ("https://" + "x" * 300 + ".example", "host and port"),
    ],
)
def test_what_is_no_address_is_refused_unrepeated(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="api_url ") as refused:
        base_url(text)
    assert words in str(refused.value)
    assert "hunter22" not in str(refused.value)


def test_a_user_agent_that_no_header_can_carry_is_refused(make: Callable[..., House]) -> None:
    with pytest.raises(ValueError, match="user_agent"):
        make(user_agent="x\r\nHost: y")


@pytest.mark.parametrize(
    ("code", "segment"),
    [
        ("logo_1-a.b", "logo_1-a.b"),
        ("a#b?c%d e/f", "a%23b%3Fc%25d%20e%2Ff"),
        ("é", "%C3%A9"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("...", "..."),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_encode_segment(code: str, segment: str) -> None:
    assert encode_segment(code) == segment


def test_the_slashes_of_a_media_code_stay() -> None:
    assert encode_media_code("0/../9/a b#.png") == "0/%2E%2E/9/a%20b%23.png"


# Links

PAGE = "/asset-families/a%20b/assets"
LINK = f"http://internal:8080{ROOT}/asset-families/a%20b/assets"


@pytest.mark.parametrize(
    ("own", "href", "query"),
    [
        ({}, f"{LINK}?search_after=x", "search_after=x"),
        ({}, f"{ROOT}{PAGE}?search_after=x", "search_after=x"),
        ({}, "?search_after=x", "search_after=x"),
        ({}, "assets?search_after=x", "search_after=x"),
        ({}, "/mounted" + ROOT + "/asset-families/a b/assets/?search_after=x", "search_after=x"),
        ({}, f"{LINK}?a[]=1&a[]=2&b=&c&a%5B%5D=%2F+%2f", "a%5B%5D=1&a%5B%5D=2&b=&c&a%5B%5D=%2F+%2f"),
        ({}, f"{LINK}?x=é ü&y=a:b/c?d@e,f#cut", "x=%C3%A9%20%C3%BC&y=a:b/c?d@e,f"),
        ({}, LINK, ""),
        ({"channel": "a&b", "locales": "en_US,fr_FR"}, "?x=1", "x=1&channel=a%26b&locales=en_US%2Cfr_FR"),
        ({"search": "{}"}, "?search=%7B%22a%22%7D&x=1&search=again", "search=%7B%7D&x=1"),
        ({"with asset": "é"}, "?with+asset=no&x", "with%20asset=%C3%A9&x"),
        ({"channel": "x"}, "", "channel=x"),
    ],
)
def test_next_query(own: dict[str, str], href: str, query: str) -> None:
    assert next_query(own, PAGE, href) == query


@pytest.mark.parametrize("href", [f"{ROOT}/asset-families?x=1", "http://[", "/", f"{ROOT}/asset-families/other/assets"])
def test_a_link_to_another_resource_is_not_followed(href: str) -> None:
    with pytest.raises(DamagedPage, match="next link"):
        next_query({}, PAGE, href)


@given(st.dictionaries(st.text(), st.text()), st.text())
def test_any_link_gives_a_query_that_can_be_sent_or_none(own: dict[str, str], href: str) -> None:
    try:
        query = next_query(own, PAGE, href)
    except DamagedPage:
        return
    assert query.isascii()
    assert query.isprintable()
    assert " " not in query


@pytest.mark.parametrize(
    ("href", "host"),
    [
        ("https://pim.example/x", None),
        ("http://pim.example/x", None),
        ("https://PIM.example:443/x", None),
        ("/x", None),
        ("?x", None),
        ("http://[", None),
        ("https://pim.example:8443/x", "pim.example:8443"),
        ("http://me:pass@internal/x", "internal"),
        ("//internal/x", "internal"),
    ],
)
def test_other_host(href: str, host: str | None) -> None:
    assert other_host("https://pim.example/shop", href) == host


@pytest.mark.parametrize(
    "kept",
    [
        "/api/rest/v1/asset-families/hunter22s/assets?search_after=x",
        "/api/rest/v1/x?a=my-hunter22&b=hunter22.x",
        "/api/rest/v1/x?a=%2568unter22",
    ],
)
def test_a_link_is_kept_though_a_secret_is_part_of_a_word(house: House, kept: str) -> None:
    assert house.client.link_to_keep(house.pim.url + kept) == kept


@pytest.mark.parametrize("secret", ["hunter22", "se:crét", "token-1", "refresh-1", "id:se:crét"])
@pytest.mark.parametrize("form", ["/x?a={}&b", "/x?b&a={}", "/x?{}", "/x?{}=1", "/{}/x", "?a={}"])
def test_a_link_that_holds_a_secret_is_not_kept(house: House, form: str, secret: str) -> None:
    get(house.client, "/x")
    for spelled in (
        quote(secret, safe=""),
        quote(secret, safe="").lower(),
        "".join(f"%{byte:02x}" for byte in secret.encode()),
        quote(base64.b64encode(secret.encode()), safe=""),
    ):
        assert house.client.link_to_keep(form.format(spelled)) is None


# What an answer says it is


@pytest.mark.parametrize(
    "href",
    [
        f"http://internal:8080/shop{ROOT}{PAGE}?search_after=x",
        f"{ROOT}{PAGE}",
        f"{ROOT}/asset-families/a b/assets/",
        f"{ROOT}/asset-families/%61%20b/assets",
        f"{ROOT}/asset-families/A%20B/assets",
        "?search_after=x",
        "",
        "https://pim.example",
        "http://[",
    ],
)
def test_an_answer_that_names_what_was_asked_is_ones_own(href: str) -> None:
    assert not is_other_resource(PAGE, {"_links": {"self": {"href": href}}})


@pytest.mark.parametrize(
    "path", ["/asset-families", "/asset-families/a/assets", "/asset-families/a%20b", "/asset-families/a%20b/assets/c"]
)
def test_an_answer_that_names_something_else_is_anothers(path: str) -> None:
    for root in ("", ROOT, f"https://pim.example{ROOT}"):
        assert is_other_resource(PAGE, {"_links": {"self": {"href": f"{root}{path}"}}})


@pytest.mark.parametrize(
    "data", [None, 1, [], [{}], {}, {"_links": []}, {"_links": {"self": None}}, {"_links": {"self": {"href": 3}}}]
)
def test_an_answer_without_a_name_is_taken_for_what_was_asked(data: object) -> None:
    assert not is_other_resource(PAGE, data)


def test_a_link_is_kept_without_its_origin() -> None:
    assert path_and_query("http://internal:8080/api/rest/v1/x?a=1&b=%2B") == "/api/rest/v1/x?a=1&b=%2B"
