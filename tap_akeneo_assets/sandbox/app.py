"""The API: a route a function, in the order of Akeneo's reference."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import PathConverter

from tap_akeneo_assets.sandbox.edits import MAX_ASSETS_PER_REQUEST
from tap_akeneo_assets.sandbox.options import LIST_ASSETS, LIST_FAMILIES, WEB_API
from tap_akeneo_assets.sandbox.paging import Fetch, Links, page
from tap_akeneo_assets.sandbox.refusal import Refusal
from tap_akeneo_assets.sandbox.shapes import View, as_php_sends
from tap_akeneo_assets.sandbox.tokens import CLIENT_ID, CLIENT_SECRET
from tap_akeneo_assets.sandbox.wire import Wire

if TYPE_CHECKING:
    from tap_akeneo_assets.sandbox.pim import Pim
    from tap_akeneo_assets.sandbox.records import Slice

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

api = Blueprint("api", __name__)


class AnyPath(PathConverter):
    """Whatever stands there, leading slashes and line breaks too."""

    regex = r"[\s\S]+?"
    part_isolating = False


def create_app(pim: Pim) -> Flask:
    """The PIM as a WSGI application."""
    app = Flask(__name__, static_folder=None)
    # The codes of media files may hold any slashes.
    app.url_map.merge_slashes = False
    app.url_map.converters["any_path"] = AnyPath
    app.extensions["pim"] = pim
    app.register_blueprint(api)
    app.wsgi_app = Wire(app, pim)  # type: ignore[method-assign]  # Flask's own way to add a layer
    return app


# Authentication


@api.post("/api/oauth/v1/token")
def token() -> Response:
    """Get or refresh an access token; client id and secret come as Basic authentication."""
    if request.mimetype not in (JSON, FORM):
        raise Refusal(415, f'The content-type "{request.mimetype}" is missing or not supported, use "{JSON}".')
    body = _json_body() if request.mimetype == JSON else request.form.to_dict()
    client = request.authorization
    if client is None or (client.username, client.password) != (CLIENT_ID, CLIENT_SECRET):
        raise Refusal(422, 'Parameter "client_id" is missing or does not match any client, or secret is invalid')
    seconds = _pim().options.token_seconds
    if body.get("grant_type") == "password":
        return _answer(_pim().tokens.log_in(body.get("username"), body.get("password"), seconds))
    if body.get("grant_type") == "refresh_token":
        return _answer(_pim().tokens.refresh(body.get("refresh_token"), seconds))
    raise Refusal(422, 'Parameter "grant_type" is missing or invalid')


# Overview


@api.get("/api/rest/v1")
def endpoints() -> Response:
    """Get the list of all endpoints; needs no token."""
    rules = [rule for rule in current_app.url_map.iter_rules() if rule.rule.startswith("/api/rest/v1/")]
    return _answer(
        {
            "host": _links().absolute(""),
            "authentication": {"fos_oauth_server_token": {"route": "/api/oauth/v1/token", "methods": ["POST"]}},
            "routes": {
                f"pimee_api_{rule.endpoint.removeprefix('api.')}_{method.lower()}": {
                    "route": rule.rule.replace("<any_path:", "{").replace("<", "{").replace(">", "}"),
                    "methods": [method],
                }
                for rule in rules
                for method in sorted((rule.methods or set()) & {"GET", "PATCH", "DELETE"})
            },
        }
    )


# Asset family


@api.get("/api/rest/v1/asset-families")
def families() -> Response:
    """Get list of asset families."""
    _allow(LIST_FAMILIES)

    def fetch(after: str, size: int) -> Slice:
        found = _pim().families(after, size)
        return found._replace(records=[_with_link(record) for record in found.records])

    return _page(fetch)


@api.get("/api/rest/v1/asset-families/<code>")
def family(code: str) -> Response:
    """Get an asset family."""
    _allow(LIST_FAMILIES)
    return _answer(_pim().family(code))


# Asset attribute


@api.get("/api/rest/v1/asset-families/<family_code>/attributes")
def attributes(family_code: str) -> Response:
    """Get the list of attributes of a given asset family: a bare array, no pages."""
    _allow(LIST_FAMILIES)
    return _answer(_pim().attributes(family_code))


# Asset attribute option


@api.get("/api/rest/v1/asset-families/<family_code>/attributes/<attribute_code>/options")
def options(family_code: str, attribute_code: str) -> Response:
    """Get a list of attribute options of a given attribute for a given asset family: a bare array, no pages."""
    _allow(LIST_FAMILIES)
    return _answer(_pim().attribute_options(family_code, attribute_code))


# Asset


@api.get("/api/rest/v1/asset-families/<family_code>/assets")
def assets(family_code: str) -> Response:
    """Get the list of the assets of a given asset family."""
    _allow(LIST_ASSETS)
    channel, locales = request.args.get("channel"), request.args.get("locales")
    auto_tags = request.args.get("with_asset_auto_tags") == "true" and _pim().options.saas
    view = View(channel, frozenset(locales.split(",")) if locales else None, auto_tags, _links().absolute)

    def fetch(after: str, size: int) -> Slice:
        found = _pim().assets(family_code, request.args.get("search"), after, size, view)
        return found._replace(records=[_with_link(record) for record in found.records])

    return _page(fetch)


@api.get("/api/rest/v1/asset-families/<family_code>/assets/<code>")
def asset(family_code: str, code: str) -> Response:
    """Get an asset of a given asset family."""
    _allow(LIST_ASSETS)
    found = _pim().asset(family_code, code, View(link=_links().absolute))
    return _answer({**found, "asset_family_code": family_code})


@api.patch("/api/rest/v1/asset-families/<family_code>/assets/<code>")
def patch_asset(family_code: str, code: str) -> Response:
    """Update or create an asset."""
    _allow_change()
    return _changed(family_code, code, is_new=_pim().patch_asset(family_code, code, _json_body()))


@api.patch("/api/rest/v1/asset-families/<family_code>/assets")
def patch_assets(family_code: str) -> Response:
    """Update or create several assets: an array in, an answer for each out."""
    _allow_change()
    bodies = _json()
    if not isinstance(bodies, list):
        raise Refusal(400, "Invalid json message received")
    if len(bodies) > MAX_ASSETS_PER_REQUEST:
        raise Refusal(413, f"Too many assets to process, {MAX_ASSETS_PER_REQUEST} is the maximum allowed.")
    _pim().family(family_code)
    return _answer([_patched(family_code, body) for body in bodies])


def _patched(family_code: str, body: object) -> dict[str, Any]:
    code = body.get("code") if isinstance(body, dict) else None
    try:
        is_new = _pim().patch_asset(family_code, str(code), body)
    except Refusal as refusal:
        answer = refusal.body
        return {"code": code, "status_code": answer.pop("code"), **answer}
    return {"code": code, "status_code": 201 if is_new else 204}


@api.delete("/api/rest/v1/asset-families/<family_code>/assets/<code>")
def delete_asset(family_code: str, code: str) -> Response:
    """Delete an asset."""
    _allow(WEB_API, accept=None)
    _pim().remove_asset(family_code, code)
    return Response(status=204)


# Asset media file


@api.get("/api/rest/v1/asset-media-files/<any_path:code>")
def media_file(code: str) -> Response:
    """Download the media file associated to an asset."""
    _allow(LIST_ASSETS, accept=None)
    file = _pim().media_file(code)
    if file is None:
        raise Refusal(404, f'Media file "{code}" does not exist.')
    response = Response(file.content, mimetype=file.mime_type)
    name = "".join(letter if letter.isascii() and letter.isprintable() else "_" for letter in file.original_filename)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


# System


@api.get("/api/rest/v1/system-information")
def system_information() -> Response:
    """Get system information, from 6.0 on."""
    _allow(WEB_API)
    chosen = _pim().options
    if not chosen.since("6.0"):
        raise Refusal(404, 'No route found for "GET /api/rest/v1/system-information"')
    if chosen.saas:
        return _answer({"version": "20260801031500", "edition": "Serenity"})
    return _answer({"version": f"{chosen.pim_version}.28", "edition": "EE"})


# Beside the API: what a browser sees, and a client that was redirected


@api.get("/user/login")
def login() -> Response:
    """The login page of the PIM's user interface."""
    return Response(
        '<!DOCTYPE html><title>Akeneo PIM</title><form action="/user/login-check" method="post">'
        '<input name="_username"><input type="password" name="_password"><button>Login</button></form>',
        mimetype="text/html",
    )


# What all routes share


@api.app_errorhandler(Refusal)
def refuse(refusal: Refusal) -> Response:
    """A refusal as the API's body of code and message."""
    response = Response(json.dumps(refusal.body), refusal.status, mimetype=JSON)
    if refusal.status == 401:  # noqa: PLR2004 (Unauthorized)
        response.headers["WWW-Authenticate"] = 'Bearer realm="Service"'
    return response


@api.app_errorhandler(HTTPException)
def refuse_otherwise(error: HTTPException) -> Response:
    """Flask's own refusals (no such route, method not allowed) in the API's words."""
    refusal = Refusal(error.code or 500, f'No route found for "{request.method} {request.path}": {error.name}')
    response = refuse(refusal)
    response.headers.extend(
        (name, value) for name, value in error.get_headers(request.environ) if name in ("Allow", "Location")
    )
    return response


def _pim() -> Pim:
    return cast("Pim", current_app.extensions["pim"])


def _links() -> Links:
    return Links(_pim().options, request.host_url.rstrip("/"))


def _allow(right: str, accept: str | None = JSON) -> None:
    """Refuse a request without a valid token (401), a needed right (403) or a proper `Accept` (406)."""
    client = request.authorization
    _pim().tokens.check(client.token if client and client.type == "bearer" else None)
    if _pim().options.lacks(WEB_API):
        raise Refusal(403, "You are not allowed to access the web API.")
    if _pim().options.lacks(right):
        raise Refusal(403, f"Access forbidden. You are not allowed to {right.lower()}.")
    given = request.headers.get("Accept", "*/*")
    if accept and given not in (accept, "*/*"):
        raise Refusal(406, f'"{given}" in "Accept" header is not valid. Only "{accept}" is allowed.')


def _allow_change() -> None:
    """Refuse what may not change an asset, and a body that is not said to be JSON (415)."""
    _allow(WEB_API, accept=None)
    if request.mimetype != JSON:
        raise Refusal(415, f'The content-type "{request.mimetype}" is missing or not supported, use "{JSON}".')


def _changed(family_code: str, code: str, *, is_new: bool) -> Response:
    """The empty answer to a change, with a link to the asset."""
    response = Response(status=201 if is_new else 204)
    path = f"/api/rest/v1/asset-families/{quote(family_code, safe='')}/assets/{quote(code, safe='')}"
    response.headers["Location"] = _links().absolute(path)
    return response


def _json() -> object:
    try:
        body: object = json.loads(request.get_data())
    except ValueError:
        raise Refusal(400, "Invalid json message received") from None
    return body


def _json_body() -> dict[str, Any]:
    body = _json()
    if not isinstance(body, dict):
        raise Refusal(400, "Invalid json message received")
    return body


def _with_link(record: dict[str, Any]) -> dict[str, Any]:
    """An item of a page, with the link to it."""
    href = _links().absolute(f"{_path()}/{quote(record['code'], safe='')}")
    return {"_links": {"self": {"href": href}}, **record}


def _path() -> str:
    return quote(request.path, safe="/")


def _page(fetch: Fetch) -> Response:
    pim = _pim()
    return _send(page(fetch, _path(), request.args, pim.cursor_key, _links()))


def _answer(data: object) -> Response:
    return _send(as_php_sends(data, _pim().options))


def _send(data: object) -> Response:
    # ASCII with escapes, as PHP writes JSON; it also lets half an emoji through.
    return Response(json.dumps(data), mimetype=JSON)
