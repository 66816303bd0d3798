"""The calibration in short, and the table it writes."""

import numpy as np
import pytest

from neonblue.statistics import MetricKind, Moments, compare_strata
from tests.calibration import lopsided, lopsided_looks, ramps, strata
from tests.calibration.measurements import measure
from tests.calibration.table import BEGIN, END, Row, about, at_most, exactly, markdown, within, write


def test_every_error_rate_holds_in_a_short_run():
    rows = list(measure(0.02))

    assert len(rows) > 60
    assert [row for row in rows if not row.holds] == []


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        (exactly("size", 0.05, 0.0, 0.056), True),
        (exactly("size", 0.06, 0.0, 0.056), False),
        (about("coverage", 0.95, 0.95, 10_000), True),
        (about("coverage", 0.94, 0.95, 10_000), False),
        (at_most("false positives", 0.0, 0.05, 10_000), True),
        (at_most("false positives", 0.06, 0.05, 10_000), False),
        (within("share", 0.4, 0.3, 0.65, 100), True),
        (within("share", 0.2, 0.3, 0.65, 100), False),
    ],
)
def test_a_row_holds_where_its_result_lies_in_its_range(row, holds):
    assert row.holds is holds


def test_the_table_replaces_the_one_before_and_nothing_else(tmp_path):
    document = tmp_path / "statistics.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    rows = [Row("size", "≤ 0.056", 0.06, 0.0, 0.056, "exact")]

    write(markdown(rows), document)

    assert document.read_text() == f"before\n{BEGIN}\n{markdown(rows)}\n{END}\nafter\n"
    assert "| size | ≤ 0.056 | 0.0600 | **no** | exact |" in markdown(rows)


def test_a_document_without_the_markers_is_refused(tmp_path):
    document = tmp_path / "statistics.md"
    document.write_text("nothing here\n")

    with pytest.raises(ValueError, match="markers"):
        write("", document)


def test_the_table_of_versions_has_every_metric_under_every_allocation():
    cells, covered = list(strata.measure(0.001)), list(strata.coverage(0.001))

    assert len(cells) == len(strata.METRICS) * len(strata.DESIGNS)
    table = strata.markdown(cells, covered)
    assert table.count("| 99:1 |") == len(strata.METRICS)
    assert all(name in table for name, _ in covered)


@pytest.mark.parametrize("sizes", [((900, 100), (500, 500)), ((9000, 3000), (4000, 4000)), ((900, 100),)])
def test_rates_judged_together_are_those_judged_one_by_one(sizes):
    rng = np.random.default_rng(1)
    n_c, n_t = (np.array([pair[arm] for pair in sizes])[:, None] for arm in (0, 1))
    x_c, x_t = (rng.binomial(n, 0.05, (len(sizes), 20)).astype(float) for n in (n_c, n_t))

    together = strata.rates_over_versions(x_c, n_c, x_t, n_t)

    for place in range(20):
        pairs = [
            (Moments.proportion(int(x_c[s, place]), n), Moments.proportion(int(x_t[s, place]), m))
            for s, (n, m) in enumerate(sizes)
        ]
        interval = compare_strata(MetricKind.PROPORTION, pairs).absolute.interval
        assert (together.lower[place], together.upper[place]) == pytest.approx(
            (interval.lower, interval.upper)
        )


def test_versions_find_no_effect_where_pooling_does():
    cells = {cell.design: cell for cell in strata.measure(0.02, ["rate 0.1"])}

    ramp = cells["10 % ramp, then 1:1"]
    assert sum(ramp.tails["versions"]) < 0.1
    assert sum(ramp.tails["pooled"]) > 0.3
    assert ramp.power["versions"] > 0.5


def test_the_tables_of_lopsided_arms_have_every_metric_and_split():
    rows, others = list(lopsided.measure(0.001)), list(lopsided.rivals(0.001))
    table = lopsided.markdown(rows, others)

    assert len(rows) == sum(len(splits) for _, _, splits, _ in lopsided.METRICS.values())
    assert table.count("| 19,000 : 1,000 |") == 4


def test_the_tables_of_watched_arms_have_every_split_and_cap():
    looks, held = list(lopsided_looks.watched(0.001)), list(lopsided_looks.margins(0.001))
    ends = list(lopsided_looks.planned(0.001))
    table = lopsided_looks.markdown(looks, ends, held, [("1:1", "none", [0.5] * len(lopsided_looks.UNITS))])

    assert table.count("revenue: Welch / engine / pooled") == len(lopsided_looks.EACH_LOOK)
    assert "| 1:1, none | 50 |" in table


def test_a_harmless_ramp_reaches_all_and_a_harmful_one_is_stopped():
    harmless, harmful = ramps.play(0, 1.0), ramps.play(0, 2.0)

    assert harmless == ramps.Outcome(10_000, breached=False)
    assert harmful.breached
    assert harmful.share < 10_000


def test_the_table_of_ramps_tells_false_alarms_from_true_ones():
    rows = [
        ramps.Played(
            "harmless",
            [ramps.Outcome(10_000, breached=False)] * 19 + [ramps.Outcome(500, breached=True)] * 2,
            0.05,
        ),
        ramps.Played("harmful", [ramps.Outcome(2_500, breached=True)] * 4, None),
    ]
    table = ramps.markdown(rows)

    assert "| harmless | 21 | 9.5% | ≤ 5.0% | **no** | 5 %, 5 % |" in table
    assert "| harmful | 4 | 100.0% | - | yes | 25 %, 25 % |" in table
