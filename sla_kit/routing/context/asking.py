"""Asking Prometheus while people wait: one try, a short time-out, and no answer is an answer."""

from __future__ import annotations

import math

import msgspec
import requests
from msgspec import Struct, field

from sla_kit.bearer import Bearer
from sla_kit.errors import SourceError

_TIMEOUT = (3.05, 10.0)  # to connect, and between bytes, in seconds
_MOST_BYTES = 32 * 1024 * 1024


class _Sample(Struct):
    metric: dict[str, str]
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] = field(default_factory=list)


class _Data(Struct):
    result: list[_Sample] = field(default_factory=list)


class _Answer(Struct):
    status: str
    data: _Data = field(default_factory=_Data)
    error: str = ""


class Series(Struct, frozen=True):
    """One series: its labels, epoch seconds and values; NaN and infinities are left out."""

    labels: dict[str, str]
    times: list[float]
    values: list[float]


class Asking:
    """A Prometheus API at an address, with a bearer token where one is given."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # ~/.netrc is meant for others
        if token:
            self._session.auth = Bearer(token)

    def instant(self, query: str, at: float) -> list[Series]:
        """The value of a query at one moment. Raises `SourceError`."""
        return self._ask("query", {"query": query, "time": f"{at:.3f}"})

    def range(self, query: str, start: float, end: float, step: float) -> list[Series]:
        """The values of a query from one moment to another. Raises `SourceError`."""
        return self._ask(
            "query_range", {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        )

    def close(self) -> None:
        """Lets go of connections."""
        self._session.close()

    def _ask(self, what: str, form: dict[str, str]) -> list[Series]:
        place = f"{self._url}/api/v1/{what}"
        try:
            with self._session.post(place, data=form, timeout=_TIMEOUT, stream=True) as response:
                body = response.raw.read(_MOST_BYTES, decode_content=True)
                status = response.status_code
        except (requests.RequestException, OSError) as error:
            raise SourceError(f"Prometheus does not answer: {type(error).__name__}", place=place) from None
        except Exception as error:  # urllib3's own, while it reads
            raise SourceError(f"Prometheus's answer broke off: {type(error).__name__}", place=place) from None
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except msgspec.MsgspecError:
            raise SourceError(f"Prometheus answers {status} with no result", place=place) from None
        if answer.status != "success":
            raise SourceError(f"Prometheus refuses the query: {answer.error[:300]}", place=place)
        return [_series(each) for each in answer.data.result]


def _series(sample: _Sample) -> Series:
    pairs = [sample.value] if sample.value is not None else sample.values
    read = [(at, float(text)) for at, text in pairs]
    kept = [(at, value) for at, value in read if math.isfinite(value)]
    return Series(sample.metric, [at for at, _ in kept], [value for _, value in kept])
