"""Environments: what an overlay changes, and where its mistakes stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.catalogue import Catalogue, Probe, Requests, check, load
from sla_kit.errors import CatalogueError
from tests.catalogue.written import GOOD, assert_marked, mistakes_of

OVERLAYS = """\
runbooks: https://runbooks.example.com
sum_labels: [route, method]
environments:
  production:
  dev:
    runbooks: null
    sum_labels: [path]
    services:
      - name: api
        owner: null
        slis:
          requests: {matchers: {namespace: dev}}
        slos:
          - {name: availability, objective: 95%}
          - {name: extra, sli: up, objective: 90%}
      - name: web
        slos: [{name: reachable, sli: {kind: probe}, objective: 90%}]
  staging:
    services:
      api:
        slis: {requests: {kind: probe, metric: up}}
        slos: {availability: {objective: 97%}, reachable: null, more: {sli: up, objective: 90%}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "sla.yml"
    file.write_text(GOOD + OVERLAYS)
    return file


def _objectives(catalogue: Catalogue) -> dict[str, float]:
    return {f"{service.name}/{slo.name}": slo.objective for service, slo in catalogue.slos()}


def test_the_base_is_without_overlays(path: Path) -> None:
    catalogue = load(path)
    assert catalogue.environment == ""
    assert _objectives(catalogue) == {"api/availability": 0.999, "api/reachable": 0.99}


def test_an_overlay_merges_deeply_by_name_replaces_and_removes(path: Path) -> None:
    catalogue = load(path, "dev")
    assert (catalogue.environment, catalogue.runbooks, catalogue.sum_labels) == ("dev", "", ["path"])
    assert catalogue.services[0].owner == ""
    requests = catalogue.services[0].slis["requests"]
    assert isinstance(requests, Requests)
    assert (requests.matchers, requests.bad) == ({"namespace": "dev"}, {"code": "=~5.."})
    assert _objectives(catalogue) == {
        "api/availability": 0.95,
        "api/reachable": 0.99,
        "api/extra": 0.9,
        "web/reachable": 0.9,
    }


def test_an_overlay_may_name_things_by_key(path: Path) -> None:
    catalogue = load(path, "staging")
    assert _objectives(catalogue) == {"api/availability": 0.97, "api/more": 0.9}
    assert catalogue.services[0].slis["requests"] == Probe(metric="up")


def test_an_empty_overlay_is_the_base_under_its_name(path: Path) -> None:
    assert load(path, "production").environment == "production"
    assert _objectives(load(path, "production")) == _objectives(load(path))


def test_the_base_may_be_an_environment_itself(tmp_path: Path) -> None:
    file = tmp_path / "sla.yml"
    file.write_text(GOOD + "environment: production\nenvironments: {dev: {}}\n")
    assert load(file).environment == "production"
    assert load(file, "production").environment == "production"
    assert load(file, "dev").environment == "dev"


def test_an_unknown_environment_names_the_nearest(path: Path) -> None:
    with pytest.raises(CatalogueError) as caught:
        load(path, "stagin")
    (mistake,) = caught.value.mistakes
    assert "did you mean staging?" in mistake.hint


def test_overlays_are_checked_without_being_chosen_each_mistake_once() -> None:
    assert_marked(
        GOOD.replace("99.9%}", "100%}  #! is impossible")
        + """\
environments:
  dev:
    services:
      - name: api
        onwer: platform  #! unknown key onwer (did you mean owner?)
        slos:
          - {name: reachable, objective: 0%}  #! is impossible
          - {name: reachabel, objective: 90%}  #! has no sli
  staging:
    contacts: {platform: null}
    services: {api: {slis: {upp: null}}}  #! upp is not there to be taken away (did you mean up?)
  test: everything  #! must be a mapping
""".replace("contacts: {platform: null}", "bucket: 7s  #! does not divide an hour")
    )


def test_what_an_overlay_takes_away_leaves_its_users_dangling() -> None:
    found = mistakes_of(GOOD + "environments:\n  dev:\n    contacts: {platform: null}\n")
    assert [(mistake.line, mistake.message) for mistake in found] == [(6, "there is no contact 'platform'")]


def test_only_the_chosen_overlay_is_checked(path: Path) -> None:
    path.write_text(GOOD + "environments:\n  dev: {bucket: 7s}\n  staging: {}\n")
    assert check(path, "staging")[1] == []
    assert [mistake.line for mistake in check(path, "dev")[1]] == [14]
    assert [mistake.line for mistake in check(path)[1]] == [14]


def test_environments_must_be_a_mapping() -> None:
    assert_marked(GOOD + "environments: [dev]  #! must be a mapping\n")
