"""Tests of the rules that follow from the promises."""
