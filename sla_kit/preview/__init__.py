"""Dashboards without a Grafana: each panel drawn from what its own queries give, to be judged before they ship."""
