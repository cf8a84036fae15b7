"""Slips in query strings, held against a real Elasticsearch: what is refused without a server is refused by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.query_strings import slip_of
from tests.servers.elasticsearch import Elasticsearch as Node
from tests.servers.elasticsearch.clearing import fresh_name

_WORDS = ["a", "b*", "level", "status", "500", "and", "or", "x-y", "\\:", "\\(", "a\\/b", "é", "&", "|"]
_SIGNS = [
    "AND",
    "OR",
    "NOT",
    "&&",
    "||",
    "!",
    "+",
    "-",
    ":",
    ":>=",
    ":<",
    "(",
    ")",
    "[1 TO 5]",
    "[* TO b}",
    "{a TO",
    "[1]",
]
_MORE = ['"a b"', '"', "/a.*/", "/", "]", "}", "\\", " ", " ", " "]
_QUERIES = st.lists(st.sampled_from([*_WORDS, *_SIGNS, *_MORE]), max_size=8).map("".join)
#: What a server takes, but for something else than was meant.
_MEANS_ELSE = ("is a word here", "without a space")


#: Each worker has one of its own in the Elasticsearch that all of them share.
INDEX = fresh_name()


@pytest.fixture(scope="module")
def client(elastic: Node) -> Iterator[Elasticsearch]:
    with Elasticsearch(elastic.url, request_timeout=120) as client:
        client.indices.create(index=INDEX, mappings={"properties": {"a": {"type": "keyword"}}})
        yield client
        client.indices.delete(index=INDEX)


def refused(client: Elasticsearch, query: str) -> str:
    answer = client.indices.validate_query(
        index=INDEX, query={"query_string": {"query": query, "default_field": "a"}}, explain=True
    )
    return "" if answer["valid"] else str(answer["explanations"][0].get("error") or answer["error"])


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_QUERIES)
def test_a_slip_is_one_to_the_server_too(client: Elasticsearch, query: str) -> None:
    slip = slip_of(query)
    if slip is not None and not any(words in f"{slip.message} {slip.hint}" for words in _MEANS_ELSE):
        assert refused(client, query), slip


@pytest.mark.parametrize(
    "query",
    [
        "service.name:web AND NOT user_agent.original:*kube-probe*",
        "http.response.status_code:[500 TO *] AND (level:error OR level:fatal)",
        'message:"connection reset" -user.name:monitor +level:error',
        "status:>=500",
        "path:/api\\/v[12]/",
    ],
)
def test_what_has_no_slip_may_be_asked(client: Elasticsearch, query: str) -> None:
    assert slip_of(query) is None
    assert refused(client, query) == ""
