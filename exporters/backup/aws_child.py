"""The process that asks AWS for the exporter: reads questions from standard input, answers to standard output.

It ends when its input does, and when nothing was asked for a while, so that its memory is given back between two
collections. Nothing else may be written to standard output, and what goes wrong is an answer, never a traceback.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sla_kit.exporters.backup.aws import LENGTH_BYTES, Answer, Opening, Question
from sla_kit.exporters.backup.aws_errors import explain

#: For how long it waits for the next question of the same collection.
IDLE_SECONDS = 5.0
#: How long connecting may take, and how long an endpoint may say nothing, before the call is tried again.
_CONNECT_SECONDS, _SILENT_SECONDS = 5.0, 30.0
_ATTEMPTS = 3


class Clients:
    """boto3's clients, made when they are first needed: each takes several megabytes of models."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._made: dict[tuple[str, str], Any] = {}

    @property
    def amazon(self) -> bool:
        """Whether Amazon itself is asked."""
        return not self._opening.endpoint

    def client(self, service: str, region: str = "") -> Any:
        """The client of a service in a region, the connection's own unless said."""
        opening = self._opening
        region = region or opening.region
        if (service, region) not in self._made:
            import boto3
            from botocore.config import Config

            third = opening.wait_seconds / _ATTEMPTS
            config = Config(
                connect_timeout=min(_CONNECT_SECONDS, third),
                read_timeout=min(_SILENT_SECONDS, third),
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                s3={"addressing_style": "path"} if opening.path_style else None,
                # Others than Amazon need not know the checksums that it has asked for since 2025.
                response_checksum_validation="when_required",
                request_checksum_calculation="when_required",
                user_agent_extra="sla-kit",
            )
            self._made[service, region] = boto3.client(
                service,
                region_name=region or None,
                endpoint_url=opening.endpoint or None,
                aws_access_key_id=opening.access_key or None,
                aws_secret_access_key=opening.secret_key or None,
                aws_session_token=opening.session_token or None,
                verify=opening.ca_file or None,
                config=config,
            )
        return self._made[service, region]


def main() -> None:
    """Answers until nobody asks."""
    from sla_kit.exporters.backup import rds_requests, s3_requests

    answers: dict[str, Callable[[Clients, dict[str, Any]], Iterator[Any]]] = {
        "s3_list": s3_requests.list_objects,
        "s3_read": s3_requests.read,
        "s3_facts": s3_requests.facts,
        "rds": rds_requests.describe,
    }
    opening = _take()
    if opening is None:
        return
    clients = Clients(msgspec.msgpack.decode(opening, type=Opening))
    while (message := _take()) is not None:
        question = msgspec.msgpack.decode(message, type=Question)
        try:
            for part in answers[question.what](clients, question.given):
                _give(Answer(part=part))
            _give(Answer(last=True))
        except BrokenPipeError:
            return
        except Exception as error:
            _give(explain(error))


def _give(answer: Answer) -> None:
    encoded = msgspec.msgpack.encode(answer)
    view = memoryview(len(encoded).to_bytes(LENGTH_BYTES, "big") + encoded)
    while view:
        view = view[os.write(sys.stdout.fileno(), view) :]


def _take() -> bytes | None:
    """The next message; nothing once the input has ended, or has been silent for too long."""
    source = sys.stdin.fileno()
    if not select.select([source], [], [], IDLE_SECONDS)[0]:
        return None
    length = _read(source, LENGTH_BYTES)
    return None if length is None else _read(source, int.from_bytes(length, "big"))


def _read(source: int, length: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < length:
        part = os.read(source, length - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)


if __name__ == "__main__":
    main()
