"""The Prometheus alert rules, one module an area."""
