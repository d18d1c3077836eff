"""The words that voices are made of, with how often each is drawn."""

from __future__ import annotations

from collections.abc import Mapping

# Named, since a model that may choose calls everybody Sarah.
_NAMES = """
    Abena Adwoa Agnieszka Ahmed Aino Aisha Alejandra Alma Amara Anil Antonin Ariadni Arjun Asger Astrid Aylin Babajide Bashir
    Beatriz Berit Bogdan Camille Carmen Chiara Chidi Dagny Danilo Deepa Delphine Dimitra Ebba Edwin Eero Ekaterina Elif Emeka
    Erzsebet Esperanza Fadi Farida Fenna Fergus Florin Gaspard Giulia Gulnara Hamza Hanneke Haruto Hedda Henryk Hye-jin Ibrahim
    Ignacio Ilse Imre Ines Ingrid Irina Iwan Jadwiga Jamal Jarno Joaquim Jovana Kaito Kamila Katrien Kenji Khadija Kwame Lamine
    Leire Leszek Lien Linnea Lorcan Ludmila Magda Mahmoud Mairead Malik Marek Mariam Mateus Mei Mercy Milica Minh Mireia Nadia
    Naoko Nikos Nkechi Noor Oksana Olga Omar Orla Osvaldo Padma Paloma Petra Phuong Priya Qasim Radek Rahel Ravi Renske Rocio
    Roisin Rosalind Ruben Sadia Samir Sanna Sari Sefa Shanice Signe Silvio Simran Sipho Sofija Suresh Svetlana Tadeusz Tamsin
    Tariq Temitope Teuvo Thandiwe Tomasz Tove Tuan Ulrike Umut Vasco Veerle Vilma Wanjiru Wiebke Xiomara Yara Yusuf Zainab Zeynep
    Zofia
"""
NAMES = tuple(_NAMES.split())

# For products whose users are not described: anybody may ask an assistant something.
ROLES = (
    "an accountant in a small firm",
    "a student",
    "a shop owner who does everything alone",
    "a nurse on shifts",
    "a team lead with too many meetings",
    "an electrician",
    "a freelance designer",
    "a warehouse supervisor",
    "a parent of three at home",
    "an assistant to a director",
    "an employee in the first week",
    "a field technician",
    "a teacher",
    "a consultant who travels",
    "a farmer",
    "a buyer in a factory",
    "a project manager",
    "a chef",
    "a volunteer in an association",
    "a software developer",
    "a receptionist",
    "a lorry driver",
    "a researcher",
    "a landlady of two flats",
    "an apprentice",
    "a physiotherapist",
    "a musician",
    "a civil servant",
    "a salesman of machines",
    "a carer of an old father",
)

SITUATIONS = (
    "in a hurry, about to be called away",
    "has time and likes to chat",
    "has tried this elsewhere and failed",
    "does this for somebody else",
    "does it for the first time and is unsure",
    "does this every week and is bored by it",
    "sits in a meeting and types under the table",
    "stands in a queue",
    "is tired after a long day",
    "has just been interrupted",
    "is preparing for tomorrow",
    "is behind a deadline that was yesterday",
    "works on several things at once",
    "has a bad connection and is brief for it",
    "was told by a colleague to try the assistant",
    "does not trust machines much",
    "has all papers at hand and quotes from them",
    "has forgotten half of the details",
    "is cheerful about good news",
    "has a complaint at the back of the mind",
    "is on the way home by train",
    "reads everything twice before answering",
    "changes plans easily",
    "waits for a call meanwhile",
)

DEVICES = (
    "on a phone with one thumb",
    "on a phone, dictating",
    "at a desk with a keyboard",
    "on a tablet on the sofa",
    "on a shared computer at work",
    "on an old laptop",
    "on a phone outdoors in the cold",
    "at a desk with two screens",
)

TONES: Mapping[str, float] = {
    "matter-of-fact": 5,
    "friendly": 4,
    "curt": 4,
    "polite and formal": 2,
    "impatient": 2,
    "uncertain": 2,
    "chatty": 2,
    "dry, with a bit of irony": 1.5,
    "stressed": 2,
    "grumpy": 1,
    "angry about something that went wrong": 1,
    "enthusiastic": 1,
    "distracted": 2,
    "apologetic": 1,
    "bossy": 1,
    "trusting, leaves decisions to the assistant": 1,
    "distrustful, asks back": 1,
    "playful": 1,
}

LENGTHS: Mapping[str, float] = {
    "writes one to four words a message": 3,
    "writes at most eight words a message": 4,
    "writes one short sentence a message": 5,
    "writes one or two sentences a message": 4,
    "writes three or four sentences when there is something to tell, else a word": 2,
    "writes long messages in which the point comes late": 1,
    "mixes single words with a long message now and then": 3,
}

# One of each group is drawn; the empty one is what about half of people do.
HABITS: tuple[Mapping[str, float], ...] = (
    {"": 8, "no capital letters": 4, "a capital letter now and then, at random": 1, "CAPITALS WHEN IT MATTERS": 0.6},
    {
        "": 8,
        "no full stops and hardly a comma": 4,
        "dots between thoughts... like this": 1,
        "several question or exclamation marks at once": 1,
        "one long sentence joined by commas": 1,
        "dashes - everywhere": 0.7,
    },
    {
        "": 9,
        "a typo in every other message, never corrected": 3,
        "swapped and missing letters of fast typing": 2,
        "what a phone's correction makes of words": 1,
        "spelling by ear": 0.7,
        "words missing where they go without saying": 2,
    },
    {
        "": 10,
        "abbreviations of chats": 2,
        "abbreviations of the trade": 2,
        "reads like a transcript of speech, with fillers and restarts": 2,
        "writes in a second language, with small errors": 2,
        "a word of another language now and then": 1,
        "regional words": 1,
    },
    {
        "": 12,
        "an emoji now and then": 1.5,
        "figures, dates and times without any words around them": 2,
        "quotes or pastes bits of mails and notes": 1.5,
        "begins in the middle, as if it had been explained before": 2,
        "refers to things as this, that, the other one": 2,
        "answers a question with a question": 1,
        "never says please or thanks": 2,
        "says please and thanks each time": 1,
        "corrects itself within the message": 1,
    },
)

MANNERS: Mapping[str, float] = {
    "a terse bot": 3,
    "a friendly assistant": 4,
    "a formal clerk": 2,
    "a helpful colleague": 3,
    "a chatty companion": 1,
    "a voice assistant whose words are heard": 1,
    "a cautious assistant that confirms everything": 2,
    "an eager assistant that promises a result at once": 2,
}

REPLY_LENGTHS: Mapping[str, float] = {
    "answers in half a sentence": 3,
    "answers in one sentence": 5,
    "answers in two or three sentences": 4,
    "delivers results in full, otherwise brief": 3,
    "lists things with numbers or dashes": 2,
}

AGENT_TRAITS: Mapping[str, float] = {
    "asks one question at a time": 4,
    "asks for all that is missing at once": 2,
    "guesses first and asks for corrections": 2,
    "sometimes misses the point and must be told again": 1.5,
    "says what happens next": 2,
    "never repeats what the user said": 2,
    "sums up what it understood": 1.5,
    "shows drafts and asks for changes": 2,
}
