"""`adapters.http.parameters`: what parameters mean."""

from trust_runtime.adapters.http.parameters import PARAMETERS, whole


def test_a_whole_number_has_its_bounds_and_its_default() -> None:
    assert whole(1, 5) == {"type": "integer", "minimum": 1, "maximum": 5}
    assert whole(1, 5, 3)["default"] == 3


def test_every_text_is_a_sentence() -> None:
    for name, parameter in PARAMETERS.items():
        assert parameter.text.endswith("."), name
        assert parameter.schema["type"], name
