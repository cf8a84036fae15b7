"""What a product does, as metrics: from SQL, Redis, Elasticsearch or a Prometheus, or pushed by the application."""
