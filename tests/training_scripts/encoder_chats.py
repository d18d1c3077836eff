"""Chats to train a tiny encoder on, of the words that it knows."""

import random

CHOICES = ["book_table", "get_weather", "bus_ticket", "none"]
SYSTEM = {
    "role": "system",
    "content": "Name the task.\nbook a table for dinner: book_table\nthe weather forecast: get_weather\n"
    "a ticket for the bus: bus_ticket\nnone of these: none",
}
SAID = {
    "book_table": ["a table for dinner", "the restaurant for tomorrow", "book dinner"],
    "get_weather": ["rain tomorrow", "the forecast", "the weather for dinner"],
    "bus_ticket": ["bus for tomorrow", "a ticket", "book the bus"],
    "none": ["thanks bye", "thanks", "a meeting recap"],
}


def chat(*turns, **more):
    """Return a record; a turn is (the user's words, the answer) or (…, …, whether it bears loss)."""
    messages = [SYSTEM]
    for said, answer, *train in turns:
        messages.append({"role": "user", "content": f"User: {said}"})
        messages.append({"role": "assistant", "content": answer, **({"train": train[0]} if train else {})})
    return {"messages": messages, "choices": CHOICES, **more}


def chats(count, seed=0):
    rng = random.Random(seed)
    records = []
    for _ in range(count):
        answers = rng.choices(CHOICES, k=3)
        answers.insert(1, answers[0])  # that goes on
        records.append(chat(*((rng.choice(SAID[answer]), answer) for answer in answers)))
    return records
