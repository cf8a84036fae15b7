"""Whole commands on logs of an Elasticsearch that goes wrong: figures are right, or they are told as unknown."""
