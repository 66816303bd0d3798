"""Grafana's dashboards: what an operator and an analyst look at, as typed values. ``python -m neonblue.dashboards`` writes them."""
