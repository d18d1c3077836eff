"""The words for actions, imports and exports: the same on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mojo_toolbox.review.records import Action, ExportReport, ImportReport

ACTION_WORDS: Mapping[Action, str] = {
    "okay": "okay",
    "change": "changed",
    "check": "to be checked",
    "wrong": "thrown out",
}
# What an export leaves out unless it is told otherwise.
LEFT_OUT_WORDS: Mapping[str, str] = {
    "undecided": "undecided",
    "wrong": "thrown out",
    "check": "to be checked",
    "disagreement": "judged differently",
}
NO_REASON = "no reason given"
# What a reviewer is asked.
QUESTION = "Is each blue label the task that the user wants after this turn?"
# Why a conversation is thrown out, as a rule; a reviewer may write another reason.
REASONS = (
    "Not a real conversation",
    "The task list does not fit it",
    "Personal or secret data",
    "Harmful or offensive",
    "A duplicate",
)
# Keys, the button that does the same, and what they do.
KEYS = (
    (("Enter",), "Okay, or Save changes", "The labels are right as they stand. Those that you changed are stored."),
    (("C",), "Change", "Choose another task for the turn that you are on."),
    (("⇧C",), "Label the whole conversation", "Choose one task for every user turn."),
    (("B",), "Back", "Takes back your last decision, then the one before."),
    (("T",), "To be checked", "A colleague should look. Say why in the note."),
    (("X",), "Throw out", "The conversation is of no use. You are asked for the reason."),
    (("L",), "Leave undecided", "Only when you settle one: what others decided stays as it was."),
    (("↑", "↓"), "", "Move between user turns. K and J do the same."),
    (("N",), "", "Write a note. Escape leads back to the conversation."),
    (("?",), "Help", "Shows this list."),
)


def import_lines(name: str, report: ImportReport) -> Iterator[str]:
    """Yield what an import did, the main thing first."""
    yield f"{name}: {report.read:,} conversations, {report.new:,} new"
    if report.known:
        kept = f", {report.kept:,} of them decided otherwise than labelled here" if report.kept else ""
        yield f"{report.known:,} were there already; decisions on them stay{kept}."
    for count, said in (
        (report.updated, "undecided ones took the new labels"),
        (report.replaced, "left the queue: the same source has another text under their id now"),
        (report.repeated, "are in the file twice"),
        (report.unlisted_labels, "labels are not on their task list: taken off, marked, and put first"),
        (report.disagreements, "have a turn in which the router disagrees: they come first"),
    ):
        if count:
            yield f"{count:,} {said}."


def left_out_line(report: ExportReport) -> str:
    """Return how many conversations an export left out, and why; nothing where there are none."""
    parts = [
        f"{report.left_out[reason]:,} {LEFT_OUT_WORDS[reason]}"
        for reason in LEFT_OUT_WORDS
        if report.left_out.get(reason)
    ]
    return f"Left out: {', '.join(parts)}." if parts else ""


def reason_lines(reasons: Mapping[str, int]) -> list[str]:
    """Return why conversations were thrown out, the most frequent reason first."""
    ordered = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    return [f"{count:,} {reason or NO_REASON}" for reason, count in ordered]
