"""A server that answers every question with success, and none of them with what was asked for."""

from __future__ import annotations

import pytest

from sla_kit.catalogue.model import Catalogue
from sla_kit.elastic import Cluster, ClusterError
from sla_kit.elk.applying import _current
from sla_kit.elk.objects import objects
from tests.elastic.scripted import Answer, scripted


@pytest.mark.parametrize("kind", ["index template", "component template"])
@pytest.mark.parametrize("body", [{}, {"index_templates": [], "component_templates": 5}], ids=["empty", "wrong"])
def test_a_template_without_one_is_an_error(kind: str, body: object) -> None:
    wanted = next(each for each in objects(Catalogue(name="shop", services=[])) if each.kind == kind)
    with scripted([Answer(body)]) as server, pytest.raises(ClusterError, match="has none"):
        _current(Cluster(server.url), wanted)
