import pytest

from napari_s2clip.io.units import centimetres, short, standard


@pytest.mark.parametrize(
    ("unit", "name", "length"),
    [
        ("µm", "micrometer", 1e-4),  # the micro sign
        ("μm", "micrometer", 1e-4),  # the Greek letter
        ("um", "micrometer", 1e-4),
        ("micron", "micrometer", 1e-4),
        ("nm", "nanometer", 1e-7),
        ("Å", "angstrom", 1e-8),
        ("mm", "millimeter", 0.1),
        ("cm", "centimeter", 1),
        ("metre", "meter", 100),
        ("kilometer", "kilometer", 1e5),
        ("px", None, None),
        ("", None, None),
    ],
)
def test_units_have_one_name_and_length(unit, name, length):
    assert standard(unit) == name
    assert centimetres(unit) == length


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("µm", "um"),
        ("\\u00B5m", "um"),  # as ImageJ writes it
        ("micrometer", "um"),
        ("nm", "nm"),
        ("angstrom", "angstrom"),
        ("inch", "inch"),
        ("", ""),
    ],
)
def test_units_have_a_short_name(unit, expected):
    assert short(unit) == expected
