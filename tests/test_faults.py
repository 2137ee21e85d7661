"""What goes wrong in a PIM, and before it: it is sat out, or it is told in one line and harms nothing else."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tap_akeneo_assets.pim.rate_limit import Clock
from tap_akeneo_assets.sandbox import Options, Pim
from tap_akeneo_assets.sandbox.faults import (
    Faults,
    circle,
    content_type,
    cut,
    damaged,
    drop,
    login_page,
    not_json,
    redirect,
    refresh_refused,
    reset,
    status,
    token_ended,
)
from tap_akeneo_assets.sandbox.hangup import HangUp
from tap_akeneo_assets.sandbox.server import serve
from tests import support
from tests.support import HurryingTap, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Response

    from tap_akeneo_assets.sandbox.faults import Exchange, Fault
    from tap_akeneo_assets.sandbox.options import PimVersion
    from tap_akeneo_assets.sandbox.records import RequestRecord

MAX_RETRIES = 2
TRIES = MAX_RETRIES + 1
ROUTES = ("token", "families", "attributes", "options", "assets")
FAILING, OTHERS = "family_1", ("family_0", "family_2")

PASSING: dict[str, Fault] = {
    "408": status(408),
    "425": status(425),
    "429": status(429),
    "429 with a wait": status(429, retry_after=2),
    "429 with a date": status(429, retry_after=2, as_date=True),
    "500": status(500),
    "502": status(502),
    "503 with a wait": status(503, retry_after=2),
    "504": status(504),
    "599": status(599),
    "dropped": drop(),
    "dropped afterwards": drop(after=True),
    "reset": reset(),
    "cut": cut("length"),
    "nothing but a head": cut("length", 0),
    "cut in chunks": cut("chunked"),
    "cut unnoticed": cut("closed", 0.9),
    "empty": damaged(lambda _: b""),
    "another's text": not_json(),
    "html": damaged(lambda _: b"<html><h1>Maintenance</h1></html>"),
    "looks like JSON": damaged(lambda _: b'{"_embedded": {"items": [}'),
    "204": status(204),
}
STAYING: dict[str, Fault] = {
    "a login page": login_page(),
    "a redirect": redirect("/user/login"),
    "a redirect to another host": redirect("https://other.example", 307),
    "400": status(400),
    "401": status(401),
    "403": status(403),
    "406": status(406),
    "410": status(410),
    "422": status(422),
    "an empty object": damaged(lambda _: b"{}"),
    "JSON of another kind": damaged(lambda _: b'{"message": "all is well"}'),
    "items of another kind": damaged(lambda _: b'{"_embedded": {"items": [["code"]]}}'),
    "items without a code": damaged(lambda _: b'[{"labels": {}}]'),
    "too deep": damaged(lambda _: b"[" * 100_000 + b"]" * 100_000),
}

SOME = (
    "503 with a wait",
    "dropped",
    "another's text",
    "a login page",
    "401",
    "403",
    "items without a code",
    "too deep",
)

sync = partial(support.sync, tap_class=HurryingTap)


class House(NamedTuple):
    """A PIM that is served, and what a run gives while nothing is wrong with it."""

    url: str
    pim: Pim
    whole: Outcome


def plain_pim(families: int, assets: int, options: Options | None = None) -> Pim:
    """A PIM with little in it but many requests to make."""
    pim = Pim(options or Options(page_size=10))
    for number in range(families):
        family = f"family_{number}"
        pim.save_family(family)
        pim.save_attribute(family, "title", type="text", value_per_locale=True)
        pim.save_attribute(family, "kind", type="single_option")
        pim.save_option(family, "kind", "a", labels={"en_US": "A"})
        for asset in range(assets):
            title = {"locale": "en_US", "channel": None, "data": f"Number {asset} of {family}"}
            kind = {"locale": None, "channel": None, "data": "a"}
            updated = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=asset)
            pim.save_asset(family, f"asset_{asset}", {"title": [title], "kind": [kind]}, updated=updated)
    return pim


@contextmanager
def served(pim: Pim) -> Iterator[House]:
    with serve(pim) as server:
        house = House(server.url, pim, sync(server.url))
        pim.requests.clear()
        pim.max_in_flight = 0
        yield house


@pytest.fixture(scope="module")
def shared() -> Iterator[House]:
    """A house for tests that leave it as they found it, but for its faults and requests."""
    with served(plain_pim(3, 12, Options(page_size=5))) as house:
        yield house


@pytest.fixture
def house(shared: House) -> Iterator[House]:
    shared.pim.requests.clear()
    yield shared
    shared.pim.faults = None
    shared.pim.on_request = None
    shared.pim.options = Options(page_size=5)


def contents(run: Outcome, *families: str) -> Counter[str]:
    """All records, of some families if any are named, however they are ordered."""
    return Counter(
        f"{stream} {json.dumps(record, sort_keys=True, default=str)}"
        for stream, records in run.records.items()
        for record in records
        if not families or (record.get("asset_family_code") or record["code"]) in families
    )


def asked(pim: Pim, route: str, family: str | None = None) -> Counter[tuple[str, str]]:
    """How often each request of a route came, by path and query."""
    return Counter(
        (request.path, request.query)
        for request in pim.requests
        if request.route == route and family in (None, request.family)
    )


def error(run: Outcome) -> str:
    """The one line that tells what is wrong."""
    assert run.status == 1, run.log
    assert "Traceback" not in run.log
    (line,) = [line for line in run.log.splitlines() if line.startswith("ERROR")]
    return line.removeprefix("ERROR ")


# Faults that pass


@pytest.mark.parametrize("version", ["5.0", "saas"])
@pytest.mark.parametrize("seed", range(4))
def test_a_fifth_of_all_answers_is_faulty_and_nothing_is_missing(version: PimVersion, seed: int) -> None:
    options = Options(pim_version=version, page_size=5, full_last_page_has_next=bool(seed % 2))
    with served(plain_pim(6, 40, options=options)) as house:
        house.pim.faults = Faults(seed).rate(0.2)
        run = sync(house.url)
        assert (run.status, contents(run)) == (0, contents(house.whole))
        assert "waiting" in run.log


@pytest.mark.parametrize("name", [*PASSING, "token ended", "refresh refused"])
def test_every_kind_of_fault_passes_on_every_route(house: House, name: str) -> None:
    more = {"token ended": token_ended(once=True), "refresh refused": refresh_refused()}
    fault = {**PASSING, **more}[name]
    house.pim.faults = Faults()
    for route in ROUTES:
        house.pim.faults.nth(route, 1, fault).nth(route, 2, fault)
    # A token that ends for one request ends for those beside it too, and three in a row are more than one may meet.
    run = sync(house.url, max_concurrency=1 if name == "token ended" else 4)
    assert (run.status, contents(run)) == (0, contents(house.whole)), run.log


@pytest.mark.parametrize("kind", ["text/html", "text/plain; charset=utf-8", ""])
def test_a_wrong_content_type_harms_nothing(house: House, kind: str) -> None:
    house.pim.faults = Faults().always(None, content_type(kind))
    run = sync(house.url)
    assert (run.status, contents(run), run.log) == (0, contents(house.whole), "")


def test_odd_headers_harm_nothing_and_are_no_news(house: House) -> None:
    def odd(exchange: Exchange) -> Response:
        body = exchange.real().get_data()
        head = f"HTTP/1.1 200 OK\r\nDate: never\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        raise HangUp(head.encode() + b"X-\xff: \xff\xfe\r\n\r\n" + body)

    house.pim.faults = Faults().always(None, odd)
    run = sync(house.url)
    assert (run.status, contents(run), run.log) == (0, contents(house.whole), "")


@pytest.mark.parametrize("as_date", [False, True])
def test_the_pims_own_wait_is_kept(house: House, *, as_date: bool) -> None:
    house.pim.faults = Faults().nth("assets", 1, status(429, retry_after=77, as_date=as_date))
    run = sync(house.url)
    assert (run.status, contents(run)) == (0, contents(house.whole))
    assert "429 Too Many Requests; waiting 77.0 s before try 2 of 9" in run.log


# Faults that stay


@pytest.mark.parametrize(
    ("route", "name"),
    [
        *(("assets", name) for name in (*PASSING, *STAYING)),
        *((route, name) for route in ("attributes", "options") for name in SOME),
    ],
)
def test_a_fault_that_stays_fails_its_family_and_no_other(house: House, route: str, name: str) -> None:
    house.pim.faults = Faults().always(route, {**PASSING, **STAYING}[name], family=FAILING)
    run = sync(house.url, max_retries=MAX_RETRIES)
    assert error(run).startswith(f"Family '{FAILING}' failed: ")
    assert contents(run, *OTHERS) == contents(house.whole, *OTHERS)
    assert not contents(run, FAILING) - contents(house.whole, FAILING)
    tries = asked(house.pim, route, FAILING)
    assert tries
    # A refused token is tried anew three times, and once more the other way round.
    assert max(tries.values()) <= (TRIES if name in PASSING else 1 if name != "401" else 4)
    assert route != "assets" or run.bookmarks.get(FAILING) is None


@pytest.mark.parametrize("route", ["token", "families"])
@pytest.mark.parametrize("name", [*PASSING, *STAYING])
def test_a_fault_of_what_all_depends_on_is_told_once(house: House, route: str, name: str) -> None:
    house.pim.faults = Faults().always(route, {**PASSING, **STAYING}[name])
    run = sync(house.url, max_retries=MAX_RETRIES)
    assert error(run)
    assert not run.records
    assert max(asked(house.pim, route).values()) <= (TRIES if name in PASSING or route == "token" else 4)


def test_without_retries_each_request_is_sent_once(house: House) -> None:
    house.pim.faults = Faults().always("assets", status(503), family=FAILING)
    run = sync(house.url, max_retries=0)
    assert "asked once, the last answer: 503 Service Unavailable. " in error(run)
    assert max(asked(house.pim, "assets").values()) == 1


@pytest.mark.parametrize("fault", [status(503), drop(), status(429, retry_after=300)])
def test_a_pim_that_dies_does_not_keep_the_run_for_hours(fault: Fault) -> None:
    pim = plain_pim(40, 2)
    pim.faults = Faults().always("attributes", fault).always("assets", fault).always("endpoints", fault)
    run = support.sync_pim(pim, tap_class=HurryingTap, max_retries=MAX_RETRIES)
    assert run.status == 1
    assert run.log.splitlines()[-1].startswith("ERROR The PIM at http://127.0.0.1:")
    assert "answers no more" in run.log
    assert len(pim.requests) < 60


def test_many_families_that_fail_alike_are_told_in_one_line() -> None:
    pim = plain_pim(40, 2)
    pim.faults = Faults().always("assets", status(422))
    run = support.sync_pim(pim, tap_class=HurryingTap)
    assert run.status == 1
    lines = [line for line in run.log.splitlines() if line.startswith("ERROR")]
    assert len(lines) <= 40  # they differ by the address
    pim.faults = Faults().always("assets", status(403))
    assert " and 20 more failed: 403 Forbidden" in error(support.sync_pim(pim, tap_class=HurryingTap))


# Circles


@pytest.mark.parametrize("kind", ["same", "fresh", "pages"])
@pytest.mark.parametrize("assets", [25, 60, 250])
def test_a_circular_listing_ends_and_fails_its_family(kind: Any, assets: int) -> None:  # noqa: ANN401  # a literal
    with served(plain_pim(3, assets)) as house:
        house.pim.faults = Faults().always("assets", circle(kind), family=FAILING)
        run = sync(house.url)
        assert error(run).startswith(f"Family '{FAILING}' failed: the same items come again. ")
        assert contents(run, *OTHERS) == contents(house.whole, *OTHERS)
        assert asked(house.pim, "assets", FAILING).total() <= 30
        assert run.bookmarks.get(FAILING) is None


@pytest.mark.parametrize("kind", ["same", "fresh", "pages"])
def test_a_circular_list_of_families_ends(kind: Any) -> None:  # noqa: ANN401  # a literal
    with served(plain_pim(5, 2, options=Options(page_size=2))) as house:
        house.pim.faults = Faults().always("families", circle(kind))
        run = sync(house.url)
        assert error(run) == "The list of families could not be read: the same items come again"
        assert asked(house.pim, "families").total() <= 30
        families = [record["code"] for record in run.records["asset_families"]]
        assert len(families) == len(set(families))


def test_empty_pages_without_end_are_a_circle(house: House) -> None:
    number = iter(range(1_000))

    def onward(body: bytes) -> bytes:
        page = json.loads(body)
        href = page["_links"]["self"]["href"]
        page["_links"]["next"] = {"href": f"{href}{'&' if '?' in href else '?'}n={next(number)}"}
        return json.dumps({**page, "_embedded": {"items": []}}).encode()

    house.pim.faults = Faults().always("assets", damaged(onward), family=FAILING)
    run = sync(house.url)
    assert error(run).startswith(f"Family '{FAILING}' failed: 26 empty pages in a row. ")
    assert contents(run, *OTHERS) == contents(house.whole, *OTHERS)


# One origin


@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "//127.0.0.1:{}", "http://pim@127.0.0.1:{}"])
def test_links_to_elsewhere_are_followed_at_home(house: House, form: str) -> None:
    with serve(plain_pim(3, 25)) as elsewhere:
        house.pim.options.link_origin = form.format(elsewhere.url.rpartition(":")[2])
        run = sync(house.url)
        assert not elsewhere.pim.requests
    house.pim.options.link_origin = None
    assert (run.status, len(run.messages)) == (0, len(house.whole.messages))
    assert run.log.count("WARNING Links of the PIM lead to 127.0.0.1:") == 1


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_redirect_leads_elsewhere(house: House, route: str, code: int) -> None:
    with serve(plain_pim(3, 25)) as elsewhere:
        house.pim.faults = Faults().always(route, redirect(elsewhere.url, code))
        run = sync(house.url)
        assert not elsewhere.pim.requests
    assert run.status == 1
    assert elsewhere.url in run.log


# Tokens


class Days:
    """A PIM's clock that goes on by so many seconds with each request."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.passed = 0.0

    def __call__(self) -> datetime:
        return datetime(2026, 11, 25, tzinfo=UTC) + timedelta(seconds=self.passed)

    def tick(self, _: RequestRecord) -> None:
        self.passed += self.seconds


def tokens_asked(pim: Pim) -> int:
    return asked(pim, "token").total()


def refusals(pim: Pim) -> int:
    return sum(request.status == 401 for request in pim.requests)


def test_one_token_is_enough(house: House) -> None:
    assert sync(house.url).status == 0
    assert tokens_asked(house.pim) == 1


def test_a_short_token_is_renewed_before_its_end(house: House) -> None:
    days = Days(0.3)

    class ItsClock(Clock):
        def monotonic(self) -> float:
            return days.passed

    class ItsTap(HurryingTap):
        clock_class = ItsClock

    house.pim.options.token_seconds = 2
    house.pim.options.clock = days
    house.pim.on_request = days.tick
    run = support.sync(house.url, tap_class=ItsTap, max_concurrency=1, max_requests_per_second=0)
    assert (run.status, contents(run)) == (0, contents(house.whole))
    assert refusals(house.pim) == 0
    # 1.5 s of 2 s are 5 requests; a renewal is one of them.
    assert tokens_asked(house.pim) == pytest.approx(len(house.pim.requests) / 6, abs=2)


@pytest.mark.parametrize("workers", [1, 4])
def test_tokens_that_end_sooner_than_told_are_healed(house: House, workers: int) -> None:
    days = Days(1)
    # Each request moves the clock: a run ends before a third token does, so none is refused three times in a row.
    house.pim.options.token_seconds = 5 if workers == 1 else 9
    house.pim.options.clock = days
    house.pim.on_request = days.tick
    run = sync(house.url, max_concurrency=workers)
    assert (run.status, contents(run)) == (0, contents(house.whole))
    assert 1 < tokens_asked(house.pim) <= 1 + refusals(house.pim)
    assert "ERROR" not in run.log


@pytest.mark.parametrize(("with_refresh_tokens", "needed"), [(False, 2), (True, 3)])
def test_tokens_revoked_amid_a_sync_are_renewed_by_one_request(
    house: House,
    needed: int,
    *,
    with_refresh_tokens: bool,
) -> None:
    def revoke(request: RequestRecord) -> None:
        if request.route == "assets" and asked(house.pim, "assets").total() == 4:
            house.pim.tokens.revoke_all(refresh_tokens=with_refresh_tokens)

    house.pim.on_request = revoke
    run = sync(house.url)
    assert (run.status, contents(run)) == (0, contents(house.whole))
    assert tokens_asked(house.pim) == needed
    assert refusals(house.pim) > 0


def test_a_refresh_that_is_always_refused_is_a_new_login(house: House) -> None:
    days = Days(1)
    house.pim.options.token_seconds = 5
    house.pim.options.clock = days
    house.pim.on_request = days.tick
    house.pim.faults = Faults().always("token", refresh_refused())
    run = sync(house.url, max_concurrency=1)
    assert (run.status, contents(run)) == (0, contents(house.whole))
    assert tokens_asked(house.pim) % 2 == 1  # the first login, and two requests for each renewal


def test_a_token_that_never_works_is_told_in_one_line(house: House) -> None:
    house.pim.faults = Faults().always("families", token_ended())
    line = error(sync(house.url))
    assert line.startswith("The PIM refuses the tokens that it has just given: 401 Unauthorized")
    assert tokens_asked(house.pim) <= 4


@pytest.mark.parametrize("number", [1, 2, 5, 10])
def test_an_apps_token_revoked_amid_a_sync_is_told_in_one_line(house: House, number: int) -> None:
    token = house.pim.tokens.add_app()

    def revoke(_: RequestRecord) -> None:
        if len(house.pim.requests) == number:
            house.pim.tokens.revoke(token)

    house.pim.on_request = revoke
    run = sync(house.url, access_token=token)
    assert error(run).startswith("The PIM refuses access_token: 401 Unauthorized")
    assert tokens_asked(house.pim) == 0
    assert not contents(run) - contents(house.whole)


def test_an_apps_token_is_enough(house: House) -> None:
    run = sync(house.url, access_token=house.pim.tokens.add_app())
    assert (run.status, contents(run)) == (0, contents(house.whole))
    assert tokens_asked(house.pim) == 0


def test_wrong_credentials_are_sent_once_however_many_threads_wait(house: House) -> None:
    line = error(sync(house.url, password="wr0ng-pass", asset_families=["a", "b", "c", "d"]))  # noqa: S106
    assert line.startswith("The PIM refuses username or password")
    assert tokens_asked(house.pim) == 1


# Requests in flight


@pytest.mark.parametrize("workers", [1, 2, 4, 7])
def test_never_more_requests_are_in_flight_than_allowed(workers: int) -> None:
    pim = plain_pim(6, 40, options=Options(page_size=10, latency=0.005, token_seconds=5))
    days = Days(0.2)
    pim.options.clock = days
    pim.on_request = days.tick
    run = support.sync_pim(pim, tap_class=HurryingTap, max_concurrency=workers)
    assert run.status == 0
    assert tokens_asked(pim) > 1
    assert pim.max_in_flight <= workers
