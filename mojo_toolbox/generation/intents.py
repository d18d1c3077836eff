"""What users do in a turn, in words for the prompt; `$task` and `$other` are tasks, `$topic` is something to chat about.

Only what the user does: what the agent does meanwhile is nobody's to plan when it is played by a call of its own.
"""

from __future__ import annotations

GREETING = (
    "only greets, and does not say yet what is wanted",
    "greets and asks whether anybody is there",
    "greets and says who it is, nothing else",
    "sends a single word of greeting",
    "greets and asks what the assistant can do",
    "greets and announces a question without asking it",
)

TOPICS = (
    "the weather",
    "bad coffee",
    "a match last night",
    "a child that is ill",
    "the train that was late",
    "the noise in the office",
    "a holiday that begins soon",
    "how long the day has been",
    "a birthday",
    "the heating",
    "a new haircut",
    "a neighbour's dog",
    "the news",
    "what was for lunch",
    "a song that sticks in the head",
    "a broken screen",
    "a wedding at the weekend",
    "the queue at the post office",
    "being out of practice with computers",
)

SMALL_TALK_BEFORE = (
    "chats about $topic, and wants nothing yet",
    "complains about $topic, without any wish",
    "makes a joke about $topic; nothing is asked of the assistant",
    "says a friendly word about $topic to begin with",
)

# The running task stays in charge: the user does not leave it.
SMALL_TALK_INSIDE = (
    "makes a short remark about $topic, then goes on with the matter at hand",
    "answers the assistant, and adds half a sentence about $topic",
    "says that $topic gets in the way, and that it goes on in a second",
    "jokes about $topic in between; the matter at hand is not left",
    "wanders off to $topic and comes back to the point within the same message",
)

SMALL_TALK_AFTER = (
    "chats about $topic for a moment, now that all is done; wants nothing",
    "says a last friendly word about $topic",
    "wishes a good day, and mentions $topic",
)

START = (
    "asks in one plain sentence for $task",
    "describes a situation that needs $task, and leaves it to the assistant to see what is to be done",
    "sends a fragment of a few words that asks for $task",
    "tells a good deal of background before it becomes clear that $task is wanted",
    "asks whether the assistant can do this: $task",
    "gives the details at once, as if the wish were known; from them it is clear that $task is wanted",
    "pastes a few lines of a message or note and says in few words what for: $task",
    "complains about a problem that $task would solve",
    "says what somebody else expects, so that $task is needed",
    "asks for $task with a wrong or vague word for it, which can still be understood",
    "wants $task, and says at once what must not be forgotten",
    "wants $task, and names a time by which it is needed",
    "asks for $task as if it had been agreed on yesterday",
    "wants $task, in words that share none with its name and description",
    "wants $task; another thing is mentioned on the way, clearly as background only",
)

GREETING_AND_START = (
    "greets, and in the same message asks for $task",
    "greets at length, then describes a need for $task",
)

CONTINUE = (
    "answers with a bare value: a name, a date, a number or a place",
    "answers with a bare value: a name, a date, a number or a place",
    "answers with yes, no or another single word",
    "answers the question with more than was asked for",
    "answers half of what was asked, and ignores the rest",
    "explains what is special about the case",
    "adds something that was forgotten",
    "asks back what is meant",
    "asks a question about the matter before going on",
    "hesitates, and thinks aloud",
    "leaves the choice to the assistant",
    "chooses among what is offered, by its position or by one word",
    "reacts to what the assistant brought, and asks for a change in it",
    "asks for it shorter, longer, or in another form",
    "asks why, or is surprised",
    "asks to repeat or to show it again",
    "says thanks for this much, and asks for one more detail of the same matter",
    "says okay, so that it goes on; it is not finished",
    "tells what somebody else said about it",
    "says that it has no such information, and asks whether it goes without",
    "is impatient and asks how long it takes",
    "sends a link, a number or a line copied from somewhere",
    "asks what would happen if it were done another way",
    "doubts whether this is right",
    "misunderstands the assistant, in a plausible way",
)

# Words of another task that do not ask for it: what a router that looks for words gets wrong.
CONTINUE_MENTIONING = (
    "goes on with the matter, and mentions something of $other in passing, without wanting it",
    "answers, and says that $other is already done or comes another day",
    "gives a detail that sounds like $other, but belongs to the matter at hand",
)

SWITCH = (
    "leaves the question unanswered: first wants $task",
    "turns abruptly to $task, without any word of transition",
    "is content with what came out, and next wants $task",
    "remembers that $task is urgent and wants it now",
    "has just got a call or a message, and therefore needs $task now",
    "drops what was going on, and wants $task instead",
    "wants to use what came out so far for $task",
    "answers in half a sentence, then asks for $task to be done first",
    "sends a fragment that can only mean $task",
    "asks, while waiting for the rest, for $task",
    "says by the way that $task is needed, and that it goes first",
    "describes another problem, which calls for $task",
)

RETURN = (
    "comes back to $task where it was left",
    "comes back to $task with the detail that was missing before",
    "asks how far $task has come, and wants to go on with it",
    "says that the other thing can wait, back to $task",
    "refers to $task only as what they had before, and goes on with it",
    "has had another thought about $task and wants a change in it",
    "answers, late, a question that belonged to $task",
)

END = (
    "thanks, and is content",
    "says in a word or two that it is done",
    "says that nothing else is needed",
    "thanks and says goodbye",
    "praises the result and stops",
    "says that it looks fine like this, and means that it is finished",
    "asked or not, says no, that was all",
    "says goodbye without thanks",
    "says okay in a way that closes the matter",
)

DROP = (
    "gives it up: it is not worth the trouble",
    "says never mind, it has settled itself",
    "breaks off, annoyed with how it goes",
    "must leave, and will come back to it another day; for now it is dropped",
    "says that somebody else does it now",
    "decides to do it alone",
    "says to forget it",
)

# What no listed task does; the model thinks it up.
UNCOVERED = (
    "asks for something that sounds close to $other, but that no task of the list does",
    "asks for general knowledge that has nothing to do with any task of the list",
    "asks for something of everyday life that no task of the list does",
    "asks for help with a device or program that no task of the list covers",
    "asks something about the assistant or its makers that no task of the list answers",
    "asks for an opinion or advice that no task of the list gives",
    "asks for something in the trade of this assistant that no task of the list does",
)

# What a task of the same product does that is not in this conversation's list.
UNCOVERED_UNLISTED = (
    "asks for something that this assistant cannot do here: $task",
    "describes a need for something that is not in the list: $task",
    "sends a fragment that asks for something that is not in the list: $task",
)

UNCOVERED_AGAIN = (
    "insists on it",
    "asks for the same in other words",
    "asks who else could do it",
    "says that it would have been useful",
    "asks a further question about it",
)

# The label is $task: what is to be taken up first.
TWO_WISHES = (
    "wants two things in one message: first $task, after that $other",
    "asks in one breath for $task and $other, in this order",
    "wants $other, but says that $task has to be done before it",
    "names $other, then says that $task is the more urgent one and should be done first",
    "needs $task right now, and already announces $other for later",
    "joins two wishes by and: $task, and also $other",
)

TWO_WISHES_UNCOVERED = (
    "wants two things in one message: $task, and besides something that no task of the list does",
    "asks for something that no task of the list does and, more important, for $task",
)

SECOND_WISH = (
    "reminds the assistant of the second wish: $task",
    "says that the first is fine, and now wants the other one, $task",
    "asks whether $task can be done now too",
)

CORRECT_DETAIL = (
    "corrects a detail that was given before: it was wrong",
    "sends the corrected word only",
    "says that the assistant got a detail wrong, and gives the right one",
    "takes back half of what was said",
    "says that it was a mistake, and gives another date, name or number",
    "has looked it up meanwhile: it is different from what was said",
)

# The wish itself was wrong; afterwards $task is in charge.
CORRECT_WISH = (
    "says that this was not meant: not $other but $task",
    "notices that the wrong thing was asked for: $task is what is needed",
    "corrects the wish in a few words: $task, not $other",
    "says that on second thoughts $task is the right thing instead of $other",
)

CORRECT_TO_NOTHING = (
    "says that it was a mistake to ask: nothing is needed after all",
    "notices that it has been done already, and takes the wish back",
    "wrote to the wrong place by mistake, and says so",
)
