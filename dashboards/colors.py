"""Colours that people with any kind of colour vision tell apart.

Okabe & Ito, "Color Universal Design" (2008): distinct for protanopia, deuteranopia and tritanopia. Yellow and black are
left out: one vanishes on a light theme, the other on a dark one.
"""

from __future__ import annotations

BLUE, ORANGE, GREEN, PURPLE, SKY, RED = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
#: Dark enough to be told from green and purple without green, light enough for a dark theme.
GREY = "#6C6C6C"

#: The names that queries use.
SERIES = {"blue": BLUE, "orange": ORANGE, "green": GREEN, "purple": PURPLE, "sky": SKY, "red": RED, "grey": GREY}
#: What is good and what is not: the worst two differ in brightness, too.
MEANING = {"good": GREEN, "warning": ORANGE, "critical": RED, "neutral": GREY}
