"""Text of others on a terminal, which takes some characters for orders."""

from sla_kit.visibility import visible, visible_json

__all__ = ["visible", "visible_json"]
