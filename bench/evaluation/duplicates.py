"""Statements with paraphrases and near misses, to judge `domain.near_duplicates` by."""

# statements read better unbroken
import random
from collections.abc import Sequence
from itertools import combinations

from perdure.domain.near_duplicates import near_duplicates
from perdure.ports.models import Embedder

# Each fact in several wordings, and the values that tell one from another.
_FACTS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("I live in {0}.", "I'm living in {0} these days.", "My home is in {0}.", "hey, i live in {0} btw"),
        ("Lisbon", "Porto", "Graz"),
    ),
    (
        (
            "My sister is called {0}.",
            "My sister's name is {0}.",
            "The name of my sister is {0}.",
            "I have a sister, her name is {0}.",
        ),
        ("Ines", "Ruth", "Paula"),
    ),
    (
        (
            "I work as a nurse at {0}.",
            "I'm a nurse and I work at {0}.",
            "At {0} I work as a nurse.",
            "I have a job as a nurse at {0}.",
        ),
        ("St. Anne's", "Riverside Clinic", "the Westend Hospital"),
    ),
    (
        (
            "I get up at {0} every morning.",
            "Every morning I get up at {0}.",
            "I wake up at {0} each morning.",
            "My mornings begin at {0}, that's when I get up.",
        ),
        ("5", "6", "7"),
    ),
    (
        (
            "My flight leaves on {0}.",
            "I'm flying out on {0}.",
            "The flight I booked leaves on {0}.",
            "On {0} my flight departs.",
        ),
        ("Monday", "Thursday", "Saturday"),
    ),
    (
        (
            "I'm allergic to {0}.",
            "I have an allergy to {0}.",
            "I am allergic to {0}, unfortunately.",
            "My allergy is to {0}.",
        ),
        ("peanuts", "cats", "shellfish"),
    ),
    (
        (
            "My favourite food is {0}.",
            "The food I like best is {0}.",
            "{0} is my favourite food.",
            "My favorite food has always been {0}.",
        ),
        ("pizza", "sushi", "goulash"),
    ),
    (
        ("My car is {0}.", "I drive a {0} car.", "The colour of my car is {0}.", "I have a {0} car."),
        ("red", "black", "silver"),
    ),
    (
        (
            "We have {0} children.",
            "We've got {0} kids.",
            "There are {0} children in our family.",
            "My wife and I have {0} children.",
        ),
        ("two", "three", "four"),
    ),
    (
        (
            "I play the {0} in a band.",
            "In my band I play the {0}.",
            "I'm in a band, playing the {0}.",
            "I'm the one who plays the {0} in our band.",
        ),
        ("drums", "bass", "trumpet"),
    ),
    (
        (
            "I don't drink {0}.",
            "I never drink {0}.",
            "{0} is something I do not drink.",
            "I do not drink {0} at all.",
        ),
        ("coffee", "alcohol", "milk"),
    ),
    (
        (
            "I drink {0} every day.",
            "Every day I drink {0}.",
            "I have {0} to drink every day.",
            "I have my {0} daily.",
        ),
        ("coffee", "tea", "milk"),
    ),
    (
        (
            "The project is due in {0}.",
            "The deadline of the project is in {0}.",
            "We have to deliver the project in {0}.",
            "The project must be finished in {0}.",
        ),
        ("March", "June", "October"),
    ),
    (
        (
            "My daughter studies {0}.",
            "My daughter is a student of {0}.",
            "My daughter is studying {0} at university.",
            "{0} is what my daughter studies.",
        ),
        ("law", "physics", "medicine"),
    ),
    (
        (
            "I went hiking with {0} last weekend.",
            "Last weekend I went on a hike with {0}.",
            "{0} and I went hiking last weekend.",
            "I was hiking last weekend, together with {0}.",
        ),
        ("Tom", "Aisha", "Bernd"),
    ),
    (
        (
            "I'm learning {0}.",
            "I have started to learn {0}.",
            "I am learning {0} at the moment.",
            "Currently I'm learning {0}.",
        ),
        ("Spanish", "Polish", "Arabic"),
    ),
    (
        (
            "Our dog is {0} years old.",
            "Our dog is {0}.",
            "The age of our dog is {0} years.",
            "We have a dog who is {0} years old.",
        ),
        ("3", "8", "12"),
    ),
    (
        ("I broke my {0}.", "My {0} is broken.", "I've broken my {0}.", "I have a broken {0}."),
        ("wrist", "ankle", "collarbone"),
    ),
)
# Rules and thresholds were set with the facts above; these judge.
_HELD_OUT: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        (
            "I was born in {0}.",
            "My place of birth is {0}.",
            "I was born in {0}, by the way.",
            "{0} is where I was born.",
        ),
        ("Madrid", "Oslo", "Accra"),
    ),
    (
        (
            "I'm reading a book about {0}.",
            "The book I'm reading is about {0}.",
            "At the moment I'm reading a book on {0}.",
            "I've been reading a book about {0}.",
        ),
        ("volcanoes", "chess", "the Vikings"),
    ),
    (
        ("My boss is named {0}.", "My boss's name is {0}.", "{0} is my boss.", "The name of my boss is {0}."),
        ("Olga", "Henrik", "Samuel"),
    ),
    (
        (
            "We adopted a {0}.",
            "We have adopted a {0}.",
            "We've just adopted a {0}!",
            "A {0} was adopted by us.",
        ),
        ("cat", "puppy", "parrot"),
    ),
    (
        (
            "The rent is {0} euros.",
            "I pay {0} euros of rent.",
            "My rent is {0} euros a month.",
            "Our rent: {0} euros.",
        ),
        ("800", "950", "1200"),
    ),
    (
        (
            "I'm not coming to the {0}.",
            "I won't come to the {0}.",
            "I will not be coming to the {0}.",
            "I can't come to the {0}.",
        ),
        ("party", "wedding", "meeting"),
    ),
    (
        (
            "I'm coming to the {0}.",
            "I will come to the {0}.",
            "I'll be coming to the {0}.",
            "Yes, I'm going to come to the {0}.",
        ),
        ("party", "wedding", "meeting"),
    ),
    (
        (
            "My grandmother taught me to {0}.",
            "It was my grandmother who taught me to {0}.",
            "I was taught to {0} by my grandmother.",
            "My grandmother taught me how to {0}.",
        ),
        ("knit", "swim", "sing"),
    ),
    (
        (
            "I have an appointment with the dentist on {0}.",
            "My dentist appointment is on {0}.",
            "On {0} I have a dentist appointment.",
            "I have to go to the dentist on {0}.",
        ),
        ("Tuesday", "Friday", "May 3rd"),
    ),
    (
        (
            "We painted the kitchen {0}.",
            "The kitchen was painted {0}.",
            "We've painted our kitchen {0}.",
            "Our kitchen has been painted {0}.",
        ),
        ("yellow", "green", "blue"),
    ),
)


def make_statements(seed: int, *, held_out: bool = True) -> tuple[list[str], list[int]]:
    """Texts in random order, and for each the number of what it says."""
    dice = random.Random(seed)
    said: list[tuple[str, int]] = []
    number = 0
    for wordings, values in _HELD_OUT if held_out else _FACTS:
        for value in values:
            chosen = dice.sample(wordings, dice.randint(1, len(wordings)))
            said += [(_sentence(wording.format(value)), number) for wording in chosen]
            number += 1
    dice.shuffle(said)
    return [text for text, _ in said], [what for _, what in said]


def _sentence(text: str) -> str:
    return text if text.startswith("hey") else text[:1].upper() + text[1:]


def pairwise(texts: Sequence[str], said: Sequence[int], embedder: Embedder) -> tuple[float, float, float]:
    """Precision, recall and F1 of the pairs that were found to say the same."""
    groups = near_duplicates(texts, embedder.embed(texts))
    found = {pair for group in groups for pair in combinations(sorted(group), 2)}
    wanted = {pair for pair in combinations(range(len(texts)), 2) if said[pair[0]] == said[pair[1]]}
    right = len(found & wanted)
    precision, recall = right / max(len(found), 1), right / max(len(wanted), 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)
