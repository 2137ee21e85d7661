"""The tap's settings: what they are called, what they mean, and what is wrong with them."""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from singer_sdk import typing as th

from tap_akeneo_assets.media.storage import Storage
from tap_akeneo_assets.pim.asset_query import AssetQuery
from tap_akeneo_assets.pim.auth import AppToken, PasswordGrant
from tap_akeneo_assets.pim.urls import base_url
from tap_akeneo_assets.records.timestamps import to_datetime, to_filter
from tap_akeneo_assets.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tap_akeneo_assets.pim.auth import Credentials

CONNECTION = ("client_id", "client_secret", "username", "password")
# Environment variables that the SDK reads besides settings, after the tap's prefix.
SDK_VARIABLES = ("LOGLEVEL",)
SECRET = ("client_secret", "password", "access_token")
# The SDK gives numbers of a file as decimals.
HANDED_ON: Mapping[str, type] = {
    "max_concurrency": int,
    "max_requests_per_second": float,
    "lookback_seconds": int,
    "request_timeout_seconds": float,
    "max_retries": int,
    "user_agent": str,
}
CODES_COLUMNS = ("asset_family_code", "asset_code")
SECOND = timedelta(seconds=1)
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
MAX_LOOKBACK_SECONDS = 10 * 365 * 86_400
MAX_TIMEOUT_SECONDS = 86_400
# UTF-32 first: its mark begins as that of UTF-16 does.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BOOLEANS = {**dict.fromkeys(("true", "1", "yes", "on"), True), **dict.fromkeys(("false", "0", "no", "off"), False)}

SCHEMA: dict[str, Any] = th.PropertiesList(
    th.Property(
        "api_url",
        th.StringType,
        required=True,
        title="API URL",
        description="The PIM's address, such as `https://my-pim.cloud.akeneo.com`.",
    ),
    th.Property(
        "client_id", th.StringType, title="Client ID", description="The connection's client ID, from its settings page."
    ),
    th.Property(
        "client_secret",
        th.StringType,
        secret=True,
        title="Client secret",
        description="The connection's secret.",
    ),
    th.Property("username", th.StringType, title="Username", description="The connection's API user."),
    th.Property(
        "password",
        th.StringType,
        secret=True,
        title="Password",
        description="The password of the connection's API user.",
    ),
    th.Property(
        "access_token",
        th.StringType,
        secret=True,
        title="Access token",
        description="An App's token, instead of the four settings of a connection.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description=(
            "The earliest `updated` of assets that a first sync reads, such as `2026-01-31` or `2026-01-31T08:00:00Z`; "
            "UTC where it names no offset."
        ),
    ),
    th.Property(
        "asset_families",
        th.ArrayType(th.StringType),
        title="Asset families",
        description="Codes of the only families to read, each by its own endpoint. All when unset.",
    ),
    th.Property(
        "asset_codes",
        th.ObjectType(additional_properties=th.ArrayType(th.StringType)),
        title="Asset codes",
        description=(
            "Per family code, the codes of the only assets to read in it. Without `asset_families`, only the families "
            "named here are read."
        ),
    ),
    th.Property(
        "asset_codes_file",
        th.StringType,
        title="Asset codes file",
        description=(
            "The same from a file, a path or fsspec URL: `.json` with that object, or `.csv` with the columns "
            "`asset_family_code` and `asset_code`. Not together with `asset_codes`."
        ),
    ),
    th.Property(
        "channel",
        th.StringType,
        title="Channel",
        description="Code of the only channel whose values are read; values without a channel always are.",
    ),
    th.Property(
        "locales",
        th.ArrayType(th.StringType),
        title="Locales",
        description="Codes of the only locales whose values are read; values without a locale always are.",
    ),
    th.Property(
        "search",
        th.ObjectType(additional_properties=True),
        title="Search",
        description="Further conditions for the list of assets, in the API's own format.",
    ),
    th.Property(
        "with_asset_auto_tags",
        th.BooleanType,
        default=False,
        title="With automatic tags",
        description="Ask for the labels of automatic tags.",
    ),
    th.Property(
        "max_concurrency",
        th.IntegerType(minimum=1, maximum=10),
        default=4,
        title="Requests in flight",
        description="How many requests may be in flight at once. The vendor allows 4 per connection.",
    ),
    th.Property(
        "max_requests_per_second",
        th.NumberType(minimum=0),
        default=100,
        title="Requests per second",
        description="How many requests may be sent per second; 0 for no limit. The vendor allows 100 per PIM.",
    ),
    th.Property(
        "lookback_seconds",
        th.IntegerType(minimum=0, maximum=MAX_LOOKBACK_SECONDS),
        default=300,
        title="Lookback",
        description="An incremental sync starts at least this many seconds before the listing of the last one began.",
    ),
    th.Property(
        "request_timeout_seconds",
        th.NumberType(exclusive_minimum=0, maximum=MAX_TIMEOUT_SECONDS),
        default=60,
        title="Request timeout",
        description="How long to wait for a connection, and for each kilobyte of an answer, in seconds.",
    ),
    th.Property(
        "max_retries",
        th.IntegerType(minimum=0),
        default=8,
        title="Retries",
        description="How often a request is sent again after a passing failure.",
    ),
    th.Property(
        "media_storage",
        th.StringType,
        title="Media storage",
        description="Folder to store media files in: a local path, or a URL such as `s3://bucket/folder`. Unset: no "
        "file is downloaded. For the stream `asset_media_files`, which has to be selected.",
    ),
    th.Property(
        "shard",
        th.StringType,
        title="Shard",
        description=(
            "Which share of the families to read, such as `1/4` for the first of four; the shards together read "
            "everything, each with a state of its own."
        ),
    ),
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="The `User-Agent` of all requests; the tap's name and version when unset.",
    ),
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType,
        default=False,
        title="Emit `ACTIVATE_VERSION` messages",
        description=(
            "Give rows a version and, at the end of a complete full-table sync, tell the target which are gone from "
            "the PIM. Set it in all jobs that fill the same tables."
        ),
    ),
).to_dict()


def from_environment(text: str, types: Collection[str]) -> Any:  # noqa: ANN401  # of any type
    """The value of a setting in an environment variable.

    Args:
        text: what the variable holds.
        types: what the setting may be, in the words of JSON schema.

    Returns:
        The value; the text itself where it is not of that type, so that validation names the setting.
    """
    if "string" in types:
        return text
    if "boolean" in types:
        return _BOOLEANS.get(text.lower(), text)
    if "array" in types and not text.lstrip().startswith(("[", "{")):
        return [item.strip() for item in text.split(",")]
    try:
        # Only what is handed on to the PIM needs all digits.
        return parse_json(text, fractions=Decimal if "object" in types else float)
    except ValueError:
        return text


def warnings_of(config: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """What a user should know about settings that can be used all the same, one line each; no line holds a value.

    Args:
        config: the configuration.
        known: the names of all settings, the SDK's own included.
    """
    lines = [
        f"The setting {name!r} does not exist and is ignored.{_nearest(name, known)}"
        for name in config
        if name not in known
    ]
    ignored = [name for name in CONNECTION if config.get(name)]
    if config.get("access_token") and ignored:
        lines.append(f"Two kinds of credentials are set: access_token is used, not {', '.join(ignored)}.")
    return lines


def unknown_variables(variables: Collection[str], prefix: str, types: Mapping[str, Collection[str]]) -> list[str]:
    """Names of environment variables that look like settings, but are none; one line each, without values.

    Args:
        variables: the names of all environment variables.
        prefix: what those of the tap begin with.
        types: what each setting may be, in the words of JSON schema; the SDK's own settings included.
    """
    known = {name.upper() for name in types}
    # Meltano hands on parts of objects too (`…_BATCH_CONFIG_ENCODING_FORMAT`), and its extras as `…__SELECT`.
    parts = ("_", *(f"{name.upper()}_" for name, kinds in types.items() if "object" in kinds))
    names = [name.removeprefix(prefix) for name in variables if name.startswith(prefix)]
    return [
        f"The environment variable {prefix}{name} is no setting and is ignored.{_nearest(name, known, prefix)}"
        for name in sorted(names)
        if name not in {*known, *SDK_VARIABLES} and not name.startswith(parts)
    ]


def _nearest(name: str, known: Collection[str], prefix: str = "") -> str:
    by_letters = {other.casefold(): other for other in known}
    found = difflib.get_close_matches(name.casefold().replace("-", "_"), by_letters, n=1)
    return f" Did you mean {prefix}{by_letters[found[0]]}?" if found else ""


def decode_text(content: bytes) -> str:
    """The text of a file: UTF-8, or what its byte order mark says, as PowerShell's `>` writes it.

    Raises:
        ValueError: it is no such text.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding)
    return content.decode()


def parse_json(text: str | bytes, *, fractions: Callable[[str], object] = float) -> Any:  # noqa: ANN401  # JSON
    """Parse JSON as others do, without NaN and Infinity.

    Args:
        text: the JSON.
        fractions: makes a number of the digits of one that is no integer.

    Raises:
        ValueError: it is no JSON, or nested too deep.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=fractions)
    except RecursionError:
        raise ValueError("It is nested too deep.") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


class WrongSettings(ValueError):  # reads as what it says
    """Settings that cannot be used; `lines` says why, one line each."""

    def __init__(self, *lines: str) -> None:
        super().__init__(" ".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, checked and ready for use.

    Attributes:
        api_url: the address below which the API's root lies, without a slash at its end.
        families: the only ones to read, by code; None for all.
        asset_codes: in these families only these assets.
        start_date: the second before the earliest `updated` of a first sync, as the API's filters take it.
        media_storage: fsspec URL of the folder for media files; None where they are not stored.
        shard: only the families of this shard are read; None for all.
    """

    api_url: str
    credentials: Credentials
    asset_query: AssetQuery
    families: Sequence[str] | None = None
    asset_codes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    start_date: str | None = None
    shard: Shard | None = None
    max_concurrency: int = 4
    max_requests_per_second: float = 100
    lookback_seconds: int = 300
    request_timeout_seconds: float = 60
    max_retries: int = 8
    user_agent: str | None = None
    media_storage: str | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """Check a configuration that fits `SCHEMA`, and read the file that it names.

        Raises:
            WrongSettings: it cannot be used.
        """
        lines: list[str] = []
        parts = (_api_url, _credentials, _start_date, _asset_codes, _media_storage, _shard)
        url, credentials, start_date, asset_codes, media_storage, shard = (
            _collect(lines, part, config) for part in parts
        )
        if lines:
            raise WrongSettings(*lines)
        return cls(
            api_url=url,
            credentials=credentials,
            asset_query=AssetQuery.of(config),
            families=_families(config, asset_codes),
            asset_codes=asset_codes or {},
            start_date=start_date,
            media_storage=media_storage,
            shard=shard,
            **{name: kind(config[name]) for name, kind in HANDED_ON.items() if config.get(name) is not None},
        )

    @property
    def narrows_assets(self) -> bool:
        """Whether they leave out assets, or values of assets, that the PIM has."""
        return bool(self.asset_query.leaves_out or self.start_date or self.asset_codes)


def _collect(lines: list[str], part: Any, config: Mapping[str, Any]) -> Any:  # noqa: ANN401  # whatever the part gives
    try:
        return part(config)
    except ValueError as error:
        lines.append(str(error))
        return None


def _api_url(config: Mapping[str, Any]) -> str:
    url: str = config["api_url"]
    return base_url(url)


def _credentials(config: Mapping[str, Any]) -> Credentials:
    if token := config.get("access_token"):
        return AppToken(token)
    missing = [name for name in CONNECTION if not config.get(name)]
    if missing:
        raise ValueError(
            f"Credentials are missing: set {', '.join(missing)} of a connection"
            + (", or access_token of an App instead." if len(missing) == len(CONNECTION) else ".")
        )
    return PasswordGrant(*(config[name] for name in CONNECTION))


def _families(config: Mapping[str, Any], asset_codes: Mapping[str, object] | None) -> Sequence[str] | None:
    named = config.get("asset_families") or asset_codes
    return None if named is None else tuple(dict.fromkeys(named))


def _shard(config: Mapping[str, Any]) -> Shard | None:
    text = config.get("shard")
    return Shard.parse(text) if text else None


def _start_date(config: Mapping[str, Any]) -> str | None:
    value = config.get("start_date")
    if not value:
        return None
    try:
        moment = to_datetime(value)
        return to_filter(moment - SECOND if moment > FIRST_MOMENT else moment)
    except (ValueError, OverflowError):
        raise ValueError(f"start_date: {value!r} is no date; 2026-01-31 or 2026-01-31T08:00:00Z would be.") from None


def _media_storage(config: Mapping[str, Any]) -> str | None:
    url: str | None = config.get("media_storage") or None
    if url is not None:
        Storage(url)
    return url


def _asset_codes(config: Mapping[str, Any]) -> Mapping[str, Sequence[str]] | None:
    path = config.get("asset_codes_file")
    if not path:
        return {family: codes or [] for family, codes in (config.get("asset_codes") or {}).items()} or None
    if config.get("asset_codes"):
        raise ValueError("asset_codes and asset_codes_file are set: only one of them can be.")
    try:
        return _parse_codes(path, _read_text(path))
    except ValueError as error:
        # A URL may hold credentials, or a signature in its query.
        shown = re.sub(r"(?<=://)[^/]*@|[?#].*", "", path) if "://" in path else path
        raise ValueError(f"asset_codes_file: {shown!r} {error}.") from None


def _read_text(path: str) -> str:
    import fsspec  # noqa: PLC0415  # slow to import, and seldom needed

    try:
        with fsspec.open(path, "rb") as file:
            content: bytes = file.read()
            return decode_text(content)
    except UnicodeDecodeError:
        raise ValueError("is no UTF-8 text, and has no byte order mark that says otherwise") from None
    except Exception as error:  # noqa: BLE001  # each file system of fsspec has errors of its own
        raise ValueError(f"cannot be read ({type(error).__name__})") from None


def _parse_codes(path: str, text: str) -> dict[str, list[str]]:
    name = (urlsplit(path).path if "://" in path else path).lower()
    if name.endswith(".csv"):
        return _codes_from_csv(text)
    if name.endswith(".json"):
        return _codes_from_json(text)
    raise ValueError("is neither .json nor .csv")


def _codes_from_json(text: str) -> dict[str, list[str]]:
    try:
        families = parse_json(text)
    except ValueError:
        raise ValueError("is no JSON") from None
    if not isinstance(families, dict) or not all(
        isinstance(codes, list) and all(isinstance(code, str) for code in codes) for codes in families.values()
    ):
        raise ValueError("is no object of family codes with arrays of asset codes")
    return families


def _codes_from_csv(text: str) -> dict[str, list[str]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    families: dict[str, list[str]] = {}
    try:
        if not set(CODES_COLUMNS) <= set(rows.fieldnames or ()):
            raise ValueError(f"lacks the columns {' and '.join(CODES_COLUMNS)}")
        for row in rows:
            family, asset = (row[name] for name in CODES_COLUMNS)
            if not family or not asset:
                raise ValueError(f"lacks a code in line {rows.line_num}")
            families.setdefault(family, []).append(asset)
    except csv.Error as error:
        raise ValueError(f"is no CSV: {error}") from None
    return families
