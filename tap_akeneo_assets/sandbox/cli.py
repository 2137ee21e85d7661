"""The command `akeneo-sandbox`: serve demo data, or run another command against it."""

import argparse
import json
import math
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar, get_args

from tap_akeneo_assets.sandbox import tokens
from tap_akeneo_assets.sandbox.data import demo_pim
from tap_akeneo_assets.sandbox.hostile import save_hostile_files
from tap_akeneo_assets.sandbox.options import Options, PimVersion
from tap_akeneo_assets.sandbox.pim import Pim

if TYPE_CHECKING:
    from tap_akeneo_assets.sandbox.server import Server

# Exit statuses as shells have them.
NOT_FOUND = 127
SIGNALLED = 128
MAX_PORT = 65_535
#: Environment variable with an App's token, to change the sandbox's data with.
TOKEN = "AKENEO_SANDBOX_TOKEN"  # noqa: S105 (a name)
Number = TypeVar("Number", int, float)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status, `run`'s is that of its command."""
    parsed = _parser().parse_args(arguments)
    try:
        import flask  # noqa: F401, PLC0415 (only the sandbox's HTTP side needs it, and it is an extra)
    except ImportError:
        print("akeneo-sandbox needs Flask: pip install 'tap-akeneo-assets[sandbox]'", file=sys.stderr)  # noqa: T201
        return 1
    return _serve(parsed) if parsed.action == "serve" else _run(parsed)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--families", type=_integer(1), default=3, metavar="N", help="asset families, at least 1 (default 3)"
    )
    shared.add_argument(
        "--assets", type=_integer(0), default=250, metavar="N", help="assets of each family (default 250)"
    )
    shared.add_argument("--seed", type=int, default=0, metavar="N", help="another seed gives other data (default 0)")
    shared.add_argument(
        "--pim-version", choices=get_args(PimVersion), default="saas", help="version to play (default saas)"
    )
    shared.add_argument("--php-arrays", action="store_true", help="send empty objects as [], as PHP does")
    shared.add_argument(
        "--latency", type=_number(0), default=0, metavar="S", help="seconds before each answer (default 0)"
    )
    shared.add_argument(
        "--fault-rate",
        type=_number(0, 1),
        default=0,
        metavar="R",
        help="part of all answers that is faulty, 0 to 1 (default 0)",
    )
    shared.add_argument(
        "--hostile-files", action="store_true", help="one more family, of files whose codes lead astray"
    )
    shared.add_argument(
        "--missing-files",
        type=_number(0, 1),
        default=0,
        metavar="R",
        help="part of all media files that are not found, 0 to 1 (default 0)",
    )
    shared.add_argument(
        "--port",
        type=_integer(0, MAX_PORT),
        default=None,
        metavar="N",
        help="port to listen on, 0 for a free one (default: serve 8080, run a free one)",
    )
    parser = argparse.ArgumentParser(
        prog="akeneo-sandbox", description="A small stand-in for Akeneo's Asset Manager, with demo data."
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("serve", parents=[shared], help="serve it until interrupted")
    run = actions.add_parser("run", parents=[shared], help="run a command with TAP_AKENEO_ASSETS_* set to it")
    run.add_argument("command", nargs="+", metavar="COMMAND", help="the command, after --")
    return parser


def _integer(least: int, most: int | None = None) -> Callable[[str], int]:
    def integer(text: str) -> int:
        return _within(int(text), least, most)

    return integer


def _number(least: float, most: float | None = None) -> Callable[[str], float]:
    def number(text: str) -> float:
        return _within(float(text), least, most)

    return number


def _within(value: Number, least: float, most: float | None) -> Number:
    """The value, if it is in a range; argparse shows the message otherwise."""
    if not least <= value <= (math.inf if most is None else most) or value == math.inf:
        raise argparse.ArgumentTypeError(
            f"{value} is not " + (f"{least} or more" if most is None else f"{least} to {most}")
        )
    return value


def _pim(parsed: argparse.Namespace) -> Pim:
    from tap_akeneo_assets.sandbox.faults import Faults, gone  # noqa: PLC0415 (needs Flask)

    options = Options(pim_version=parsed.pim_version, php_arrays=parsed.php_arrays, latency=parsed.latency)
    pim = demo_pim(parsed.families, parsed.assets, parsed.seed, options)
    if parsed.hostile_files:
        save_hostile_files(pim)
    pim.faults = faults = Faults(parsed.seed)
    if parsed.fault_rate:
        faults.rate(parsed.fault_rate)
    if parsed.missing_files:
        faults.always("media_file", gone(parsed.missing_files))
    return pim


def environment(url: str) -> dict[str, str]:
    """The tap's settings for a sandbox at `url`, as environment variables."""
    return {
        "TAP_AKENEO_ASSETS_API_URL": url,
        "TAP_AKENEO_ASSETS_CLIENT_ID": tokens.CLIENT_ID,
        "TAP_AKENEO_ASSETS_CLIENT_SECRET": tokens.CLIENT_SECRET,
        "TAP_AKENEO_ASSETS_USERNAME": tokens.USERNAME,
        "TAP_AKENEO_ASSETS_PASSWORD": tokens.PASSWORD,
    }


def _serve(parsed: argparse.Namespace) -> int:
    from tap_akeneo_assets.sandbox.server import serve  # noqa: PLC0415 (needs Flask)

    with serve(_pim(parsed), parsed.port if parsed.port is not None else 8080) as server:
        variables = {**environment(server.url), TOKEN: server.pim.tokens.add_app()}
        exports = "\n".join(f"  export {name}={shlex.quote(value)}" for name, value in variables.items())
        print(  # noqa: T201 (what the command is for)
            f"Akeneo sandbox ({parsed.pim_version}) at {server.url}, Ctrl+C ends it. To try it, in another shell:\n\n"
            f"{exports}\n\n  tap-akeneo-assets --config=ENV --test\n\nTo delete an asset, and to make one:\n\n"
            f"{_changes(server)}",
            flush=True,
        )
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return 0


def _changes(server: "Server") -> str:
    """Commands that change the sandbox's data by the API's own routes."""
    family = server.pim.families(size=1).records[0]["code"]
    assets = server.pim.assets(family, size=1).records
    path = f"{server.url}/api/rest/v1/asset-families/{family}/assets"
    authorization = f'-H "Authorization: Bearer ${TOKEN}"'
    body = json.dumps({"code": "new", "values": {}})
    return (
        f"  curl -i -X DELETE {authorization} {path}/{assets[0]['code'] if assets else 'new'}\n"
        f"  curl -i -X PATCH {authorization} -H 'Content-Type: application/json' -d '{body}' {path}/new"
    )


def _run(parsed: argparse.Namespace) -> int:
    from tap_akeneo_assets.sandbox.server import serve  # noqa: PLC0415 (needs Flask)

    with serve(_pim(parsed), parsed.port or 0) as server:
        variables = {**environment(server.url), TOKEN: server.pim.tokens.add_app()}
        try:
            command = subprocess.Popen(parsed.command, env={**os.environ, **variables})  # noqa: S603 (the user's own)
        except OSError as error:
            print(f"akeneo-sandbox: {parsed.command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
            return NOT_FOUND
        # The command decides how to end: a terminal's Ctrl+C reaches it anyway, other signals are passed on.
        before = {
            signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
            signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: command.terminate()),
        }
        try:
            status = command.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return status if status >= 0 else SIGNALLED - status


if __name__ == "__main__":
    sys.exit(main())
