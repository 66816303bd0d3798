"""Grafana's dashboards: as typed values. ``python -m neonblue.dashboards`` writes them."""
