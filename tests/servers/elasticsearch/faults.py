"""A proxy before a real Elasticsearch that lets what it is told go wrong: refusals, cut connections, late and partial
answers.

    with faulty(elastic.url) as proxy:
        proxy.refuse(429, times=2, retry_after=1, only="_msearch")
        …ask proxy.url…
        assert proxy.count("_msearch") == 3
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

#: Changes a decoded answer in place.
Change = Callable[[dict[str, Any]], None]
_NOT_PASSED_ON = {"transfer-encoding", "content-length", "connection", "keep-alive"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that was answered: its method, its path with parameters, its body, the status (0: cut) and the bytes of
    the answer's body."""

    method: str
    path: str
    body: bytes
    answered: int
    status: int


@dataclass(slots=True)
class _Fault:
    only: str
    left: float
    status: int = 0
    reason: str = ""
    retry_after: float | None = None
    cut_after: int | None = None
    late_seconds: float = 0.0
    change: Change | None = None
    action: Callable[[], None] | None = None
    skip: int = 0


@dataclass
class FaultyProxy:
    """What stands at ``url`` and asks the node at ``behind``. Each fault is met by the next ``times`` requests (all,
    where it is None) whose path holds ``only``, after ``skip`` of them that go well; earlier faults are met first."""

    url: str
    behind: str
    arrived: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    _faults: list[_Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    def refuse(
        self,
        status: int,
        *,
        times: int | None = 1,
        only: str = "",
        skip: int = 0,
        retry_after: float | None = None,
        reason: str = "es_rejected_execution_exception",
    ) -> None:
        """Answers ``status`` with an error of type ``reason``; ``retry_after`` is the header, in seconds."""
        fault = _Fault(only, _left(times), status=status, reason=reason, retry_after=retry_after, skip=skip)
        self._add(fault)

    def cut(self, *, after: int = 0, times: int | None = 1, only: str = "", skip: int = 0) -> None:
        """Resets the connection once ``after`` bytes of the answer's body are sent; 0: before any answer."""
        self._add(_Fault(only, _left(times), cut_after=after, skip=skip))

    def delay(self, seconds: float, *, times: int | None = 1, only: str = "", skip: int = 0) -> None:
        """Answers, but that much later; the wait ends with the proxy."""
        self._add(_Fault(only, _left(times), late_seconds=seconds, skip=skip))

    def alter(self, change: Change, *, times: int | None = 1, only: str = "_search", skip: int = 0) -> None:
        """Answers with what ``change`` makes of each search's answer (in an ``_msearch`` of each of its responses)."""
        self._add(_Fault(only, _left(times), change=change, skip=skip))

    def meanwhile(self, action: Callable[[], None], *, times: int | None = 1, only: str = "", skip: int = 0) -> None:
        """Calls ``action`` once the request has come, before the node is asked: to stop that, say."""
        self._add(_Fault(only, _left(times), action=action, skip=skip))

    def count(self, only: str = "") -> int:
        """How many requests came whose path holds ``only``, answered or not."""
        return sum(only in path for path in list(self.arrived))

    def _add(self, fault: _Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def _next(self, path: str) -> _Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.only not in path:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.left -= 1
                if fault.left < 1:
                    self._faults.remove(fault)
                return fault
        return None


def failed_shards(failed: int = 1, total: int = 5, reason: str = "node_disconnected_exception") -> Change:
    """Tells of ``failed`` shards of ``total`` that did not answer."""

    def change(answer: dict[str, Any]) -> None:
        failures = [
            {"shard": number, "index": "lost", "node": "one", "reason": {"type": reason, "reason": "the shard is gone"}}
            for number in range(failed)
        ]
        shards = {"total": total, "successful": total - failed, "skipped": 0, "failed": failed, "failures": failures}
        answer["_shards"] = shards

    return change


def timed_out(answer: dict[str, Any]) -> None:
    """Tells that the search ended before it had seen all documents."""
    answer["timed_out"] = True


@contextmanager
def faulty(url: str) -> Iterator[FaultyProxy]:
    """A proxy on the loopback before the node at ``url``."""
    place = urlsplit(url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _all(self) -> None:
            body = self._body()
            proxy.arrived.append(self.path)
            fault = proxy._next(self.path)
            if fault and fault.late_seconds:
                proxy._over.wait(fault.late_seconds)
            if fault and fault.action:
                fault.action()
            if fault and fault.status:
                self._answer(fault.status, _refusal(fault), body, _retry(fault))
            elif fault and fault.cut_after == 0:
                self._cut(body, 0)
            else:
                try:
                    status, headers, answer = self._asked(body)
                except (OSError, http.client.HTTPException):
                    self._cut(body, 0)  # as if the node itself had been asked
                    return
                if fault and fault.change:
                    answer = _changed(answer, fault.change)
                self._answer(status, answer, body, headers, fault.cut_after if fault else None)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _all  # noqa: N815 (http.server's names)

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found

        def _asked(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON}
            headers["Accept-Encoding"] = "identity"
            connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=300)
            try:
                connection.request(self.command, self.path, body or None, headers)
                found = connection.getresponse()
                told = {name: value for name, value in found.getheaders() if name.lower() not in _NOT_PASSED_ON}
                return found.status, told, found.read()
            finally:
                connection.close()

        def _answer(
            self, status: int, answer: bytes, asked: bytes, headers: dict[str, str], cut_after: int | None = None
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if cut_after is not None:
                self.wfile.write(answer[:cut_after])
                self._cut(asked, len(answer[:cut_after]))
                return
            # Before the answer is out: whoever has it may look at once.
            proxy.seen.append(Seen(self.command, self.path, asked, len(answer), status))
            if self.command != "HEAD":
                self.wfile.write(answer)

        def _cut(self, asked: bytes, sent: int) -> None:
            proxy.seen.append(Seen(self.command, self.path, asked, sent, 0))
            self.wfile.flush()
            # Linger of 0 seconds: a reset, as when a node dies, instead of an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True

        def handle(self) -> None:
            with suppress(ConnectionError, ValueError):  # whoever asked has gone
                super().handle()

        def finish(self) -> None:
            with suppress(ConnectionError, ValueError):
                super().finish()

        def log_message(self, *_: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            pass

    with Listener(("127.0.0.1", 0), Handler) as server:
        proxy = FaultyProxy(f"http://127.0.0.1:{server.server_port}", url)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy._over.set()
            server.shutdown()
            thread.join()


def _left(times: int | None) -> float:
    return float("inf") if times is None else times


def _retry(fault: _Fault) -> dict[str, str]:
    found = {"Content-Type": "application/json", "X-elastic-product": "Elasticsearch"}
    return found if fault.retry_after is None else {**found, "Retry-After": f"{fault.retry_after:g}"}


def _refusal(fault: _Fault) -> bytes:
    cause = {"type": fault.reason, "reason": "rejected execution: the queue is full"}
    return json.dumps({"error": {"root_cause": [cause], **cause}, "status": fault.status}).encode()


def _changed(answer: bytes, change: Change) -> bytes:
    document = json.loads(answer)
    for each in document.get("responses", [document]):
        change(each)
    return json.dumps(document).encode()
