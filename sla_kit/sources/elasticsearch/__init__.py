"""An Elasticsearch as a source of history: documents counted by bucket of time, many indicators in one request."""
