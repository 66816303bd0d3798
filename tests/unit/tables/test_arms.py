"""Keys of arms, and which of them is the control."""

from __future__ import annotations

import pytest

from neonblue.tables.arms import arm_keys, choose_control
from neonblue.tables.errors import FileError


@pytest.mark.parametrize(
    ("arms", "control"),
    [
        (["control", "treatment"], "control"),
        (["Control", "control_2"], "Control"),
        (["ctl", "new"], "ctl"),
        (["A", "B"], "A"),
        (["0", "1"], "0"),
        (["False", "True"], "False"),
        (["old checkout (control)", "new"], "old checkout (control)"),
        (["No E-Mail", "Mens E-Mail"], "No E-Mail"),
    ],
)
def test_the_arm_that_is_called_so_is_the_control(arms: list[str], control: str) -> None:
    assert choose_control(arm_keys(arms), None) == control


@pytest.mark.parametrize(
    "arms",
    [
        ["old_page", "new_page"],
        ["x", "y"],
        ["control_1", "control_2"],
        ["parental_controls", "old"],
        ["new_controls", "x"],
        ["parental_control", "off_page"],
        ["remote control", "touch"],
    ],
)
def test_without_such_an_arm_the_control_is_asked_for(arms: list[str]) -> None:
    with pytest.raises(FileError, match="--control: say which arm is the control; the arms are"):
        choose_control(arm_keys(arms), None)


@pytest.mark.parametrize("given", ["Old Page", "old page", "old_page", " old page "])
def test_a_control_is_named_by_its_name_or_its_key(given: str) -> None:
    assert choose_control(arm_keys(["Old Page", "x"]), given) == "Old Page"


@pytest.mark.parametrize("arms", [["Treatment", "treatment"], ["a b", "a_b"], ["a-", "a"]])
def test_one_arm_in_two_spellings_is_refused(arms: list[str]) -> None:
    with pytest.raises(FileError, match="write each arm in one way"):
        arm_keys(arms)


def test_arms_in_other_scripts_have_keys() -> None:
    keys = arm_keys(["контроль", "новый", "späti"])

    assert len(set(keys.values())) == 3
    assert keys["späti"] == "spati"


@pytest.mark.parametrize(
    "arms", [["+5%", "-5%"], ["price +5", "price -5"], ["对照组1", "实验组1"], ["a!", "a?"]]
)
def test_arms_that_differ_in_more_than_spelling_have_keys_of_their_own(arms: list[str]) -> None:
    assert len(set(arm_keys(arms).values())) == 2
