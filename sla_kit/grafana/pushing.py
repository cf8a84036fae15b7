"""Brings dashboards to a Grafana: what is there already is left alone, and so is what somebody has changed by hand.

A save names the version that was seen, so that nobody's work is lost between looking and saving. An answer that was
lost on its way is no failure: Grafana is asked what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sla_kit.generate.dashboards import folder_uid
from sla_kit.grafana.api import Grafana
from sla_kit.grafana.comparing import BY_HAND, Ours, Standing, standing
from sla_kit.grafana.connection import GrafanaError, RefusedError
from sla_kit.grafana.document import message

#: What became of a dashboard. ``kept`` is one that was changed by hand and left so; ``untried`` ones came after a
#: failure that all would have met.
Outcome = Literal["unchanged", "created", "updated", "overwritten", "kept", "failed", "untried"]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Pushed:
    """One dashboard after a push, or as a push would leave it."""

    ours: Ours
    outcome: Outcome
    standing: Standing | None = None
    error: GrafanaError | None = None


def push(
    grafana: Grafana,
    ours: Sequence[Ours],
    *,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress = lambda done, total, what: None,
) -> list[Pushed]:
    """Saves what is missing or behind, and with ``force`` also what was changed by hand. One that is refused does not
    keep the others from being saved; where Grafana can't be asked at all, the rest is not tried."""
    found: list[Pushed] = []
    folders: set[str] = set()
    for number, each in enumerate(ours):
        progress(number, len(ours), each.title)
        try:
            found.append(_one(grafana, each, folders, force, dry_run))
        except RefusedError as error:
            found.append(Pushed(each, "failed", error=error))
        except GrafanaError as error:
            found.append(Pushed(each, "failed", error=error))
            found += [Pushed(rest, "untried") for rest in ours[number + 1 :]]
            break
    progress(len(ours), len(ours), "")
    return found


def _one(grafana: Grafana, ours: Ours, folders: set[str], force: bool, dry_run: bool) -> Pushed:
    seen = standing(grafana, ours)
    outcome = _outcome(seen, force)
    if outcome == "failed":
        return Pushed(ours, "failed", seen, _provisioned(seen))
    if dry_run or outcome in ("unchanged", "kept"):
        return Pushed(ours, outcome, seen)
    _make_folder(grafana, ours, folders)
    try:
        version = seen.kept.version if seen.kept is not None else None
        grafana.save(ours.document, folder_uid(ours.folder), version, message(ours.document))
    except RefusedError as error:
        if error.status != 412:
            raise
        return _refused(grafana, ours, outcome, error)
    return Pushed(ours, outcome, seen)


def _outcome(seen: Standing, force: bool) -> Outcome:
    if seen.state == "same":
        return "unchanged"
    if seen.state == "provisioned":
        return "failed"
    if seen.state in BY_HAND:
        return "overwritten" if force else "kept"
    return "created" if seen.state == "missing" else "updated"


def _make_folder(grafana: Grafana, ours: Ours, known: set[str]) -> None:
    """The folder of a dashboard, where it is not there yet."""
    uid = folder_uid(ours.folder)
    if uid in known:
        return
    if grafana.folder(uid) is None:
        try:
            grafana.create_folder(uid, ours.folder)
        except RefusedError as error:
            if error.status not in (400, 409, 412) or grafana.folder(uid) is None:
                raise _folder_taken(error, ours.folder, uid) from error
    known.add(uid)


def _folder_taken(error: RefusedError, title: str, uid: str) -> RefusedError:
    if error.status not in (400, 409, 412):
        return error
    return RefusedError(
        error.message,
        place=error.place,
        remedy=f"there may be a folder {title!r} that somebody made: rename it, then it is made with the uid {uid}",
        status=error.status,
        code=error.code,
        said=error.said,
    )


def _refused(grafana: Grafana, ours: Ours, outcome: Outcome, error: RefusedError) -> Pushed:
    """What a 412 means: our own save whose answer was lost, somebody else's meanwhile, or a title that is taken."""
    seen = standing(grafana, ours)
    if seen.state == "same":
        return Pushed(ours, outcome, seen)
    if error.code == "version-mismatch" or (outcome == "created" and seen.kept is not None):
        return Pushed(ours, "kept", replace(seen, state="edited") if seen.state == "behind" else seen, error)
    remedies = {
        "name-exists": f"another dashboard in the folder {ours.folder!r} has the title {ours.title!r}: rename that one",
        "plugin-dashboard": "it belongs to a plugin; give ours another uid",
    }
    raise RefusedError(
        error.message,
        place=error.place,
        remedy=remedies.get(error.code, error.remedy),
        status=error.status,
        code=error.code,
        said=error.said,
    )


def _provisioned(seen: Standing) -> GrafanaError:
    return GrafanaError(
        f"{seen.ours.title}: this Grafana reads it from a file, and saves nothing else",
        place=seen.ours.uid,
        remedy="change that file (sla-kit generate), or take its provisioning away",
    )
