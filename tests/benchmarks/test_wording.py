"""Words, containment and near-equal questions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalkit.benchmarks.wording import contains_words, jaccard, near_duplicates, words

SENTENCES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=9).map(" ".join)


def test_words_keep_numbers_whole() -> None:
    """Decimals, thousands and times are one word; case and width do not matter."""
    assert words("At 17:30, pay EUR 4,200.50 (\uff36\uff21\uff34 5 %).") == (
        "at", "17:30", "pay", "eur", "4,200.50", "vat", "5", "%",
    )  # fmt: skip


def test_containment_is_by_whole_words() -> None:
    """'No' is never inside 'know', and 5 days are not in 15 days or in 2.5 days."""
    assert not contains_words("I know", "no")
    assert not contains_words("15 days", "5 days")
    assert not contains_words("2.5 days", "5 days")
    assert contains_words("after 5 days, at most", "5 Days")
    assert not contains_words("anything", "...")


@given(st.dictionaries(st.integers(0, 9).map(str), SENTENCES), st.lists(SENTENCES, max_size=8))
def test_near_duplicates_equal_the_comparison_of_all_pairs(
    texts: dict[str, str], others: list[str]
) -> None:
    """The filter loses no pair: it finds what comparing all pairs finds."""
    right = {str(i): text for i, text in enumerate(others)}
    expected = {
        (a, b)
        for a, left in texts.items()
        for b, other in right.items()
        if jaccard(frozenset(words(left)), frozenset(words(other))) >= 0.8
    }
    assert {(a, b) for a, b, _ in near_duplicates(texts, right, 0.8)} == expected


def test_near_duplicates_tell_the_similarity() -> None:
    """Four of five words shared is a similarity of 0.8, which counts."""
    assert near_duplicates({"a": "one two three four"}, {"b": "one two three four five"}) == [
        ("a", "b", 0.8)
    ]
