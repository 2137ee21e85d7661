"""No secret shows: not in what is logged at any level, not in what is written, whatever the PIM echoes."""

from __future__ import annotations

import json
import logging
import os
from base64 import b64encode, urlsafe_b64encode
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest
from werkzeug.wrappers import Response

from tap_akeneo_assets.sandbox import Options, demo_pim
from tap_akeneo_assets.sandbox.faults import Faults, damaged, redirect, status
from tap_akeneo_assets.sandbox.server import serve
from tap_akeneo_assets.sandbox.tokens import CLIENT_ID, CLIENT_SECRET
from tests import support
from tests.support import HurryingTap, Outcome, environment, tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_akeneo_assets.sandbox import Pim
    from tap_akeneo_assets.sandbox.faults import Exchange, Fault

CODES = (400, 401, 403, 404, 406, 422, 429, 500)
ROUTES = ("token", "families", "attributes", "options", "assets")

sync = partial(support.sync, tap_class=HurryingTap, log_level=logging.DEBUG, max_retries=1)


def base64(text: str) -> str:
    return b64encode(text.encode()).decode().rstrip("=")


def spellings(secret: str) -> set[str]:
    """A secret as it may stand in a text: raw, in JSON, in a URL, in base64."""
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret),
        quote(secret, safe=""),
        quote(secret, safe="").lower(),
        quote_plus(secret),
        base64(secret),
        urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    }


def leaks(output: str, pim: Pim) -> set[str]:
    """The secrets that an output holds, in whatever spelling."""
    secrets = [*pim.secrets(), f"{CLIENT_ID}:{CLIENT_SECRET}"]
    return {spelling for secret in secrets for spelling in spellings(secret) if spelling in output}


def written(run: Outcome) -> str:
    """All that a run gave, texts as a reader of the JSON sees them."""
    return run.log + json.dumps(run.messages, default=str, ensure_ascii=False) + json.dumps(run.messages, default=str)


def secrets_of(exchange: Exchange) -> list[str]:
    """What a request holds that nobody should repeat, and the tokens of the PIM."""
    kind, _, credentials = exchange.request.headers.get("Authorization", "").partition(" ")
    assert kind in ("Basic", "Bearer")
    return [credentials, *exchange.pim.secrets()[:2], *exchange.pim.tokens.issued[-2:]]


def echo(code: int, spell: Callable[[str], str] = str) -> Fault:
    """An error that repeats all secrets of the request in its message and headers."""

    def fault(exchange: Exchange) -> Response:
        text = " and ".join(map(spell, secrets_of(exchange)))
        body = json.dumps({"code": code, "message": f"You sent {text}, which is wrong."})
        headers = {"WWW-Authenticate": f'Bearer realm="{quote(text)}"', "Server": quote(text)}
        return Response(body, code, headers, mimetype="application/json")

    return fault


def lead_astray(form: str) -> Fault:
    """A redirect whose address holds all secrets."""

    def fault(exchange: Exchange) -> Response:
        address = form.format("/".join(quote(secret, safe="") for secret in secrets_of(exchange)))
        return redirect(address)(exchange)

    return fault


def with_links(form: str) -> Fault:
    """Links to further pages and files that hold the access token, and whatever else is secret."""

    def fault(exchange: Exchange) -> Response:
        query = "&".join(f"s={quote(secret, safe='')}" for secret in secrets_of(exchange))

        def tell(body: bytes) -> bytes:
            page = json.loads(body)
            for link in page["_links"].values():
                href = link["href"]
                link["href"] = form.format(href, "&" if "?" in href else "?", query)
            return json.dumps(page).encode()

        return damaged(tell)(exchange)

    return fault


@pytest.fixture(scope="module")
def pim() -> Iterator[tuple[Pim, str]]:
    """A small PIM that is served, and its address."""
    with serve(demo_pim(3, 6, options=Options(page_size=2))) as server:
        yield server.pim, server.url


def check(pim: tuple[Pim, str], faults: Faults, **settings: Any) -> Outcome:  # noqa: ANN401  # of any type
    """Run with faults, and search what comes of it for secrets."""
    served, url = pim
    served.faults = faults
    # Those of earlier runs nobody else can know.
    served.tokens.issued[:] = [settings["access_token"]] if "access_token" in settings else []
    run = sync(url, **settings)
    served.faults = None
    assert "DEBUG" in run.log
    assert not leaks(written(run), served)
    return run


def test_the_search_finds_what_it_looks_for(pim: tuple[Pim, str]) -> None:
    served, url = pim
    assert sync(url).status == 0
    for secret in (*served.secrets(), f"{CLIENT_ID}:{CLIENT_SECRET}"):
        for spelling in spellings(secret):
            assert leaks(f"x{spelling}x", served)


@pytest.mark.parametrize("seed", range(3))
def test_a_run_with_every_kind_of_fault_that_passes(pim: tuple[Pim, str], seed: int) -> None:
    check(pim, Faults(seed).rate(0.3), max_retries=8)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("code", CODES)
def test_an_error_that_echoes(pim: tuple[Pim, str], route: str, code: int) -> None:
    assert check(pim, Faults().always(route, echo(code))).status == (code != 404 or route in ("token", "families"))


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("spell", [quote_plus, base64, repr])
def test_errors_that_echo_in_other_spellings(pim: tuple[Pim, str], route: str, spell: Callable[[str], str]) -> None:
    check(pim, Faults().rate(1, [echo(code, spell) for code in CODES], route))


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "form", ["https://x.example/{}", "https://{}@x.example/login", "/login/{}?{}#{}", "http://{}:1"]
)
def test_a_redirect_that_echoes(pim: tuple[Pim, str], route: str, form: str) -> None:
    run = check(pim, Faults().always(route, lead_astray(form.replace("{}", "{0}"))))
    assert run.status == 1


@pytest.mark.parametrize("form", ["{0}{1}{2}", "http://{2}@x.example{0}", "http://x.example/{0}{1}{2}"])
def test_links_that_echo(pim: tuple[Pim, str], form: str) -> None:
    check(pim, Faults().always("families", with_links(form)).always("assets", with_links(form)))


def test_a_state_that_waits_for_such_a_link(pim: tuple[Pim, str]) -> None:
    faults = Faults().nth("assets", 1, with_links("{0}{1}{2}"), family="packshots")
    run = check(pim, faults.always("assets", status(503), family="packshots"))
    partitions = run.state["bookmarks"]["assets"]["partitions"]
    (kept,) = [partition["unfinished"] for partition in partitions if "unfinished" in partition]
    assert kept["found"]


def test_data_that_echo_the_token(pim: tuple[Pim, str]) -> None:
    def fault(exchange: Exchange) -> Response:
        token = exchange.request.headers["Authorization"].removeprefix("Bearer ")

        def tell(body: bytes) -> bytes:
            return body.replace(b"/api/rest/v1/asset-media-files/", f"/{token}/".encode()).replace(
                b'"code"', f'"{token}": 1, "code"'.encode()
            )

        return damaged(tell)(exchange)

    run = check(pim, Faults().always("assets", fault))
    assert run.status == 0
    assert run.records["assets"]


def test_an_apps_token(pim: tuple[Pim, str]) -> None:
    served, _ = pim
    for fault in (echo(401), echo(403), lead_astray("https://x.example/{0}"), with_links("{0}{1}{2}")):
        token = served.tokens.add_app()
        check(pim, Faults().always("assets", fault), access_token=token)
    served.tokens.revoke(token)
    assert check(pim, Faults(), access_token=token).status == 1


def test_wrong_credentials(pim: tuple[Pim, str]) -> None:
    wrong = "wr0ng pass/+word"
    for settings in ({"password": wrong}, {"client_secret": wrong}, {"access_token": "wr0ng-token"}):
        run = check(pim, Faults(), **settings)
        assert run.status == 1
        assert not any(spelling in written(run) for value in settings.values() for spelling in spellings(value))


@pytest.mark.parametrize("arguments", [(), ("--test",), ("--discover",)])
def test_a_process(arguments: tuple[str, ...]) -> None:
    pim = demo_pim(3, 6, options=Options(page_size=2))
    pim.faults = (
        Faults(1)
        .always("attributes", echo(422), family="packshots")
        .nth("assets", 3, lead_astray("https://x.example/{0}"))
        .nth("assets", 5, echo(503))
        .nth("assets", 6, with_links("{0}{1}{2}"))
        .rate(0.1, [echo(401), echo(500)])
    )
    with serve(pim) as server:
        env = {
            "TAP_AKENEO_ASSETS_LOGLEVEL": "DEBUG",
            "TAP_AKENEO_ASSETS_MAX_RETRIES": "2",
            "HTTP_PROXY": "",
            "NO_PROXY": "*",
        }
        done = tap("--config=ENV", *arguments, env=environment(server.url, **env))
        output = (done.stdout + done.stderr).decode()
    assert done.returncode == (0 if arguments == ("--discover",) else 1)
    assert " DEBUG " in output
    assert not leaks(output + output.encode().decode("unicode_escape", "replace"), pim)


def test_settings_that_fail_before_anything_is_asked() -> None:
    secret = "hush-hush-hush"  # noqa: S105  # worth nothing
    names = ("CLIENT_SECRET", "PASSWORD", "ACCESS_TOKEN")
    env = {**os.environ, **{f"TAP_AKENEO_ASSETS_{name}": secret for name in names}, "LOGLEVEL": "DEBUG"}
    url = {"TAP_AKENEO_ASSETS_API_URL": f"https://bob:{secret}@pim.example?token={secret}"}
    done = tap("--config=ENV", env={**env, **url})
    assert done.returncode == 1
    assert secret not in (done.stdout + done.stderr).decode()
