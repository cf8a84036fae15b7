"""A cluster of Elasticsearch by the official client: how it is reached, asked again, and what its refusals mean."""

from sla_kit.elastic.cluster import Cluster, ClusterError, open_cluster
from sla_kit.elastic.settings import ClusterAddress, ClusterSettings

__all__ = ["Cluster", "ClusterAddress", "ClusterError", "ClusterSettings", "open_cluster"]
