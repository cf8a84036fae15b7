"""The exporters that run as sidecars, one module each."""
