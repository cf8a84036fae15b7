"""How a drill says that it failed, or that it could not be begun."""

from __future__ import annotations

from sla_kit.errors import SlaKitError


class DrillError(SlaKitError):
    """A backup could not be restored, or what came back is not what it should be; ``step`` is where that showed."""

    exit_code = 1

    def __init__(self, message: str, *, place: str = "", remedy: str = "", step: str = "") -> None:
        super().__init__(message, place=place, remedy=remedy)
        self.step = step


class NotBegunError(SlaKitError):
    """A drill could not be begun: what it needs is not there, or it is not safe."""

    exit_code = 2


class StoppedError(BaseException):
    """The process was told to end; derived so that no handler of ordinary errors keeps it."""

    def __init__(self, signal_name: str) -> None:
        super().__init__(f"stopped by {signal_name}")
