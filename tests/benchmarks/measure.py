"""Run a command and print what it took, as JSON.

python -m tests.benchmarks.measure COMMAND [ARGUMENT ...]

It is a process of its own because it is small: the peak of memory of a child process begins at that of its parent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def main() -> None:
    """Run the command; its output goes where that of this process would go, which prints its own to standard error."""
    began = time.monotonic()
    process = subprocess.Popen(sys.argv[1:])  # noqa: S603
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    figures = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024}
    print(json.dumps({"exit_status": process.returncode, **figures}), file=sys.stderr)  # noqa: T201  # the result


main()
