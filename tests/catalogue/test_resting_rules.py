"""Composites, dependencies and policies: every mistake at its line, and that right ones read back."""

from __future__ import annotations

from pathlib import Path

from sla_kit.catalogue import Catalogue, Composite, Dependency, Part, Requests, Service, Slo, check_catalogue, to_yaml
from sla_kit.catalogue.load import load
from tests.catalogue.written import assert_marked, mistakes_of

SERVICES = """\
name: shop
services:
  - name: web
    slos:
      - {name: up, objective: 99.9%, sli: {kind: probe}}
      - {name: ok, objective: 99.9%, sli: {kind: requests, metric: r, bad: {code: "500"}}}
      - {name: back, objective: 99%, sli: {kind: recovery, of: up, within: 5m}}
  - name: api
    slos:
      - {name: ok, objective: 99.9%, sli: {kind: requests, metric: r, bad: {code: "500"}}}
      - name: sliced
        objective: 99%
        budgeting: timeslices
        slice_target: 99%
        sli: {kind: requests, metric: r, bad: {code: "500"}}
  - name: all
    slos:
"""


def test_right_composites_have_no_mistakes() -> None:
    text = (
        SERVICES
        + """\
      - {name: one, objective: 99%, sli: {kind: composite, combine: weighted, of: [web/ok, api/ok]}}
      - {name: two, objective: 99%, sli: {kind: composite, combine: worst, of: [one, web/up]}}
      - name: three
        objective: 99%
        sli: {kind: composite, combine: weighted, of: [{slo: two, weight: 2}, {slo: one, weight: 1}]}
      - {name: four, objective: 99%, sli: {kind: composite, combine: all, of: [web/ok, two]}}
      - {name: five, objective: 99%, sli: {kind: recovery, of: four, within: 5m}}
      - {name: six, objective: 99%, sli: {kind: composite, combine: weighted, of: [web/up, api/sliced]}}
"""
    )
    assert mistakes_of(text) == []


def test_parts_that_can_not_be() -> None:
    assert_marked(
        SERVICES
        + """\
      - name: a
        objective: 99%
        sli:
          kind: composite
          combine: worst
          of:
            - web/okk  #! there is no SLO of web 'okk' (did you mean ok?)
            - wbe/ok  #! there is no service 'wbe' (did you mean web?)
            - a  #! all/a rests on itself: all/a → all/a
            - web/back  #! web/back is a recovery
            - web/up
            - web/up  #! web/up is a part twice
            - {slo: api/ok, weight: 2}  #! a weight means nothing where parts are combined by worst
      - {name: b, objective: 99%, sli: {kind: composite, combine: all, of: []}}  #! a composite needs parts
      - name: c
        objective: 99%
        sli:
          kind: composite
          combine: weighted
          of:
            - {slo: web/up, weight: 0}  #! a weight of 0 is impossible
            - api/ok  #! this part has no weight
      - name: d
        objective: 99%
        sli:
          kind: composite
          combine: weighted
          of:
            - web/ok
            - web/up  #! web/up counts minutes, web/ok requests: they can't be added
            - e  #! e counts no events that could be added
      - {name: e, objective: 99%, sli: {kind: composite, combine: worst, of: [web/up]}}
      - {name: f, objective: 99%, sli: {kind: recovery, of: e, within: 5m}}  #! e has no outages of its own
      - name: g
        objective: 99%
        budgeting: occurrences  #! a composite counts what its parts count
        missing: bad  #! what is missing of a composite is missing of its parts
        sli: {kind: composite, combine: worst, of: [e]}
      - {name: i, objective: 99%, sli: {kind: composite, combine: any, of: [e]}}  #! combine can't be 'any'
      - {name: j, objective: 99%, sli: {kind: composite, combine: worst, of: [e], weights: [1]}}  #! unknown key weights
"""
    )


def test_a_circle_is_told_once_with_all_that_are_in_it() -> None:
    assert_marked(
        SERVICES
        + """\
      - {name: a, objective: 99%, sli: {kind: composite, combine: worst, of: [b]}}
      - {name: b, objective: 99%, sli: {kind: composite, combine: worst, of: [web/up]}, depends_on: [c]}
      - name: c
        objective: 99%
        sli: {kind: composite, combine: worst, of: [a]}  #! all/a rests on itself: all/a → all/b → all/c → all/a
"""
    )


def test_an_indicator_that_services_share_names_the_services_of_its_parts() -> None:
    assert_marked("""\
name: shop
slis:
  right: {kind: composite, combine: worst, of: [web/up]}
  wrong:
    kind: composite
    combine: worst
    of:
      - up  #! up names no service (write service/up, since several services share this)
services:
  - name: web
    slos:
      - {name: up, objective: 99.9%, sli: {kind: probe}}
      - {name: whole, objective: 99%, sli: right}
""")


def test_dependencies_that_can_not_be() -> None:
    assert_marked(
        SERVICES
        + """\
      - name: a
        objective: 90%
        sli: {kind: probe}
        depends_on:
          - web/up
          - web/up  #! web/up is a dependency twice
          - web/back  #! web/back is a recovery, on which nothing depends
          - web/upp  #! there is no SLO of web 'upp' (did you mean up?)
          - {copies: 2}  #! a dependency is either an slo or a provider
          - {slo: api/ok, provider: x}  #! a dependency is either an slo or a provider
          - {provider: DNS}  #! DNS has no objective
          - {provider: CDN, objective: 100%}  #! an objective of 100 % is impossible
          - {slo: api/ok, objective: 99%}  #! api/ok has an objective of its own
          - {slo: api/sliced, copies: 0}  #! 0 copies are impossible
          - {provider: mail, objective: 99%, copies: 1.5}  #! is not a whole number
          - {provider: pay, objective: 99%, share: 0}  #! a share of 0 % is impossible
"""
    )


def test_steps_that_can_not_be() -> None:
    assert_marked("""\
name: shop
contacts: [{name: head}]
policy:
  - {left: 50%, action: a, effects: [review]}
  - {incident: 20%, action: a}
  - {left: 50%, incident: 20%, action: a}  #! a step begins at either left or incident
  - {action: a}  #! a step begins at either left or incident
  - {incident: 0, action: a}  #! an incident must spend more than 0 %
  - {left: 0, action: a, effects: [stop]}  #! effects can't be 'stop'
  - {left: 0, action: a, effects: [escalate], to: [haed]}  #! there is no contact 'haed' (did you mean head?)
  - {left: 0, action: a, to: [head]}  #! to means nothing without escalate
  - {left: 0, action: a, effects: [review], exempt: [security]}  #! exempt means nothing without freeze
services:
  - name: web
    slos:
      - {name: up, objective: 99.9%, sli: {kind: probe}}
""")


def test_short_forms_are_written_as_people_write_them() -> None:
    ok = Requests(metric="r", bad={"code": "500"})
    of = Composite(combine="weighted", of=[Part(slo="a"), Part(slo="b")])
    slos = [
        Slo(name="a", sli=ok, objective=0.99, depends_on=[Dependency(provider="DNS", objective=0.999, copies=2)]),
        Slo(name="b", sli=ok, objective=0.99, depends_on=[Dependency(slo="a"), Dependency(slo="c", share=0.5)]),
        Slo(name="c", sli=ok, objective=0.99),
        Slo(name="whole", sli=of, objective=0.99),
    ]
    catalogue = Catalogue(name="t", services=[Service(name="web", slos=slos)])
    assert check_catalogue(catalogue) == []
    text = to_yaml(catalogue)
    for lines in ("of:\n            - a\n            - b\n", "- a\n          - slo: c\n            share: 50%\n"):
        assert lines in text


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "sla.yml"
    path.write_text(
        SERVICES + "      - {name: z, objective: 99%, depends_on: [api/ok], "
        "sli: {kind: composite, combine: all, of: [web/ok]}}\n"
    )
    first = load(path)
    path.write_text(to_yaml(first))
    assert load(path) == first


def test_an_overlay_replaces_parts_and_dependencies_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "sla.yml"
    path.write_text(
        SERVICES
        + """\
      - name: z
        objective: 99%
        sli: {kind: composite, combine: all, of: [web/ok, api/ok]}
        depends_on: [api/ok, {provider: DNS, objective: 99.9%}]
environments:
  dev:
    services:
      all: {slos: {z: {sli: {of: [web/ok]}, depends_on: [{provider: DNS, objective: 99.9%}]}}}
"""
    )
    [_, slo] = next((service, slo) for service, slo in load(path, "dev").slos() if slo.name == "z")
    assert isinstance(slo.sli, Composite)
    assert slo.sli.of == [Part(slo="web/ok")]
    assert slo.depends_on == [Dependency(provider="DNS", objective=0.999)]


def test_a_value_of_a_wrong_type_in_python_is_told() -> None:
    slo = Slo(
        name="a",
        sli=Composite(combine="worst", of=["web/up"]),  # type: ignore[list-item]
        objective=0.99,
        depends_on=[Dependency(provider="DNS", objective=0.999, copies=1.5)],  # type: ignore[arg-type]
    )
    told = [
        mistake.message for mistake in check_catalogue(Catalogue(name="t", services=[Service(name="w", slos=[slo])]))
    ]
    assert told == [
        "services[0].slos[0].depends_on[0].copies: must be a whole number, not 1.5",
        "services[0].slos[0].sli.of[0]: must be a Part, not 'web/up'",
    ]
