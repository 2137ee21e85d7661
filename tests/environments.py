"""Programs that cannot share the tests' environment, each in an environment of its own, made once per checkout."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import venv
from pathlib import Path

HOME = Path(__file__).parents[1] / ".environments"


def environment(name: str, *requirements: str) -> Path:
    """The folder of an environment's programs, which is made when it is not there or was made of something else.

    Args:
        name: what it is called.
        requirements: what is installed there, as pip spells it.
    """
    HOME.mkdir(exist_ok=True)
    (HOME / ".gitignore").write_text("*\n", encoding="utf-8")
    folder = HOME / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    made_of, wanted = folder / "made-of", "\n".join(requirements)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in several processes
        if not made_of.exists() or made_of.read_text(encoding="utf-8") != wanted:
            venv.create(folder, clear=True, with_pip=False, symlinks=True)
            _install(folder / "bin" / "python", requirements)
            made_of.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def _install(python: Path, requirements: tuple[str, ...]) -> None:
    said = ""
    # uv is many times faster; pip may be the one that knows where this machine's packages come from.
    for installer in (["uv", "pip", "install", f"--python={python}"], ["pip", f"--python={python}", "install"]):
        command = [sys.executable, "-m", *installer, "--quiet", *requirements]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # the tests' own
        if done.returncode == 0:
            return
        said += done.stdout + done.stderr
    raise AssertionError(said)
