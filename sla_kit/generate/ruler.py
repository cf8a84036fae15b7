"""Rules as the rulers of Mimir, Cortex and Thanos want them: a file a namespace, below the tenant.

`mimirtool rules sync` and `cortextool rules sync` read ``namespace`` and ``groups``; a Thanos ruler and
`mimirtool rules check` read the same groups, and take no offence at the namespace above them.
"""

from __future__ import annotations

from collections.abc import Iterator

from sla_kit.catalogue.model import Catalogue
from sla_kit.generate.files import Output, OutputError
from sla_kit.generate.prometheus_config import server_of
from sla_kit.generate.rules_yaml import rules_text, scalar

_HEAD = "# Written by sla-kit from the catalogue; change that, and generate again.\n"
#: The tenant of a server without tenants.
_ANONYMOUS = "anonymous"
#: The folder of what a Thanos ruler reads.
_THANOS = "thanos"


def namespaces(catalogue: Catalogue, at: float, parts: tuple[str, ...]) -> Iterator[Output]:
    """A namespace for each rule file, in ``<tenant>/<namespace>.yml``: that of the catalogue's server where it reads
    several. Thanos takes the same groups from ``thanos/<namespace>.yml``, which are to be answered in part rather than
    not at all."""
    from sla_kit.generate.plan import rule_files

    if "rules" not in parts:
        return
    tenants = {server.name: server.tenant for server in catalogue.sources}
    first = next((server.tenant for server in catalogue.sources if not server.holds_logs), "")
    usual = catalogue.monitoring.tenant or first or _ANONYMOUS
    prefix = f"{catalogue.name}-{catalogue.environment}" if catalogue.environment else catalogue.name
    files = rule_files(catalogue, at)
    _refuse_clashes(catalogue, usual)
    of_file = {file.name: tenants.get(server_of(catalogue, file.name), "") or usual for file in files}
    for file in files:
        namespace = f"{prefix}-{file.name}"
        text = rules_text(file)
        # A tenant sees nothing of another's, and each one's alerts ask what the calendar says.
        whose = dict.fromkeys(of_file.values()) if file.name == "calendar" else [of_file[file.name]]
        for tenant in whose:
            yield Output(f"{tenant}/{namespace}.yml", f"{_HEAD}namespace: {scalar(namespace)}\n{text}")
        partial = text.replace("\n    rules:\n", "\n    partial_response_strategy: warn\n    rules:\n")
        yield Output(f"{_THANOS}/{namespace}.yml", _HEAD + partial)


def _refuse_clashes(catalogue: Catalogue, usual: str) -> None:
    """Raises `OutputError` for tenants whose folders would be one, or that of Thanos."""
    tenants = dict.fromkeys([usual, *(server.tenant for server in catalogue.sources if server.tenant)])
    seen: dict[str, str] = {}
    for tenant in tenants:
        if tenant.casefold() == _THANOS:
            raise OutputError(
                f"the tenant {tenant!r} has the name of the folder for Thanos",
                remedy="rename the tenant, or write its rules from a catalogue of its own with --format files",
            )
        other = seen.setdefault(tenant.casefold(), tenant)
        if other != tenant:
            raise OutputError(
                f"the tenants {other!r} and {tenant!r} differ only in upper and lower case, and their folders are one "
                "on some systems",
                remedy="rename one of them",
            )
