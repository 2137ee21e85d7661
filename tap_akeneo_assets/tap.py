"""The tap: its settings, its streams, and its command line."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from contextlib import ExitStack, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, NoReturn

import click
from singer_sdk.exceptions import ConfigValidationError, MapExpressionError, StreamMapConfigError
from singer_sdk.singerlib import Catalog
from singer_sdk.tap_base import CliTestOptionValue

from tap_akeneo_assets import settings, streams
from tap_akeneo_assets.errors import AkeneoError, Stopped, UnreadableState, one_line
from tap_akeneo_assets.extract.extraction import Extraction
from tap_akeneo_assets.extract.state import Bookmarks, readable
from tap_akeneo_assets.media.downloads import Downloads
from tap_akeneo_assets.media.storage import Storage
from tap_akeneo_assets.pim.client import Client
from tap_akeneo_assets.pim.redaction import all_handlers
from tap_akeneo_assets.records.json_body import encode_text
from tap_akeneo_assets.settings import Settings, WrongSettings, decode_text, parse_json
from tap_akeneo_assets.singer.root_stream import unexpected
from tap_akeneo_assets.singer.tap_base import AkeneoTap
from tap_akeneo_assets.singer.writer import output_lost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk import Stream

# What a user says about the log: its level, or a file that configures it.
LOG_VARIABLES = ("TAP_AKENEO_ASSETS_LOGLEVEL", "LOGLEVEL", "SINGER_SDK_LOG_CONFIG")


class TapAkeneoAssets(AkeneoTap):
    """Singer tap for the assets of an Akeneo PIM."""

    name = "tap-akeneo-assets"
    config_jsonschema: ClassVar[dict[str, Any]] = settings.SCHEMA
    read_variable = staticmethod(settings.from_environment)

    def __init__(
        self,
        *,
        validate_config: bool = True,
        parse_env_config: bool = False,
        **kwargs: Any,  # noqa: ANN401  # the SDK's own
    ) -> None:
        try:
            try:
                super().__init__(validate_config=validate_config, parse_env_config=parse_env_config, **kwargs)
            finally:
                # Also where settings are wrong: a misspelled name may be the reason.
                if validate_config:
                    self._warn_of_settings(with_environment=parse_env_config)
            if validate_config:
                self.settings = Settings.of(self.config)
                self.client = self._connect(self.settings)
                self.client.redactor.add(*filter(None, map(self.config.get, settings.SECRET)))
        except ConfigValidationError as error:
            lines = [_without_secrets(line) for line in error.errors]
            raise ConfigValidationError(str(error), errors=lines, schema=error.schema) from None
        except WrongSettings as error:
            raise ConfigValidationError(str(error), errors=list(error.lines), schema={}) from None
        except (MapExpressionError, StreamMapConfigError) as error:
            line = f"stream_maps: {error}"
            raise ConfigValidationError(line, errors=[line], schema={}) from None

    def _warn_of_settings(self, *, with_environment: bool) -> None:
        schema = deepcopy(self.config_jsonschema)
        self.append_builtin_config(schema)
        types = {name: declared.get("type", ()) for name, declared in schema["properties"].items()}
        lines = settings.warnings_of(self.config, types)
        if with_environment:
            prefix = f"{self.name.upper().replace('-', '_')}_"
            lines += settings.unknown_variables(os.environ, prefix, types)
        for line in lines:
            self.logger.warning(line)

    def _connect(self, config: Settings) -> Client:
        try:
            return Client(
                api_url=config.api_url,
                credentials=config.credentials,
                request_timeout_seconds=config.request_timeout_seconds,
                max_retries=config.max_retries,
                max_requests_per_second=config.max_requests_per_second,
                user_agent=config.user_agent or f"{self.name}/{self.plugin_version}",
                stop=self.stop,
            )
        except ValueError as error:
            raise WrongSettings(str(error)) from None

    def discover_streams(self) -> Sequence[Stream]:
        """All streams, parents before their children."""
        return [
            streams.AssetFamilies(self),
            streams.AssetAttributes(self),
            streams.AttributeOptions(self),
            streams.Assets(self),
            streams.AssetValues(self),
            streams.AssetMediaFiles(self),
        ]

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state as far as it can be read.

        Raises:
            UnreadableState: it is damaged.
        """
        super().load_state(readable(state, self.logger.warning))

    def extract(self) -> bool:
        """Read all streams and write them; whether everything could be read."""
        self.client.redactor.install(*all_handlers())
        downloads = self._downloads()
        names = [name for name in ("assets", "asset_values", "asset_media_files") if self.stream(name).selected]
        covers = [*names, "stored files"] if downloads else names
        bookmarks = Bookmarks(self.state.setdefault("bookmarks", {}), self.logger.warning, covers)
        return Extraction(self, self.client, self.settings, bookmarks, downloads).run()

    def _downloads(self) -> Downloads | None:
        """What stores media files; None where none are stored."""
        url = self.settings.media_storage
        if url is None or self.dry_run or not self.stream("asset_media_files").selected:
            return None
        storage = Storage(url)
        storage.prepare()
        return Downloads(self.client, storage)

    @classmethod
    def invoke(cls, **options: Any) -> None:  # noqa: ANN401  # the SDK's own
        """Sync.

        Raises:
            WrongSettings: they cannot be used; the SDK would log its own exception twice.
        """
        try:
            super().invoke(**options)
        except ConfigValidationError as error:
            raise WrongSettings(*error.errors) from None

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:  # noqa: ANN401  # as in the SDK
        """Read the files of `--config`; the SDK would read UTF-8 without a mark only.

        Raises:
            click.ClickException: one of them cannot be read.
        """
        del ctx, param
        given = ConfigInput(parse_env="ENV" in value)
        for path in value:
            if path != "ENV":
                given.config |= _read_config(path)
        return given

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Run `--test`.

        Its report can be read where the log says no more than what is wrong, and where no messages come between.
        """
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        if not any(map(os.environ.get, LOG_VARIABLES)):
            # The SDK looks at the variable once more for its metrics.
            os.environ[LOG_VARIABLES[0]] = "WARNING"
            logging.getLogger().setLevel(logging.WARNING)
        with ExitStack() as output:
            if sys.stdout.isatty():
                nowhere = output.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
                output.enter_context(redirect_stdout(nowhere))
            super().cb_test(ctx, param, value)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """The command line, with its files checked before anything is done with them."""
        command = super().get_singer_command()
        for option in command.params:
            if option.name in ("catalog", "state"):
                option.is_eager = True
                option.type = click.File("rb")
                option.callback = _checked
        return command


@dataclass
class ConfigInput:
    """What `--config` gives, by the names that the SDK's command line asks for.

    Attributes:
        config: the settings of all files; those of later files win.
        parse_env: whether settings come from the environment too.
    """

    config: dict[str, Any] = field(default_factory=dict)
    parse_env: bool = False


def _read_config(path: str) -> dict[str, Any]:
    try:
        content = parse_json(decode_text(Path(path).read_bytes()), fractions=Decimal)
    except FileNotFoundError:
        raise click.ClickException(f"--config {path}: there is no such file.") from None
    except OSError as error:
        raise click.ClickException(f"--config {path}: it cannot be read ({error.strerror}).") from None
    except ValueError:
        raise click.ClickException(f"--config {path}: it is no JSON.") from None
    if not isinstance(content, dict):
        raise click.ClickException(f"--config {path}: it is no JSON object.")
    return content


def _checked(_: click.Context, option: click.Parameter, file: IO[bytes] | None) -> IO[str] | None:
    if file is None:
        return None
    try:
        with file:
            text = decode_text(file.read())
        if option.name == "state" and not text.strip():
            return None  # as `tail -n 1 states.jsonl > state.json` leaves it after a first run that failed
        content = parse_json(text)
        encode_text(deepcopy(content))  # as the SDK will
        if option.name == "state":
            readable(content, lambda _: None)
        else:
            Catalog.from_dict({"streams": content["streams"]})
    except UnreadableState as error:
        raise click.ClickException(f"--state {file.name}: {error}") from None
    except (ValueError, RecursionError):
        raise click.ClickException(f"--{option.name} {file.name}: it is no JSON that can be used.") from None
    except (KeyError, TypeError, AttributeError):
        raise click.ClickException(f"--{option.name} {file.name}: it is no Singer catalog.") from None
    return io.StringIO(text)


def _without_secrets(line: str) -> str:
    """A line about a wrong setting, without the value of a secret one."""
    for name in (*settings.SECRET, "api_url"):
        if line.endswith(f"in config[{name!r}]"):
            expected = re.search(r"is not of type (.*) in config", line)
            return f"The value of {name} is not of type {expected[1] if expected else 'string'}."
    return line


def main() -> NoReturn:
    """Run the command line, and leave."""
    _leave(run())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; each foreseeable failure is one line, and exit status 1.

    Args:
        arguments: those of the command line; None for the process's own.

    Returns:
        The exit status.
    """
    log = TapAkeneoAssets.logger
    try:
        command = TapAkeneoAssets.cli
    except Exception as error:  # noqa: BLE001  # whatever a file that configures the log makes of it
        by_file = " or the file of SINGER_SDK_LOG_CONFIG" if os.environ.get(LOG_VARIABLES[-1]) else ""
        line = f"TAP_AKENEO_ASSETS_LOGLEVEL or LOGLEVEL{by_file}: {one_line(str(error))}"
        log.error(line)  # noqa: TRY400  # there is nothing to trace
        return 1
    try:
        return command.main(arguments, standalone_mode=False) or 0
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 0
    except click.ClickException as error:
        lines = [error.format_message()]
        status = 1 if isinstance(error, click.BadParameter) else error.exit_code
    except (ConfigValidationError, WrongSettings) as error:
        lines, status = list(error.errors if isinstance(error, ConfigValidationError) else error.lines), 1
    except Stopped as ending:  # before the first record
        return 128 + ending.signal
    except (AkeneoError, UnreadableState) as error:
        lines, status = [str(error)], 1
    except OSError as error:
        lines, status = [str(output_lost(error))], 1
    except Exception as error:  # a traceback would tell the user nothing
        lines, status = [unexpected(error)], 1
        log.debug("The traceback:", exc_info=True)
    for line in lines:
        log.error(line)
    return status


def _leave(status: int) -> NoReturn:
    """Leave without waiting for requests that are still in flight."""
    try:
        sys.stdout.flush()
    except OSError:
        status = status or 1
    logging.shutdown()
    os._exit(status)
