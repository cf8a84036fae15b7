"""A job's metrics on a Pushgateway, where Prometheus finds them after the job has ended."""

from __future__ import annotations

import base64
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from sla_kit.configuration.places import Findings, Places
from sla_kit.configuration.secrets import Secret, check_address, check_secret
from sla_kit.errors import SlaKitError
from sla_kit.exporters.jobs.state import State, registry, state_of
from sla_kit.exporters.sidecar.configuration import LABEL_NAME
from sla_kit.retrying import Passing, retry_after

#: The value of the label ``job`` under which all jobs' metrics lie; each job has a group of its own by ``job_name``.
JOB = "jobs"
_TRIES = 3
_FIRST_WAIT_SECONDS = 0.5
#: More than any Pushgateway holds that one job should read through.
_LARGEST_ANSWER = 32 * 2**20
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Pushgateway:
    """Pushes to the Pushgateway at ``url``.

    ``username`` and ``password``, or a ``bearer`` token, say who pushes; ``ca`` is a file of certificates that are
    trusted instead of the system's. ``timeout_seconds`` is for one request. ``grouping`` are labels by which jobs of
    the same name are told apart, such as ``{"instance": "eu-1"}``. Raises `SlaKitError` for what can't be right.
    """

    url: str
    username: str = ""
    password: Secret | None = None
    bearer: Secret | None = None
    ca: str = ""
    timeout_seconds: float = 5.0
    grouping: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = _wrong(self)
        if wrong:
            raise SlaKitError(f"the Pushgateway's {wrong[0]}", remedy=wrong[1])

    def update(self, name: str, change: Callable[[State | None], State], patience_seconds: float) -> None:
        """Brings a job's state up to date, in no more than so many seconds, with some tries. Raises `SlaKitError`.

        What was there is asked for first. Where that is refused (a proxy that lets only pushes through) the rest is
        pushed; the Pushgateway keeps what isn't.
        """
        deadline = time.monotonic() + patience_seconds
        self._tried(name, deadline, lambda seconds: self._push(name, change(self._read(name, seconds)), deadline))

    def _tried(self, name: str, deadline: float, attempt: Callable[[float], None]) -> None:
        for number in range(_TRIES):
            seconds = min(self.timeout_seconds, deadline - time.monotonic())
            try:
                attempt(seconds)
                return
            except _PassingError as error:
                wait = _FIRST_WAIT_SECONDS * 2**number if error.wait_seconds is None else error.wait_seconds
                if number + 1 == _TRIES or time.monotonic() + wait >= deadline:
                    raise self._undelivered(name, error, number + 1) from None
                time.sleep(wait)
            except _RefusedError as error:
                raise self._undelivered(name, error, number + 1) from None

    def _undelivered(self, name: str, error: Exception, tries: int) -> SlaKitError:
        times = "" if tries == 1 else f", {tries} times"
        return SlaKitError(
            f"the metrics of the job {name!r} can't be pushed: {error}{times}",
            place=_shown(self.url),
            remedy="see that the Pushgateway is up and reached from here, and lets this job push",
        )

    def _read(self, name: str, seconds: float) -> State | None:
        """What the Pushgateway has of the job; None where it won't tell."""
        try:
            text = self._asked("GET", f"{self.url.rstrip('/')}/api/v1/metrics", seconds, [], None)
            groups = msgspec.json.decode(text, type=_Groups).data
        except (_RefusedError, msgspec.DecodeError):
            return None
        wanted = {**self.grouping, "job": JOB, "job_name": name}
        for group in groups:
            labels = group.get("labels")
            if isinstance(labels, dict) and {key: value for key, value in labels.items() if value} == wanted:
                return state_of(
                    (metric, sample.get("labels", {}), float(sample["value"]))
                    for metric, found in group.items()
                    if isinstance(found, dict)
                    for sample in found.get("metrics", ())
                    if "value" in sample
                )
        return State()

    def _push(self, name: str, state: State, deadline: float) -> None:
        """Puts the state there: a metric that the group has is replaced whole, others stay."""
        from prometheus_client import pushadd_to_gateway

        def handler(
            url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
        ) -> Callable[[], None]:
            def sent() -> None:
                self._asked(method, url, timeout or self.timeout_seconds, headers, data)

            return sent

        pushadd_to_gateway(
            self.url.rstrip("/"),
            job=JOB,
            registry=registry(name, state),
            grouping_key={**self.grouping, "job_name": name},
            timeout=min(self.timeout_seconds, deadline - time.monotonic()),
            handler=handler,
        )

    def _asked(
        self, method: str, url: str, seconds: float, headers: list[tuple[str, str]], data: bytes | None
    ) -> bytes:
        """The answer to a request. Raises `_PassingError`, `_RefusedError`; neither quotes what might be secret."""
        if seconds <= 0:
            raise _PassingError("there was no time left")
        try:
            request = urllib.request.Request(url, data, dict(headers), method=method)  # noqa: S310  # checked above
            for key, value in self._authorization().items():
                request.add_unredirected_header(key, value)
            opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=self._trusted()), _NoRedirects)
            return _within(seconds, lambda: _answer(opener, request, seconds))
        except urllib.error.HTTPError as error:
            with error:
                said = f"it answers {error.code}" + (f", {error.reason}" if error.reason else "")
                if error.code not in (408, 425, 429, 500, 502, 503, 504):
                    raise _RefusedError(said) from None
                passing = _PassingError(said)
                passing.wait_seconds = retry_after(error.headers.get("Retry-After", ""))
                raise passing from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise _RefusedError(f"its certificate can't be trusted: {error.reason.verify_message}") from None
            raise _PassingError(_reason(error.reason)) from None
        except HTTPException as error:
            raise _PassingError(f"its answer can't be read ({type(error).__name__})") from None
        except ValueError:  # its text holds the header that can't be sent
            raise _RefusedError("what says who pushes can't be sent: it holds a line's end or strange signs") from None
        except OSError as error:
            raise _PassingError(_reason(error)) from None

    def _authorization(self) -> dict[str, str]:
        try:
            if self.bearer is not None:
                return {"Authorization": f"Bearer {self.bearer.read()}"}
            if self.password is not None:
                pair = f"{self.username}:{self.password.read()}"
                return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        except SlaKitError as error:
            raise _RefusedError(f"{error.place}: {error.message}" if error.place else error.message) from None
        return {}

    def _trusted(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca or None)
        except OSError as error:
            raise _RefusedError(f"the certificates in {self.ca} can't be read: {_reason(error)}") from None


class _PassingError(Passing):
    """May be over soon."""


class _RefusedError(Exception):
    """Trying again would not help."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A push that is sent elsewhere would arrive there as a question, which is answered well and stores nothing."""

    def redirect_request(self, *_: object) -> None:
        return None


class _Groups(msgspec.Struct):
    """What ``/api/v1/metrics`` answers."""

    data: list[dict[str, Any]] = []


def _wrong(gateway: Pushgateway) -> tuple[str, str] | None:
    """What is wrong with the settings, and the remedy."""
    findings = Findings(Places())
    check_address(gateway.url, findings, ("url",))
    for name in ("password", "bearer"):
        check_secret(getattr(gateway, name), findings, (name,))
    if findings.mistakes:
        mistake = findings.mistakes[0]
        return f"settings: {mistake.message}", mistake.hint
    try:
        parts = urlsplit(gateway.url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        right = False
    if not right or parts.query or parts.fragment:
        return f"address {_shown(gateway.url)!r} is none", "such as http://pushgateway:9091"
    if (gateway.password is None) != (not gateway.username):
        return "username and password belong together", "say both, or neither"
    if gateway.bearer is not None and gateway.password is not None:
        return "settings have a password and a bearer token", "one of them says who pushes"
    for label in gateway.grouping:
        if not LABEL_NAME.fullmatch(label) or label in ("job", "job_name"):
            return f"grouping can't have the label {label!r}", "job and job_name are there already"
    if gateway.timeout_seconds <= 0:
        return "timeout must be above 0", "such as 5 seconds"
    return None


def _within(seconds: float, call: Callable[[], _Answer]) -> _Answer:
    """The outcome of a call that ends in time, whatever it waits for: names that nobody resolves, an answer that drips
    in. A thread that is late is left to itself."""
    outcome: list[_Answer | BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # it is raised below, by who asked
            outcome.append(error)

    thread = threading.Thread(target=run, name="sla-kit-push", daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _answer(opener: urllib.request.OpenerDirector, request: urllib.request.Request, seconds: float) -> bytes:
    with opener.open(request, timeout=seconds) as answer:
        return bytes(answer.read(_LARGEST_ANSWER))


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return getattr(error, "strerror", None) or type(error).__name__


def _shown(url: str) -> str:
    """The address without what may be a secret in it."""
    try:
        parts = urlsplit(url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    except ValueError:
        return "the address"
