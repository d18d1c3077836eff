"""Conversations to review, easy and nasty ones."""

TASKS = [
    {"name": "meeting_recap", "description": "Write a recap of a meeting"},
    {"name": "follow_up_email", "description": "Write an email that follows up on a meeting"},
    {"name": "prepare_a_quote", "description": "Prepare a quote for a customer"},
    {"name": "plan_a_trip", "description": "Plan a business trip"},
]


def user(text, *label):
    return {"role": "user", "content": text} | ({"task": label[0]} if label else {})


def assistant(text):
    return {"role": "assistant", "content": text}


def talk(number):
    """Return a conversation of three user turns: none, a quote, a quote."""
    messages = [
        user(f"hello, I am customer {number}", None),
        assistant("Hello! What can I do for you?"),
        user(f"a quote for {number} chairs please", "prepare_a_quote"),
        assistant("For whom?"),
        user("for ACME", "prepare_a_quote"),
    ]
    return {"id": f"talk-{number}", "tasks": TASKS, "messages": messages}


def talks(count):
    return [talk(number) for number in range(1, count + 1)]


SCRIPT = "<script>window.owned = 1</script><img src=x onerror='window.owned = 1'></script><b>bold</b>"
NASTY = {
    "id": f"nasty {SCRIPT}",
    "tasks": [
        {"name": "<b>bold</b>", "description": SCRIPT},
        {"name": "إعداد_عرض", "description": "إعداد عرض تقديمي للعميل"},
    ],
    "messages": [
        user(SCRIPT, "<b>bold</b>"),
        assistant(SCRIPT),
        user("السلام عليكم، أريد عرضًا (PowerPoint)", "إعداد_عرض"),
        assistant("בסדר"),
        user("👩‍👩‍👧‍👦 </script> ${1} {{ 1 }} \u2028 \u202e backwards"),
        assistant(""),
        user("word" * 400, None),
    ],
}
LONG = {
    "id": "long",
    "tasks": TASKS,
    "messages": [
        message
        for number in range(100)
        for message in (user(f"turn {number} of many", "plan_a_trip" if number else None), assistant("Yes."))
    ],
}
