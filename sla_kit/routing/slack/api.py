"""Calls of Slack's Web API, and what its refusals mean for a delivery.

slack-sdk makes the calls; it neither tries again (the dispatcher does) nor logs (what it logs holds arguments).
"""

from __future__ import annotations

import errno
import http.client
import logging
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sla_kit.redacting import redacted
from sla_kit.retrying import retry_after
from sla_kit.routing.delivering import DeliveryError

#: How long one call may take.
CALL_SECONDS = 10.0
#: A call that is begun must have this long at least.
_LEAST_SECONDS = 0.5
#: Calls after which it matters whether they arrived; the others can be made again.
_ONCE = frozenset(("chat.postMessage", "files.completeUploadExternal"))

_TOKEN = "check slack.token: it must be the bot token (xoxb-…) of the app, installed in this workspace"  # noqa: S105
_CHANNEL = "check the channel's name, or give its id; a private channel must have the bot in it: /invite it there"
_INVITE = "invite the bot: write /invite @name-of-the-app in the channel"
_ALLOWED = "ask who administers the workspace to let the app post there"
_BUG = "this should not happen: please report it with this text"
_REMEDIES = {
    "invalid_auth": _TOKEN,
    "not_authed": _TOKEN,
    "token_revoked": _TOKEN,
    "token_expired": _TOKEN,
    "account_inactive": _TOKEN,
    "not_allowed_token_type": _TOKEN,
    "no_permission": _ALLOWED,
    "access_denied": _ALLOWED,
    "ekm_access_denied": _ALLOWED,
    "team_access_not_granted": _ALLOWED,
    "restricted_action": _ALLOWED,
    "restricted_action_read_only_channel": _ALLOWED,
    "restricted_action_thread_only_channel": _ALLOWED,
    "restricted_action_non_threadable_channel": _ALLOWED,
    "channel_not_found": _CHANNEL,
    "not_in_channel": _INVITE,
    "invalid_channel": _CHANNEL,
    "posting_to_channel_denied": _ALLOWED,
    "is_archived": "unarchive the channel, or give the contact another one",
    "messages_tab_disabled": "turn on the Messages Tab in the app's settings (App Home)",
    "invalid_blocks": _BUG,
    "invalid_attachments": _BUG,
    "invalid_arguments": _BUG,
    "invalid_metadata_format": _BUG,
    "metadata_too_large": _BUG,
    "msg_too_long": _BUG,
    "msg_blocks_too_long": _BUG,
    "no_text": _BUG,
    "too_many_attachments": _BUG,
    "unknown_method": "check slack.url: it must be Slack's Web API, such as https://slack.com/api/",
}
#: Refused once and for all, too, though an adapter knows what to do instead.
_FINAL = frozenset(
    (
        "message_not_found",
        "thread_not_found",
        "cannot_reply_to_message",
        "edit_window_closed",
        "cant_update_message",
        "file_not_found",
        "user_not_found",
    )
)
_UNWELL = frozenset(("internal_error", "fatal_error", "service_unavailable", "request_timeout"))
_NEVER_SENT = frozenset((errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH))


class SlackError(DeliveryError):
    """A call failed. ``code`` is Slack's word for why, empty where it did not answer; ``details`` what else it said."""

    code = ""
    details = ""


class SlackApi:
    """Calls of one delivery, which end by ``deadline`` (of `time.monotonic`)."""

    def __init__(self, token: str, url: str, deadline: float, tls: ssl.SSLContext | None = None) -> None:
        self._client = WebClient(token, base_url=url, ssl=tls, retry_handlers=[], logger=_silent())
        self._url = url
        self._deadline = deadline
        self._tls = tls
        #: When Slack answered last, by its own clock (epoch seconds); by this machine's where it did not say.
        self.server_time = time.time()

    @property
    def seconds_left(self) -> float:
        """How long there is until the deadline."""
        return self._deadline - time.monotonic()

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """What Slack answers. Raises `SlackError`."""
        return self._guarded(method, lambda: self._answer(method, arguments))

    def read(self, method: str, **arguments: str | int) -> dict[str, Any]:
        """What a method answers that reads, and that takes a form only. Raises `SlackError`."""
        return self._guarded(method, lambda: self._answer(method, None, arguments))

    def upload(self, url: str, body: bytes) -> None:
        """Sends the bytes of a file where Slack wants them. Raises `SlackError`."""

        def send() -> dict[str, Any]:
            if urlsplit(url).scheme not in ("http", "https"):
                raise SlackError("Slack wants a file at an address that is none", place=self._url)
            request = urllib.request.Request(url, data=body, method="POST")  # noqa: S310 - looked at above
            request.add_header("Content-Type", "application/octet-stream")
            with urllib.request.urlopen(request, timeout=self._timeout(), context=self._tls) as answer:  # noqa: S310
                answer.read()
            return {}

        self._guarded("the upload of a file", send)

    def _answer(
        self, method: str, json: Mapping[str, Any] | None, form: Mapping[str, str | int] | None = None
    ) -> dict[str, Any]:
        # The client's own kind of time-out is an int's, though what it is handed to takes fractions.
        self._client.timeout = self._timeout()  # type: ignore[assignment]
        response = self._client.api_call(
            method, json=None if json is None else dict(json), params=None if form is None else dict(form)
        )
        if not isinstance(response.data, dict):
            raise SlackError(f"{method} was answered with what is no JSON", place=self._url, unreachable=True)
        self.server_time = _time_of(response.headers)
        return response.data

    def _timeout(self) -> float:
        left = self.seconds_left
        if left < _LEAST_SECONDS:
            raise SlackError("Slack was too slow for all that was to be done in one go", retry_after_seconds=0.0)
        return min(CALL_SECONDS, left)

    def _guarded(self, method: str, act: Any) -> dict[str, Any]:
        once = method in _ONCE
        try:
            found: dict[str, Any] = act()
        except SlackApiError as error:
            raise _refused(method, error, self._url, once) from None
        except urllib.error.HTTPError as error:
            raise _unreachable(method, f"HTTP {error.code}", self._url, uncertain=once) from None
        except urllib.error.URLError as error:
            uncertain = once and not _never_sent(error.reason)
            raise _unreachable(method, str(error.reason), self._url, uncertain=uncertain) from None
        except TimeoutError:
            raise _unreachable(method, "no answer in time", self._url, uncertain=once) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _unreachable(method, str(error) or type(error).__name__, self._url, uncertain=once) from None
        return found


def _time_of(headers: Mapping[str, Any]) -> float:
    """The time that an answer's ``Date`` says (RFC 9110, 6.6.1)."""
    said = next((value for name, value in headers.items() if name.lower() == "date"), "")
    try:
        return parsedate_to_datetime(said[0] if isinstance(said, list) else str(said)).timestamp()
    except (ValueError, TypeError, IndexError):
        return time.time()


def _never_sent(reason: object) -> bool:
    """Whether no request can have been sent, since there was no connection."""
    return isinstance(reason, (socket.gaierror, ssl.SSLCertVerificationError)) or (
        isinstance(reason, OSError) and reason.errno in _NEVER_SENT
    )


def _unreachable(method: str, reason: str, url: str, *, uncertain: bool) -> SlackError:
    return SlackError(
        f"{method} failed: {redacted(reason)}",
        place=redacted(url),
        remedy="see https://slack-status.com, and whether this machine reaches Slack",
        unreachable=True,
        uncertain=uncertain,
    )


def _refused(method: str, error: SlackApiError, url: str, once: bool) -> SlackError:
    response = error.response
    data = response.data if isinstance(response.data, dict) else {}
    status, code = int(response.status_code), str(data.get("error", ""))
    if status == 429 or code in ("ratelimited", "rate_limited"):
        found = SlackError(
            f"{method}: too many requests", place=redacted(url), retry_after_seconds=_seconds(response.headers)
        )
    elif status != 200 and not (code and code.replace("_", "").isalnum() and status < 500 and status != 408):
        # Not Slack's own words: a server on the way, or Slack's when it is unwell; it may have acted all the same.
        found = _unreachable(method, f"HTTP {status}", url, uncertain=once and (status >= 500 or status == 408))
        found.retry_after_seconds = _seconds(response.headers, None)
    elif code in _UNWELL:
        found = _unreachable(method, code, url, uncertain=once)
        found.unreachable = code == "service_unavailable"
    elif code and code.replace("_", "").isalnum():
        found = _final(method, code, data, url)
    else:
        found = _unreachable(method, "the answer is none of Slack's", url, uncertain=once)
    found.code = code
    messages = (data.get("response_metadata") or {}).get("messages") or []
    found.details = redacted("; ".join(map(str, messages)))[:1000]
    return found


def _final(method: str, code: str, data: Mapping[str, Any], url: str) -> SlackError:
    remedy = _REMEDIES.get(code, "")
    words = code
    if code == "missing_scope":
        needed = str(data.get("needed", ""))
        words = f"missing_scope: the bot lacks the scope {needed}"
        remedy = f"add the scope {needed} to the app's bot token scopes and install it again"
    messages = (data.get("response_metadata") or {}).get("messages") or []
    if messages:
        words += f" ({redacted('; '.join(map(str, messages)))[:500]})"
    # A word that is not known here may pass.
    permanent = code in _REMEDIES or code in _FINAL or code == "missing_scope"
    return SlackError(f"{method} was refused: {words}", place=redacted(url), remedy=remedy, permanent=permanent)


def _seconds(headers: Mapping[str, str], otherwise: float | None = 1.0) -> float | None:
    for name, value in headers.items():
        if name.lower() == "retry-after":
            seconds = retry_after(value)
            return otherwise if seconds is None else min(seconds, 3600.0)
    return otherwise


def _silent() -> logging.Logger:
    logger = logging.getLogger("sla_kit.routing.slack.sdk")
    logger.setLevel(logging.CRITICAL + 1)
    return logger
