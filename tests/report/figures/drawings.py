"""What every picture is held to, and how tests read one."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from fairness_checks.report.figures.svg import WIDTH, Figure, Svg, text_width

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = {
    "markup": "<script>alert(1)</script>",
    "quotes": "\"quoted\" 'twice' & <b>",
    "control": "a\x00b\x1b[31mc\nd\u2028e",
    "right_to_left": "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "override": "\u202eright-to-left",
    "long": "W" * 300,
}
_ALLOWED = {"svg", "title", "desc", "text", "line", "rect", "circle", "polygon", "path"}


def drawn(figure: Figure) -> ET.Element:
    """Parse a picture, and hold it to what all are held to."""
    root = ET.fromstring(figure.svg)
    assert isinstance(figure.svg, Svg)
    assert {part.tag.removeprefix(SVG) for part in root.iter()} <= _ALLOWED
    assert (root[0].text, root[1].text) == (figure.title, figure.description)
    assert figure.title.isprintable()
    assert figure.description.isprintable()
    width, height = (float(root.get(name, "")) for name in ("width", "height"))
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    assert width <= WIDTH
    assert root.get("role") == "img"
    assert root.get("fill") == "currentColor"
    assert root.get("aria-labelledby", "").split() == [part.get("id") for part in root[:2]]
    for part in root.iter():
        assert not {"style", "class", "href", "onload"} & set(part.attrib)
        for name, value in part.attrib.items():
            if re.fullmatch("x|y|x1|x2|cx|y1|y2|cy", name):
                assert -0.01 <= float(value) <= (height if "y" in name else width) + 0.01, (part.tag, name, value)
            if name in ("d", "points"):
                assert all(
                    -1 <= float(n) <= max(width, height) + 1 for n in re.findall(r"-?[\d.]+", value.replace("h0", ""))
                )
    for text in root.iter(f"{SVG}text"):
        x, size, content = (
            float(text.get("x", "")),
            float(text.get("font-size", root.get("font-size", ""))),
            text.text or "",
        )
        wide = text_width(content, size, bold=text.get("font-weight") == "bold")
        left = x - {"start": 0.0, "middle": wide / 2.0, "end": wide}[text.get("text-anchor", "start")]
        assert size >= 11
        assert left >= -0.01, content
        assert left + wide <= width + 0.01, content
        assert size * 0.8 <= float(text.get("y", "")) <= height - 2.0, content
        assert content.isprintable()
    assert all(len(row) == len(figure.table.header) for row in figure.table.rows)
    assert all(cell.isprintable() for row in figure.table.rows for cell in row)
    return root


def texts(root: ET.Element) -> list[str]:
    """Return all that is written in a picture."""
    return [text.text or "" for text in root.iter(f"{SVG}text")]
