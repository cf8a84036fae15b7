"""Who is told of what, by the catalogue: pure decisions on labels and a time, with the reasons for each."""

from sla_kit.routing.deciding.deciding import Deciding, Decision
from sla_kit.routing.deciding.links import links_of
from sla_kit.routing.deciding.live_calendar import Mute
from sla_kit.routing.deciding.promises import promise_of
from sla_kit.routing.deciding.routes import Considered
from sla_kit.routing.deciding.subjects import Subject

__all__ = ["Considered", "Deciding", "Decision", "Mute", "Subject", "links_of", "promise_of"]
