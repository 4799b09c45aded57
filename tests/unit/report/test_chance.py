"""Whether a difference between two sessions is more than chance: known values, few values, and how often it errs."""

from __future__ import annotations

import random

import pytest

from pytest_wisebot.report import chance
from pytest_wisebot.report.chance import Chance, fisher, of_p50, of_p95, of_rates


@pytest.mark.parametrize(
    ("table", "p"),
    [((8, 10, 1, 10), 0.0054775), ((1, 9, 11, 14), 0.0027595), ((3, 3, 0, 3), 0.1), ((5, 10, 5, 10), 1.0)],
)
def test_the_exact_test_has_the_values_of_the_books(table: tuple[int, int, int, int], p: float) -> None:
    """The p of Fisher's exact test is that of statistics packages."""
    assert fisher(*table) == pytest.approx(p, rel=1e-4)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((20, 20), (12, 20), Chance.MORE),
        ((20, 20), (18, 20), Chance.WITHIN),
        ((3, 3), (0, 3), Chance.FEW),
        ((4, 4), (0, 4), Chance.MORE),
        ((4000, 5000), (4200, 5000), Chance.MORE),
        ((0, 0), (4, 4), Chance.FEW),
    ],
)
def test_pass_rates(before: tuple[int, int], after: tuple[int, int], expected: Chance) -> None:
    """A pass rate that fell by more than chance is told from one that did not, and from one of too few tests."""
    assert of_rates(*before, *after) is expected
    assert of_rates(*after, *before) is expected


def seconds(number: int, seed: int, slower: float = 1.0) -> list[float]:
    lot = random.Random(seed)
    return [slower * lot.lognormvariate(0, 0.5) for _ in range(number)]


@pytest.mark.parametrize("deals", [200, pytest.param(chance.DEALS, marks=pytest.mark.heavy)])
def test_durations_of_one_kind_seldom_differ_and_slower_ones_do(deals: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of sessions that are alike about one of twenty stands out, however often the lot decides; of slower ones most."""
    monkeypatch.setattr(chance, "DEALS", deals)
    for judge, number in ((of_p50, 20), (of_p95, 40)):
        alike = [judge(seconds(number, seed), seconds(number, 1000 + seed)) for seed in range(60)]
        slower = [judge(seconds(number, seed), seconds(number, 1000 + seed, 2.5)) for seed in range(20)]
        assert alike.count(Chance.MORE) <= 8
        assert slower.count(Chance.MORE) >= 17


def test_equal_input_has_an_equal_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that is made again shows the same."""
    monkeypatch.setattr(chance, "DEALS", 100)
    one, two = seconds(300, 1), seconds(280, 2, 1.1)
    assert len({of_p50(one, two) for _ in range(5)}) == 1


def test_equal_durations_are_within_chance() -> None:
    """Durations that are all equal differ by nothing."""
    assert of_p50([1.0] * 30, [1.0] * 30) is Chance.WITHIN


@pytest.mark.parametrize(
    ("before", "after", "p50", "p95"),
    [(5, 40, Chance.FEW, Chance.FEW), (6, 6, Chance.MORE, Chance.FEW), (20, 20, Chance.MORE, Chance.MORE)],
)
def test_few_runs_show_nothing(before: int, after: int, p50: Chance, p95: Chance) -> None:
    """With too few runs to tell even runs that are ten times as slow, that is what is shown."""
    one, two = [1 + number / 100 for number in range(before)], [10 + number / 100 for number in range(after)]
    assert (of_p50(one, two), of_p95(one, two)) == (p50, p95)
