"""Deliveries: all that is done with them, from being wanted to being forgotten."""

from sla_kit.routing.outbox.claiming import (
    Claimed,
    claim,
    give_up,
    look_at,
    mark_fell_back,
    next_due,
    parcel,
    postpone,
    release,
    remember,
    retry,
    succeed,
)
from sla_kit.routing.outbox.looking import Delivery, Figures, History, delivery_of, figures, history, page, told_of
from sla_kit.routing.outbox.retention import purge
from sla_kit.routing.outbox.wanting import drop, fold, revive, want, want_content

__all__ = [
    "Claimed",
    "Delivery",
    "Figures",
    "History",
    "claim",
    "delivery_of",
    "drop",
    "figures",
    "fold",
    "give_up",
    "history",
    "look_at",
    "mark_fell_back",
    "next_due",
    "page",
    "parcel",
    "postpone",
    "purge",
    "release",
    "remember",
    "retry",
    "revive",
    "succeed",
    "told_of",
    "want",
    "want_content",
]
