"""Which SLOs are judged for those that are wanted, and in which order."""

from __future__ import annotations

import pytest

from sla_kit.catalogue.model import Catalogue, Composite, Dependency, Part, Probe, Recovery, Service, Slo
from sla_kit.engine.needed import needed_for
from sla_kit.errors import SlaKitError


def slo(name: str, *of: str, depends: str = "", times: str = "") -> Slo:
    sli = Composite(combine="worst", of=[Part(slo=part) for part in of]) if of else Probe()
    needs = [Dependency(slo=depends)] if depends else []
    return Slo(name=name, sli=Recovery(of=times, within=60.0) if times else sli, objective=0.99, depends_on=needs)


def catalogue(*slos: Slo) -> Catalogue:
    return Catalogue(name="t", services=[Service(name="a", slos=list(slos))])


def names(of: Catalogue, wanted: str) -> tuple[list[str], list[str], set[str]]:
    found = needed_for(of, [(service, slo) for service, slo in of.slos() if slo.name == wanted])
    return [s.name for _, s in found.measured], [s.name for _, s in found.derived], {name for _, name in found.parts}


def test_parts_come_before_what_is_made_of_them_and_recoveries_after_what_they_time() -> None:
    of = catalogue(
        slo("back", times="outer"), slo("outer", "inner", "one"), slo("inner", "two"), slo("one"), slo("two"), slo("no")
    )
    assert names(of, "back") == (["two", "one"], ["inner", "outer", "back"], {"inner", "one", "two"})


def test_what_is_depended_on_is_judged_too_at_any_depth_but_no_part() -> None:
    of = catalogue(slo("a", depends="b"), slo("b", depends="c"), slo("c"), slo("d"))
    assert names(of, "a") == (["a", "b", "c"], [], set())


def test_dependencies_of_parts_are_judged_for_the_bound() -> None:
    of = catalogue(slo("whole", "part"), slo("part", depends="below"), slo("below"))
    assert names(of, "whole") == (["part", "below"], ["whole"], {"part"})


def test_a_circle_of_dependencies_ends() -> None:
    of = catalogue(slo("a", depends="b"), slo("b", depends="a"))
    assert names(of, "a") == (["a", "b"], [], set())


@pytest.mark.parametrize(
    ("of", "said"),
    [(catalogue(slo("a", "b"), slo("b", "a")), "rests on itself"), (catalogue(slo("a", "b")), "does not exist")],
    ids=["circle", "missing"],
)
def test_an_unchecked_catalogue_is_told_instead_of_followed_for_ever(of: Catalogue, said: str) -> None:
    with pytest.raises(SlaKitError, match=said):
        names(of, "a")
