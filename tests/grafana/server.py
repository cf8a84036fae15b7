"""A Grafana's dashboards and folders behind its documented HTTP API, for tests: no package of Grafana can be had here.

It keeps state, answers what the documentation says (grafana.com/docs/grafana/latest/developers/http_api: dashboard,
dashboard_versions, folder, folder_dashboard_search, and their status codes), and does to a saved dashboard what Grafana
does: a number for its row, a number a save. What the documentation leaves open is as in Grafana's source
(pkg/services/dashboards: a save without an id is one of the dashboard with that uid, and needs its version).
Tests switch on faults, and edit by hand.
"""

from __future__ import annotations

import copy
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, RLock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

EDITOR, VIEWER = "glsa_editor_s3cret", "glsa_viewer_s3cret"
Json = dict[str, Any]
Answer = tuple[int, Any]


@dataclass
class Save:
    """One version of a dashboard."""

    version: int
    document: Json
    message: str
    by: str
    newer_form: bool = False


@dataclass
class Stored:
    """A dashboard with its history."""

    id: int
    folder: str
    saves: list[Save]
    provisioned: bool = False

    @property
    def now(self) -> Save:
        return self.saves[-1]


@dataclass
class Fault:
    """What is done ``times`` over in place of an answer, or ``after`` the request was carried out: a status, silence
    until the test ends, or an ended connection (status 0)."""

    pattern: str
    status: int = 500
    times: int = 1
    after: bool = False
    silent: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None


@dataclass
class PlayedGrafana:
    """The state, and what tests do to it. ``versions_as_list`` is how Grafana up to 11 answers; ``unique_titles`` how
    it refuses a title that its folder has."""

    url: str = ""
    folders: dict[str, str] = field(default_factory=dict)
    dashboards: dict[str, Stored] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    versions_as_list: bool = False
    unique_titles: bool = True
    before_save: Callable[[str], None] | None = None
    lock: RLock = field(default_factory=RLock)
    over: Event = field(default_factory=Event)

    # --- by hand ------------------------------------------------------------------------------------------------------

    def edit(self, uid: str, change: Callable[[Json], None], message: str = "", newer_form: bool = False) -> None:
        """Somebody opens a dashboard, changes it and saves; in Grafana 12 and 13 perhaps in the form v2."""
        with self.lock:
            stored = self.dashboards[uid]
            document = copy.deepcopy(stored.now.document)
            change(document)
            self._store(uid, document, stored.folder, message, "admin")
            stored.now.newer_form = newer_form

    def rewrite(self, uid: str, change: Callable[[Json], None]) -> None:
        """Grafana itself writes a dashboard in other words, as a newer one does when it migrates: no new version."""
        with self.lock:
            change(self.dashboards[uid].now.document)

    def move(self, uid: str, folder: str) -> None:
        """Somebody moves a dashboard into another folder."""
        self.dashboards[uid].folder = folder

    def make(
        self, uid: str, title: str, folder: str = "", tags: tuple[str, ...] = (), provisioned: bool = False
    ) -> None:
        """Somebody makes a dashboard."""
        with self.lock:
            self._store(uid, {"uid": uid, "title": title, "tags": list(tags), "panels": []}, folder, "", "admin")
            self.dashboards[uid].provisioned = provisioned

    def saved_by(self, who: str) -> list[str]:
        """The uids of all saves by somebody, in no order."""
        return [uid for uid, stored in self.dashboards.items() for save in stored.saves if save.by == who]

    def count(self, method: str, pattern: str) -> int:
        """How many requests there were whose path fits."""
        return sum(each == method and re.search(pattern, path) is not None for each, path in self.requests)

    # --- answers ------------------------------------------------------------------------------------------------------

    def answer(self, method: str, address: str, token: str, body: Any) -> Answer:
        parts = urlsplit(address)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix("/api") if parts.path.startswith("/api/") else parts.path
        if token not in (EDITOR, VIEWER):
            return 401, {"message": "Invalid API key"}
        if parts.path == path and not path.startswith("/apis/"):
            return 404, {"message": "Not found"}
        writes = method != "GET" or path.endswith("/versions")
        if writes and token == VIEWER:
            said = "You'll need additional permissions to perform this action. Permissions needed: dashboards:write"
            return 403, {"accessErrorId": "ACE1", "message": said, "title": "Access denied"}
        for wanted, pattern, handler in _ROUTES:
            found = re.fullmatch(pattern, path)
            if wanted == method and found:
                answer: Answer = handler(self, *map(unquote, found.groups()), query, body)
                return answer
        return 404, {"message": "Not found"}

    def dashboard(self, uid: str, query: dict[str, str], body: Any) -> Answer:
        stored = self.dashboards.get(uid)
        if stored is None:
            return 404, {"message": "Dashboard not found"}
        if stored.now.newer_form:
            there = f"/apis/dashboard.grafana.app/v2beta1/namespaces/default/dashboards/{uid}"
            return 406, {"message": f"dashboard api version not supported, use {there} instead"}
        meta = {
            "isStarred": False,
            "url": f"/d/{uid}/x",
            "folderId": 0,
            "folderUid": stored.folder,
            "folderTitle": self.folders.get(stored.folder, "Dashboards"),
            "provisioned": stored.provisioned,
            "provisionedExternalId": "x.json" if stored.provisioned else "",
            "version": stored.now.version,
            "createdBy": stored.saves[0].by,
            "updatedBy": stored.now.by,
        }
        return 200, {"dashboard": stored.now.document, "meta": meta}

    def resource(self, uid: str, query: dict[str, str], body: Any) -> Answer:
        """A dashboard as Grafana 12's API of resources shows it in the form v1beta1."""
        stored = self.dashboards[uid]
        spec = {key: value for key, value in stored.now.document.items() if key not in ("id", "uid", "version")}
        notes = {"grafana.app/folder": stored.folder, "grafana.app/updatedBy": "user:1"}
        metadata = {"name": uid, "namespace": "default", "generation": stored.now.version, "annotations": notes}
        return 200, {"kind": "Dashboard", "apiVersion": "dashboard.grafana.app/v1beta1", "metadata": metadata,
                     "spec": spec, "status": {"conversion": {"failed": False, "storedVersion": "v2beta1"}}}  # fmt: skip

    def versions(self, uid: str, query: dict[str, str], body: Any) -> Answer:
        stored = self.dashboards.get(uid)
        if stored is None:
            return 404, {"message": "Dashboard not found"}
        found = [
            {"id": each.version, "uid": uid, "parentVersion": each.version - 1, "restoredFrom": 0,
             "version": each.version, "created": "2026-01-01T00:00:00Z", "createdBy": each.by, "message": each.message}
            for each in reversed(stored.saves)
        ][: int(query.get("limit", "1000"))]  # fmt: skip
        return 200, found if self.versions_as_list else {"continueToken": "", "versions": found}

    def save(self, query: dict[str, str], body: Any) -> Answer:
        document, folder, overwrite = copy.deepcopy(body["dashboard"]), body.get("folderUid", ""), body["overwrite"]
        uid = document["uid"]
        if self.before_save is not None:
            before, self.before_save = self.before_save, None
            before(uid)
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", uid):
            return 400, {"message": "uid contains illegal characters"}
        if len(body.get("message", "")) > 500 or any(len(tag) > 50 for tag in document.get("tags", ())):
            return 400, {"message": "message too long, max 500 characters"}
        if folder and folder not in self.folders:
            return 400, {"message": "folder not found", "status": "not-found"}
        stored = self.dashboards.get(uid)
        if stored is not None and stored.provisioned:
            return 400, {"message": "Cannot save provisioned dashboard"}
        if stored is not None and document.get("version") != stored.now.version and not overwrite:
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        namesakes = [
            other
            for other, each in self.dashboards.items()
            if other != uid and each.folder == folder and each.now.document["title"] == document["title"]
        ]
        if namesakes and self.unique_titles and not overwrite:
            said = "A dashboard with the same name in the folder already exists"
            return 412, {"message": said, "status": "name-exists"}
        version = self._store(uid, document, folder, body.get("message", ""), "sa-1-editor")
        return 200, {"id": self.dashboards[uid].id, "uid": uid, "url": f"/d/{uid}/x", "status": "success",
                     "version": version, "slug": "x"}  # fmt: skip

    def _store(self, uid: str, document: Json, folder: str, message: str, by: str) -> int:
        stored = self.dashboards.setdefault(uid, Stored(len(self.dashboards) + 1, folder, []))
        version = stored.now.version + 1 if stored.saves else 1
        document |= {"id": stored.id, "version": version}
        stored.saves.append(Save(version, document, message, by))
        stored.folder = folder
        return version

    def folder(self, uid: str, query: dict[str, str], body: Any) -> Answer:
        if uid not in self.folders:
            return 404, {"message": "folder not found", "status": "not-found"}
        return 200, {"id": 1, "uid": uid, "title": self.folders[uid], "version": 1}

    def create_folder(self, query: dict[str, str], body: Any) -> Answer:
        if body["uid"] in self.folders:
            said = "the folder has been changed by someone else"
            return 412, {"message": said, "status": "version-mismatch"}
        if body["title"] in self.folders.values():
            said = "a folder with the same name already exists in the current location"
            return 409, {"message": said}
        self.folders[body["uid"]] = body["title"]
        return 200, {"id": 1, "uid": body["uid"], "title": body["title"], "version": 1}

    def search(self, query: dict[str, str], body: Any) -> Answer:
        limit, page = int(query.get("limit", "1000")), int(query.get("page", "1"))
        hits = [
            {"id": stored.id, "uid": uid, "title": stored.now.document["title"], "type": "dash-db",
             "tags": stored.now.document.get("tags", []), "folderUid": stored.folder,
             "folderTitle": self.folders.get(stored.folder, "")}
            for uid, stored in self.dashboards.items()
            if query.get("tag") in stored.now.document.get("tags", [])
        ]  # fmt: skip
        return 200, hits[limit * (page - 1) : limit * page]


_ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", r"/dashboards/uid/([^/]+)", PlayedGrafana.dashboard),
    ("GET", r"/dashboards/uid/([^/]+)/versions", PlayedGrafana.versions),
    ("GET", r"/apis/dashboard.grafana.app/v1beta1/namespaces/default/dashboards/([^/]+)", PlayedGrafana.resource),
    ("POST", r"/dashboards/db", PlayedGrafana.save),
    ("GET", r"/folders/([^/]+)", PlayedGrafana.folder),
    ("POST", r"/folders", PlayedGrafana.create_folder),
    ("GET", r"/search", PlayedGrafana.search),
)


@contextmanager
def played_grafana(prefix: str = "", tls: ssl.SSLContext | None = None) -> Iterator[PlayedGrafana]:
    """A Grafana that answers below ``prefix``."""
    state = PlayedGrafana()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._handle("GET")

        def do_POST(self) -> None:
            self._handle("POST")

        def _handle(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            with state.lock:
                state.requests.append((method, self.path))
                state.tokens.add(token)
                fault = next((each for each in state.faults if re.search(each.pattern, f"{method} {self.path}")), None)
                if fault is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        state.faults.remove(fault)
                answer: Answer = (404, {"message": "Not found"})
                if self.path.startswith(f"{prefix}/") and (fault is None or fault.after):
                    path = self.path.removeprefix(prefix)
                    answer = state.answer(method, path, token, json.loads(body) if body else None)
            if fault is None:
                self._send(answer[0], json.dumps(answer[1]), {})
            elif fault.silent:
                state.over.wait(60)
                self.close_connection = True
            elif fault.status == 0:
                self.close_connection = True
            else:
                text = json.dumps({"message": "something failed"}) if fault.body is None else fault.body
                self._send(fault.status, text, fault.headers)

        def _send(self, status: int, text: str, headers: dict[str, str]) -> None:
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}{prefix}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        server.server_close()


def later(seconds: float) -> str:
    """A moment from now, as a Retry-After header has it."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))
