"""The sandbox keeps to the facts of the API, so that the other tests may rely on it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from threading import Barrier, Thread
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client, TestResponse

from tap_akeneo_assets.sandbox import Options, Pim, cli, demo_pim, tokens
from tap_akeneo_assets.sandbox.app import create_app
from tap_akeneo_assets.sandbox.faults import (
    Fault,
    Faults,
    circle,
    content_type,
    cut,
    damaged,
    drop,
    login_page,
    not_json,
    passing,
    redirect,
    refresh_refused,
    reset,
    slow,
    status,
    token_ended,
)
from tap_akeneo_assets.sandbox.options import LIST_ASSETS, LIST_FAMILIES, WEB_API
from tap_akeneo_assets.sandbox.server import Server, serve
from tap_akeneo_assets.sandbox.shapes import as_php_sends

API = "/api/rest/v1"
ASSETS = f"{API}/asset-families/f/assets"
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
BASIC = (tokens.CLIENT_ID, tokens.CLIENT_SECRET)
LOG_IN = {"grant_type": "password", "username": tokens.USERNAME, "password": tokens.PASSWORD}


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Api:
    """Asks a PIM in this process, with an App's token."""

    def __init__(self, pim: Pim) -> None:
        self.pim = pim
        self.client: Client = create_app(pim).test_client()
        self.token = pim.tokens.add_app()

    def get(self, url: str, **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", **headers}
        return self.client.get(url, headers=sent)

    def json(self, url: str) -> Any:  # noqa: ANN401 (whatever the API answers)
        answer = self.get(url)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.data)

    def search(self, tree: object) -> TestResponse:
        return self.get(f"{ASSETS}?search={quote(json.dumps(tree))}")

    def found(self, tree: object) -> set[str]:
        answer = self.search(tree)
        assert answer.status_code == 200, answer.text
        return {asset["code"] for asset in json.loads(answer.data)["_embedded"]["items"]}

    def log_in(self, **body: str) -> TestResponse:
        return self.client.post("/api/oauth/v1/token", json=body, auth=BASIC)


def small_pim(codes: dict[str, datetime], **options: Any) -> Pim:  # noqa: ANN401 (fields of Options)
    """A family `f` with assets saved at given times, one localizable and scopable text each."""
    pim = Pim(Options(**options))
    pim.save_family("f")
    pim.save_attribute("f", "text", type="text", value_per_locale=True, is_required_for_completeness=True)
    for code, updated in codes.items():
        values = {"text": [{"locale": "en_US", "channel": "print", "data": code}]}
        pim.save_asset("f", code, values, created=updated, updated=updated)
    return pim


@contextmanager
def session(server: Server) -> Iterator[requests.Session]:
    """A client with a fresh access token of the connection, not of an App."""
    with requests.Session() as client:
        answer = client.post(f"{server.url}/api/oauth/v1/token", auth=BASIC, json=LOG_IN)
        client.headers.update(
            {"Authorization": f"Bearer {answer.json()['access_token']}", "Accept": "application/json"}
        )
        yield client


# Pages


@settings(deadline=None, max_examples=100)
@given(
    amount=st.integers(0, 12),
    parameters=st.sampled_from(
        ["", "channel=print&locales=en_US", 'search={"updated":[{"operator":">","value":"2000-01-01T00:00:00Z"}]}']
    ),
    chosen=st.fixed_dictionaries(
        {
            "page_size": st.integers(1, 5),
            "full_last_page_has_next": st.booleans(),
            "empty_pages": st.integers(0, 3),
            "relative_links": st.sampled_from(["absolute", "path", "query"]),
            "link_origin": st.sampled_from([None, "http://internal:8080"]),
            "items_key": st.sampled_from(["items", "_items"]),
            "forget_parameters": st.booleans(),
            "base_path": st.sampled_from(["", "/pim"]),
            "php_holes": st.booleans(),
            "php_objects": st.booleans(),
            "index_serves_all": st.booleans(),
        }
    ),
)
def test_all_pages_together_hold_every_asset_once(amount: int, parameters: str, chosen: dict[str, Any]) -> None:
    pim = small_pim({f"a{number}": NOON for number in range(amount)}, **chosen)
    api, seen, asked = Api(pim), [], 0
    url: str | None = f"{pim.options.base_path}{ASSETS}?{parameters}"
    while url is not None:
        page = api.json(url)
        items = page["_embedded"][pim.options.items_key]
        items = list(items.values()) if isinstance(items, dict) else items
        assert len(items) <= pim.options.page_size
        seen += [item["code"] for item in items]
        link = page["_links"].get("next")
        forgotten = bool(parameters) and pim.options.forget_parameters
        if link:
            assert link["href"].startswith({"absolute": "http://", "path": "/", "query": "?"}[chosen["relative_links"]])
            assert ("search=" in link["href"] or "channel=" in link["href"]) is (bool(parameters) and not forgotten)
        target = urlsplit(urljoin(f"http://localhost{url}", link["href"])) if link else None
        url = f"{target.path}?{target.query}{f'&{parameters}' if forgotten else ''}" if target else None
        asked += 1
    assert sorted(seen) == sorted(f"a{number}" for number in range(amount))
    full = amount // pim.options.page_size + 1
    assert asked <= 2 * full + 1


def test_cursors_belong_to_their_list_and_can_be_refused() -> None:
    pim = small_pim({f"a{number}": NOON for number in range(3)}, page_size=1)
    pim.save_family("g")
    api = Api(pim)
    url = api.json(ASSETS)["_links"]["next"]["href"]
    assert api.get(url).status_code == 200
    assert api.get(url.replace("/f/", "/g/")).status_code == 422
    assert api.get(url.rpartition("&")[0]).status_code == 422
    pim.refuse_cursors()
    assert api.get(url).status_code == 422
    assert api.get(ASSETS).status_code == 200


def test_lists_of_families_have_pages_too_and_hide_what_is_not_for_the_group() -> None:
    pim = demo_pim(families=7, assets=0, options=Options(page_size=2, hidden_families=frozenset({"user_guides"})))
    api, url, seen = Api(pim), f"{API}/asset-families", []
    while url:
        page = api.json(url)
        seen += [family["code"] for family in page["_embedded"]["items"]]
        assert all(family["_links"]["self"]["href"].endswith(family["code"]) for family in page["_embedded"]["items"])
        url = page["_links"].get("next", {}).get("href")
    assert seen == [
        "brand_logos",
        "brand_logos_2",
        "packshots",
        "packshots_2",
        "press_kit",
        "user_guides_2",
    ]
    assert api.get(f"{API}/asset-families/user_guides").status_code == 404


# Filters

MOMENTS = st.integers(-3, 3).map(lambda seconds: NOON + timedelta(seconds=seconds))


@settings(deadline=None, max_examples=40)
@given(saved=st.lists(MOMENTS, max_size=8), first=MOMENTS, last=MOMENTS, zone=st.sampled_from(["Z", "+00:00"]))
def test_filters_on_updated_part_the_assets(saved: list[datetime], first: datetime, last: datetime, zone: str) -> None:
    codes = {f"a{number}": moment + timedelta(microseconds=999_999) for number, moment in enumerate(saved)}
    api = Api(small_pim(codes, clock=Clock()))
    begin, end = (moment.strftime(f"%Y-%m-%dT%H:%M:%S{zone}") for moment in (first, last))

    def found(operator: str, value: object) -> set[str]:
        flat: dict[str, Any] = {"updated": [{"operator": operator, "value": value}]}
        bare = {"and": [{"updated": flat["updated"][0]}]}
        assert api.found(flat) == api.found(bare) == api.found({"or": [flat, flat]})
        return api.found(flat)

    later, earlier = found(">", begin), found("<", begin)
    same_second = {code for code, moment in codes.items() if moment.replace(microsecond=0) == first}
    assert found("BETWEEN", [begin, begin]) == same_second
    for one, other in ((later, earlier), (later, same_second), (earlier, same_second)):
        assert not one & other
    assert later | earlier | same_second == set(codes)
    inside = found("BETWEEN", [begin, end])
    assert inside == (later | same_second) - found(">", end)
    assert found("NOT BETWEEN", [begin, end]) == set(codes) - inside
    both = {"updated": [{"operator": ">", "value": begin}, {"operator": "<", "value": end}]}
    assert api.found(both) == later & found("<", end)


def test_filters_on_code_values_and_completeness_combine() -> None:
    api = Api(small_pim({"a": NOON, "b": NOON - timedelta(days=5), "c": NOON}, clock=Clock()))
    api.pim.save_asset("f", "empty", {})
    assert api.found({"code": [{"operator": "IN", "value": ["a", "b", "nobody"]}]}) == {"a", "b"}
    assert api.found({"updated": [{"operator": "SINCE LAST N DAYS", "value": 2}]}) == {"a", "c", "empty"}
    assert api.found({"text": [{"operator": "=", "value": "a", "locale": "en_US"}]}) == {"a"}
    assert api.found({"text": [{"operator": "=", "value": "a", "locale": "fr_FR"}]}) == set()
    assert api.found({"text": [{"operator": "NOT IN", "value": ["a"]}]}) == {"b", "c", "empty"}
    assert api.found({"text": [{"operator": "!=", "value": "a"}]}) == {"b", "c", "empty"}
    assert api.found({"text": [{"operator": "CONTAINS", "value": "B"}]}) == {"b"}
    assert api.found({"text": [{"operator": "EMPTY"}]}) == {"empty"}
    assert api.found({"text": [{"operator": "NOT EMPTY"}]}) == {"a", "b", "c"}
    complete = {"operator": "=", "value": True, "channel": "print", "locales": ["en_US"]}
    assert api.found({"complete": complete}) == {"a", "b", "c"}
    assert api.found({"complete": [{**complete, "value": False}]}) == {"empty"}
    assert api.found({}) == {"a", "b", "c", "empty"}
    nested = {"or": [{"and": [{"code": {"operator": "IN", "value": ["a"]}}]}, {"text": [{"operator": "EMPTY"}]}]}
    assert api.found(nested) == {"a", "empty"}


UPDATED = {"operator": "<", "value": "2026-01-01T00:00:00Z"}
SINCE = [
    ("3.2", {"updated": [{**UPDATED, "operator": ">"}]}),
    ("6.0", {"updated": [UPDATED]}),
    ("6.0", {"updated": [{"operator": "SINCE LAST N DAYS", "value": 1}]}),
    ("6.0", {"updated": [{"operator": "NOT BETWEEN", "value": [UPDATED["value"], UPDATED["value"]]}]}),
    ("7.0", {"code": [{"operator": "IN", "value": ["a"]}]}),
    ("saas", {"updated": UPDATED}),
    ("saas", {"and": [{"updated": [UPDATED]}]}),
    ("saas", {"text": [{"operator": "=", "value": "a"}]}),
    ("saas", {"complete": {"operator": "=", "value": True, "channel": "print", "locales": []}}),
]


@pytest.mark.parametrize("version", ["3.2", "4.0", "5.0", "6.0", "7.0", "saas"])
@pytest.mark.parametrize(("since", "tree"), SINCE)
def test_filters_are_refused_before_their_version(version: str, since: str, tree: dict[str, Any]) -> None:
    api = Api(small_pim({"a": NOON}, pim_version=version))
    assert api.search(tree).status_code == (200 if version >= since else 422)


@pytest.mark.parametrize(
    "tree",
    [
        1,
        ["updated"],
        {"nothing": [{"operator": "=", "value": 1}]},
        {"updated": [{"operator": ">=", "value": UPDATED["value"]}]},
        {"updated": [{"operator": ">"}]},
        {"updated": ["yesterday"]},
        *(
            {"updated": [{"operator": ">", "value": value}]}
            for value in ("2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+02:00", "2026-01-01 00:00:00Z")
        ),
        {"updated": [{"operator": ">", "value": "2026-13-01T00:00:00Z"}]},
        {"updated": [{"operator": ">", "value": "2026-01-01T00:00:00.5Z"}]},
        {"updated": [{"operator": "BETWEEN", "value": [UPDATED["value"]]}]},
        {"updated": [{"operator": "SINCE LAST N DAYS", "value": "2"}]},
        {"code": [{"operator": "IN", "value": "a"}]},
        {"code": [{"operator": "=", "value": "a"}]},
        {"text": [{"operator": "CONTAINS", "value": 1}]},
        {"text": [{"operator": "STARTS WITH", "value": "a"}]},
        {"complete": {"operator": "=", "value": "yes"}},
        {"and": []},
        {"and": [{"updated": [UPDATED]}], "updated": [UPDATED]},
    ],
)
def test_searches_that_say_nothing_are_refused_with_a_message(tree: object) -> None:
    answer = Api(small_pim({})).search(tree)
    assert answer.status_code == 422
    assert json.loads(answer.data).keys() == {"code", "message"}


def test_broken_json_is_a_bad_request() -> None:
    assert Api(small_pim({})).get(f"{ASSETS}?search={{").status_code == 400


def test_filtered_lists_trail_the_database_and_single_assets_do_not() -> None:
    clock = Clock()
    pim = small_pim({}, clock=clock, index_lag=60)
    api, everything = Api(pim), {"updated": [{"operator": ">", "value": "2000-01-01T00:00:00Z"}]}

    def listed(tree: object) -> dict[str, str]:
        items = json.loads(api.search(tree).data)["_embedded"]["items"]
        return {item["code"]: item["values"]["text"][0]["data"] for item in items}

    def save(text: str) -> None:
        pim.save_asset("f", "a", {"text": [{"locale": None, "channel": None, "data": text}]})

    save("old")
    assert (listed(everything), listed({})) == ({}, {"a": "old"})
    clock.go(60)
    save("new")
    assert (listed(everything), listed({})) == ({"a": "old"}, {"a": "new"})
    assert api.json(f"{ASSETS}/a")["values"]["text"][0]["data"] == "new"
    pim.options.index_serves_all = True
    assert listed({}) == {"a": "old"}
    pim.options.index_holds_assets = False
    assert listed({}) == {"a": "new"}
    clock.go(60)
    pim.delete_asset("f", "a")
    assert (listed({}), api.get(f"{ASSETS}/a").status_code) == ({}, 404)
    pim.options.index_holds_assets = True
    assert listed({}) == {"a": "new"}
    pim.options.index_sick = True
    assert listed({}) == {}
    pim.options.index_sick = False
    clock.go(60)
    assert listed({}) == {}


def test_updated_can_be_shown_hours_off_while_the_filter_uses_the_real_one() -> None:
    api = Api(small_pim({"a": NOON}, updated_offset_hours=2))
    assert api.json(f"{ASSETS}/a")["updated"] == "2026-08-01T14:00:00+00:00"
    assert api.found({"updated": [{"operator": ">", "value": "2026-08-01T12:30:00Z"}]}) == set()


def test_changes_that_touch_updated_and_those_that_do_not() -> None:
    clock = Clock()
    pim = small_pim({"a": NOON}, clock=clock)
    pim.save_attribute("f", "other", type="text")
    rows = [{"locale": locale, "channel": None, "data": "x"} for locale in ("en_US", "fr_FR", None)]
    pim.save_asset("f", "a", {"text": rows, "other": rows[2:]})
    before = pim.asset("f", "a")
    clock.go(1)
    pim.deactivate_locale("fr_FR")
    pim.delete_attribute("f", "other")
    thinner = {**before, "values": {"text": [before["values"]["text"][0], before["values"]["text"][2]]}}
    assert pim.asset("f", "a") == thinner
    pim.delete_value("f", "a", "text", None, None)
    assert pim.asset("f", "a")["updated"] == "2026-08-01T12:00:01+00:00"
    pim.delete_value("f", "a", "text", "en_US", None)
    assert pim.asset("f", "a") == {**before, "updated": "2026-08-01T12:00:01+00:00", "values": {}}


def test_what_is_deleted_is_gone() -> None:
    pim = small_pim({"a": NOON})
    pim.save_attribute("f", "colour", type="single_option")
    for code in ("red", "blue"):
        pim.save_option("f", "colour", code)
    pim.delete_option("f", "colour", "red")
    options = f"{API}/asset-families/f/attributes/colour/options"
    assert Api(pim).json(options) == [{"code": "blue", "labels": {}}]
    media = pim.save_media_file("a.bin", b"x")
    pim.delete_media_file(media)
    assert Api(pim).get(f"{API}/asset-media-files/{media}").status_code == 404
    pim.delete_family("f")
    assert Api(pim).get(options).status_code == Api(pim).get(ASSETS).status_code == 404
    assert Api(pim).json(f"{API}/asset-families")["_embedded"]["items"] == []


def test_channel_and_locales_thin_out_values_but_not_assets() -> None:
    pim = small_pim({})
    cells = list(product(("en_US", "fr_FR", None), ("print", "web", None)))
    pim.save_asset("f", "a", {"text": [{"locale": one, "channel": other, "data": "x"} for one, other in cells]})
    pim.save_asset("f", "b", {"text": [{"locale": "de_DE", "channel": "web", "data": "x"}]})
    assets = {a["code"]: a for a in Api(pim).json(f"{ASSETS}?channel=print&locales=fr_FR,de_DE")["_embedded"]["items"]}
    kept = {(value["locale"], value["channel"]) for value in assets["a"]["values"]["text"]}
    assert kept == {cell for cell in cells if cell[0] != "en_US" and cell[1] != "web"}
    assert assets["b"]["values"] == {}


# Tokens and refusals


def test_tokens_live_are_refreshed_once_and_end() -> None:
    clock = Clock()
    pim = small_pim({}, clock=clock, token_seconds=10)
    api = Api(pim)

    def works(token: str) -> bool:
        answer = api.get(f"{API}/asset-families", Authorization=f"Bearer {token}")
        assert answer.status_code in (200, 401)
        return answer.status_code == 200

    first = api.log_in(**LOG_IN).get_json()
    assert (first["expires_in"], first["token_type"], works(first["access_token"])) == (10, "bearer", True)
    clock.go(10)
    assert not works(first["access_token"])
    renewal = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = api.log_in(**renewal).get_json()
    assert works(second["access_token"])
    assert api.log_in(**renewal).status_code == 422
    assert api.log_in(grant_type="refresh_token", refresh_token=second["refresh_token"]).status_code == 200
    third = api.client.post("/api/oauth/v1/token", data=LOG_IN, auth=BASIC).get_json()
    clock.go(14 * 24 * 3600)
    assert api.log_in(grant_type="refresh_token", refresh_token=third["refresh_token"]).status_code == 422
    assert works(api.token)
    pim.tokens.revoke(api.token)
    assert not works(api.token)
    fourth = api.log_in(**LOG_IN).get_json()
    pim.tokens.revoke_all(refresh_tokens=True)
    assert not works(fourth["access_token"])
    assert api.log_in(grant_type="refresh_token", refresh_token=fourth["refresh_token"]).status_code == 422
    issued = {pair[kind] for pair in (first, second, third, fourth) for kind in ("access_token", "refresh_token")}
    assert issued <= set(pim.secrets())


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"json": LOG_IN, "auth": (tokens.CLIENT_ID, "wrong")}, 422),
        ({"json": LOG_IN, "auth": None}, 422),
        ({"json": {**LOG_IN, "password": "wrong"}}, 422),
        ({"json": {"grant_type": "password"}}, 422),
        ({"json": {"grant_type": "client_credentials"}}, 422),
        ({"data": "{", "content_type": "application/json"}, 400),
        ({"data": "[]", "content_type": "application/json"}, 400),
        ({"data": b"grant_type=password"}, 415),
    ],
)
def test_wrong_token_requests_are_refused(sent: dict[str, Any], code: int) -> None:
    client = create_app(Pim()).test_client()
    answer = client.post("/api/oauth/v1/token", **{"auth": BASIC, **sent})
    assert (answer.status_code, json.loads(answer.data)["code"]) == (code, code)


FORBIDDEN = [
    (LIST_FAMILIES, "6.0", 403, 200),
    (LIST_ASSETS, "6.0", 200, 403),
    (LIST_ASSETS, "5.0", 200, 200),
    (WEB_API, "3.2", 403, 403),
]


@pytest.mark.parametrize(("right", "version", "families", "assets"), FORBIDDEN)
def test_rights_are_needed(right: str, version: str, families: int, assets: int) -> None:
    api = Api(small_pim({}, pim_version=version, forbidden=frozenset({right})))
    below = (API + "/asset-families", f"{API}/asset-families/f", f"{API}/asset-families/f/attributes")
    assert {api.get(url).status_code for url in below} == {families}
    assert api.get(ASSETS).status_code == assets
    assert api.get(f"{API}/asset-media-files/0/1").status_code == (403 if assets == 403 else 404)


def test_other_refusals_have_akeneos_bodies() -> None:
    api = Api(small_pim({"a": NOON}, longest_url=300))
    refused = {
        401: [api.get(ASSETS, Authorization="Bearer nobody"), api.client.get(ASSETS)],
        404: [
            api.get(f"{API}/asset-families/F"),
            api.get(f"{API}/asset-families/g/assets"),
            api.get(f"{ASSETS}/A"),
            api.get(f"{API}/asset-families/f/attributes/text/options"),
            api.get(f"{API}/asset-families/f/attributes/nothing/options"),
            api.get(f"{API}/asset-media-files/0/0/nothing.png"),
            api.get(f"{API}/products"),
        ],
        405: [api.client.get("/api/oauth/v1/token"), api.client.post(ASSETS)],
        406: [api.get(ASSETS, Accept="application/json, */*"), api.get(ASSETS, Accept="application/json;q=1")],
    }
    for code, answers in refused.items():
        for answer in answers:
            assert (answer.status_code, answer.mimetype) == (code, "application/json")
            assert json.loads(answer.data).keys() == {"code", "message"}
    assert api.get(f"{API}/asset-media-files/0%2F0", REQUEST_URI="").status_code == 404
    assert "api/oauth/v1/token" in api.client.get(API).text


# Versions and PHP


def test_older_versions_lack_what_came_later() -> None:
    shown = {
        version: Api(demo_pim(3, 10, options=Options(version))) for version in ("3.2", "4.0", "6.0", "7.0", "saas")
    }
    packshots = f"{API}/asset-families/packshots"
    types, fields, families, values = {}, {}, {}, {}
    for version, api in shown.items():
        attributes = api.json(f"{packshots}/attributes")
        types[version] = {attribute["type"] for attribute in attributes}
        assets = api.json(f"{packshots}/assets")["_embedded"]["items"]
        fields[version] = {key for asset in assets for key in asset} - {"_links", "code", "values"}
        families[version] = api.json(packshots).keys()
        values[version] = {key for asset in assets for rows in asset["values"].values() for row in rows for key in row}
        values[version] -= {"locale", "channel", "data"}
        assert any("default_value" in attribute for attribute in attributes) is (version == "saas")
    assert all(types[older] <= types[newer] for older, newer in pairwise(shown))
    assert types["4.0"] - types["3.2"] == {"number", "media_link"}
    assert types["7.0"] - types["6.0"] == {"boolean", "date", "record"}
    assert fields == {version: {"created", "updated"} if version >= "6.0" else set() for version in shown}
    assert values == {v: {"attribute_type", "linked_data", "_links"} if v == "saas" else set() for v in shown}
    assert [v for v in shown if "transformations" in families[v]] == ["4.0", "6.0", "7.0", "saas"]
    assert [v for v in shown if "sharing_enabled" in families[v]] == ["saas"]
    system = {version: api.get(f"{API}/system-information") for version, api in shown.items()}
    assert (system["4.0"].status_code, system["6.0"].get_json()) == (404, {"version": "6.0.28", "edition": "EE"})
    with pytest.raises(ValueError, match="pim_version"):
        Options("2.0")  # type: ignore[arg-type]


def test_php_confuses_objects_and_arrays() -> None:
    data = {"labels": {}, "list": [], "three": ["a", "b", "c"], "one": [1], "map": {"0": "x", "1": "y"}, "code": "12"}
    assert as_php_sends(data, Options()) is data
    assert as_php_sends(data, Options(php_arrays=True)) == {**data, "labels": []}
    assert as_php_sends(data, Options(php_objects=True)) == {**data, "list": {}}
    holes = {"three": {"0": "a", "2": "b", "3": "c"}, "one": {"1": 1}}
    assert as_php_sends(data, Options(php_holes=True)) == {**data, **holes}
    assert as_php_sends(data, Options(php_lists=True)) == {**data, "map": ["x", "y"]}
    assert as_php_sends(data, Options(php_numbers=True)) == {**data, "code": 12}
    pim = small_pim({}, php_numbers=True)
    pim.save_attribute("f", "number", type="number")
    pim.save_attribute("f", "choice", type="multiple_options")
    row = {"locale": None, "channel": None}
    numbers = [{**row, "data": text} for text in ("400", "1E+21", "much")]
    pim.save_asset("f", "a", {"number": numbers, "choice": [{**row, "data": ["2024", "02", "red"]}]})
    values = Api(pim).json(f"{ASSETS}/a")["values"]
    assert [value["data"] for value in values["number"]] == [400, 1e21, "much"]
    assert values["choice"][0]["data"] == [2024, "02", "red"]


def test_awkward_texts_and_codes_pass() -> None:
    pim, text = small_pim({}), "NUL \0, half an emoji \ud83d, \x07"
    for code in ("a#b?c%d e", "é", "100%25"):
        value = {"locale": None, "channel": None, "data": text}
        pim.save_asset("f", code, {"text": [value], "of_no_known_attribute": [{**value, "more": 1}]})
        asset = Api(pim).json(f"{ASSETS}/{quote(code, safe='')}")
        assert (asset["code"], asset["values"]["text"][0]["data"]) == (code, text)


# The demo data


def test_demo_data_hold_every_type_in_every_combination_and_lead_somewhere() -> None:
    pim = demo_pim(4, 40, options=Options(clock=Clock()))
    families = [family["code"] for family in pim.families().records]
    assets = {family: pim.assets(family).records for family in families}
    attributes = {family: {a["code"]: a for a in pim.attributes(family)} for family in families}
    combinations: dict[str, set[tuple[bool, bool]]] = {}
    updated, filled = [], set()
    for family in families:
        for attribute in attributes[family].values():
            cell = (attribute["value_per_locale"], attribute["value_per_channel"])
            combinations.setdefault(attribute["type"], set()).add(cell)
        for asset in assets[family]:
            updated.append(datetime.fromisoformat(asset["updated"]))
            assert asset["created"] <= asset["updated"]
            for code, rows in asset["values"].items():
                attribute = attributes[family][code]
                filled.add((family, code))
                for row in rows:
                    check_value(pim, family, attribute, row)
    assert len(combinations) == 12
    assert all(len(cells) == 4 for cells in combinations.values()), combinations
    assert filled == {(family, code) for family in families if family != "press_kit" for code in attributes[family]}
    assert min(updated) < NOON - timedelta(days=300)
    assert NOON - timedelta(days=60) < max(updated) <= NOON
    assert {family: len(found) for family, found in assets.items()} == {
        family: 0 if family == "press_kit" else 40 for family in families
    }
    again = demo_pim(4, 40, options=Options(clock=Clock()))
    assert [again.assets(family).records for family in families] == list(assets.values())


def check_value(pim: Pim, family: str, attribute: dict[str, Any], row: dict[str, Any]) -> None:
    """A value is where its attribute says, and what it names exists."""
    assert (row["locale"] is not None) is attribute["value_per_locale"]
    assert (row["channel"] is not None) is attribute["value_per_channel"]
    data, kind = row["data"], attribute["type"]
    codes = data if isinstance(data, list) else [data]
    if kind.endswith(("_option", "_options")):
        assert set(codes) <= {option["code"] for option in pim.attribute_options(family, attribute["code"])}
    elif kind.startswith("asset_family_"):
        assert all(pim.asset(attribute["asset_family_code"], code) for code in codes)
    elif kind == "media_file":
        file = pim.media_file(data)
        assert file
        assert (row["linked_data"]["size"], data.rpartition(".")[2]) == (
            len(file.content),
            row["linked_data"]["extension"],
        )
        check_file(file.content)
    elif kind == "media_link":
        start = {"youtube": "https://youtube.com/watch?v=", "vimeo": "https://vimeo.com/"}
        prefix = start.get(attribute["media_type"], attribute["prefix"])
        assert row["linked_data"]["full_url"] == f"{prefix}{data}{attribute['suffix'] or ''}"


def check_file(content: bytes) -> None:
    """A file is what its name promises; PNGs are decoded."""
    if content.startswith(b"\x89PNG"):
        begin = content.index(b"IDAT") + 4
        assert len(zlib.decompress(content[begin : content.index(b"IEND") - 8])) == 96 * 97
    elif content.startswith(b"%PDF"):
        table = int(content.split(b"startxref\n")[1].split()[0])
        assert content[table:].startswith(b"xref")
    else:
        assert content.startswith(b"<svg")


def test_media_files_and_automatic_tags_are_shown_as_documented() -> None:
    api = Api(demo_pim(3, 20))
    seen = set()
    for asset in api.json(f"{API}/asset-families/packshots/assets?with_asset_auto_tags=true")["_embedded"]["items"]:
        [picture] = asset["values"]["picture"]
        assert set(picture["_links"]) == {"download", "share_link"}
        answer = api.get(urlsplit(picture["_links"]["download"]["href"]).path)
        assert (len(answer.data), answer.mimetype) == (picture["linked_data"]["size"], "image/png")
        assert picture["linked_data"]["original_filename"] in answer.headers["Content-Disposition"]
        for tags in asset["values"].get("auto_tags", []):
            seen |= set(tags["data"])
            assert tags["linked_data"].keys() == set(tags["data"])
    assert seen


# Faults, as a plain client sees them

Seen = Callable[[requests.Session, str], object]


def ask(client: requests.Session, url: str) -> requests.Response:
    return client.get(url, timeout=10, allow_redirects=False)


def failure(client: requests.Session, url: str) -> str:
    with pytest.raises(requests.RequestException) as raised:
        ask(client, url)
    return str(raised.value)


def whole(client: requests.Session, url: str) -> bool:
    try:
        return bool(ask(client, url).json())
    except requests.JSONDecodeError:
        return False


def walk(client: requests.Session, url: str) -> list[str]:
    """The pages' links, at most five."""
    asked = [url]
    while len(asked) < 6 and (link := ask(client, asked[-1]).json()["_links"].get("next")):
        asked.append(link["href"])
    return asked


FAULTS: list[tuple[Fault, Seen, object]] = [
    (status(408), lambda c, u: ask(c, u).json(), {"code": 408, "message": "Request Timeout"}),
    (status(425), lambda c, u: ask(c, u).status_code, 425),
    (status(429), lambda c, u: ask(c, u).headers.get("Retry-After"), None),
    (status(429, 7), lambda c, u: ask(c, u).headers["Retry-After"], "7"),
    (status(429, 7, as_date=True), lambda c, u: ask(c, u).headers["Retry-After"], "Sat, 01 Aug 2026 12:00:07 GMT"),
    (status(502), lambda c, u: (ask(c, u).status_code, "<h1>" in ask(c, u).text), (502, True)),
    (drop(), lambda c, u: "RemoteDisconnected" in failure(c, u), True),
    (drop(after=True), lambda c, u: "RemoteDisconnected" in failure(c, u), True),
    (reset(), lambda c, u: "ConnectionResetError" in failure(c, u), True),
    (cut("length"), lambda c, u: "IncompleteRead" in failure(c, u), True),
    (cut("length", 0), lambda c, u: "IncompleteRead" in failure(c, u), True),
    (cut("chunked"), lambda c, u: bool(failure(c, u)), True),
    (cut("closed", 0.9), whole, False),
    (cut("closed", 1), whole, True),
    (not_json(), lambda c, u: (ask(c, u).status_code, whole(c, u)), (200, False)),
    (login_page(), lambda c, u: 'type="password"' in ask(c, u).text, True),
    (redirect("/user/login"), lambda c, u: 'type="password"' in c.get(u, timeout=10).text, True),
    (
        redirect("https://other.example"),
        lambda c, u: ask(c, u).headers["Location"],
        f"https://other.example{ASSETS}?x=1",
    ),
    (token_ended(), lambda c, u: [ask(c, u).status_code, ask(c, u).status_code], [401, 401]),
    (refresh_refused(), whole, True),
    (slow(0.001), whole, True),
    (damaged(lambda body: body[::-1]), lambda c, u: ask(c, u).text.endswith("{"), True),
    (content_type("text/plain"), lambda c, u: (ask(c, u).headers["Content-Type"], whole(c, u)), ("text/plain", True)),
    (circle("same"), lambda c, u: (len(walk(c, u)), len(set(walk(c, u)[1:]))), (6, 1)),
    (circle("fresh"), lambda c, u: (len(walk(c, u)), len(set(walk(c, u)))), (6, 6)),
    (circle("pages"), lambda c, u: (len(walk(c, u)), len(set(walk(c, u)[1:]))), (6, 2)),
    (circle("fresh pages"), lambda c, u: (len(walk(c, u)), len(set(walk(c, u)))), (6, 6)),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(small_pim({f"a{number}": NOON for number in range(4)}, clock=Clock(), page_size=2)) as serving:
        yield serving


@pytest.mark.parametrize(("fault", "see", "expected"), FAULTS)
def test_a_fault_is_seen_as_specified_and_then_over(server: Server, fault: Fault, see: Seen, expected: object) -> None:
    url = f"{server.url}{ASSETS}?x=1"
    with session(server) as client:
        server.pim.faults = Faults().always("assets", fault, family="f")
        assert see(client, url) == expected
        assert ask(client, f"{server.url}{API}").ok
        server.pim.faults = None
    with session(server) as client:
        assert len(walk(client, url)) == 2


def test_faults_of_the_token_route(server: Server) -> None:
    url = f"{server.url}/api/oauth/v1/token"
    server.pim.faults = Faults().always("token", refresh_refused()).nth("token", 2, redirect("https://x.example", 301))
    with requests.Session() as client:
        pair = client.post(url, auth=BASIC, json=LOG_IN).json()
        renewal = {"grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}
        assert client.post(url, auth=BASIC, json=renewal).status_code == 422
    server.pim.faults.clear()


def test_rules_choose_the_requests() -> None:
    pim = small_pim({})
    pim.save_family("g")
    api = Api(pim)
    urls = [ASSETS, f"{API}/asset-families/g/assets", f"{API}/asset-families"] * 4

    def statuses() -> list[int]:
        return [api.get(url).status_code for url in urls]

    pim.faults = Faults().nth("assets", 3, status(500)).nth("assets", 2, status(502), family="g")
    assert statuses() == [200, 200, 200, 500, 502, 200] + [200] * 6
    pim.faults = Faults().always(None, status(503), family="g")
    assert statuses() == [200, 503, 200] * 4
    by_chance = []
    for seed in (1, 1, 2):
        pim.faults = Faults(seed).rate(0.5, [status(500), status(503)])
        by_chance.append(statuses())
    assert by_chance[0] == by_chance[1] != by_chance[2]
    assert set(by_chance[0]) == {200, 500, 503}
    assert statuses() != [200] * 12
    pim.faults.clear()
    assert statuses() == [200] * 12


def test_a_patient_client_gets_through_all_passing_faults_mixed(server: Server) -> None:
    server.pim.faults = Faults(3).rate(0.5, passing(), route="assets")
    before, got = len(server.pim.requests), 0
    with requests.Session() as client:
        client.headers["Authorization"] = f"Bearer {server.pim.tokens.add_app()}"
        while got < 40:
            try:
                got += "_embedded" in ask(client, f"{server.url}{ASSETS}").json()
            except requests.RequestException:
                continue
    server.pim.faults = None
    assert 60 < len(server.pim.requests) - before < 200


def test_a_token_that_ends_once_a_request_can_be_healed(server: Server) -> None:
    server.pim.faults = Faults().always("assets", token_ended(once=True))
    for expected in (401, 200):
        with session(server) as client:
            assert ask(client, f"{server.url}{ASSETS}").status_code == expected
    server.pim.faults = None


# Changes by the API's own routes


def editable() -> Api:
    pim = Pim(Options(clock=Clock()))
    pim.save_family("f")
    for code, kind, scopes in (
        ("title", "text", {"value_per_locale": True}),
        ("colors", "multiple_options", {"value_per_channel": True}),
        ("on", "boolean", {}),
        ("auto_tags", "auto_tagging", {}),
    ):
        pim.save_attribute("f", code, type=kind, **scopes)
    return Api(pim)


def edit(api: Api, method: str, path: str, body: object = None, **headers: str) -> TestResponse:
    sent = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json", **headers}
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return api.client.open(path, method=method, headers=sent, data=data)


def title(text: str | None, locale: str | None = "en_US", **more: str) -> dict[str, Any]:
    return {"title": [{"locale": locale, "channel": None, "data": text, **more}]}


def test_an_asset_is_made_changed_and_deleted() -> None:
    api = editable()
    clock = api.pim.options.clock
    assert isinstance(clock, Clock)
    colors = {"colors": [{"channel": "print", "data": ["red"]}]}
    made = edit(api, "PATCH", f"{ASSETS}/a", {"code": "a", "values": title("One")})
    assert (made.status_code, made.data) == (201, b"")
    assert made.headers["Location"] == f"http://localhost{ASSETS}/a"
    first = api.json(f"{ASSETS}/a")
    clock.go(60)
    changed = edit(api, "PATCH", f"{ASSETS}/a", {"code": "a", "values": {**title("Un", "fr_FR"), **colors}})
    assert (changed.status_code, changed.data) == (204, b"")
    second = api.json(f"{ASSETS}/a")
    assert {row["locale"]: row["data"] for row in second["values"]["title"]} == {"en_US": "One", "fr_FR": "Un"}
    assert [(row["locale"], row["channel"], row["data"]) for row in second["values"]["colors"]] == [
        (None, "print", ["red"])
    ]
    assert (second["created"], second["updated"] > first["updated"]) == (first["created"], True)
    assert api.found({"updated": [{"operator": ">", "value": first["updated"]}]}) == {"a"}
    assert edit(api, "PATCH", f"{ASSETS}/a", {"code": "a", "values": title(None)}).status_code == 204
    assert [row["locale"] for row in api.json(f"{ASSETS}/a")["values"]["title"]] == ["fr_FR"]
    assert edit(api, "PATCH", f"{ASSETS}/a", {"code": "a"}).status_code == 204
    assert edit(api, "DELETE", f"{ASSETS}/a").status_code == 204
    assert [edit(api, "DELETE", f"{ASSETS}/a").status_code, api.get(f"{ASSETS}/a").status_code] == [404, 404]
    assert api.json(ASSETS)["_embedded"]["items"] == []
    assert edit(api, "PATCH", f"{ASSETS}/a", {"code": "a"}).status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "Invalid json"),
        ([], 400, "Invalid json"),
        ({}, 422, "invalid format"),
        ({"code": "b"}, 422, "must be the same"),
        ({"code": "a", "values": []}, 422, "invalid format"),
        ({"code": "a", "values": {"title": {}}}, 422, "invalid format"),
        ({"code": "a", "values": {"title": [{"locale": "en_US"}]}}, 422, "invalid format"),
        ({"code": "a", "values": title("x", new="field")}, 422, "invalid format"),
        ({"code": "a", "values": {"on": [{"locale": 5, "data": True}]}}, 422, "invalid format"),
        ({"code": "a", "values": {"gone": [{"data": "x"}]}}, 422, "does not exist"),
        ({"code": "a", "values": title("x", None)}, 422, "requires a locale"),
        ({"code": "a", "values": title("x", channel="print")}, 422, "does not admit a channel"),
        ({"code": "a", "values": {"on": [{"data": "yes"}]}}, 422, "wrong type"),
        ({"code": "a", "values": {"auto_tags": [{"data": "x"}]}}, 422, "wrong type"),
        ({"code": "a", "values": {"auto_tags": [{"data": [1]}]}}, 422, "wrong type"),
    ],
)
def test_a_change_that_cannot_be(body: object, status: int, words: str) -> None:
    api = editable()
    answer = edit(api, "PATCH", f"{ASSETS}/a", body)
    assert answer.status_code == status
    assert json.loads(answer.data)["code"] == status
    assert words in answer.text
    assert api.get(f"{ASSETS}/a").status_code == 404


def test_changes_need_a_family_a_token_and_json() -> None:
    api = editable()
    body = {"code": "a", "values": {}}
    nowhere = f"{API}/asset-families/nowhere/assets"
    for path in (f"{ASSETS}/a", f"{nowhere}/a", ASSETS, nowhere):
        assert edit(api, "PATCH", path, body, Authorization="Bearer x").status_code == 401
        assert edit(api, "PATCH", path, body, **{"Content-Type": "text/plain"}).status_code == 415
    assert edit(api, "DELETE", f"{ASSETS}/a", Authorization="").status_code == 401
    assert edit(api, "PATCH", f"{nowhere}/a", body).status_code == 404
    assert edit(api, "PATCH", nowhere, [body]).status_code == 404
    assert edit(api, "DELETE", f"{nowhere}/a").status_code == 404
    assert edit(api, "PUT", f"{ASSETS}/a", body).status_code == 405
    api.pim.options.forbidden = frozenset({WEB_API})
    assert edit(api, "PATCH", f"{ASSETS}/a", body).status_code == 403
    assert edit(api, "DELETE", f"{ASSETS}/a").status_code == 403


def test_several_assets_are_changed_by_one_request() -> None:
    api = editable()
    api.pim.save_asset("f", "old", {})
    bodies = [
        {"code": "old"},
        {"code": "new", "values": title("x")},
        {"code": "bad", "values": {"gone": [{"data": 1}]}},
        5,
    ]
    answers = json.loads(edit(api, "PATCH", ASSETS, bodies).data)
    assert [(answer["code"], answer["status_code"]) for answer in answers] == [
        ("old", 204),
        ("new", 201),
        ("bad", 422),
        (None, 422),
    ]
    assert answers[2]["errors"][0]["property"] == "values.gone"
    assert edit(api, "PATCH", ASSETS, {}).status_code == 400
    assert edit(api, "PATCH", ASSETS, [{}] * 101).status_code == 413


# The server


def test_connections_stay_open_and_requests_are_counted(server: Server) -> None:
    together = Barrier(3, timeout=10)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    connection.request("POST", "/api/oauth/v1/token", body=b"ignored " * 1000)
    assert connection.getresponse().read()
    socket = connection.sock
    server.pim.on_request = lambda request: None if request.path == API else (together.wait(), None)[1]
    server.pim.max_in_flight = 0
    threads = [Thread(target=requests.get, args=(f"{server.url}/{number}",), daemon=True) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.pim.on_request = None
    assert server.pim.max_in_flight == 3
    connection.request("GET", f"{API}?x=%20", headers={"Authorization": "Bearer x", "User-Agent": "me"})
    answer = connection.getresponse()
    assert (answer.headers["Date"], json.loads(answer.read())["host"]) == ("Sat, 01 Aug 2026 12:00:00 GMT", server.url)
    assert connection.sock is socket
    connection.request("HEAD", API)
    assert connection.getresponse().read() == b""
    connection.close()
    last = server.pim.requests[-2]
    assert (last.method, last.path, last.query, last.route, last.status) == ("GET", API, "x=%20", "endpoints", 200)
    assert (last.authorized, last.headers["User-Agent"]) == (True, "me")
    assert not server.pim.requests[-1].authorized


def test_a_pim_that_is_mounted_under_a_path_and_ends() -> None:
    pim = small_pim({"a": NOON}, base_path="/pim", longest_url=1000, latency=0.001)
    pim.save_media_file("a.png", b"x", code="0/a.png")
    with requests.Session() as client:
        client.headers["Authorization"] = f"Bearer {pim.tokens.add_app()}"
        with serve(pim) as serving:
            assert serving.url.endswith("/pim")
            page = ask(client, f"{serving.url}{ASSETS}").json()
            assert ask(client, page["_embedded"]["items"][0]["_links"]["self"]["href"]).ok
            assert ask(client, f"{serving.url.removesuffix('/pim')}{ASSETS}").status_code == 404
            assert ask(client, f"{serving.url}{ASSETS}?{'x' * 1000}").status_code == 414
            assert ask(client, f"{serving.url}{API}/asset-media-files/0/a.png").content == b"x"
            assert ask(client, f"{serving.url}{API}/asset-media-files/0%2Fa.png").status_code == 404
        with pytest.raises(requests.ConnectionError):
            ask(client, serving.url)


# The command

SHOW = (
    "import os, json; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('TAP_AKENEO')})); exit(7)"
)


def test_run_hands_the_settings_to_a_command_and_its_status_back(capfd: pytest.CaptureFixture[str]) -> None:
    options = ["--families", "4", "--assets", "2", "--pim-version", "5.0", "--php-arrays", "--fault-rate", "0.1"]
    assert cli.main(["run", *options, "--", sys.executable, "-c", SHOW]) == 7
    shown = json.loads(capfd.readouterr().out)
    assert shown.pop("TAP_AKENEO_ASSETS_API_URL").startswith("http://127.0.0.1:")
    assert list(shown.values()) == [tokens.CLIENT_ID, tokens.CLIENT_SECRET, tokens.USERNAME, tokens.PASSWORD]
    suicide = f"import os; os.kill(os.getpid(), {signal.SIGKILL.value})"
    assert cli.main(["run", "--assets", "0", "--", sys.executable, "-c", suicide]) == 128 + signal.SIGKILL
    assert cli.main(["run", "--assets", "0", "--", "no-such-command"]) == 127
    assert "no-such-command" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--families=0", "0 is not 1 or more"),
        ("--families=few", "invalid integer value"),
        ("--assets=-1", "-1 is not 0 or more"),
        ("--fault-rate=5", "5.0 is not 0 to 1"),
        ("--fault-rate=nan", "nan is not 0 to 1"),
        ("--latency=-1", "-1.0 is not 0 or more"),
        ("--latency=inf", "inf is not 0 or more"),
        ("--port=65536", "65536 is not 0 to 65535"),
    ],
)
def test_arguments_that_cannot_be(capsys: pytest.CaptureFixture[str], option: str, words: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", option])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("families", [1, 2, 3, 4, 6])
def test_as_many_families_as_asked_for(families: int) -> None:
    assert len(demo_pim(families, 2).families().records) == families


def test_serve_says_how_to_try_it_until_interrupted() -> None:
    environ = {**os.environ, "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "tap_akeneo_assets.sandbox.cli", "serve", "--port", "0", "--assets", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:  # noqa: S603 (our own)
        assert process.stdout
        first = process.stdout.readline()
        assert requests.get(first.split()[4].strip(",") + API, timeout=10).ok
        process.send_signal(signal.SIGINT)
        hint = process.stdout.read()
        assert f"export TAP_AKENEO_ASSETS_CLIENT_ID={tokens.CLIENT_ID}" in hint
        assert "export AKENEO_SANDBOX_TOKEN=" in hint
        assert "tap-akeneo-assets --config=ENV --test\n" in hint
        assert process.wait() == 0


def test_without_flask_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "flask", None)
    assert cli.main(["serve"]) == 1
    assert capsys.readouterr().err == "akeneo-sandbox needs Flask: pip install 'tap-akeneo-assets[sandbox]'\n"
