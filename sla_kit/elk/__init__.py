"""The configuration of what ships, keeps and shows logs: Elasticsearch, Fluentd, rsyslog and Kibana."""
