"""What of Grafana's HTTP API we use: folders, dashboards, their versions, search.

grafana.com/docs/grafana/latest/developers/http_api (dashboard, dashboard_versions, folder, folder_dashboard_search).
Grafana 12 and 13 answer these paths, too. What is saved by hand there may be kept in a newer form, which only /apis
shows, turned back into the usual one where that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sla_kit.grafana.connection import Connection, GrafanaError, RefusedError
from sla_kit.grafana.document import Json, saved

#: The most that one page of a search may hold, and the usual.
_PAGE = 1000
#: Where a dashboard is that the old paths do not show, as their refusal (406) says.
_ELSEWHERE = re.compile(r"/apis/dashboard\.grafana\.app/v2\w*/namespaces/([a-z0-9-]+)/dashboards/")
#: The names of the usual form there, newest first: not each Grafana knows each.
_USUAL_FORM = ("v1", "v1beta1")


@dataclass(frozen=True, slots=True)
class Kept:
    """A dashboard as Grafana has it; ``version`` is the number of its last save. One in a ``newer_form`` than we write
    is as somebody saved it in Grafana."""

    uid: str
    document: Json
    version: int
    folder_uid: str
    folder_title: str
    provisioned: bool
    newer_form: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A dashboard that a search found."""

    uid: str
    title: str
    folder: str


class Grafana:
    """A Grafana's folders and dashboards."""

    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._name = connection.name

    def dashboard(self, uid: str) -> Kept | None:
        """A dashboard; None where there is none."""
        path = f"/api/dashboards/uid/{quote(uid, safe='')}"
        try:
            found = self._ask("GET", path, about=f"reading the dashboard {uid}")
        except RefusedError as error:
            if error.nothing_there:
                return None
            if error.status == 406 and (elsewhere := _ELSEWHERE.search(error.said)):
                return self._turned_back(uid, elsewhere[1], error)
            raise
        document, meta = self._object(found, "dashboard"), self._object(found, "meta")
        return Kept(
            uid=uid,
            document=document,
            version=int(document.get("version") or 0),
            folder_uid=str(meta.get("folderUid") or ""),
            folder_title=str(meta.get("folderTitle") or ""),
            provisioned=bool(meta.get("provisioned")),
        )

    def _turned_back(self, uid: str, namespace: str, refused: RefusedError) -> Kept:
        """A dashboard in a newer form, as Grafana turns it back into the usual one."""
        found: Any = None
        for form in _USUAL_FORM:
            path = f"/apis/dashboard.grafana.app/{form}/namespaces/{namespace}/dashboards/{quote(uid, safe='')}"
            try:
                found = self._ask("GET", path, about=f"reading the dashboard {uid}, which was saved in a newer form")
                break
            except RefusedError as error:
                if error.status != 404:
                    raise
        if found is None:
            raise refused
        document, metadata = self._object(found, "spec"), self._object(found, "metadata")
        notes = metadata.get("annotations") or {}
        return Kept(
            uid=uid,
            document=document | {"uid": uid},
            version=int(metadata.get("generation") or 0),
            folder_uid=str(notes.get("grafana.app/folder") or ""),
            folder_title="",
            provisioned=notes.get("grafana.app/managedBy") == "classic-file-provisioning",
            newer_form=True,
        )

    def last_save(self, kept: Kept) -> str | None:
        """The digest of what we saved, where the last save of a dashboard was ours; "" where it was somebody else's,
        None where that can't be told."""
        if kept.newer_form:
            return ""
        path = f"/api/dashboards/uid/{quote(kept.uid, safe='')}/versions"
        try:
            found = self._ask("GET", path, query={"limit": 1}, about=f"reading the versions of {kept.uid}")
        except RefusedError as error:
            if error.status in (403, 404):  # who may read a dashboard may not be shown who wrote it
                return None
            raise
        versions = found.get("versions") if isinstance(found, dict) else found  # a list up to Grafana 11
        for each in versions if isinstance(versions, list) else ():
            if isinstance(each, dict) and each.get("version") == kept.version:
                return saved(str(each.get("message") or ""))
        return None

    def save(self, document: Mapping[str, Any], folder_uid: str, version: int | None, message: str) -> int:
        """Saves a dashboard over the ``version`` that was seen (None: there was none) and tells the new one. Raises
        `RefusedError` with status 412 where somebody else has saved it since."""
        body = {
            "dashboard": dict(document) | {"id": None, "version": version or 0},
            "folderUid": folder_uid,
            "message": message,
            "overwrite": False,
        }
        about = f"saving the dashboard {document.get('uid')}"
        found = self._ask("POST", "/api/dashboards/db", body=body, about=about)
        return int(found.get("version") or 0) if isinstance(found, dict) else 0

    def folder(self, uid: str) -> str | None:
        """The title of a folder; None where there is none."""
        try:
            found = self._ask("GET", f"/api/folders/{quote(uid, safe='')}", about=f"looking for the folder {uid}")
        except RefusedError as error:
            if error.nothing_there:
                return None
            raise
        return str(found.get("title") or "") if isinstance(found, dict) else ""

    def create_folder(self, uid: str, title: str) -> None:
        """Makes a folder at the top. Raises `RefusedError` with status 409 or 412 where there is one."""
        self._ask("POST", "/api/folders", body={"uid": uid, "title": title}, about=f"making the folder {title!r}")

    def tagged(self, tag: str) -> list[Hit]:
        """Every dashboard with a tag, as far as the token may see them."""
        found: list[Hit] = []
        for page in range(1, 1000):
            query: dict[str, str | int] = {"tag": tag, "type": "dash-db", "limit": _PAGE, "page": page}
            hits = self._ask("GET", "/api/search", query=query, about=f"looking for dashboards tagged {tag!r}")
            if not isinstance(hits, list):
                raise self._unknown("a search")
            found += [
                Hit(str(each.get("uid") or ""), str(each.get("title") or ""), str(each.get("folderTitle") or ""))
                for each in hits
                if isinstance(each, dict) and tag in (each.get("tags") or ())
            ]
            if len(hits) < _PAGE:
                break
        return found

    def _object(self, answer: object, key: str) -> Json:
        value = answer.get(key) if isinstance(answer, dict) else None
        if not isinstance(value, dict):
            raise self._unknown("a dashboard")
        return value

    def _unknown(self, what: str) -> GrafanaError:
        return GrafanaError(
            f"the answer is not that of Grafana to {what}",
            place=self._name,
            remedy="give the address under which Grafana's start page opens, with its path, and without /api",
        )
