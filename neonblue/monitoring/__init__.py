"""What Prometheus is told of the parts that do not tell it themselves, and how its alerts reach people."""
