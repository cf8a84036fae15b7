"""A Grafana by its HTTP API: bringing dashboards there, reading them back, and telling what differs.

`connection` asks and explains refusals, `api` knows the paths, `document` compares dashboards whatever Grafana adds to
them, `comparing` tells how each of ours stands, `pushing` and `pulling` act on it.
"""
