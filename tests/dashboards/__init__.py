"""The dashboards without a Grafana: their queries expanded and asked as Grafana does it, and drawn."""
