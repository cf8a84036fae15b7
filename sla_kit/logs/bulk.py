"""Documents sent in bulk: several requests at once, refused documents alone again, and each one accounted for."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec

from sla_kit.elastic import Cluster, ClusterError
from sla_kit.elastic.failures import PASSING
from sla_kit.logs.dead_letters import DeadLetters, Refused
from sla_kit.logs.documents import Document

#: Reasons that hold for all documents: loading ends, rather than that each one becomes a dead letter.
_FOR_ALL = frozenset({
    "index_not_found_exception", "index_closed_exception", "security_exception", "cluster_block_exception",
})  # fmt: skip
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 15.0
_ALREADY_THERE, _TOO_LARGE = 409, 413
_ASKED_FOR = "took,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"


@dataclass(frozen=True, slots=True)
class Bulk:
    """How documents are sent: requests in flight, how large one may be (documents, bytes), and for how many seconds a
    cluster that takes nothing is asked again."""

    requests: int = 4
    documents: int = 2000
    bytes: int = 4 << 20
    patience_seconds: float = 300.0


class Sender:
    """Sends documents by several threads to an index or data stream; `send` waits while enough are on their way.

    ``loaded``, ``already_there``, ``dead`` and ``unsent`` count documents, together as many as were sent once `finish`
    has returned. ``retried`` counts how often a document was sent again.
    """

    def __init__(self, cluster: Cluster, index: str, dead_letters: DeadLetters, bulk: Bulk) -> None:
        self.loaded = self.already_there = self.dead = self.unsent = self.retried = self.requests = 0
        self.bytes = 0
        self.failure: Exception | None = None
        self.not_sent: list[Document] = []
        self._cluster, self._index, self._dead_letters, self._bulk = cluster, index, dead_letters, bulk
        self._chunk: list[Document] = []
        self._size = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._free = threading.BoundedSemaphore(bulk.requests + 1)
        self._threads = ThreadPoolExecutor(bulk.requests, thread_name_prefix="bulk")

    def send(self, document: Document) -> None:
        """Takes a document; it is on its way when the chunk is full. Raises what made sending impossible."""
        size = len(document.source) + 64
        if self._chunk and (self._size + size > self._bulk.bytes or len(self._chunk) >= self._bulk.documents):
            self._submit()
        self._chunk.append(document)
        self._size += size

    def finish(self) -> None:
        """Sends what is left and waits for all answers. Does not raise: `failure` tells what went wrong."""
        if self._chunk and self.failure is None:
            try:
                self._submit()
            except Exception as error:
                self.failure = self.failure or error
        self._give_up(self._chunk)
        self._chunk = []
        self._threads.shutdown(wait=True)

    def hurry(self) -> None:
        """Lets nobody wait any longer for a cluster that takes nothing."""
        self._stop.set()

    def _submit(self) -> None:
        if self.failure is not None:
            raise self.failure
        self._free.acquire()
        chunk, self._chunk, self._size = self._chunk, [], 0
        self._threads.submit(self._work, chunk)

    def _work(self, chunk: list[Document]) -> None:
        try:
            left = chunk if self.failure is not None else self._deliver(chunk)
        except Exception as error:  # it is raised again where documents are read
            with self._lock:
                self.failure = self.failure or error
            self._stop.set()
            left = getattr(error, "documents", chunk)
        finally:
            self._free.release()
        self._give_up(left)

    def _give_up(self, documents: Sequence[Document]) -> None:
        with self._lock:
            self.unsent += len(documents)
            self.not_sent.extend(documents)

    def _deliver(self, documents: list[Document]) -> list[Document]:
        """Sends until each document has been answered for."""
        wait, deadline = _FIRST_WAIT, time.monotonic() + self._bulk.patience_seconds
        while documents:
            try:
                answer = self._cluster.ask(f"load documents into {self._index}", _Request(self._index, documents))
            except ClusterError as error:
                if error.status == _TOO_LARGE:
                    self._deliver_in_parts(documents, error)
                    return []
                if error.kind not in ("connect", "timeout"):
                    raise _given_up(error, documents) from error
                failure, left = error, documents
            else:
                left, failure = self._sorted(documents, answer)
                if len(left) < len(documents):
                    wait, deadline = _FIRST_WAIT, time.monotonic() + self._bulk.patience_seconds
            with self._lock:
                self.requests += 1
                self.retried += len(left)
            documents = left
            if documents:
                if time.monotonic() >= deadline or self._stop.wait(wait * random.uniform(0.5, 1.5)):  # noqa: S311
                    raise _given_up(failure, documents)
                wait = min(2 * wait, _LONGEST_WAIT)
        return []

    def _deliver_in_parts(self, documents: list[Document], error: ClusterError) -> None:
        if len(documents) == 1:
            self._refuse([Refused(documents[0], _TOO_LARGE, error.message)])
            return
        middle = len(documents) // 2
        halves = documents[:middle], documents[middle:]
        for number, half in enumerate(halves):
            try:
                self._deliver(half)
            except Exception as failure:
                left = getattr(failure, "documents", half)
                raise _given_up(failure, [*left, *(halves[1] if not number else [])]) from failure

    def _sorted(self, documents: list[Document], answer: Mapping[str, Any]) -> tuple[list[Document], ClusterError]:
        items = answer.get("items") or []
        if len(items) != len(documents):
            raise _given_up(
                ClusterError(
                    f"the answer tells of {len(items)} documents where {len(documents)} were sent",
                    place=self._cluster.name,
                    remedy="check what stands between here and the cluster",
                ),
                documents,
            )
        again: list[Document] = []
        refused: list[Refused] = []
        loaded = already_there = size = 0
        failure = ClusterError("the cluster takes no documents", place=self._cluster.name)
        for document, item in zip(documents, items, strict=True):
            [result] = item.values()
            status = result["status"]
            if status < 300:
                loaded += 1
                size += len(document.source)
            elif status == _ALREADY_THERE:
                already_there += 1
            else:
                reason, kind = _reason(result)
                if status in PASSING or kind in _FOR_ALL:
                    failure = ClusterError(
                        f"the cluster takes no documents for {self._index} (status {status}): {reason}",
                        place=self._cluster.name,
                        remedy="see the index and the cluster's health, then load the same files again",
                        status=status,
                        reason=kind,
                    )
                    again.append(document)
                    if status not in PASSING:
                        self._stop.set()
                else:
                    refused.append(Refused(document, status, reason))
        with self._lock:
            self.loaded += loaded
            self.already_there += already_there
            self.bytes += size
        if refused:
            try:
                self._refuse(refused)
            except Exception as error:
                raise _given_up(error, [*again, *(each.document for each in refused)]) from error
        return again, failure

    def _refuse(self, refused: Sequence[Refused]) -> None:
        self._dead_letters.refuse(refused)
        with self._lock:
            self.dead += len(refused)


@dataclass(frozen=True, slots=True)
class _Request:
    """A request of the bulk API, by which each document is created unless one with its identity is there."""

    index: str
    documents: Sequence[Document]

    def __call__(self, client: Any) -> Any:
        encode = msgspec.json.encode
        # An identity is text of whoever wrote it: a dead letter may have any.
        lines = [b'{"create":{"_id":%b}}\n%b' % (encode(each.id), each.source) for each in self.documents]
        return client.bulk(index=self.index, operations=lines, filter_path=_ASKED_FOR)


def _reason(result: Mapping[str, Any]) -> tuple[str, str]:
    error = result.get("error") or {}
    kind = str(error.get("type") or "")
    cause = str((error.get("caused_by") or {}).get("reason") or "")
    text = ": ".join(part for part in (kind, str(error.get("reason") or ""), cause) if part)
    return " ".join(text.split())[:1000], kind


def _given_up(error: Exception, documents: Sequence[Document]) -> Exception:
    """The error, which from now on knows of which documents nothing is known."""
    error.documents = list(documents)  # type: ignore[attr-defined]
    return error
