"""Processes of a test's own, that may be killed: forked from one that has imported everything and opened nothing."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "solteq_woo_assets_tests.engine.flows"])


def started(target: Callable[..., Any], *arguments: Any) -> BaseProcess:
    """A process that runs this."""
    process = CONTEXT.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def exit_code(process: BaseProcess) -> int | None:
    """How it ended: 0, or minus the number of the signal that killed it."""
    process.join(120)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
    process.close()
    return code
