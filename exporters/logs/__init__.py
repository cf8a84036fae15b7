"""The exporter of logs: errors, volume and how late what is shipped arrives, as an Elasticsearch knows them."""
