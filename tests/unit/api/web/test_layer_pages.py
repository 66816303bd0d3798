"""Layers and holdouts over every state and role: the picture is whole, forms are for editors, and lose nothing."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.holdouts.schemas import HoldoutNew, HoldoutOut, HoldoutPage, HoldoutPatch
from api.holdouts.service import HoldoutService
from api.http.problems import Problem
from api.layers.schemas import LayerNew, LayerOut, LayerPage, LayerPatch, SlotsOut
from api.layers.service import LayerService
from api.layers.slots import Slots, free_slots
from api.web.layers import page as pages
from api.web.layers.drawing import percent, pieces_of
from api.web.shared.forms import Filled
from api.web.shared.frame import Frame, Visitor, render
from neonblue.contract.life_cycle import Status
from tests.unit.api.web import test_forms
from tests.unit.api.web.html import Page, parsed
from tests.unit.api.web.made import NOW, UGLY
from tests.unit.api.web.test_experiment_page import check_form, check_policy
from tests.unit.api.web.test_forms import Site

site = test_forms.site
LONG = "k" * 256


def layer(*held: tuple[str, int, int], **fields: Any) -> LayerOut:
    slots = [
        SlotsOut(experiment=key, status=Status.RUNNING, start=start, end=end) for key, start, end in held
    ]
    gaps = [gap.share for gap in free_slots(Slots(start, end) for _, start, end in held)]
    given: dict[str, Any] = {
        "key": "checkout",
        "name": "The checkout",
        "salt": "s",
        "slots": slots,
        "free": sum(gaps),
        "largest_free": max(gaps, default=0),
        "version": 3,
        "created_at": NOW,
    }
    return LayerOut.model_validate({**given, **fields})


def holdout(**fields: Any) -> HoldoutOut:
    given = {"key": "2026", "name": None, "salt": "s", "share": 250, "version": 2, "created_at": NOW}
    return HoldoutOut.model_validate({**given, **fields})


def shown(template: str, page: Any, role: str = "editor") -> Page:
    frame = Frame("", "x", Visitor("mira", role, "the-csrf-token"), place="layers")
    found = parsed(render(template, frame, page=page))
    check_policy(found)
    check_form(found)
    return found


def all_of(layers: list[LayerOut], holdouts: list[HoldoutOut], **fields: Any) -> pages.ListPage:
    return pages.list_page((layers, None, None), (holdouts, None, None), **fields)


def text_of(found: Page) -> str:
    return " ".join(element.text for element in found.named("main"))


def forms(found: Page) -> list[str]:
    return [form.attributes["action"] for form in found.named("form") if "main" in form.within]


@st.composite
def held(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    ends = sorted(draw(st.sets(st.integers(0, 10_000), max_size=14)))
    pairs = list(zip(ends[::2], ends[1::2], strict=False))
    found = [(draw(st.sampled_from(["a", "checkout-2026", LONG])), start, end) for start, end in pairs]
    return draw(st.permutations(found))


@given(held())
def test_the_bar_is_all_of_the_traffic_without_gaps_and_numbers_are_those_of_the_table(
    slots: list[tuple[str, int, int]],
) -> None:
    one = layer(*slots)
    pieces, holders = pieces_of(one), pages.layer_of(one).holders
    at = 0.0
    for piece in pieces:
        assert float(piece.x[:-1]) == pytest.approx(at, abs=0.011)
        at = float(piece.x[:-1]) + float(piece.width[:-1])
        assert len(piece.label) * 7 <= 340 * float(piece.width[:-1]) / 100 + 0.1
    assert at == pytest.approx(100, abs=0.011)
    assert sum(float(piece.width[:-1]) for piece in pieces if piece.number == 0) == pytest.approx(
        one.free / 100
    )
    numbered = [piece for piece in pieces if piece.number]
    assert [piece.number for piece in numbered] == [holder.number for holder in holders]
    assert [piece.colour for piece in numbered] == [holder.colour for holder in holders]
    assert sorted(holder.experiment for holder in holders) == sorted(key for key, _, _ in slots)
    for one_of, other in itertools.pairwise(pieces):
        assert one_of.colour != other.colour


def test_the_room_is_told_in_one_piece_and_in_several() -> None:
    for slots, told in (
        ([], "100 % is free."),
        ([("a", 0, 10_000)], "No room is left."),
        ([("a", 0, 2_500)], "75 % is free."),
        ([("a", 2_500, 5_000)], "75 % is free, at most 50 % of it in one piece."),
        ([("a", 1, 10_000)], "0.01 % is free."),
    ):
        assert pages.layer_of(layer(*slots)).room == told
    assert [percent(share) for share in (1, 10, 1_250, 10_000)] == ["0.01 %", "0.1 %", "12.5 %", "100 %"]


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
def test_forms_are_for_those_who_may_send_them(role: str) -> None:
    may = role != "viewer"
    listed = shown("layers.html", all_of([layer(("a", 0, 100))], [holdout()]), role)
    buttons = [link.text for link in listed.named("a") if link.text.startswith("New ")]
    assert bool(buttons) == may
    one = shown("layer.html", pages.LayerPage(pages.layer_of(layer())), role)
    other = shown("holdout.html", pages.HoldoutPage(pages.holdout_of(holdout())), role)
    for found in (one, other):
        assert bool([link for link in found.named("a") if link.text.endswith("…")]) == may
        assert forms(found) == []


def test_empty_full_and_ugly_layers_are_whole() -> None:
    many = [(f"experiment-{number}", number * 100, number * 100 + 100) for number in range(100)]
    for one in (layer(), layer((LONG, 0, 1)), layer(*many), layer(name=UGLY), layer(name=None)):
        found = shown(
            "layers.html", all_of([one], [holdout(name=UGLY), holdout(share=0), holdout(share=10_000)])
        )
        assert "\u202e" not in text_of(found)
        assert (
            len([rect for rect in found.named("rect") if "slot" in rect.attributes.get("class", "").split()])
            >= 1
        )
        shown("layer.html", pages.LayerPage(pages.layer_of(one), pages.Act.DELETE))
    empty = text_of(shown("layers.html", all_of([], [])))
    assert "No layer yet" in empty
    assert "every unit may enter" in empty


def test_pages_of_both_lists_keep_each_others_place() -> None:
    page = pages.list_page(([layer()], "l1", "l2"), ([holdout()], "h1", "h2"))
    assert (page.more_layers, page.more_holdouts) == ("?layers=l2&holdouts=h1", "?layers=l1&holdouts=h2")
    last = text_of(shown("layers.html", pages.list_page(([], "l1", None), ([], "h1", None))))
    assert "No more layers" in last
    assert "No more holdouts" in last


@pytest.mark.parametrize(("make", "act"), list(itertools.product([*pages.Make, None], [*pages.Act, None])))
def test_every_open_form_is_whole_also_when_it_was_refused(
    make: pages.Make | None, act: pages.Act | None
) -> None:
    refused = Filled(
        {"key": UGLY, "name": UGLY, "share": UGLY}, {"": UGLY, "key": "a", "name": "b", "share": "c"}
    )
    for filled in (Filled(), refused):
        listed = shown("layers.html", all_of([layer()], [holdout()], make=make, filled=filled))
        assert forms(listed) == (["/layers#make"] if make else [])
        for conflict in (False, True):
            one = pages.LayerPage(pages.layer_of(layer()), act, filled, conflict)
            other = pages.HoldoutPage(pages.holdout_of(holdout()), act, filled, conflict)
            for found in (shown("layer.html", one), shown("holdout.html", other)):
                assert len(forms(found)) == (act is not None)
                assert ("Somebody was quicker" in text_of(found)) == (conflict and act is not None)


@pytest.mark.parametrize(("typed", "share"), [("2", 200), ("2.5", 250), ("2.5 %", 250), (" 100% ", 10_000)])
def test_a_share_is_typed_in_per_cent(typed: str, share: int) -> None:
    form = {"key": "2026", "share": typed}
    assert HoldoutNew.model_validate(pages.new_of(pages.Make.HOLDOUT, form)).share == share
    assert HoldoutPatch.model_validate(pages.change_of(form, of_holdout=True)).share == share
    opened = pages.filled_of(pages.holdout_of(holdout(share=share)))
    assert HoldoutPatch.model_validate(pages.change_of(opened.given, of_holdout=True)).share == share


@dataclass
class Kept:
    """What was done, and the state that both are in."""

    done: list[tuple[Any, ...]] = field(default_factory=list)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    found = Kept()

    def check(version: int, tag: str | None) -> None:
        if tag != f'"{version}"':
            raise Problem(412, "changed_meanwhile", "It was changed since you read it", field="if-match")

    async def new_layer(_: LayerService, new: LayerNew, actor: Any) -> LayerOut:
        if new.key == "taken":
            raise Problem(409, "layer_exists", "A layer with this key exists", field="key")
        found.done.append(("new layer", new.key, new.name))
        return layer(key=new.key)

    async def get_layer(_: LayerService, key: str) -> LayerOut:
        if key != "checkout":
            raise Problem(404, "not_found", "There is no such layer")
        return layer(("a", 0, 100))

    async def layers(*_: Any) -> LayerPage:
        return LayerPage(items=[layer()], next_cursor=None)

    async def patch_layer(
        _: LayerService, key: str, patch: LayerPatch, tag: str | None, actor: Any
    ) -> LayerOut:
        check(3, tag)
        found.done.append(("layer", key, patch.name))
        return layer()

    async def delete_layer(_: LayerService, key: str, actor: Any) -> None:
        raise Problem(409, "layer_in_use", "Experiments refer to the layer")

    async def new_holdout(_: HoldoutService, new: HoldoutNew, actor: Any) -> HoldoutOut:
        found.done.append(("new holdout", new.key, new.share))
        return holdout(key=new.key)

    async def get_holdout(_: HoldoutService, key: str) -> HoldoutOut:
        return holdout()

    async def holdouts(*_: Any) -> HoldoutPage:
        return HoldoutPage(items=[holdout()], next_cursor=None)

    async def patch_holdout(
        _: HoldoutService, key: str, patch: HoldoutPatch, tag: str | None, actor: Any
    ) -> HoldoutOut:
        check(2, tag)
        if patch.share < 250:
            raise Problem(
                409, "may_only_grow", "is 250 and may only grow while experiments run", field="share"
            )
        found.done.append(("holdout", key, patch.share, patch.reason))
        return holdout()

    async def delete_holdout(_: HoldoutService, key: str, actor: Any) -> None:
        if key == "named":
            members = {"experiments": ["one", "two"]}
            raise Problem(409, "holdout_in_use", "Experiments name the holdout", members=members)
        found.done.append(("delete holdout", key))

    for owner, name, made_up in (
        (LayerService, "create", new_layer), (LayerService, "get", get_layer), (LayerService, "page", layers),
        (LayerService, "patch", patch_layer), (LayerService, "delete", delete_layer),
        (HoldoutService, "create", new_holdout), (HoldoutService, "get", get_holdout),
        (HoldoutService, "page", holdouts), (HoldoutService, "patch", patch_holdout),
        (HoldoutService, "delete", delete_holdout),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, made_up)
    return found


SENT: list[tuple[str, dict[str, str], str, tuple[Any, ...]]] = [
    ("/layers", {"make": "layer", "key": "new", "name": " New "}, "/layers/new", ("new layer", "new", "New")),
    ("/layers", {"make": "holdout", "key": "h", "share": "2"}, "/holdouts/h", ("new holdout", "h", 200)),
    (
        "/layers/checkout",
        {"do": "change", "version": "3", "name": ""},
        "/layers/checkout",
        ("layer", "checkout", None),
    ),
    (
        "/holdouts/2026",
        {"do": "change", "version": "2", "share": "3", "reason": "more"},
        "/holdouts/2026",
        ("holdout", "2026", 300, "more"),
    ),
    ("/holdouts/2026", {"do": "delete", "version": "2"}, "/layers", ("delete holdout", "2026")),
]


@pytest.mark.parametrize(("path", "form", "leads", "done"), SENT)
def test_an_editors_form_does_it_and_leads_on_and_nobody_elses(
    site: Site, kept: Kept, path: str, form: dict[str, str], leads: str, done: tuple[Any, ...]
) -> None:
    for role, csrf in (("viewer", "csrf of viewer"), ("editor", "csrf of admin"), ("editor", "")):
        assert site.send("POST", path, role, data=form | {"csrf": csrf}).status_code == 403
    assert kept.done == []
    led = site.send("POST", path, "editor", data=form | {"csrf": "csrf of editor"})
    assert (led.status_code, led.headers["location"]) == (303, leads)
    assert kept.done == [done]


@pytest.mark.parametrize(
    ("path", "form", "status", "told"),
    [
        ("/layers", {"make": "layer", "key": "taken"}, 409, "A layer with this key exists"),
        ("/layers", {"make": "layer", "key": "no key"}, 422, 'id="key-error"'),
        ("/layers", {"make": "layer", "key": "a", "salt": "no salt"}, 422, 'id="salt-error"'),
        ("/layers", {"make": "holdout", "key": "h", "share": "half"}, 422, 'id="share-error"'),
        ("/layers", {"make": "holdout", "key": "h", "share": "101"}, 422, 'id="share-error"'),
        ("/layers/checkout", {"do": "change", "version": "2"}, 412, "Somebody was quicker"),
        ("/layers/checkout", {"do": "change", "version": "x"}, 422, "names no version"),
        ("/layers/checkout", {"do": "delete", "version": "3"}, 409, "Experiments refer to the layer"),
        ("/layers/checkout", {"do": "fly", "version": "3"}, 422, "does not say what to do"),
        ("/layers/gone", {"do": "change", "version": "2"}, 404, None),
        ("/holdouts/2026", {"do": "change", "version": "2", "share": "1"}, 409, "may only grow"),
        ("/holdouts/2026", {"do": "change", "version": "1", "share": "1"}, 412, "Somebody was quicker"),
        ("/holdouts/named", {"do": "delete", "version": "2"}, 409, "Experiments name the holdout: one, two"),
    ],
)
def test_a_refused_form_is_shown_again_with_what_was_typed(
    site: Site, kept: Kept, path: str, form: dict[str, str], status: int, told: str | None
) -> None:
    answer = site.send("POST", path, "editor", data=form | {"csrf": "csrf of editor", "name": "typed <b>"})
    assert answer.status_code == status
    assert (told or "There is no such layer") in answer.text
    if 'id="name"' in answer.text:
        assert 'value="typed &lt;b&gt;"' in answer.text
    assert kept.done == []


def test_a_viewer_who_types_a_forms_address_sees_none(site: Site, kept: Kept) -> None:
    for path in ("/layers?make=layer", "/layers/checkout?do=change", "/holdouts/2026?do=delete"):
        for role in ("viewer", "editor"):
            page = site.send("GET", path, role)
            assert page.status_code == 200
            assert (len(forms(parsed(page.text))) == 1) == (role == "editor")
