import re
from xml.etree import ElementTree as ET

import pytest

from bench_samples import report
from trust_runtime.bench.plot import render

SVG = "{http://www.w3.org/2000/svg}"


def curves(text: str) -> list[list[tuple[float, float]]]:
    root = ET.fromstring(text)  # noqa: S314 - our own text
    paths = [one for one in root.iter(f"{SVG}path") if one.attrib["class"].startswith("s")]
    drawn = [one.attrib["d"] for one in paths if "L" in one.attrib["d"]]
    return [
        [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", path)] for path in drawn
    ]


@pytest.mark.parametrize("values", [(1.0,), (0.0, 0.05), tuple(float(n) for n in range(5_000))])
def test_the_picture_is_well_formed_for_any_values(values: tuple[float, ...]) -> None:
    text = render(report(values=values))
    root = ET.fromstring(text)  # noqa: S314 - our own text
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for curve in curves(text):
        assert all(0 <= x <= width and 0 <= y <= height for x, y in curve)


def test_a_curve_rises_from_nothing_to_all() -> None:
    product, reference = curves(render(report(values=(10.0, 1_000.0, 100.0, 10.0))))
    assert len(product) == 5
    across = [x for x, _ in product]
    up = [y for _, y in product]
    assert across == sorted(across)
    assert up == sorted(up, reverse=True)
    assert (up[0], up[-1]) == (reference[0][1], reference[-1][1])


def test_many_values_make_no_endless_path() -> None:
    (curve, _) = curves(render(report(values=tuple(float(n) for n in range(100_000)))))
    assert len(curve) < 1_000


def test_it_is_readable_in_light_and_dark_and_names_everything() -> None:
    text = render(report("a <b> & c"))
    assert "prefers-color-scheme:dark" in text
    root = ET.fromstring(text)  # noqa: S314 - our own text
    words = [one.text or "" for one in root.iter(f"{SVG}text")]
    assert "a <b> & c: share of samples not above a latency" in words
    assert {"latency", "sum (reference)", "0%", "100%"} <= set(words)
    dashed = [one for one in root.iter(f"{SVG}path") if "stroke-dasharray" in one.attrib]
    assert len(dashed) == 2
