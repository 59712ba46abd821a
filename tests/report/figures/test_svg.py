"""What pictures are drawn with: text stays text and inside, numbers are short, scales hold what they are given."""

import math
import unicodedata
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks.report.figures.svg import Canvas, Scale, Svg, fitted, nice_ticks, text_width

SVG = "{http://www.w3.org/2000/svg}"
NAMES = (
    "<script>alert(1)</script>",
    "\"quoted\" 'twice' & <b>",
    "a\x00b\x1b[31mc\nd\u2028e",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "\u202eright-to-left override",
    "\ufdfa\ufdfd",
    "\u4e2d\u6587" * 40,
    "W" * 300,
    "",
)
finite = st.floats(-1e60, 1e60, allow_nan=False)


def drawn(canvas: Canvas, title: str = "t", description: str = "d") -> ET.Element:
    return ET.fromstring(canvas.svg("k", title, description))


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize(("anchor", "x"), [("start", 100), ("middle", 60), ("end", 200)])
def test_any_name_is_text_inside_the_picture(name: str, anchor: str, x: float) -> None:
    canvas = Canvas(40)
    canvas.text(x, 20, name, anchor=anchor)  # type: ignore[arg-type]
    root = drawn(canvas, name, name)
    assert [child.tag for child in root] == [f"{SVG}title", f"{SVG}desc", f"{SVG}text"]
    (text,) = root.iter(f"{SVG}text")
    room = {"start": 368 - x, "middle": 2 * x, "end": x}[anchor]
    assert text_width(text.text or "") <= room
    assert (text.text or "").isprintable()
    if name.isprintable() and text_width(name) <= room:
        assert (text.text or "") == name
    assert "\u202e" not in (root[0].text or "")


def test_text_in_a_room_is_cut_with_an_ellipsis() -> None:
    assert fitted("dermatology", 1000.0) == "dermatology"
    cut = fitted("dermatology", 50.0)
    assert cut.endswith("…")
    assert cut[:-1] == "dermatology"[: len(cut) - 1] != ""
    assert text_width(cut) <= 50.0
    assert fitted("dermatology", 2.0) == ""


def test_small_text_is_refused() -> None:
    with pytest.raises(ValueError, match="11 or larger"):
        Canvas(20).text(0, 10, "a", size=9)


@pytest.mark.parametrize("key", ["", "1a", 'a"b', "a b", "é"])
def test_a_key_that_is_no_id_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Canvas(20).svg(key, "t", "d")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_coordinate_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="no coordinate"):
        Canvas(20).line(0, value, 1, 1)


def test_shapes_and_their_attributes() -> None:
    canvas = Canvas(50, width=100)
    canvas.line(0, 1 / 3, 10, -0.001, dashes="2 2")
    canvas.rect(1, 2, 3, 4, fill="#336699", opacity=0.5)
    canvas.circle(5, 5, 2.5, fill="none", stroke="currentColor")
    canvas.polygon([(0, 0), (1.005, 2), (3, 4)])
    canvas.path([(0, 0), (10.126, 5)])
    canvas.dots([(1, 2), (3, 4)], 2.0, opacity=0.5)
    canvas.rules([((0, 1), (2, 3)), ((4, 5), (6, 7))])
    canvas.dots([], 2.0)
    canvas.rules([])
    root = drawn(canvas)
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}" == "0 0 100 50"
    line, rect, circle, polygon, path, dots, rules = list(root)[2:]
    assert (line.get("y1"), line.get("y2"), line.get("stroke")) == ("0.33", "0", "currentColor")
    assert rect.get("fill-opacity") == "0.5"
    assert (circle.get("fill"), circle.get("stroke")) == ("none", "currentColor")
    assert polygon.get("points") == "0,0 1,2 3,4"
    assert (dots.get("d"), dots.get("stroke-width"), dots.get("stroke-linecap")) == ("M1 2h0M3 4h0", "4", "round")
    assert rules.get("d") == "M0 1L2 3M4 5L6 7"
    assert path.get("d") == "M0 0 L10.13 5"
    assert root.get("aria-labelledby", "").split() == [root[0].get("id"), root[1].get("id")]
    assert not {name for part in root.iter() for name in part.attrib} & {"style", "class"}


def test_markup_passes_a_template_that_escapes_text() -> None:
    markup = Canvas(10).svg("k", "a & b", "c")
    assert isinstance(markup, Svg)
    assert markup.__html__() == markup
    assert "a &amp; b" in markup


@given(st.tuples(finite, finite).filter(lambda ends: ends[1] - ends[0] > 1e-9 * max(map(abs, ends))), st.integers(5, 9))
def test_ticks_are_few_and_on_the_scale(ends: tuple[float, float], most: int) -> None:
    low, high = ends
    ticks = nice_ticks(low, high, most)
    span = high - low
    assert 2 <= len(ticks) <= most
    assert all(low - 1e-6 * span <= tick <= high + 1e-6 * span for tick in ticks)
    texts = [text for _, text in Scale(low, high, 0.0, 1.0).ticks(most)]
    assert len(set(texts)) == len(texts)


def test_ticks_are_written_alike() -> None:
    assert [text for _, text in Scale(0.0, 0.31, 0.0, 1.0).ticks()] == ["0.0", "0.1", "0.2", "0.3"]
    assert [text for _, text in Scale(-2e6, 2e6, 0.0, 1.0).ticks()] == [
        "-2000000",
        "-1000000",
        "0",
        "1000000",
        "2000000",
    ]
    assert [text for _, text in Scale(0.0, 4e-7, 0.0, 1.0).ticks()] == ["0", "1e-07", "2e-07", "3e-07", "4e-07"]


@given(st.lists(finite, max_size=5))
def test_a_scale_holds_its_values(values: list[float]) -> None:
    scale = Scale.over(values, 100.0, 10.0)
    assert scale.low < scale.high
    assert all(scale.holds(value) and 10.0 <= scale(value) <= 100.0 for value in values)


@pytest.mark.parametrize("values", [[0.0], [1.0], [0.0, 1.0], [0.5, 0.5], [], [None, math.nan]])
def test_a_scale_ends_where_a_rate_does(values: list[float | None]) -> None:
    scale = Scale.over(values, 0.0, 100.0, lowest=0.0, highest=1.0)
    assert 0.0 <= scale.low < scale.high <= 1.0
    assert all(scale.holds(value) for value in values if value is not None and not math.isnan(value))


def test_what_lies_outside_stands_at_the_end() -> None:
    assert Scale(0.0, 1.0, 10.0, 20.0)(7.0) == 20.0


@pytest.mark.parametrize("bold", [False, True], ids=["regular", "bold"])
def test_no_letter_is_wider_than_it_is_taken_for(bold: bool) -> None:
    # DejaVu Sans is among the widest fonts that browsers take for sans-serif, and is at hand wherever matplotlib is.
    fonts = pytest.importorskip("matplotlib.font_manager")
    ft2font = pytest.importorskip("matplotlib.ft2font")
    asked = fonts.FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    font = ft2font.FT2Font(fonts.findfont(asked))
    font.set_size(100.0, 72.0)
    known = font.get_charmap()
    letters = [chr(code) for code in known if chr(code).isprintable() and code < 0x1400]
    wide = {c: font.load_char(ord(c)).linearHoriAdvance / 65536.0 for c in letters}
    assert len(wide) > 1_000
    assert [c for c in letters if wide[c] > text_width(c, 100.0, bold=bold) and not unicodedata.combining(c)] == []
