"""A corpus of awkward letters, each with what is to be read in it: written after the shapes of the real programs."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

ASKED = "Do you have the tall lamp?"


class Case(NamedTuple):
    """A letter, and what `letters.read` finds in it; what is not named is not looked at."""

    name: str
    raw: bytes
    found: dict[str, Any]


def raw(
    body: str | bytes, *headers: str, charset: str = "utf-8", kind: str = "text/plain", encoding: str = "8bit"
) -> bytes:
    """A letter with these headers over the usual ones."""
    named = {line.partition(":")[0].lower() for line in headers}
    usual = {
        "From": "Vera Example <vera@example.org>",
        "To": "chat@shop.example",
        "Subject": "Re: The lamp",
        "Message-ID": "<one@example.org>",
        "Content-Type": f"{kind}; charset={charset}",
        "Content-Transfer-Encoding": encoding,
    }
    head = [*headers, *(f"{name}: {value}" for name, value in usual.items() if name.lower() not in named)]
    content = body if isinstance(body, bytes) else body.encode(charset)
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + content


def quoted(intro: str, *, said: str, mark: str = "> ") -> bytes:
    return raw(f"{said}\r\n\r\n{intro}\r\n\r\n{mark}{ASKED}\r\n{mark}\r\n{mark}Ann\r\n")


REPLIES = [
    ("english, Gmail", "On Mon, 23 Nov 2026 at 10:00, Ann <chat@shop.example> wrote:", "Yes please."),
    (
        "english, over two lines",
        "On Mon, Nov 23, 2026 at 10:00 AM Ann (Lamp Shop) <\r\nchat@shop.example> wrote:",
        "Yes.",
    ),
    ("german, Gmail", "Am Mo., 23. Nov. 2026 um 10:00 Uhr schrieb Ann <chat@shop.example>:", "Ja, gern."),
    ("german, Thunderbird", "Am 23.11.26 um 10:00 schrieb Ann:", "Ja, zwei bitte."),
    ("french", "Le lun. 23 nov. 2026 à 10:00, Ann <chat@shop.example> a écrit :", "Oui, merci."),
    ("spanish", "El lun, 23 nov 2026 a las 10:00, Ann (<chat@shop.example>) escribió:", "Sí, gracias."),
    ("italian", "Il giorno lun 23 nov 2026 alle ore 10:00 Ann <chat@shop.example> ha scritto:", "Sì, grazie."),
    ("portuguese", "Em seg., 23 de nov. de 2026 às 10:00, Ann <chat@shop.example> escreveu:", "Sim, obrigado."),
    ("dutch", "Op ma 23 nov 2026 om 10:00 schreef Ann <chat@shop.example>:", "Ja, graag."),
    ("polish", "pon., 23 lis 2026 o 10:00 Ann <chat@shop.example> napisał(a):", "Tak, proszę."),
    ("russian", "пн, 23 нояб. 2026 г. в 10:00, Ann <chat@shop.example>:", "Да, пожалуйста."),
    ("japanese", "2026年11月23日(月) 10:00 Ann <chat@shop.example>:", "はい、お願いします。"),
    ("chinese", "Ann <chat@shop.example> 于2026年11月23日周一 10:00写道：", "好的，谢谢。"),
    ("arabic", "في الاثنين، 23 نوفمبر 2026 في 10:00 ص كتب Ann <chat@shop.example>:", "نعم، شكراً."),
    ("hebrew", "בתאריך יום ב׳, 23 בנוב׳ 2026 ב-10:00 מאת Ann <chat@shop.example>:", "כן, תודה."),
]

OUTLOOK = "________________________________\r\nFrom: Ann <chat@shop.example>\r\nSent: Monday, November 23, 2026 10:00\r\nTo: Vera\r\nSubject: The lamp\r\n\r\n"
STYLES = [
    Case("outlook's ruled block", raw(f"Yes please.\r\n\r\n{OUTLOOK}{ASKED}\r\n"), {"body": "Yes please."}),
    Case("a signature", raw("Yes please.\r\n-- \r\nVera Example\r\n+44 20 7946 0000\r\n"), {"body": "Yes please."}),
    Case(
        "original message", raw(f"Yes.\r\n\r\n-----Original Message-----\r\nFrom: Ann\r\n\r\n{ASKED}"), {"body": "Yes."}
    ),
    Case(
        "answers inside",
        raw(f"> {ASKED}\r\n\r\nYes.\r\n\r\n> In blue?\r\n\r\nIn red.\r\n"),
        {"holds": ["Yes.", "In red.", "> In blue?"]},
    ),
    Case("nothing but a quote", raw(f"> {ASKED}\r\n> Ann\r\n"), {"holds": [ASKED]}),
    Case("no quote at all", raw("Yes please.\r\n\r\nBoth.\r\n"), {"body": "Yes please.\n\nBoth.", "whole": ""}),
    Case("a greater-than in the text", raw("5 > 3, and\r\nI take 2 lamps\r\n"), {"body": "5 > 3, and\nI take 2 lamps"}),
    Case(
        "a forwarded thread",
        raw(
            f"See below.\r\n\r\n---------- Forwarded message ---------\r\nFrom: Bob\r\n\r\n{ASKED}",
            "Subject: Fwd: lamp",
        ),
        {"holds": ["See below.", ASKED]},
    ),
    Case("very long", raw("word " * 3000), {"length": 4000, "has_whole": True}),
]


def page(html: str) -> bytes:
    return raw(f"<html><body>{html}</body></html>", kind="text/html")


OLD = f"<p>{ASKED}</p>"
HTML = [
    Case(
        "Gmail",
        page(
            f'<div dir="ltr">Yes please.</div><br><div class="gmail_quote gmail_quote_container"><div class="gmail_attr">On Mon wrote:</div><blockquote class="gmail_quote">{OLD}</blockquote></div>'
        ),
        {"body": "Yes please."},
    ),
    Case(
        "Outlook on the web",
        page(
            f'<div>Yes please.</div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Ann</div><div>{OLD}</div>'
        ),
        {"body": "Yes please."},
    ),
    Case(
        "Apple Mail",
        page(
            f'Yes please.<br><div><br><blockquote type="cite"><div>On 23 Nov 2026, Ann wrote:</div>{OLD}</blockquote></div>'
        ),
        {"body": "Yes please."},
    ),
    Case(
        "Yahoo",
        page(f'<div>Yes please.</div><div id="yahoo_quoted_1" class="yahoo_quoted">{OLD}</div>'),
        {"body": "Yes please."},
    ),
    Case(
        "Thunderbird",
        page(
            f'<p>Yes please.</p><div class="moz-cite-prefix">Am 23.11. schrieb Ann:</div><blockquote type="cite">{OLD}</blockquote>'
        ),
        {"body": "Yes please."},
    ),
    Case(
        "ProtonMail",
        page(
            f'<div>Yes please.</div><div class="protonmail_quote">On Monday:<blockquote class="protonmail_quote">{OLD}</blockquote></div>'
        ),
        {"body": "Yes please."},
    ),
    Case(
        "Fastmail",
        page(f'<div>Yes please.</div><blockquote type="cite" id="qt">{OLD}</blockquote>'),
        {"body": "Yes please."},
    ),
    Case(
        "scripts and styles",
        page(
            "<style>p{color:red}</style><script>steal()</script><p onclick=x()>Hello</p><img src=http://evil.example/t.gif>"
        ),
        {"body": "Hello"},
    ),
    Case(
        "a list",
        page("<p>I need:</p><ul><li>one lamp</li><li>two pots</li></ul>"),
        {"holds": ["I need:", "one lamp", "two pots"]},
    ),
    Case("entities", page("<p>3 &lt; 5 &amp; &quot;fine&quot; &nbsp;&euro;</p>"), {"holds": ['3 < 5 & "fine"', "€"]}),
    Case(
        "markup that is broken",
        page("<p>Hello <b>there <div></p></b> <table><td>you"),
        {"holds": ["Hello", "there", "you"]},
    ),
]

CHARSETS = [
    Case("latin-1", raw("Grüße aus Köln", charset="iso-8859-1"), {"body": "Grüße aus Köln"}),
    Case("latin-9", raw("Das kostet 5 €", charset="iso-8859-15"), {"body": "Das kostet 5 €"}),
    Case("windows-1252", raw("“Fine” – 5 €", charset="windows-1252"), {"body": "“Fine” – 5 €"}),
    Case("windows-1251", raw("Добрый день", charset="windows-1251"), {"body": "Добрый день"}),
    Case("koi8-r", raw("Добрый день", charset="koi8-r"), {"body": "Добрый день"}),
    Case("iso-2022-jp", raw("こんにちは", charset="iso-2022-jp"), {"body": "こんにちは"}),
    Case("shift_jis", raw("こんにちは", charset="shift_jis"), {"body": "こんにちは"}),
    Case("gb18030", raw("你好，有灯吗？", charset="gb18030"), {"body": "你好，有灯吗？"}),
    Case("euc-kr", raw("안녕하세요", charset="euc-kr"), {"body": "안녕하세요"}),
    Case("utf-7", raw(b"Gr+APwA3w-e", charset="utf-7"), {"holds": ["Gr"]}),
    Case("declared wrongly", raw("Grüße".encode(), "Content-Type: text/plain; charset=us-ascii"), {"body": "Grüße"}),
    Case("none declared", raw("Grüße".encode(), "Content-Type: text/plain"), {"body": "Grüße"}),
    Case(
        "one that nobody knows", raw("Grüße".encode(), "Content-Type: text/plain; charset=x-unknown"), {"body": "Grüße"}
    ),
    Case("base64", raw(base64.b64encode("Grüße".encode()), encoding="base64"), {"body": "Grüße"}),
    Case("quoted-printable", raw(b"Gr=C3=BC=C3=9Fe =\r\nda", encoding="quoted-printable"), {"body": "Grüße da"}),
    Case(
        "an encoded subject",
        raw("x", "Subject: =?iso-8859-1?q?Gr=FC=DFe?= =?utf-8?b?8J+MmQ==?="),
        {"subject": "Grüße🌙"},
    ),
    Case(
        "a subject split over words", raw("x", "Subject: =?utf-8?b?R3LDvMOf?=\r\n =?utf-8?q?e?="), {"subject": "Grüße"}
    ),
    Case("a subject in plain 8 bit", raw("x", "Subject: Grüße"), {"subject": "Grüße"}),
    Case("a subject that is broken", raw("x", "Subject: =?utf-8?q?broken"), {"subject": "=?utf-8?q?broken"}),
]


def multi(*parts: str, kind: str = "mixed", headers: tuple[str, ...] = ()) -> bytes:
    body = "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--\r\n"
    return raw(body, f'Content-Type: multipart/{kind}; boundary="b"', *headers)


def attached(name: str, content: bytes, kind: str = "application/octet-stream") -> str:
    data = base64.b64encode(content).decode()
    disposition = f"Content-Disposition: attachment; {name}"
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n{disposition}\r\n\r\n{data}"


TEXT = "Content-Type: text/plain\r\n\r\nSee the file."
INNER = "From: Bob <bob@example.com>\r\nSubject: Inside\r\n\r\nAn inner letter"
NESTED = (
    'Content-Type: multipart/related; boundary="c"\r\n\r\n--c\r\n'
    + TEXT
    + "\r\n--c\r\nContent-Type: image/png; name=inline.png\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <i>\r\n\r\niVBORw0KGgo=\r\n--c--"
)
STRUCTURES = [
    Case(
        "a file",
        multi(TEXT, attached('filename="lamp.pdf"', b"%PDF-1.4")),
        {"body": "See the file.", "names": ["lamp.pdf"]},
    ),
    Case(
        "a name by RFC 2231",
        multi(TEXT, attached("filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf", b"x")),
        {"names": ["Grüße.pdf"]},
    ),
    Case(
        "a name in pieces",
        multi(TEXT, attached("filename*0*=utf-8''Gr%C3%BC;\r\n filename*1*=%C3%9Fe.pdf", b"x")),
        {"names": ["Grüße.pdf"]},
    ),
    Case(
        "a name by RFC 2047",
        multi(TEXT, attached('filename="=?utf-8?q?Gr=C3=BC=C3=9Fe.pdf?="', b"x")),
        {"names": ["Grüße.pdf"]},
    ),
    Case("nested parts", multi(NESTED), {"body": "See the file.", "names": ["inline.png"]}),
    Case(
        "plain and HTML",
        multi(TEXT, "Content-Type: text/html\r\n\r\n<b>See the file.</b>", kind="alternative"),
        {"body": "See the file.", "names": []},
    ),
    Case(
        "an empty plain part beside HTML",
        multi(
            "Content-Type: text/plain\r\n\r\n ", "Content-Type: text/html\r\n\r\n<b>Only here</b>", kind="alternative"
        ),
        {"body": "Only here"},
    ),
    Case(
        "a letter in the letter",
        multi(TEXT, f"Content-Type: message/rfc822\r\n\r\n{INNER}"),
        {"body": "See the file.", "names": ["letter.eml"]},
    ),
    Case(
        "an invitation",
        multi(TEXT, "Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR"),
        {"names": ["invitation.ics"]},
    ),
    Case(
        "winmail.dat",
        multi(TEXT, attached('filename="winmail.dat"', b"x\x9f>\x22", "application/ms-tnef")),
        {"names": ["winmail.dat"]},
    ),
    Case(
        "S/MIME",
        multi(TEXT, attached('filename="smime.p7s"', b"0\x80", "application/pkcs7-signature"), kind="signed"),
        {"body": "See the file.", "names": ["smime.p7s"]},
    ),
    Case(
        "PGP",
        multi(
            "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1",
            attached('filename="encrypted.asc"', b"-----BEGIN"),
            kind="encrypted",
        ),
        {"holds_name": "encrypted.asc"},
    ),
    Case(
        "a file and no words", multi(attached('filename="lamp.png"', b"\x89PNG")), {"body": "", "names": ["lamp.png"]}
    ),
    Case(
        "no end of its parts",
        raw("--b\r\n" + TEXT, 'Content-Type: multipart/mixed; boundary="b"'),
        {"body": "See the file."},
    ),
    Case("no boundary", raw("words", "Content-Type: multipart/mixed"), {"sender": "vera@example.org"}),
    Case("a bomb of parts", multi(*[TEXT] * 3000), {"holds": ["See the file."]}),
    Case(
        "a bomb of depth",
        raw(
            "".join(f'Content-Type: multipart/mixed; boundary="d{i}"\r\n\r\n--d{i}\r\n' for i in range(3000)),
            'Content-Type: multipart/mixed; boundary="x"',
        ),
        {},
    ),
]

HEADERS = [
    Case("no Message-ID", raw("x", "Message-ID:"), {"id_ends": "@without-id"}),
    Case("no sender", raw("x", "From:"), {"sender": ""}),
    Case(
        "two senders' headers",
        raw("x", "From: First <first@example.org>", "From: Second <second@example.org>"),
        {"sender": ""},
    ),
    Case(
        "an address inside of a name",
        raw("x", "From: =?utf-8?q?evil=40example=2Ecom?= <vera@example.org>"),
        {"sender": "vera@example.org"},
    ),
    Case(
        "line ends in an encoded name",
        raw("x", "From: =?utf-8?q?Vera=0D=0ABcc=3A_a=40b=2Ec?= <vera@example.org>"),
        {"sender": "vera@example.org", "one_line": True},
    ),
    Case(
        "line ends in an encoded subject", raw("x", "Subject: =?utf-8?q?Hi=0D=0ABcc=3A_a=40b=2Ec?="), {"one_line": True}
    ),
    Case("bidi overrides in the subject", raw("x", "Subject: \u202egnp.exe"), {"subject": "gnp.exe"}),
    Case("control characters", raw("a\x00b\x07c"), {"body": "abc"}),
    Case(
        "what it answers", raw("x", "References: <a@x> <b@x>", "In-Reply-To: <c@x>"), {"parents": ["a@x", "b@x", "c@x"]}
    ),
    Case(
        "all to whom it went",
        raw("x", "Cc: Two <TWO@shop.example>", "Delivered-To: chat+abc@shop.example"),
        {"to": ["chat@shop.example", "two@shop.example", "chat+abc@shop.example"]},
    ),
    Case(
        "who says that it is genuine",
        raw(
            "x",
            "Authentication-Results: mx.shop.example; spf=pass a=b; dkim=fail; dmarc=pass",
            "Authentication-Results: evil; dkim=pass",
        ),
        {"verdicts": {"spf": "pass", "dkim": "fail", "dmarc": "pass"}},
    ),
    Case("no bytes at all", b"", {"body": ""}),
    Case("no mail at all", bytes(range(256)) * 20, {}),
]

AUTOMATIC = [
    Case("out of office", raw("Away", "Auto-Submitted: auto-replied"), {"automatic": True}),
    Case("Exchange's out of office", raw("Away", "X-Auto-Response-Suppress: All"), {"automatic": True}),
    Case("a mailing list", raw("News", "List-Id: <news.example.com>"), {"automatic": True}),
    Case("bulk", raw("News", "Precedence: bulk"), {"automatic": True}),
    Case("an empty return path", raw("x", "Return-Path: <>"), {"automatic": True}),
    Case("our own mail, come back", raw("x", "X-Porchlight: 1"), {"automatic": True}),
    Case(
        "a read receipt",
        multi(
            "Content-Type: text/plain\r\n\r\nRead",
            "Content-Type: message/disposition-notification\r\n\r\nDisposition: manual-action",
            kind="report",
        ),
        {"automatic": True},
    ),
    Case("a person who says so", raw("x", "Auto-Submitted: no"), {"automatic": False}),
]

BACK = "From: MAILER-DAEMON@mx.example.org"


def report(status: str, diagnostic: str, action: str = "failed") -> bytes:
    status_part = f"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; gone@example.org\r\nAction: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; {diagnostic}\r\n"
    return multi(
        "Content-Type: text/plain\r\n\r\nSorry.",
        status_part,
        "Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: <abc@shop.example>",
        kind="report",
        headers=(BACK,),
    )


BOUNCES = [
    Case(
        "Postfix, unknown",
        report("5.1.1", "550 5.1.1 User unknown"),
        {"bounce": ("gone@example.org", "no such address", True)},
    ),
    Case(
        "Exchange, full",
        report("5.2.2", "552 5.2.2 mailbox full"),
        {"bounce": ("gone@example.org", "mailbox full", True)},
    ),
    Case(
        "no such domain",
        report("5.1.2", "550 Host not found"),
        {"bounce": ("gone@example.org", "no such mail server", True)},
    ),
    Case(
        "refused as spam",
        report("5.7.1", "550 5.7.1 blocked"),
        {"bounce": ("gone@example.org", "refused by their mail server", True)},
    ),
    Case("too large", report("5.3.4", "552 message too big"), {"bounce": ("gone@example.org", "too large", True)}),
    Case(
        "late only",
        report("4.4.1", "connect timed out", "delayed"),
        {"bounce": ("gone@example.org", "their mail server could not be reached", False)},
    ),
    Case(
        "qmail",
        raw(
            "Hi. This is the qmail-send program at mx.example.org.\r\nI'm afraid I wasn't able to deliver your message to the following addresses.\r\n\r\n<gone@example.org>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n--- Below this line is a copy of the message.\r\n",
            BACK,
        ),
        {"bounce": ("gone@example.org", "no such address", True)},
    ),
    Case(
        "Gmail, not found",
        raw(
            "Address not found. Your message wasn't delivered to gone@example.org",
            "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
            "X-Failed-Recipients: gone@example.org",
        ),
        {"bounce_of": "gone@example.org"},
    ),
]

CASES = [
    *(Case(name, quoted(intro, said=said), {"body": said, "has_whole": True}) for name, intro, said in REPLIES),
    *STYLES,
    *HTML,
    *CHARSETS,
    *STRUCTURES,
    *HEADERS,
    *AUTOMATIC,
    *BOUNCES,
]
