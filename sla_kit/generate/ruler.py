"""Rules as the rulers of Mimir, Cortex and Thanos want them: a file a namespace, below the tenant.

`mimirtool rules sync` and `cortextool rules sync` read ``namespace`` and ``groups``; a Thanos ruler and
`mimirtool rules check` read the same groups, and take no offence at the namespace above them.
"""

from __future__ import annotations

from collections.abc import Iterator

from sla_kit.catalogue.model import Catalogue
from sla_kit.generate.files import Output
from sla_kit.generate.rules_yaml import rules_text, scalar

_HEAD = "# Written by sla-kit from the catalogue; change that, and generate again.\n"
#: The tenant of a server without tenants.
_ANONYMOUS = "anonymous"


def namespaces(catalogue: Catalogue, at: float, parts: tuple[str, ...]) -> Iterator[Output]:
    """A namespace for each rule file, in ``<tenant>/<namespace>.yml``: that of the catalogue's server where it reads
    several. Thanos takes the same groups from ``thanos/<namespace>.yml``, which are to be answered in part rather than
    not at all."""
    from sla_kit.generate.plan import rule_files

    if "rules" not in parts:
        return
    tenants = {server.name: server.tenant for server in catalogue.sources}
    usual = catalogue.monitoring.tenant or (catalogue.sources[0].tenant if catalogue.sources else "") or _ANONYMOUS
    prefix = f"{catalogue.name}-{catalogue.environment}" if catalogue.environment else catalogue.name
    files = rule_files(catalogue, at)
    of_file = {
        file.name: tenants.get(file.name.removeprefix("slo-").removeprefix("recordings-"), "") or usual
        for file in files
    }
    for file in files:
        namespace = f"{prefix}-{file.name}"
        text = rules_text(file)
        # A tenant sees nothing of another's, and each one's alerts ask what the calendar says.
        whose = dict.fromkeys(of_file.values()) if file.name == "calendar" else [of_file[file.name]]
        for tenant in whose:
            yield Output(f"{tenant}/{namespace}.yml", f"{_HEAD}namespace: {scalar(namespace)}\n{text}")
        partial = text.replace("\n    rules:\n", "\n    partial_response_strategy: warn\n    rules:\n")
        yield Output(f"thanos/{namespace}.yml", _HEAD + partial)
