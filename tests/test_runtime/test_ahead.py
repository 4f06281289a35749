"""Working ahead changes when things are computed, not what."""

import threading

import pytest

from glip.runtime.ahead import computed_ahead


@pytest.mark.parametrize('ahead', [0, 1, 5])
def test_results_come_in_order(ahead):
    assert list(computed_ahead(lambda x: x * x, range(9), ahead=ahead)) == [
        x * x for x in range(9)
    ]
    assert list(computed_ahead(str, [], ahead=ahead)) == []


@pytest.mark.parametrize('ahead', [0, 2])
def test_errors_come_in_their_turn(ahead):
    def inverse(x):
        return 1 / x

    results = computed_ahead(inverse, [1, 2, 0, 4], ahead=ahead)
    assert [next(results), next(results)] == [1, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)

    def items():
        yield 1
        yield 2
        raise LookupError('no more')

    results = computed_ahead(inverse, items(), ahead=ahead)
    assert [next(results), next(results)] == [1, 0.5]
    with pytest.raises(LookupError):
        next(results)


def test_the_next_is_computed_while_the_first_is_used():
    begun = threading.Event()

    def function(x):
        if x == 1:
            begun.set()
        return x

    results = computed_ahead(function, range(9), ahead=1)
    assert next(results) == 0
    assert begun.wait(60)


def test_no_more_items_are_read_than_asked_for():
    read = []

    def items():
        for x in range(9):
            read.append(x)
            yield x

    results = computed_ahead(str, items(), ahead=2)
    next(results)
    assert read == [0, 1, 2]
    results.close()
    awaited = computed_ahead(str, items(), ahead=0)
    read.clear()
    next(awaited)
    assert read == [0]
