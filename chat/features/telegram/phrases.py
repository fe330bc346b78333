"""Phrases: what the bot says by itself. Deliveries name one; its words stand here alone."""

from chat.languages import noop

PHRASES = {
    "hello": noop("Hello. Write your question here, and we answer in this chat."),
    "goes-on": noop("We go on here. What you write in this chat and what you wrote on our site is one conversation."),
    "expired": noop("That link has run out. Write your question here all the same, and we answer in this chat."),
    "edited": noop("Changes to a message that was sent are not passed on. Write what is new as a message of its own."),
    "not-passed": noop("That kind of message can't be passed on. Write it as text, or send it as a file."),
    "file": noop(
        "A file could not be taken: pictures, PDF, office files, text, sound and video up to 20 MB are."
        " The rest of what you sent has arrived."
    ),
    "too-much": noop(
        "That was too much at once, so the last of it has not arrived. Wait a moment, and send that again."
    ),
    "connected-forum": "Connected. Each conversation gets a topic of its own here: what you write in it goes to its"
    " visitor. /close closes the conversation.",
    "connected": "Connected. What visitors write comes here: reply to one of those messages, and the answer goes to its"
    " visitor. Reply with /close to close the conversation.",
    "anonymous": "You write here as the group itself, so we can't know who you are. Switch off “Remain anonymous” for"
    " yourself in the group's administrators, and send the code again.",
    "reply": "To whom? Reply to one of the messages here, and the answer goes to its visitor.",
    "elsewhere": "You answer visitors in another chat, so this went to nobody. A new code from the page “Telegram” in"
    " your settings moves everything here.",
    "not-close": "This conversation is closed already.",
}
