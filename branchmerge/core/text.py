"""Texts as they are stored, and as they are compared."""

import unicodedata

# Letters that look like a Latin one, by the small letter, since both sides of a comparison are folded; where a capital
# looks like another letter than its small one, it stands apart. Source: Unicode's confusables.txt (UTS 39).
_CAPITALS = str.maketrans("ΗΝΥ", "HNY")
_SMALL = str.maketrans(
    "авсеһіјӏкмнорԛѕтуԝхԁѵүҽ" + "αβγεζικμνορτυχηϲϳ" + "ıɑɡɩʏʀɴʟʜɢʙᴀᴄᴅᴇᴊᴋᴍᴏᴘꜱᴛᴜᴠᴡᴢ" + "օսոհցյզ",
    "abcehijlkmhopqstywxdvye" + "abyezikmvoptuxncj" + "iagiyrnlhgbacdejkmopstuvwz" + "ounhgjq",
)


def clean(text: str) -> str:
    """A text that every file, database and program can carry.

    A lone surrogate, as of an emoji cut in two, becomes a question mark; a NUL, which ends texts elsewhere, goes.
    """
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def folded(text: str) -> str:
    """A text for comparing: neither case, accents, signs without width nor letters that look alike count.

    Never for storing: it is no text that anybody wrote.
    """
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text)
    seen = "".join(sign for sign in parts if unicodedata.category(sign) not in ("Cf", "Mn") and sign not in _FILLERS)
    return unicodedata.normalize("NFC", seen.translate(_CAPITALS).casefold().translate(_SMALL))


_FILLERS = "\u115f\u1160\u3164\uffa0\u2800"  # letters and signs that show nothing
