"""PromQL that several panels have in common."""

from __future__ import annotations


def rate(name: str, by: str = "") -> str:
    """How much a counter grows a second, summed up by labels; over as long as Grafana finds right for the picture."""
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}(rate({name}[$__rate_interval]))"


def quantile(share: float, name: str, by: str, among: str = "") -> str:
    """The value below which this share of a histogram lies, by a label. Nothing where nothing happened."""
    return f"histogram_quantile({share:g}, {rate(f'{name}_bucket{among}', f'{by}, le')}) >= 0"


def mean(name: str, by: str) -> str:
    """The mean of a histogram, by a label. Nothing where nothing happened."""
    return f"{rate(f'{name}_sum', by)} / {rate(f'{name}_count', by)} >= 0"


def above(name: str, bound: str) -> str:
    """How many of a histogram are above a bound of its, a second. `bound`: as Prometheus writes it."""
    within = f'{name}_bucket{{le="{bound}"}}'
    return f"{rate(f'{name}_count')} - {rate(within)}"


def shares(name: str, by: str) -> str:
    """What part of a counter's growth falls to each value of a label. Nothing where nothing happened."""
    return f"{rate(name, by)} / ignoring ({by}) group_left {rate(name)} >= 0"
