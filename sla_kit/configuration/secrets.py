"""Secrets of a configuration: it says where they are, never what they are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sla_kit.configuration.decode import Unreadable
from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.values import Value
from sla_kit.errors import SecretError
from sla_kit.redacting import remember_secret


class Secret(Value, frozen=True, kw_only=True):
    """Where a secret is: in the variable ``env`` of the environment, or in a ``file`` (without the line's end), which a
    configuration tells relative to its own folder.

    It is read anew each time it is needed, so that a file may be replaced while a process runs. What was read is
    taken out of all that is logged.
    """

    env: str = ""
    file: str = ""

    def read(self) -> str:
        """The secret. Raises `SecretError` where it is not there."""
        if self.env:
            found = os.environ.get(self.env, "")
            if not found:
                raise SecretError(f"the environment has no {self.env}", remedy=f"set {self.env}")
            remember_secret(found)
            return found
        try:
            text = Path(self.file).read_text().rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise SecretError(
                f"a secret can't be read: {reason}", place=self.file, remedy="check the file and its rights"
            ) from None
        if not text:
            raise SecretError("holds no secret: it is empty", place=self.file)
        remember_secret(text)
        return text


def read_any(secrets: Iterable[Secret]) -> list[str]:
    """Those of several secrets that can be read, each of which is as good as the others: one that is being replaced
    must not keep the others from being known. Raises `SecretError` where there are some, and none can be read."""
    found: list[str] = []
    trouble: SecretError | None = None
    for secret in secrets:
        try:
            found.append(secret.read())
        except SecretError as error:
            trouble = error
    if trouble is not None and not found:
        raise trouble
    return found


def written(text: str) -> Secret:
    """What stands for a secret that is written out, which is a mistake: raises one that does not quote it."""
    hint = "say where it is: {env: PASSWORD} or {file: /run/secrets/password}"
    raise Unreadable("a secret stands here", hint, quoted=False)


def anchored(part: Any, folder: Path) -> Any:
    """A part of a configuration in which files of secrets that are told by a relative path are in ``folder``."""
    if isinstance(part, Secret):
        return Secret(env=part.env, file=str(folder / part.file)) if part.file else part
    if isinstance(part, msgspec.Struct):
        fields = {name: getattr(part, name) for name in part.__struct_fields__}
        changed = {name: new for name, old in fields.items() if (new := anchored(old, folder)) is not old}
        return msgspec.structs.replace(part, **changed) if changed else part
    if isinstance(part, dict):
        found = {key: anchored(value, folder) for key, value in part.items()}
        return found if any(found[key] is not value for key, value in part.items()) else part
    if isinstance(part, list):
        items = [anchored(value, folder) for value in part]
        return items if any(new is not old for new, old in zip(items, part, strict=True)) else part
    return part


def check_secret(secret: Secret | None, findings: Findings, path: Part) -> None:
    """Says what is wrong with where a secret is said to be."""
    if secret is not None and bool(secret.env) == bool(secret.file):
        findings.say(path, "must say one of env and file", "such as {env: PASSWORD} or {file: /run/secrets/password}")


_REMEDY = "take it out and say password: {env: NAME} or {file: PATH} beside it"


def check_address(url: str, findings: Findings, path: Part, remedy: str = _REMEDY) -> None:
    """Says so where an address holds a password: configuration is read by many, and printed."""
    try:
        held = urlsplit(url).password
    except ValueError:
        findings.say(path, "is no address", "such as https://user@host:port/path")
        return
    if held is not None:
        findings.say(path, "holds a password", remedy)
