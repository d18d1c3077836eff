"""Voices: seeded, and hardly ever the same twice."""

import collections
import random

from mojo_toolbox.generation import voice_words
from mojo_toolbox.generation.voices import Voice, draw_voice


def voices(number, **settings):
    return [draw_voice(random.Random(f"voice {i}"), **settings) for i in range(number)]


def test_two_thousand_voices_are_all_different():
    assert len(set(voices(2000))) == 2000


def test_a_voice_follows_from_its_seed():
    assert voices(50) == voices(50)


def test_no_part_of_a_voice_is_empty():
    for voice in voices(300):
        assert all(part and part == part.strip() for part in vars(voice).values())


def test_every_word_is_drawn_now_and_then():
    said = "\n".join(str(voice) for voice in voices(3000))
    for text in [*voice_words.NAMES, *voice_words.ROLES, *voice_words.SITUATIONS, *voice_words.DEVICES]:
        assert text in said
    for group in [voice_words.TONES, voice_words.LENGTHS, *voice_words.HABITS, voice_words.MANNERS]:
        assert all(text in said for text in group)


def test_most_people_have_few_habits():
    counted = collections.Counter(voice.habits.count(";") for voice in voices(2000))
    assert counted[0] > 20
    assert sum(counted[number] for number in range(4)) > 1600
    assert counted[5] < 100


def test_languages_and_users_are_the_callers():
    drawn = voices(200, languages={"Hebrew": 0.5, "Swahili": 0.5}, users=["a driver"])
    assert {voice.language for voice in drawn} == {"Hebrew", "Swahili"}
    assert all("a driver" in voice.persona for voice in drawn)


def test_nobody_is_a_child():
    ages = [int(voice.persona.split(", ")[1]) for voice in voices(2000)]
    assert min(ages) >= 17
    assert max(ages) <= 84


def test_a_voice_is_comparable_and_hashable():
    voice = Voice("a", "b", "c", "d", "e")
    assert voice == Voice("a", "b", "c", "d", "e")
    assert len({voice, Voice("a", "b", "c", "d", "e")}) == 1
