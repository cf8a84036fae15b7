"""Work in a process of its own, which may die at any instant."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def in_another_process(work: Callable[[], object]) -> int:
    """Runs something in a fork, which has everything imported already, and returns its process id. It leaves with 0
    where the work ended well, and writes what went wrong to its standard error."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        signal.set_wakeup_fd(-1)
        work()
        code = 0
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def ended_well(*children: int) -> bool:
    """Whether all those processes ended well; waits for them."""
    codes = [os.waitpid(child, 0)[1] for child in children]
    return not any(codes)
