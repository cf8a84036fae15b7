"""E-mail: one when an incident opens, is raised or escalated, and one when it resolves, as one thread, by SMTP."""

from sla_kit.routing.mail.adapter import open_adapter

__all__ = ["open_adapter"]
