"""Replies: what a person newly wrote, without what their mail program put below it. In doubt words are kept."""

import re

_LANGUAGES = ["en", "de", "cs", "da", "es", "fr", "it", "ja", "ko", "nl", "pl", "sv", "zh"]
LONGEST = 20_000  # characters: the library's patterns cost more than the square of them
_GAP = re.compile(r"\n{4,}")
_QUOTE = re.compile(r"^\s*[>|]")
_ATTRIBUTION = re.compile(r"([:：]|>|wrote|schrieb|escreveu|пишет|написал\w*|כתב\w*|كتب|写道|さん)\s*$", re.I)
_RULED = re.compile(
    r"^\s*(_{10,}|-{3,}\s*(original message|ursprüngliche nachricht|mensagem original|исходное сообщение|"
    r"пересылаемое сообщение|הודעה מקורית|الرسالة الأصلية|原始邮件|元のメッセージ|message d'origine|"
    r"mensaje original|messaggio originale)\s*-{3,})",
    re.I,
)
_FORWARDED = re.compile(
    r"^-{5,}\s*(forwarded message|weitergeleitete nachricht|message transféré|mensaje reenviado|"
    r"messaggio inoltrato|doorgestuurd bericht|пересылаемое сообщение)",
    re.I | re.M,
)
_QUOTE_BOXES = (
    "//*[contains(concat(' ', @class, ' '), ' gmail_quote ')]",
    "//*[contains(@class, 'yahoo_quoted') or contains(@class, 'moz-cite-prefix')]",
    "//*[contains(@class, 'protonmail_quote')]",
    "//blockquote[@type='cite' or @type='CITE']",
    "//*[@id='appendonsend' or @id='divRplyFwdMsg' or @id='mail-editor-reference-message-container']",
    "//*[@id='qt' or @id='reply-intro' or contains(@class, 'gmx_quote') or contains(@class, 'zmail_extra')]",
)
_AND_AFTER = ("appendonsend", "divRplyFwdMsg")  # Outlook's marks: everything behind them is old


def newest(plain: str) -> str:
    """The text without quotes and signature at its end; inline answers keep the lines that they answer."""
    from mailparser_reply import EmailReplyParser

    plain = plain.replace("\r\n", "\n")
    cut = _without_tail(_GAP.sub("\n\n\n", plain))
    if len(cut) > LONGEST:
        return cut
    found = EmailReplyParser(languages=_LANGUAGES).parse_reply(cut) or ""
    return found if found.strip() else cut if cut.strip() else plain


def _without_tail(plain: str) -> str:
    """Cut a quote that reaches to the end, with the lines that introduce it, in any language."""
    lines = plain.split("\n")
    for number, line in enumerate(lines):
        if number and (_RULED.match(line) or line.rstrip("\r") in ("-- ", "--")):  # signatures: RFC 3676, 4.3
            lines = lines[:number]
            break
    end = len(lines)
    while end and (_QUOTE.match(lines[end - 1]) or not lines[end - 1].strip()):
        end -= 1
    if end == len(lines) or not end:
        return "\n".join(lines)
    for start in range(max(0, end - 3), end):  # an attribution takes one to three lines
        if any(c.isdigit() or c == "@" for c in "".join(lines[start:end])) and _ATTRIBUTION.search(lines[end - 1]):
            blank = [i for i in range(start, end) if not lines[i].strip()]
            return "\n".join(lines[: blank[-1] if blank else start])
    return "\n".join(lines[:end])


def is_forwarded(subject: str, whole: str) -> bool:
    """Whether what came along is what is meant to be read."""
    return bool(_FORWARDED.search(whole)) or bool(re.match(r"\s*(fwd?|wg|tr|rv|i|enc|пер)\s*:", subject, re.I))


def without_quotes(html: str) -> str:
    """The page without the boxes in which mail programs put what is answered."""
    from lxml import etree
    from lxml import html as lxml_html

    try:
        page = lxml_html.document_fromstring(
            html.encode(), parser=lxml_html.HTMLParser(encoding="utf-8", no_network=True)
        )
    except (etree.LxmlError, ValueError):
        return html
    for query in _QUOTE_BOXES:
        for box in page.xpath(query):
            _remove(box)
    return str(lxml_html.tostring(page, encoding="unicode"))


def _remove(box: object) -> None:
    from lxml.html import HtmlElement

    assert isinstance(box, HtmlElement)
    if box.get("id") in _AND_AFTER:
        for later in list(box.itersiblings()):
            _remove(later)
    if box.getparent() is not None:
        box.drop_tree()


def from_html(html: str) -> str:
    """The page's words; scripts, styles and pictures leave nothing behind."""
    if not html.strip():
        return ""
    from inscriptis import get_text
    from inscriptis.css_profiles import STRICT_CSS_PROFILE
    from inscriptis.model.config import ParserConfig
    from lxml import etree

    try:
        found = get_text(html, ParserConfig(css=STRICT_CSS_PROFILE.copy()))
    except (etree.LxmlError, ValueError):
        return re.sub(r"<[^>]*>", " ", html)
    return "\n".join(line.strip() for line in str(found).split("\n"))
