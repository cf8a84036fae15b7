"""An Elasticsearch as a source of history: documents counted by bucket of time, many indicators in one request."""

from sla_kit.sources.elasticsearch.source import ElasticsearchSource, open_source

__all__ = ["ElasticsearchSource", "open_source"]
