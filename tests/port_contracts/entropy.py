"""What every `Entropy` must do."""

from uuid import UUID

from trust_runtime.ports.entropy import Entropy


class EntropyContract:
    def test_ids_are_version_7_in_lower_case(self, entropy: Entropy) -> None:
        text = entropy.uuid7()
        made = UUID(text)
        assert text == str(made)
        assert (made.version, made.variant) == (7, "specified in RFC 4122")

    def test_ids_are_unique_and_later_ones_sort_later(self, entropy: Entropy) -> None:
        made = [entropy.uuid7() for _ in range(1_000)]
        assert made == sorted(set(made))

    def test_fractions_fill_the_range_without_its_end(self, entropy: Entropy) -> None:
        drawn = [entropy.fraction() for _ in range(1_000)]
        assert all(0 <= one < 1 for one in drawn)
        assert len(set(drawn)) > 990
        assert (min(drawn) < 0.1, max(drawn) > 0.9) == (True, True)
