"""Money: what is held, what is spent, when a cap is reached, how amounts are written."""

import threading

import pytest

from mojo_toolbox.contract import Usage
from mojo_toolbox.generation.prices import (
    Budget,
    CapReached,
    TokenPrices,
    about_read,
    dollars,
    expected,
    most_read,
)

PRICES = TokenPrices(read=2.0, written=8.0)


def test_a_price_is_for_a_million_tokens():
    assert PRICES.of(Usage(prompt_tokens=500_000, completion_tokens=250_000)) == 3.0
    assert PRICES.of(None) == 0


@pytest.mark.parametrize("text", ["", "plain words", "会議の要約" * 40, "\ud83d", "🙂" * 9])
def test_no_text_has_more_tokens_than_are_held_for_it(text):
    messages = [{"role": "user", "content": text}]
    assert most_read(messages) > len(text.encode(errors="replace"))
    assert 0 < about_read(messages) <= most_read(messages)


def test_a_request_holds_the_most_it_can_cost_and_then_costs_what_it_did():
    budget = Budget(PRICES, cap=1.0)
    with budget.request(0.9) as bill:
        bill.cost = 0.2
    with budget.request(0.8) as bill:
        bill.cost = 0.5
    assert budget.spent == pytest.approx(0.7)
    with pytest.raises(CapReached), budget.request(0.4):
        pytest.fail("there was no room")


def test_what_adds_up_to_the_cap_is_within_it():
    budget = Budget(PRICES, cap=0.3)
    for _ in range(3):
        with budget.request(0.1) as bill:
            bill.cost = 0.1
    with pytest.raises(CapReached), budget.request(0.001):
        pytest.fail("there was no room")


def test_a_request_without_room_waits_for_those_under_way():
    budget = Budget(PRICES, cap=1.0)
    begun, spent = threading.Event(), []

    def second():
        begun.set()
        with budget.request(0.8) as bill:
            spent.append(budget.spent)
            bill.cost = 0.1

    thread = threading.Thread(target=second)
    with budget.request(0.9) as bill:
        thread.start()
        assert begun.wait(20)
        bill.cost = 0.15
    thread.join(20)
    assert spent == [0.15]
    assert budget.spent == pytest.approx(0.25)


def test_no_conversation_is_begun_that_would_end_half_written():
    budget = Budget(PRICES, cap=1.0)
    budget.learn(Usage(prompt_tokens=100_000, completion_tokens=50_000))  # $0.60
    with budget.conversation():
        budget.spent = 0.5
    with pytest.raises(CapReached), budget.conversation():
        pytest.fail("there was no room")


def test_without_a_cap_everything_is_counted_and_nothing_refused():
    budget = Budget(PRICES)
    with budget.conversation(), budget.request(1e9) as bill:
        bill.cost = 1e9
    assert budget.spent == 1e9


def test_what_a_run_will_have_cost():
    assert expected(0.0, 0, 100, projected=5.0) == 5.0
    assert expected(0.5, 10, 100, projected=99.0) == 5.0
    assert expected(0.5, 100, 100, projected=99.0) == 0.5


@pytest.mark.parametrize(
    ("amount", "written"),
    [(0, "$0.00"), (1234.5, "$1,234.50"), (0.1, "$0.10"), (0.0123, "$0.0123"), (0.00012, "$0.00012"), (3e-9, "$3e-09")],
)
def test_an_amount_has_as_many_digits_as_it_takes(amount, written):
    assert dollars(amount) == written
