"""The bound that dependencies set, against products worked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.catalogue import Catalogue, Composite, Dependency, Part, Probe, Service, Slo
from sla_kit.catalogue.dependencies import Hierarchy, check_bounds


def catalogue(**slos: tuple[float, list[Dependency]]) -> Catalogue:
    """SLOs of one service by their names: objective and dependencies."""
    made = [Slo(name=name, sli=Probe(), objective=share, depends_on=needs) for name, (share, needs) in slos.items()]
    return Catalogue(name="t", services=[Service(name="s", slos=made)])


def on(slo: str, copies: int = 1, share: float = 1.0) -> Dependency:
    return Dependency(slo=slo, copies=copies, share=share)


def bound(of: Catalogue, name: str = "a") -> float:
    hierarchy = Hierarchy.of(of)
    found = hierarchy.bound(("s", name), hierarchy.objectives.get)
    assert found is not None
    return found


def test_independent_dependencies_multiply() -> None:
    # Five dependencies of 99.99 % leave 99.95 %: why a dependency needs one nine more than who depends on it.
    of = catalogue(a=(0.9999, [on(name) for name in "bcdef"]), **{name: (0.9999, []) for name in "bcdef"})
    assert bound(of) == pytest.approx(0.9999**5)
    [warning] = check_bounds(of)
    said = "s/a promises 99.99 %, but what it depends on allows 99.95001 % at best"
    assert warning.message == f"services[0].slos[0].objective: {said}"


def test_any_of_several_copies_suffices() -> None:
    assert bound(catalogue(a=(0.9, [on("b", copies=2)]), b=(0.99, []))) == pytest.approx(0.9999)


def test_only_the_share_that_needs_it_is_lost() -> None:
    assert bound(catalogue(a=(0.9, [on("b", share=0.25)]), b=(0.96, []))) == pytest.approx(0.99)
    assert bound(catalogue(a=(0.9, [on("b", 2, 0.5)]), b=(0.9, []))) == pytest.approx(0.995)


def test_a_chain_allows_what_its_weakest_promise_does() -> None:
    # The promise of b counts what c costs it: c is not lost twice.
    assert bound(catalogue(a=(0.9, [on("b")]), b=(0.99, [on("c")]), c=(0.999, []))) == pytest.approx(0.99)
    # b promises more than c allows, and so does not keep it.
    assert bound(catalogue(a=(0.9, [on("b")]), b=(0.9999, [on("c")]), c=(0.99, []))) == pytest.approx(0.99)


def test_what_two_dependencies_share_counts_once() -> None:
    # b and c are what d is, 99 %, and lose nothing themselves.
    shared = catalogue(a=(0.9, [on("b"), on("c")]), b=(0.99, [on("d")]), c=(0.99, [on("d")]), d=(0.99, []))
    assert bound(shared) == pytest.approx(0.99)
    # Each loses some of its own besides: (0.98 / 0.99) twice, and d once.
    some = catalogue(a=(0.9, [on("b"), on("c"), on("d")]), b=(0.98, [on("d")]), c=(0.98, [on("d")]), d=(0.99, []))
    assert bound(some) == pytest.approx(0.98 * 0.98 / 0.99)


def test_providers_count_by_their_contract_and_the_same_one_once() -> None:
    dns = Dependency(provider="DNS", objective=0.999)
    of = catalogue(a=(0.9, [on("b"), dns]), b=(0.999, [dns]))
    assert bound(of) == pytest.approx(0.999)


def test_parts_of_a_journey_are_its_dependencies() -> None:
    whole = Slo(name="whole", sli=Composite(combine="all", of=[Part(slo="s/b"), Part(slo="s/c")]), objective=0.985)
    of = catalogue(b=(0.99, []), c=(0.99, []))
    of = Catalogue(name="t", services=[*of.services, Service(name="j", slos=[whole])])
    hierarchy = Hierarchy.of(of)
    assert hierarchy.bound(("j", "whole"), hierarchy.objectives.get) == pytest.approx(0.9801)
    assert len(check_bounds(of)) == 1


def test_what_is_not_known_leaves_the_bound_open() -> None:
    hierarchy = Hierarchy.of(catalogue(a=(0.9, [on("b"), on("c")]), b=(0.99, []), c=(0.99, [])))
    assert hierarchy.bound(("s", "a"), {("s", "b"): 0.5}.get) is None
    assert hierarchy.bound(("s", "a"), {("s", "b"): 0.5, ("s", "c"): 0.5}.get) == pytest.approx(0.25)


def test_a_promise_of_what_they_allow_is_no_warning() -> None:
    assert check_bounds(catalogue(a=(0.99, [on("b")]), b=(0.99, []))) == []
    assert check_bounds(catalogue(a=(0.999, []), b=(0.99, []))) == []


_SHARE = st.floats(0.5, 0.9999)


@given(st.lists(st.tuples(_SHARE, st.integers(1, 3), st.floats(0.01, 1)), min_size=1, max_size=4), st.data())
def test_copies_and_smaller_shares_only_help_and_each_dependency_only_costs(
    needs: list[tuple[float, int, float]], data: st.DataObject
) -> None:
    def of(chosen: list[tuple[float, int, float]]) -> float:
        slos = {f"d{number}": (share, list[Dependency]()) for number, (share, _, _) in enumerate(chosen)}
        edges = [on(f"d{number}", copies, part) for number, (_, copies, part) in enumerate(chosen)]
        return bound(catalogue(a=(0.9, edges), **slos))

    whole = of(needs)
    at = data.draw(st.integers(0, len(needs) - 1))
    objective, copies, share = needs[at]
    assert 0 <= whole <= 1
    assert of([*needs[:at], (objective, copies + 1, share), *needs[at + 1 :]]) >= whole - 1e-12
    assert of([*needs[:at], (objective, copies, share / 2), *needs[at + 1 :]]) >= whole - 1e-12
    assert of([*needs[:at], *needs[at + 1 :]]) >= whole - 1e-12
    assert of(needs[::-1]) == pytest.approx(whole)
